"""The servers that bench_servers watches, and the load they serve.

Each runs on a port of the loopback that is free, out of a folder of its own,
until it is ended. A load of some seconds tells how many requests were answered
and by how much CPU time of the server, how many failed, how many answers were
other than they should be, and the longest that a client had to wait.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from workloads import BUILD, TOP

SOURCES = TOP / "tests/bench/servers"
BUILT = BUILD / "bench-servers"
POSTGRES = next(iter(sorted(
    Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), Path("/missing"))
PATIENCE = 60
CLIENTS = 4


class Load:
    """What a load saw."""

    def __init__(self, requests, failed, wrong, longest_ms, cpu_ns):
        self.requests, self.failed, self.wrong = requests, failed, wrong
        self.longest_ms, self.cpu_ns = longest_ms, cpu_ns

    def cost_ns(self):
        """CPU time of the server for each request."""
        return self.cpu_ns / max(1, self.requests)


def cpu_ns(pid):
    """What a process has used, its dead threads too. (clock_getcpuclockid)"""
    return time.clock_gettime_ns((~pid << 3) | 2)


def children(pid):
    """And their children, as far as they are still there when looked at."""
    found = []
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return found
    for task in tasks:
        try:
            text = (task / "children").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        for child in map(int, text.split()):
            found += [child, *children(child)]
    return found


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("servers: waited in vain")
        time.sleep(0.01)


def run(*words, **options):
    """What a command that must succeed prints."""
    return subprocess.run(
        [str(word) for word in words], check=True, text=True,
        capture_output=True, **options).stdout


def missing(*names):
    return [name for name in names if shutil.which(str(name)) is None]


class Server:
    """A web server, by its command line; wrk asks it."""

    needs = ("wrk",)
    is_mapped = False  # it writes /tmp/perf-PID.map

    def __init__(self, folder):
        self.folder = folder
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = str(listener.getsockname()[1])
        self.build()
        self.process = subprocess.Popen(
            [str(word) for word in self.command()], cwd=folder,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=open(folder / "stderr", "w"), **self.options())
        self.pid = self.process.pid
        wait_until(self.is_ready)
        self.settle()

    def build(self):
        pass

    def options(self):
        return {}

    def settle(self):
        """After it listens, before it is watched."""

    def write_names(self):
        """What it has compiled by now."""

    def is_ready(self):
        if self.process.poll() is not None:
            raise SystemExit((self.folder / "stderr").read_text())
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", int(self.port))) == 0

    def pids(self):
        return [self.pid, *children(self.pid)]

    def used_ns(self):
        return sum(map(cpu_ns, self.pids()))

    def pin(self, processors):
        """All threads that there are now, and what they make."""
        for pid in self.pids():
            for task in os.listdir(f"/proc/{pid}/task"):
                os.sched_setaffinity(int(task), processors)

    def load(self, seconds):
        before = self.used_ns()
        out = run("wrk", "-t", 1, "-c", CLIENTS, "-d", f"{seconds}s", "-s",
                  SOURCES / "check.lua", f"http://127.0.0.1:{self.port}/")
        used = self.used_ns() - before
        sums = re.search(r"sums (\d+) (\d+) (\d+) (\d+)", out).groups()
        requests, failed, wrong, longest_us = map(int, sums)
        return Load(requests, failed, wrong, longest_us / 1e3, used)

    def end(self):
        pids = self.pids()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.is_mapped:
            for pid in pids:
                Path(f"/tmp/perf-{pid}.map").unlink(missing_ok=True)


class Redis(Server):
    needs = ("redis-benchmark", "redis-check-rdb")
    batch = 16 * 4  # of clients, and what each sends at once
    count = 20000   # of each kind, in a second

    def command(self):
        # redis-tools has the server as redis-check-rdb, told by its name.
        (self.folder / "redis-server").symlink_to(
            shutil.which("redis-check-rdb"))
        return (self.folder / "redis-server", "--port", self.port, "--bind",
                "127.0.0.1", "--save", "", "--logfile", self.folder / "log")

    def ask(self, *words):
        return run("redis-cli", "-p", self.port, *words).strip()

    def load(self, seconds):
        self.ask("flushall")
        count = int(self.count * seconds) // self.batch * self.batch
        begin, before = time.monotonic(), self.used_ns()
        out = run("redis-benchmark", "-p", self.port, "-n", count, "-c",
                  16, "-P", 4, "-t", "set,get,lpush", "--csv")
        used, took = self.used_ns() - before, time.monotonic() - begin
        self.count = int(count / took)
        rows = [line.split(",") for line in out.splitlines()[1:]]
        longest = max(float(row[-1].strip('"')) for row in rows)
        wrong = (len(rows) != 3) + (
            self.ask("llen", "mylist") != str(count)) + (
            self.ask("get", "key:__rand_int__") != "VXK")
        return Load(len(rows) * count, 0, wrong, longest, used)


class Nginx(Server):
    needs = ("nginx", "wrk")
    configuration = """
daemon off; master_process on; worker_processes 2; error_log stderr;
pid {folder}/pid;
events {{ worker_connections 256; }}
http {{
  access_log {folder}/access; client_body_temp_path {folder};
  proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{
    listen 127.0.0.1:{port}; root {folder}/www; gzip on; gzip_types *;
  }}
}}
"""

    def command(self):
        (self.folder / "www").mkdir()
        (self.folder / "www/index.html").write_text(
            "".join(f"line {i * i % 97}\n" for i in range(400)))
        file = self.folder / "nginx.conf"
        file.write_text(self.configuration.format(
            folder=self.folder, port=self.port))
        self.folder.chmod(0o755)
        return "nginx", "-c", file, "-p", self.folder, "-e", "stderr"


class Postgres(Server):
    """One pgbench asks all the time; a load is a part of that, told from the
    times in its log."""

    needs = (POSTGRES / "postgres", POSTGRES / "pgbench")
    client = None

    def options(self):
        return {"user": "postgres", "group": "postgres", "extra_groups": []}

    def build(self):
        self.folder.chmod(0o755)
        self.data = self.folder / "data"
        self.data.mkdir()
        shutil.chown(self.data, "postgres", "postgres")
        run(POSTGRES / "initdb", "-D", self.data, "-A", "trust", "-N",
            **self.options())

    def command(self):
        return (POSTGRES / "postgres", "-D", self.data, "-p", self.port, "-k",
                self.data, "-h", "127.0.0.1", "-c", "fsync=off", "-c",
                "autovacuum=off")

    def words(self, name, *words):
        return [str(word) for word in (
            POSTGRES / name, *words, "-h", "127.0.0.1", "-p", self.port, "-U",
            "postgres", "postgres")]

    def is_ready(self):
        return subprocess.run(
            self.words("pg_isready")[:-1], stdout=subprocess.DEVNULL
        ).returncode == 0

    def settle(self):
        run(*self.words("pgbench", "-i", "-q", "-s", 2))
        self.client = subprocess.Popen(
            self.words(
                "pgbench", "-n", "-c", CLIENTS, "-T", 100000, "-l",
                f"--log-prefix={self.data}/log"), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE)
        self.log = self.data / f"log.{self.client.pid}"
        wait_until(lambda: self.log.exists() and self.log.stat().st_size > 0)
        self.known = 0

    def load(self, seconds):
        begin, before = time.time(), self.used_ns()
        time.sleep(seconds)
        end, used = time.time(), self.used_ns() - before
        rows = []
        while not rows or rows[-1][0] < end + 0.2:
            with open(self.log, encoding="ascii") as log:
                log.seek(self.known)
                lines = log.read().rsplit("\n", 1)[0].splitlines()
            # client, transaction, us it took, script, time, and its us
            rows = [(int(w[4]) + int(w[5]) / 1e6, int(w[2]))
                    for w in map(str.split, lines) if len(w) >= 6]
            time.sleep(0.05)
        self.known += sum(len(line) + 1 for line in lines)
        mine = [took for at, took in rows if begin <= at < end]
        failed = self.client.poll() is not None
        return Load(len(mine), failed, self.wrong(), max(mine) / 1e3, used)

    def wrong(self):
        """What was booked is what the accounts say."""
        query = ("select (select sum(abalance) from pgbench_accounts) <> "
                 "(select sum(delta) from pgbench_history)")
        return run(*self.words("psql", "-t", "-A", "-c", query)).strip() == "t"

    def end(self):
        if self.client is not None:
            self.client.terminate()
            self.client.wait()
        self.process.send_signal(signal.SIGINT)
        self.process.wait()


class Python(Server):
    needs = ("wrk", "/usr/bin/python3")

    def command(self):
        return "/usr/bin/python3", "-B", SOURCES / "server.py", self.port


class Node(Server):
    needs = ("wrk", "node")
    is_mapped = True

    def command(self):
        return "node", "--perf-basic-prof", SOURCES / "server.js", self.port


class Jvm(Server):
    needs = ("wrk", "java", "javac", "jcmd")
    is_mapped = True

    def build(self):
        run("javac", "-d", BUILT, SOURCES / "Server.java")

    def command(self):
        return ("java", "-XX:+PreserveFramePointer", "-Xmx256m",
                "-Dsun.net.httpserver.nodelay=true", "-cp", BUILT, "Server",
                self.port)

    def settle(self):
        self.load(3)  # most is compiled

    def write_names(self):
        run("jcmd", self.pid, "Compiler.perfmap")


class Go(Server):
    needs = ("wrk", "go")

    def build(self):
        go = {**os.environ, "GOCACHE": str(BUILT / "go-cache"),
              "GOFLAGS": "-mod=mod", "GO111MODULE": "off", "CGO_ENABLED": "0"}
        run("go", "build", "-o", BUILT / "server-go", SOURCES / "server.go",
            env=go)

    def command(self):
        return BUILT / "server-go", self.port


class Musl(Server):
    needs = ("wrk", "musl-gcc")
    compiler = ("musl-gcc", "-static")

    def build(self):
        self.program = BUILT / f"server-{type(self).__name__.lower()}"
        run(*self.compiler, "-O2", "-g", "-pthread", "-o", self.program,
            SOURCES / "server.c")

    def command(self):
        return self.program, self.port


class Contained(Musl):
    """In mount and pid name spaces of its own, where alone its file is."""

    needs = ("wrk", "gcc", "unshare")
    compiler = ("gcc",)

    def command(self):
        script = (f"mount -t tmpfs none /mnt && cp {self.program} /mnt/server"
                  f" && exec /mnt/server {self.port}")
        return ("unshare", "--mount", "--pid", "--fork", "--mount-proc",
                "--kill-child", "sh", "-c", script)

    def settle(self):
        self.pid = children(self.process.pid)[0]


SERVERS = {"redis": Redis, "nginx": Nginx, "postgres": Postgres,
           "python3": Python, "node": Node, "jvm": Jvm, "go": Go,
           "musl static": Musl, "contained": Contained}
