"""A web server of Python's library: some work for each request."""

import http.server
import json
import sys


def rows(count):
    return [{"id": i, "name": f"row {i * i % 97}"} for i in range(count)]


def page():
    found = sorted(rows(60), key=lambda row: row["name"])
    return json.dumps(found).encode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # header and body at once

    def do_GET(self):
        body = page()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


http.server.ThreadingHTTPServer(
    ("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
