"""Who asks the servers that bench_servers watches: without a pause, from when
the server serves until its end, so that what happens in any span of time can be
told: how many requests were answered, how many of them badly, and the longest
that one was waited for.
"""

import mmap
import re
import signal
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

CLIENTS = 4
PATIENCE = 60
FOREVER = 100000  # seconds
SOURCES = Path.cwd() / "tests/bench/servers"


def start(words, **options):
    return subprocess.Popen(
        [str(word) for word in words], stdin=subprocess.DEVNULL, text=True,
        start_new_session=True,  # Ctrl-C is for us
        **{"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL,
           **options})


class Client:
    """What they have in common: processes, and what they have seen so far.

    finished(at) is the number of requests by then; bad() are those that failed
    and those whose answer was wrong."""

    processes = ()

    def pids(self):
        return [process.pid for process in self.processes]

    def check(self):
        """That it still asks."""
        if any(process.poll() is not None for process in self.processes):
            raise RuntimeError("the client has ended")

    def wait(self):
        """Until it is answered."""
        deadline = time.monotonic() + PATIENCE
        while self.finished(0) < 10 * CLIENTS:
            self.check()
            if time.monotonic() > deadline:
                raise RuntimeError("the server answers nobody")
            time.sleep(0.01)

    def end(self):
        """What it says of the whole time, if it does."""
        for process in self.processes:
            process.kill()
            process.wait()
        return ""


class Wrk(Client):
    """One connection for each of its threads, so that client.lua knows which
    answer is to which request."""

    # Of each thread: requests, failed, wrong; then the longest in us of each
    # twentieth of a second, for 54 minutes.
    thread_words, head_words, bucket_seconds = 65536, 8, 0.05

    def __init__(self, folder, port):
        counts = folder / "counts"
        size = CLIENTS * self.thread_words * 8
        counts.write_bytes(bytes(size))
        with open(counts, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), size)
        self.processes = [start(
            ("wrk", "-t", CLIENTS, "-c", CLIENTS, "-d", f"{FOREVER}s", "-s",
             SOURCES / "client.lua", f"http://127.0.0.1:{port}/", "--",
             counts), stdout=subprocess.PIPE)]

    def words(self, index, count=1):
        """Of all threads, one list each."""
        return [struct.unpack_from(
            f"<{count}Q", self.map, (i * self.thread_words + index) * 8)
            for i in range(CLIENTS)]

    def finished(self, _):
        return sum(words[0] for words in self.words(0))

    def bad(self):
        return (sum(words[0] for words in self.words(1)),
                sum(words[0] for words in self.words(2)))

    def longest_ms(self, begin, end):
        first, last = (int(at / self.bucket_seconds) for at in (begin, end))
        ring = self.thread_words - self.head_words
        return max(us for i in range(first, last + 1)
                   for (us,) in self.words(self.head_words + i % ring)) / 1e3

    def end(self):
        (process,) = self.processes
        process.send_signal(signal.SIGINT)
        try:
            said = process.communicate(timeout=10)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            said = process.communicate()[0]
        errors = re.search(r"errors (\d+)", said or "")
        return (f"wrk counts {errors[1]} failed connections and answers "
                f"overdue in all of {self.finished(0)}" if errors else "")


class RedisBenchmark(Client):
    """One sets, one gets; the server itself counts. One more client asks every
    few milliseconds, to know how long that takes."""

    pause_seconds = 0.002

    def __init__(self, folder, port):
        self.connection = socket.create_connection(("127.0.0.1", int(port)))
        self.prober = socket.create_connection(("127.0.0.1", int(port)))
        for connection in (self.connection, self.prober):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        assert self.ask(self.prober, "SET probe told") == "+OK"
        self.probes, self.wrong, self.is_over = [], 0, False
        self.processes = [start(
            ("redis-benchmark", "-p", port, "-n", 2000000000, "-c", 8, "-P", 4,
             "-r", 100000, "-t", kind, "-q")) for kind in ("set", "get")]
        self.thread = threading.Thread(target=self.probe, daemon=True)
        self.thread.start()

    @staticmethod
    def ask(connection, words):
        """One that is answered by a line, or by a text with its length."""
        connection.sendall(f"{words}\r\n".encode())
        data = connection.recv(65536)
        while True:
            head, _, rest = data.partition(b"\r\n")
            if head[:1] != b"$" and data.endswith(b"\r\n"):
                return head.decode()
            if head[:1] == b"$" and len(rest) >= int(head[1:]) + 2:
                return rest.decode()
            data += connection.recv(65536)

    def probe(self):
        while not self.is_over:
            begin = time.time()
            try:
                answer = self.ask(self.prober, "GET probe")
            except OSError:
                return
            end = time.time()
            self.wrong += answer != "told\r\n"
            self.probes.append((end, (end - begin) * 1e3))
            time.sleep(self.pause_seconds)

    def told(self, section, name):
        text = self.ask(self.connection, f"INFO {section}")
        return int(re.search(rf"{name}:(\d+)", text)[1])

    def finished(self, _):
        return self.told("stats", "total_commands_processed")

    def bad(self):
        return self.told("stats", "total_error_replies"), self.wrong

    def longest_ms(self, begin, end):
        return max((took for at, took in list(self.probes)
                    if begin <= at <= end), default=float("nan"))

    def end(self):
        self.is_over = True
        self.thread.join()
        return super().end()


class Pgbench(Client):
    """It writes down when each transaction ended, and what it took."""

    def __init__(self, words, folder, wrong):
        self.processes = [start(words(
            "pgbench", "-n", "-c", CLIENTS, "-T", FOREVER, "-l",
            f"--log-prefix={folder}/log"))]
        self.log = folder / f"log.{self.processes[0].pid}"
        self.wrong = wrong
        self.rows, self.known, self.count = [], 0, 0

    def read_until(self, at):
        """Until something later has been written down."""
        deadline = time.monotonic() + PATIENCE
        while not self.rows or self.rows[-1][0] <= at:
            self.check()
            if time.monotonic() > deadline:
                raise RuntimeError("pgbench writes nothing down")
            time.sleep(0.02)
            if self.log.exists():
                self.read()

    def read(self):
        with open(self.log, "rb") as log:
            log.seek(self.known)
            text = log.read()
        text = text[:text.rfind(b"\n") + 1]
        self.known += len(text)
        # client, transaction, us it took, script, time, and its us
        self.rows += [(int(w[4]) + int(w[5]) / 1e6, int(w[2]) / 1e3)
                      for w in map(bytes.split, text.splitlines())
                      if len(w) >= 6]

    def wait(self):
        self.read_until(0)

    def finished(self, at):
        """Asked in the order of time: what is older than a minute goes."""
        self.read_until(at)
        old = [row for row in self.rows if row[0] < at - PATIENCE]
        self.count += len(old)
        self.rows = self.rows[len(old):]
        return self.count + sum(row[0] <= at for row in self.rows)

    def bad(self):
        return sum(p.poll() is not None for p in self.processes), self.wrong()

    def longest_ms(self, begin, end):
        self.read_until(end)
        return max((took for at, took in self.rows if begin <= at <= end),
                   default=float("nan"))
