"""Transactions: what a program tells of by watchfire.h, and its whole run."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest

from lab import (
    LIBRARY, PROGRAMS, WATCHFIRE, clean_environment, collectors, program, run,
    wait_until)
from sentry_backend import Backend, Nobody

sys.path.append(str(Path(__file__).resolve().parent.parent / "sentry"))
import call_trees  # noqa: E402

TRACE = "0123456789abcdef0123456789abcdef"
PARENT = "fedcba9876543210"


@pytest.fixture
def tmp_path():
    """In memory where there is such a place: a disk takes its time to sync."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield folder


@pytest.fixture
def backend():
    with Backend() as made:
        yield made
        made.check()


def environment(backend, tmp_path, rate="1", **more):
    return clean_environment(
        SENTRY_DSN=backend.dsn, SENTRY_RELEASE="app@1",
        SENTRY_TRACES_SAMPLE_RATE=rate, XDG_STATE_HOME=str(tmp_path),
        NO_PROXY="127.0.0.1", WATCHFIRE_SHUTDOWN_TIMEOUT="30", **more)


def record(backend, tmp_path, *command, options=(), **more):
    return run(
        WATCHFIRE, "record", *options, "--", *command,
        env=environment(backend, tmp_path, **more))


def transactions(backend, op=None):
    return [
        event for event in
        (item.json() for item in backend.items("transaction"))
        if op is None or event["contexts"]["trace"].get("op") == op
    ]


def by_description(event):
    return {span["description"]: span for span in event["spans"]}


@pytest.mark.parametrize("name", ["spans", "spans_fixed"])
def test_a_transaction_arrives_with_its_spans(backend, tmp_path, name):
    result = record(backend, tmp_path, program(name), "work")
    assert result.returncode == 0, result.stderr
    (event,) = transactions(backend, "http.server")
    trace = event["contexts"]["trace"]
    assert event["transaction"] == "GET /things/\ufffd"
    assert event["release"] == "app@1"
    assert event["tags"]["zone"] == "b"
    assert trace["status"] == "unavailable"
    assert "parent_span_id" not in trace
    spans = by_description(event)
    query, wait = spans['SELECT "1"'], spans["lock"]
    assert len(spans) == 2
    assert query["parent_span_id"] == trace["span_id"]
    assert wait["parent_span_id"] == query["span_id"]
    assert (query["status"], wait["status"]) == ("ok", "not_found")
    assert query["data"]["thread.id"] != trace["data"]["thread.id"]
    # What goes on to other services is what was recorded.
    header, baggage = result.stdout.splitlines()
    assert header == f"{trace['trace_id']}-{trace['span_id']}-1"
    assert f"sentry-trace_id={trace['trace_id']}" in baggage
    (envelope,) = [
        e for e in backend.envelopes()
        if e.headers.get("event_id") == event["event_id"]]
    assert envelope.headers["trace"]["trace_id"] == trace["trace_id"]


def test_a_transaction_links_to_its_part_of_the_profile(backend, tmp_path):
    result = record(backend, tmp_path, program("spans"), "work")
    assert result.returncode == 0, result.stderr
    (event,) = transactions(backend, "http.server")
    chunks = [item.json() for item in backend.items("profile_chunk")]
    profiler = event["contexts"]["profile"]["profiler_id"]
    assert {chunk["profiler_id"] for chunk in chunks} == {profiler}
    threads = {
        sample["thread_id"] for chunk in chunks
        for sample in chunk["profile"]["samples"]}
    assert event["contexts"]["trace"]["data"]["thread.id"] in threads


def test_a_transaction_goes_on_from_elsewhere(backend, tmp_path):
    baggage = (f"other=1, sentry-trace_id={TRACE},sentry-public_key=abc,"
               "sentry-release=front%40end%201,x=y")
    result = record(
        backend, tmp_path, program("spans"), "go-on", f"{TRACE}-{PARENT}-1",
        baggage, rate="0")
    assert result.returncode == 0, result.stderr
    (event,) = transactions(backend, "http.server")
    trace = event["contexts"]["trace"]
    assert (trace["trace_id"], trace["parent_span_id"]) == (TRACE, PARENT)
    (envelope,) = [e for e in backend.envelopes() if e.of_type("transaction")]
    assert envelope.headers["trace"] == {
        "trace_id": TRACE, "public_key": "abc", "release": "front@end 1"}
    header, passed_on = result.stdout.splitlines()
    assert header.startswith(f"{TRACE}-{trace['span_id']}-1")
    assert passed_on == (
        f"sentry-trace_id={TRACE},sentry-public_key=abc,"
        "sentry-release=front%40end%201")


def test_what_was_not_sampled_elsewhere_is_not_here(backend, tmp_path):
    result = record(
        backend, tmp_path, program("spans"), "go-on", f"{TRACE}-{PARENT}-0",
        "")
    assert result.returncode == 0, result.stderr
    assert not transactions(backend, "http.server")
    assert re.match(f"{TRACE}-[0-9a-f]{{16}}-0\n", result.stdout)


def test_the_rate_is_kept_and_the_rest_is_counted(backend, tmp_path):
    """Of 4 000 at 0.5, 2 000 are expected, and 6 sigma are 190."""
    result = record(
        backend, tmp_path, program("spans"), "many", "4000", rate="0.5")
    assert result.returncode == 0, result.stderr
    # Those that found the queue full are counted, too.
    run(WATCHFIRE, "record", "--", program("spans"), "open",
        env=environment(backend, tmp_path, rate="0"))
    came = len(transactions(backend, "test"))
    lost = Counter()
    for item in backend.items("client_report"):
        for entry in item.json()["discarded_events"]:
            if entry["category"] == "transaction":
                lost[entry["reason"]] += entry["quantity"]
    sampled = came + lost["queue_overflow"]
    assert abs(sampled - 2000) < 190
    # The other program had one that was not sampled.
    assert sampled + lost["sample_rate"] in (4000, 4001)
    assert all(len(e["spans"]) == 1 for e in transactions(backend, "test"))


def test_a_finished_one_survives_the_collector(tmp_path):
    """It is in the spool while its program goes on, and is sent by others."""
    with Nobody() as nobody:
        check_that_it_survives(nobody, tmp_path)


def check_that_it_survives(nobody, tmp_path):
    env = environment(nobody, tmp_path)
    spool = Path(tmp_path, "watchfire", "spool")

    def is_spooled():
        return len(list(spool.glob("*/t-*.envelope.gz"))) == 200

    before = set(collectors())
    with subprocess.Popen(
            [program("spans"), "hold", "200"], stdin=subprocess.PIPE,
            env={**env, "LD_PRELOAD": str(LIBRARY)}) as held:
        try:
            spooled = wait_until(is_spooled)
            for collector in set(collectors()) - before:
                os.kill(collector, signal.SIGKILL)
        finally:
            held.stdin.close()
    assert spooled and held.returncode == 0
    with Backend(port=nobody.port) as backend:
        result = record(backend, tmp_path, program("spans"), "none")
        assert result.returncode == 0, result.stderr
        backend.check()
        ids = {event["event_id"] for event in transactions(backend, "test")}
        assert len(ids) == len(transactions(backend, "test")) == 200


def test_what_is_open_at_the_end_is_aborted(backend, tmp_path):
    result = record(backend, tmp_path, program("spans"), "open")
    assert result.returncode == 3, result.stderr
    (event,) = transactions(backend, "task")
    assert event["transaction"] == "endless"
    assert event["contexts"]["trace"]["status"] == "aborted"
    assert event["spans"][0]["status"] == "aborted"


@pytest.mark.parametrize("command, status, code", [
    (["true"], "ok", "0"), (["sh", "-c", "exit 3"], "internal_error", "3"),
])
def test_the_whole_run_is_a_transaction(
    backend, tmp_path, command, status, code
):
    result = record(backend, tmp_path, *command)
    assert result.returncode == int(code), result.stderr
    (event,) = transactions(backend, "process")
    assert event["transaction"] == command[0]
    assert event["contexts"]["trace"]["status"] == status
    assert event["tags"]["process.exit_code"] == code


def test_the_whole_run_says_what_it_took(backend, tmp_path):
    result = record(backend, tmp_path, program("spin"), 0.5)
    assert result.returncode == 0, result.stderr
    (event,) = transactions(backend, "process")
    measures = event["measurements"]
    assert {name: m["unit"] for name, m in measures.items()} == {
        "cpu_time": "second", "memory_footprint": "byte",
        "thread_count": "none"}
    # By the kernel, with what came before main() and after the program said so.
    told = int(result.stdout) / 1e9
    assert told - 1e-5 < measures["cpu_time"]["value"] < told + 0.1
    assert measures["thread_count"]["value"] == 1
    assert 1 << 18 < measures["memory_footprint"]["value"] < 1 << 28


def profilers(backend):
    return {item.json()["profiler_id"]
            for item in backend.items("profile_chunk")}


def test_profiles_may_be_of_transactions_alone(backend, tmp_path):
    by_trace = {"SENTRY_PROFILE_LIFECYCLE": "trace"}
    result = record(backend, tmp_path, program("spans"), "none", **by_trace)
    assert result.returncode == 0, result.stderr
    assert not profilers(backend)
    result = record(backend, tmp_path, program("spans"), "none")
    assert result.returncode == 0, result.stderr
    assert len(profilers(backend)) == 1
    del backend.deliveries[:]
    result = record(backend, tmp_path, program("spans"), "pauses", **by_trace)
    assert result.returncode == 0, result.stderr
    events = transactions(backend, "http.server")
    assert len(events) == 3
    linked = {
        event["contexts"]["profile"]["profiler_id"] for event in events}
    # A part in which no sample fell has no chunk.
    assert profilers(backend) and profilers(backend) <= linked
    (whole,) = transactions(backend, "process")
    assert "profile" not in whole["contexts"]


# Where perf events are refused, timers rest, which only their process can end.
@pytest.mark.parametrize("prefix", ["perf", "timers"])
def test_nothing_is_sampled_while_no_transaction_is_active(
    backend, tmp_path, prefix
):
    by_trace = {"SENTRY_PROFILE_LIFECYCLE": "trace"}
    refused = (program("refuse_perf"),) if prefix == "timers" else ()

    def samples_of(*arguments, **more):
        result = run(
            *refused, WATCHFIRE, "record", "--", program("spans"), *arguments,
            env=environment(backend, tmp_path, **more))
        assert result.returncode == 0, result.stderr
        return int(re.search(r"(\d+) samples of", result.stderr)[1])

    assert samples_of("none", **by_trace) == 0
    # Some 20; a tick may stand for several where others have the processor.
    assert samples_of("none") > 0
    del backend.deliveries[:]
    samples = samples_of("bursts", 2, 300, 600, **by_trace)
    # Not one of the last samples before the rest, nor of what it is after.
    assert samples < 0.8 * 2 * 0.9 * 99
    inside = sum(
        ns for chunk in backend.items("profile_chunk")
        for path, ns in call_trees.times_by_rule(chunk.payload).items()
        if "work_inside" in path) / 1e9
    # Timers are woken at the start itself, perf events by a message.
    assert inside > 2 * 0.3 * (0.7 if prefix == "timers" else 0.3)


def test_without_a_rate_there_are_none(backend, tmp_path):
    result = run(
        WATCHFIRE, "record", "--", program("spans"), "work",
        env={**environment(backend, tmp_path), "SENTRY_TRACES_SAMPLE_RATE": ""})
    assert result.returncode == 0, result.stderr
    assert not transactions(backend)


def test_preloading_alone_does_it_too(backend, tmp_path):
    result = run(
        program("spans_cxx"),
        env={**environment(backend, tmp_path), "LD_PRELOAD": str(LIBRARY)})
    assert result.returncode == 0, result.stderr
    # Those of one millisecond come in any order.
    assert backend.wait_for(lambda b: len(transactions(b)) == 2)
    assert len(transactions(backend, "process")) == 1
    assert [e["transaction"] for e in transactions(backend, "task")] == [
        "from C++"]


def test_without_the_library_nothing_happens():
    for name in ("spans", "spans_fixed", "spans_cxx"):
        result = run(PROGRAMS / name)
        assert result.returncode == 0
        assert result.stdout in ("", "\n\n")
