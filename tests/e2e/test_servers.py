"""Servers that serve while they are watched: no request fails, no answer is
another one, and what they do is found. tests/bench/run --only servers has more
of them, and what it costs."""

import math
import os
import re
import signal
import subprocess

import pytest

import lab

RATE = 997
CLIENTS, PIPELINED = 16, 4
REQUESTS = 10000 // (CLIENTS * PIPELINED) * CLIENTS * PIPELINED


@pytest.fixture
def redis(tmp_path):
    """A redis-server of our own; its port and its process."""
    # redis-tools has the server as redis-check-rdb, told by its name.
    server = tmp_path / "redis-server"
    server.symlink_to(lab.tool("redis-check-rdb"))
    port = str(lab.free_port())
    process = subprocess.Popen(
        [server, "--port", port, "--bind", "127.0.0.1", "--save", "",
         "--logfile", tmp_path / "log", "--dir", tmp_path],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        assert lab.wait_until(
            lambda: ask(port, "ping") == "PONG" or process.poll() is not None)
        yield port, process
    finally:
        lab.end(process)


def ask(port, *words):
    return lab.run(lab.tool("redis-cli"), "-p", port, *words).stdout.strip()


def serve(port):
    result = lab.run(
        lab.tool("redis-benchmark"), "-p", port, "-n", REQUESTS, "-c", CLIENTS,
        "-P", PIPELINED, "-t", "set,get,lpush", "--csv")
    assert result.returncode == 0, result.stderr
    assert "rror" not in result.stdout + result.stderr
    assert len(result.stdout.splitlines()) == 4
    assert ask(port, "llen", "mylist") == str(REQUESTS)
    assert ask(port, "get", "key:__rand_int__") == "VXK"


# Of a server's CPU time: enough for some hundred samples by any clock.
SECONDS = 0.6


def serve_for(port, pid, seconds):
    until = lab.used_s(pid) + seconds
    serve(port)
    while lab.used_s(pid) < until:
        ask(port, "flushall")
        serve(port)


def most_by_chance(expected):
    """That no more of rare things come is as sure as 4.5 sigma are."""
    chance, rest, most = math.exp(-expected), 1.0, 0
    while rest - chance > 3.4e-6:
        rest -= chance
        most += 1
        chance *= expected / most
    return most


WAYS = {
    "perf": ({"main", "aeMain", "readQueryFromClient"}, "_start"),
    "inject": ({"main", "aeMain", "readQueryFromClient"}, "_start"),
}


@pytest.mark.parametrize("way", WAYS)
def test_redis_serves_on_and_is_seen(tmp_path, redis, way):
    port, process = redis
    functions, first = WAYS[way]
    output = tmp_path / "redis.folded"
    # It and its allocator have made by then what they make when first asked.
    serve(port)
    ask(port, "flushall")
    threads = sorted(os.listdir(f"/proc/{process.pid}/task"))
    files = files_of(process.pid)
    # A ring of perf's holds some 80 samples, and more come where a machine that
    # others keep busy has the command wait for 0.1 s: they are lost, and told.
    watching = subprocess.Popen(
        [str(word) for word in (
            *lab.undisturbed(), lab.WATCHFIRE, "record", "-F", RATE, "--via",
            way, "-o", output, "-p", process.pid)],
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        env=lab.clean_environment())
    assert lab.wait_until(lambda: is_watched(watching, process.pid, way))
    serve_for(port, process.pid, SECONDS)
    watching.send_signal(signal.SIGINT)
    stderr = watching.communicate(timeout=lab.PATIENCE)[1]
    assert watching.returncode == 0, stderr
    summary, _ = lab.summary_and_remarks(stderr)
    assert ", 0 samples lost," in summary

    # It serves on, as it was.
    ask(port, "flushall")
    serve(port)
    assert sorted(os.listdir(f"/proc/{process.pid}/task")) == threads
    assert files_of(process.pid) == files

    found = lab.Folded(output)
    assert functions <= set(found.inclusive())
    incomplete = found.weight(
        lambda stack: first not in stack and "clone3" not in stack
        and stack[-1] not in lab.ACCOUNTS)
    # One in a thousand, as README and DESIGN have it.
    samples = int(re.search(r"(\d+) samples of", summary)[1])
    share = incomplete / (found.total() - found.account())
    assert round(share * samples) <= most_by_chance(samples / 1000)


def is_watched(watching, pid, way):
    assert watching.poll() is None, watching.stderr.read()
    if way == "perf":
        events = sum("perf_event" in file for file in files_of(watching.pid))
        return events > os.cpu_count()
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        return "watchfire" in maps.read()


def files_of(pid):
    """What its descriptors are, but for sockets: clients come and go."""
    found = []
    for entry in os.listdir(f"/proc/{pid}/fd"):
        try:
            found.append(os.readlink(f"/proc/{pid}/fd/{entry}"))
        except OSError:
            pass
    return sorted(file for file in found if not file.startswith("socket:"))
