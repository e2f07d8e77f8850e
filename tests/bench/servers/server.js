// A web server of node's library: some work for each request.
const http = require("http");

function rows(count) {
  const found = [];
  for (let i = 0; i < count; i++)
    found.push({ id: i, name: "row " + ((i * i) % 97) });
  return found;
}

function page() {
  const found = rows(200);
  found.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return JSON.stringify(found);
}

http
  .createServer((request, response) => {
    const body = page();
    response.writeHead(200, { "Content-Length": Buffer.byteLength(body) });
    response.end(body);
  })
  .listen(Number(process.argv[2]), "127.0.0.1");
