"""The servers that bench_servers watches.

Each runs on a port of the loopback that is free, out of a folder of its own,
and serves its client without a pause until it is ended.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from server_clients import PATIENCE, SOURCES, Pgbench, RedisBenchmark, Wrk
from workloads import BUILD

BUILT = BUILD / "bench-servers"
POSTGRES = next(iter(sorted(
    Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), Path("/missing"))


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


def pin(pids, processors):
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            try:
                os.sched_setaffinity(int(task), processors)
            except ProcessLookupError:
                pass  # it has ended


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError("waited in vain")
        time.sleep(0.01)


def run(*words, **options):
    """What a command that must succeed prints."""
    done = subprocess.run(
        [str(word) for word in words], text=True, capture_output=True,
        timeout=PATIENCE, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{words[0]}: {done.stderr.strip()}")
    return done.stdout


def missing(*names):
    return [name for name in names if shutil.which(str(name)) is None]


class Server:
    """A web server, by its command line; wrk asks it."""

    needs = ("wrk",)
    is_mapped = False  # it writes /tmp/perf-PID.map
    process = client = None

    def __init__(self, folder):
        self.folder = folder
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = str(listener.getsockname()[1])

    def begin(self):
        self.build()
        self.process = subprocess.Popen(
            [str(word) for word in self.command()], cwd=self.folder,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=open(self.folder / "stderr", "w"),
            start_new_session=True, **self.options())
        self.pid = self.process.pid
        wait_until(self.is_ready)
        self.settle()
        self.client = self.ask()
        self.client.wait()
        self.warm_up()

    def build(self):
        pass

    def options(self):
        return {}

    def settle(self):
        """After it listens, before it is asked."""

    def ask(self):
        return Wrk(self.folder, self.port)

    def warm_up(self):
        """Under load, before it is watched."""
        time.sleep(1)

    def write_names(self):
        """What it has compiled by now."""

    def is_ready(self):
        if self.process.poll() is not None:
            raise RuntimeError((self.folder / "stderr").read_text())
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", int(self.port))) == 0

    def pids(self):
        return [self.pid, *children(self.pid)]

    def used_ns(self):
        return sum(map(cpu_ns, self.pids()))

    def pin(self, processors):
        """All threads that there are now, and what they make."""
        pin(self.pids(), processors)

    def end(self):
        """What the client says of the whole time."""
        said = self.client.end() if self.client else ""
        pids = self.pids() if self.process else []
        if self.process and self.process.poll() is None:
            self.stop()
        if self.is_mapped:
            for pid in pids:
                Path(f"/tmp/perf-{pid}.map").unlink(missing_ok=True)
        return said

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Redis(Server):
    needs = ("redis-benchmark", "redis-check-rdb")

    def command(self):
        # redis-tools has the server as redis-check-rdb, told by its name.
        (self.folder / "redis-server").symlink_to(
            shutil.which("redis-check-rdb"))
        return (self.folder / "redis-server", "--port", self.port, "--bind",
                "127.0.0.1", "--save", "", "--logfile", self.folder / "log")

    def ask(self):
        return RedisBenchmark(self.folder, self.port)


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
    needs = (POSTGRES / "postgres", POSTGRES / "pgbench")

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

    def ask(self):
        return Pgbench(self.words, self.data, self.wrong)

    def wrong(self):
        """What was booked is what the accounts say."""
        query = ("select (select sum(abalance) from pgbench_accounts) <> "
                 "(select sum(delta) from pgbench_history)")
        return run(*self.words("psql", "-t", "-A", "-c", query)).strip() == "t"

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(PATIENCE)


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

    def warm_up(self):
        time.sleep(5)  # most is compiled

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
