// A web server of Go's library: some work for each request.
package main

import (
	"fmt"
	"net/http"
	"os"
	"sort"
	"strings"
)

func rows(count int) []string {
	found := make([]string, 0, count)
	for i := 0; i < count; i++ {
		found = append(found, fmt.Sprintf("row %d of %d", i*i%97, i))
	}
	return found
}

func page() []byte {
	found := rows(200)
	sort.Strings(found)
	return []byte(strings.Join(found, "\n"))
}

func answer(writer http.ResponseWriter, request *http.Request) {
	body := page()
	writer.Header().Set("Content-Length", fmt.Sprint(len(body)))
	writer.Write(body)
}

func main() {
	http.HandleFunc("/", answer)
	fmt.Fprintln(
		os.Stderr, http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
	os.Exit(1)
}
