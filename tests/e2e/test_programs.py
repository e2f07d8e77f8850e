"""Programs people run behave the same under watch."""

import os
import re
import subprocess

import pytest

import lab

PYTHON_PROGRAM = """
import sys
def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)
print(fibonacci(27))
print(sorted(str(i) for i in range(200000))[:3], file=sys.stderr)
sys.exit(3)
"""

SQL = """
WITH RECURSIVE numbers(n) AS (
    SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 600000)
SELECT count(*), sum(n % 7), avg(n), max(hex(n)) FROM numbers;
SELECT nonsense;
"""


def sample_text(bytes_):
    """Text that compresses as text does: the same for every run."""
    words = [f"word{(i * i) % 9973}" for i in range(20000)]
    text = " ".join(words).encode()
    return (text * (bytes_ // len(text) + 1))[:bytes_]


@pytest.fixture(scope="module")
def text_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "text"
    path.write_bytes(sample_text(12 << 20))
    return path


def commands(text_file):
    return {
        "python3": ("python3", "-c", PYTHON_PROGRAM),
        "sqlite3": ("sqlite3", ":memory:", SQL),
        "xz": ("xz", "-T2", "-6", "-c", text_file),
        "openssl digest": ("openssl", "dgst", "-sha256", text_file),
        "openssl prime": ("openssl", "prime", "-checks", "40", str(2**521 - 1)),
    }


@pytest.mark.parametrize(
    "name", ("python3", "sqlite3", "xz", "openssl digest", "openssl prime"))
def test_output_and_status_are_the_programs_own(name, text_file, tmp_path):
    first, *rest = commands(text_file)[name]
    command = (lab.tool(first), *rest)
    folded = tmp_path / "out.folded"
    plain = lab.run(*command, text=False)
    watched = lab.record([folded], *command, text=False)

    assert watched.returncode == plain.returncode
    assert watched.stdout == plain.stdout
    _, remarks = lab.summary_and_remarks(
        watched.stderr.decode(), plain.stderr.decode())
    assert not remarks
    assert lab.Folded(folded).total() > 0


def test_openssl_speed_measures_itself_as_before(tmp_path):
    # It times itself with SIGALRM, so what it prints differs from run to run:
    # its form is compared. Columns are as wide as their numbers leave room.
    command = (lab.tool("openssl"), "speed", "-seconds", "1", "-bytes",
               "1024", "-evp", "aes-128-gcm")

    def form(text):
        return re.sub(r" +", " ", re.sub(r"[\d.]+", "N", text))

    plain = lab.run(*command)
    watched = lab.record([tmp_path / "out.folded"], *command)
    assert watched.returncode == plain.returncode == 0
    assert form(watched.stdout) == form(plain.stdout)
    _, remarks = lab.summary_and_remarks(
        form(watched.stderr), form(plain.stderr))
    assert not remarks


def test_two_threads_of_xz_are_two_threads(text_file, tmp_path):
    data = tmp_path / "xz.data"
    result = lab.record(
        [data], lab.tool("xz"), "-T2", "--block-size=2MiB", "-c", text_file,
        text=False)
    assert result.returncode == 0
    # main and two workers, which run with every signal blocked
    tids = {sample.tid for sample in lab.perf_samples(data)}
    assert len(tids) >= 3
    quality = lab.report(data)["quality"]
    assert quality["account_ns"] / quality["sampled_ns"] < 0.03


class Redis:
    """redis-server on the loopback. Debian's redis-tools has the server as
    redis-check-rdb, which is told by the name it is called with."""

    def __init__(self, folder, prefix=()):
        self.port = str(lab.free_port())
        server = folder / "redis-server"
        if not server.exists():
            server.symlink_to(lab.tool("redis-check-rdb"))
        self.process = subprocess.Popen(
            [*map(str, prefix), str(server), "--port", self.port, "--bind",
             "127.0.0.1", "--save", "", "--dir", str(folder), "--logfile",
             str(folder / "log")],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env=lab.clean_environment())

    def client(self, *words):
        return lab.run(lab.tool("redis-cli"), "-p", self.port, *words).stdout

    def answers(self):
        assert self.process.poll() is None, self.process.communicate()
        return self.client("ping") == "PONG\n"


def test_redis_serves_and_ends_as_before(tmp_path):
    folded = tmp_path / "redis.folded"
    data = tmp_path / "redis.data"
    redis = Redis(tmp_path, prefix=(
        lab.WATCHFIRE, "record", "-F", "997", *lab.AT_ANY_COST,
        "-o", folded, "-o", data, "--"))
    try:
        assert lab.wait_until(redis.answers)
        load = lab.run(
            lab.tool("redis-benchmark"), "-p", redis.port, "-q", "-n", 60000,
            "-P", 8, "-t", "set,get,lpush")
        assert load.returncode == 0, load.stderr
        assert "Error" not in load.stdout + load.stderr
        assert redis.client("get", "key:__rand_int__") == "VXK\n"
        # The others have gone, which it is told by and by.
        assert lab.wait_until(lambda: "connected_clients:1\n" in redis.client(
            "info", "clients").replace("\r", ""))
        redis.client("shutdown", "nosave")
        stdout, stderr = redis.process.communicate(timeout=lab.PATIENCE)
    finally:
        lab.end(redis.process)
    assert redis.process.returncode == 0
    assert stdout == ""
    lab.only_sentence(stderr)
    functions = lab.Folded(folded).inclusive()
    assert "aeMain" in functions
    assert functions["main"] / lab.Folded(folded).total() > 0.8
    assert "bye bye" in (tmp_path / "log").read_text()
    report = lab.report(data)
    ratio = report["total"] / report["quality"]["kernel_ns"]
    assert ratio == pytest.approx(1, abs=0.02)


def test_redis_ends_on_a_signal_as_before(tmp_path):
    folded = tmp_path / "redis.folded"
    redis = Redis(tmp_path, prefix=(
        lab.WATCHFIRE, "record", "-F", "997", *lab.AT_ANY_COST,
        "-o", folded, "--"))
    try:
        assert lab.wait_until(redis.answers)
        (child,) = children_of(redis.process.pid)
        os.kill(child, 15)  # redis shuts down in good order, status 0
        redis.process.communicate(timeout=lab.PATIENCE)
    finally:
        lab.end(redis.process)
    assert redis.process.returncode == 0
    assert folded.exists()


def children_of(pid):
    path = f"/proc/{pid}/task/{pid}/children"
    return [int(word) for word in open(path).read().split()]
