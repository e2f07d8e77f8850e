"""A Sentry backend on the loopback, for tests.

It takes envelopes, judges them by all rules (sentry_rules.py,
sentry_payloads.py), and answers as it is told:

    with Backend() as backend:
        backend.answer(Answer(429, {"Retry-After": "1"}))   # the next one only
        run(..., env=clean_environment(SENTRY_DSN=backend.dsn))
        for envelope in backend.envelopes(): ...
        backend.check()     # no rule was broken

By itself it prints what comes in: python3 sentry_backend.py [PORT]
"""

import json
import socket
import ssl
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from sentry_payloads import check_envelope
from sentry_rules import Broken, Envelope, Request, complaints

KEY = "0123456789abcdef0123456789abcdef"
PATIENCE = 60


class Answer:
    """What is said to a request.

    body   None: as Relay does, {"id": ...} or {"detail": ...}
    delay  seconds before the answer
    how    "whole", or "half": the connection ends within the body;
           "headless": within the headers; "garbage": no HTTP;
           "closed": nothing at all; "early": before the body was read,
           which is thrown away until the client has heard of it
    """

    def __init__(self, status=200, headers=(), body=None, delay=0,
                 how="whole"):
        self.status, self.headers = status, dict(headers)
        self.body, self.delay, self.how = body, delay, how


def proxys(status, **options):
    """What a proxy says when it cannot reach the backend."""
    return Answer(
        status, {"Content-Type": "text/html"},
        f"<html><h1>{status} of a proxy</h1></html>", **options,
    )


class Delivery:
    """A request, what it held, and what was wrong with it."""

    def __init__(self, request, answer):
        self.request, self.answer, self.time = request, answer, time.time()
        self.envelope, self.broken, self.complaints = None, None, []
        try:
            self.complaints = complaints("request", request)
            self.envelope = Envelope(request.unpacked())
            self.complaints += check_envelope(self.envelope)
        except Broken as error:
            self.broken = str(error)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = PATIENCE
    disable_nagle_algorithm = True  # or an answer of two parts takes 40 ms

    def log_message(self, *args):
        pass

    def read_body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def do_POST(self):
        backend = self.server.backend
        answer = backend.next_answer()
        if answer.how == "early":
            self.close_connection = True
            self.reply(answer, None)
            self.connection.shutdown(socket.SHUT_WR)
            while self.connection.recv(1 << 16):
                pass
            return
        body = self.read_body()
        is_cut = len(body) < int(self.headers.get("Content-Length", 0))
        if backend.is_dead or is_cut:  # it was, by a client that is no more
            self.close_connection = True
            return
        delivery = Delivery(
            Request(
                self.command, self.path, self.headers.items(), body,
                backend.dsn_parts,
            ),
            answer,
        )
        backend.take(delivery)
        self.reply(answer, delivery)

    do_GET = do_PUT = do_CONNECT = do_POST

    def reply(self, answer, delivery):
        if answer.delay:
            self.server.backend.ending.wait(answer.delay)
        status, body = answer.status, answer.body
        if status == 200 and delivery is not None and delivery.broken:
            status = 400
        if body is None:
            body = json.dumps(
                {"id": self.event_id(delivery)} if status < 300
                else {"detail": f"of status {status}", "causes": []}
            )
        if answer.how == "closed":
            self.close_connection = True
            return
        if answer.how == "garbage":
            self.close_connection = True
            self.wfile.write(b"\x16\x03 this is not HTTP\r\n\r\n")
            return
        self.send_response(status)
        headers = {"Content-Type": "application/json", **answer.headers}
        data = body.encode()
        headers["Content-Length"] = str(
            len(data) + (1000 if answer.how == "half" else 0)
        )
        for name, value in headers.items():
            for line in value if isinstance(value, list) else [value]:
                self.send_header(name, line)
        if answer.how == "headless":
            self.close_connection = True
            self.flush_headers()
            return
        self.end_headers()
        self.wfile.write(data)
        if answer.how == "half":
            self.close_connection = True

    @staticmethod
    def event_id(delivery):
        if delivery is None or delivery.envelope is None:
            return None
        return delivery.envelope.headers.get("event_id")


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass  # a client that goes away is one of the tests


class Backend:
    """The server, in threads of its own."""

    def __init__(self, port=0, prefix="", project="42", secret=None,
                 certificate=None, host="127.0.0.1", on_delivery=None):
        self.deliveries, self.answers = [], []
        self.default = Answer()
        self.on_delivery = on_delivery
        self.lock = threading.Lock()
        self.ending = threading.Event()
        self.is_dead = False
        self.dsn_parts = (KEY, secret, prefix, project)
        if ":" in host:
            Server.address_family = socket.AF_INET6
        try:
            self.server = Server((host, port), Handler)
        finally:
            Server.address_family = socket.AF_INET
        self.server.backend = self
        self.port = self.server.server_address[1]
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.chain, certificate.key)
            self.server.socket = context.wrap_socket(
                self.server.socket, server_side=True
            )
        scheme = "https" if certificate is not None else "http"
        keys = KEY if secret is None else f"{KEY}:{secret}"
        name = f"[{host}]" if ":" in host else (
            "localhost" if certificate is not None else host
        )
        self.dsn = f"{scheme}://{keys}@{name}:{self.port}{prefix}/{project}"
        self.thread = threading.Thread(
            target=self.server.serve_forever, args=(0.02,), daemon=True
        )

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Gone, in the midst of whatever it was doing."""
        self.is_dead = True
        self.ending.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(PATIENCE)

    def answer(self, *answers):
        """What is said to the next requests; afterwards the default is."""
        with self.lock:
            self.answers += answers

    def next_answer(self):
        with self.lock:
            return self.answers.pop(0) if self.answers else self.default

    def take(self, delivery):
        with self.lock:
            self.deliveries.append(delivery)
        if self.on_delivery is not None:
            self.on_delivery(delivery)

    def envelopes(self):
        """Those that could be taken apart."""
        with self.lock:
            return [
                delivery.envelope for delivery in self.deliveries
                if delivery.envelope is not None
            ]

    def items(self, *types):
        """All items of some types, in the order of their coming."""
        return [
            item for envelope in self.envelopes()
            for item in envelope.of_type(*types)
        ]

    def complaints(self):
        with self.lock:
            return [
                complaint for delivery in self.deliveries
                for complaint in delivery.complaints
                + ([delivery.broken] if delivery.broken else [])
            ]

    def check(self):
        """Fail when anything that came broke a rule."""
        assert not self.complaints(), self.complaints()[:20]

    def wait_for(self, condition, seconds=PATIENCE):
        """Whether condition(self) came true."""
        deadline = time.monotonic() + seconds
        while not condition(self):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True


class Nobody:
    """A port where nobody listens, and that nobody else can take meanwhile.

    Whoever is to listen there in the end does so within the block:

        with Nobody() as nobody:
            run(..., env=clean_environment(SENTRY_DSN=nobody.dsn))
            with Backend(port=nobody.port) as backend: ...
    """

    def __init__(self):
        self.socket = socket.socket()
        # As the server's own socket has it: so two may have one address.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.dsn = f"http://{KEY}@127.0.0.1:{self.port}/42"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


class Certificate:
    """A certificate for localhost by an authority made for this test."""

    def __init__(self, folder):
        folder = Path(folder)
        self.authority = folder / "authority.pem"
        self.chain, self.key = folder / "localhost.pem", folder / "localhost.key"
        authority_key = folder / "authority.key"
        request, names = folder / "request.pem", folder / "names"
        names.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        openssl = ["openssl"]
        new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                   "-nodes"]
        for command in (
            [*openssl, "req", "-x509", *new_key, "-keyout", authority_key,
             "-out", self.authority, "-days", "2", "-subj", "/CN=authority"],
            [*openssl, "req", *new_key, "-keyout", self.key, "-out", request,
             "-subj", "/CN=localhost"],
            [*openssl, "x509", "-req", "-in", request, "-CA", self.authority,
             "-CAkey", authority_key, "-CAcreateserial", "-out", self.chain,
             "-days", "2", "-extfile", names],
        ):
            subprocess.run(command, check=True, capture_output=True)


def print_delivery(delivery):
    print(f"{delivery.request.path}: {len(delivery.request.body)} bytes")
    for item in delivery.envelope.items if delivery.envelope else ():
        print(f"  {item.type}: {len(item.payload)} bytes")
    for complaint in delivery.complaints:
        print(f"  ! {complaint}")
    if delivery.broken:
        print(f"  ! {delivery.broken}")
    sys.stdout.flush()


def main():
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    with Backend(port=port, on_delivery=print_delivery) as backend:
        print(f"SENTRY_DSN={backend.dsn}", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
