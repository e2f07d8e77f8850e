"""A backend that is killed: it appends the ids of sessions to a file before it
answers, and says when it broke a rule. sentry_log.py PORT FILE"""

import os
import sys
import threading

from sentry_backend import Backend


def main():
    port, path = int(sys.argv[1]), sys.argv[2]
    log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write_down(delivery):
        if delivery.complaints or delivery.broken:
            os.write(log, b"! a rule was broken\n")
            return
        for item in delivery.envelope.of_type("session"):
            os.write(log, item.json()["sid"].encode() + b"\n")

    with Backend(port=port, on_delivery=write_down):
        threading.Event().wait()


if __name__ == "__main__":
    main()
