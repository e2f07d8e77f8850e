"""The backend of the tests judges as Relay does: each of its rules is broken
by a payload of its own here, and by nothing that is valid."""

import copy
import json
import time

import pytest

import sentry_examples as examples
from sentry_backend import KEY
from sentry_examples import ID
from sentry_payloads import check_envelope, check_item
from sentry_rules import (
    LIMITS, RULES, Broken, Envelope, Item, complaints, strict_json,
)

GONE = object()


def changed(value, path, new):
    """A copy with the member at this path replaced, or gone."""
    value = copy.deepcopy(value)
    *way, last = path.split("/")
    place = value
    for step in way:
        place = place[int(step) if isinstance(place, list) else step]
    if isinstance(place, list):
        last = int(last)
    if new is GONE:
        del place[last]
    else:
        place[last] = new
    return value


# rule -> (path in the example's payload, what stands there instead)
BROKEN = {
    "profile_chunk": {
        "chunk_header_has_the_platform": [("platform", "rust")],
        "chunk_is_of_version_2": [
            ("version", 2), ("version", "1"), ("version", GONE)],
        "chunk_has_its_ids": [
            ("chunk_id", "0123"), ("profiler_id", ID.upper()),
            ("profiler_id", GONE)],
        "chunk_has_platform_release_and_sdk": [
            ("release", GONE), ("client_sdk", GONE),
            ("client_sdk/version", ""), ("environment", None)],
        "chunk_samples_have_time_stack_and_thread": [
            ("profile/samples/0/timestamp", "1"),
            ("profile/samples/0/stack_id", True),
            ("profile/samples/0/thread_id", 7)],
        "chunk_samples_name_stacks_that_are_there": [
            ("profile/samples/0/stack_id", 2)],
        "chunk_stacks_name_frames_that_are_there": [
            ("profile/stacks/0", [0, 2]), ("profile/stacks/0", [-1]),
            ("profile/stacks/1", [9])],
        "chunk_threads_have_two_samples_that_are_not_idle": [
            ("profile/samples/0", GONE),
            ("profile/samples", []),
            ("profile/stacks/0", [])],
        "chunk_is_not_too_long": [
            ("profile/samples/1/timestamp", examples.NOW + 66.1)],
        "chunk_thread_metadata_fits": [
            ("profile/thread_metadata/7/priority", -1),
            ("profile/thread_metadata/7/name", None)],
        "chunk_frames_are_typed": [
            ("profile/frames/0/lineno", 0), ("profile/frames/0/lineno", "3"),
            ("profile/frames/0/package", None),
            ("profile/frames/1/instruction_addr", "4112")],
        "chunk_frames_say_whether_they_are_in_app": [
            ("profile/frames/0/in_app", GONE),
            ("profile/frames/0/in_app", 1)],
        "chunk_frames_with_a_function_have_no_address": [
            ("profile/frames/1/function", "g")],
        "chunk_images_are_of_types_for_profiles": [
            ("debug_meta/images/0/type", "elf"),
            ("debug_meta/images/0/debug_id", ID),
            ("debug_meta/images/0/image_addr", 4096),
            ("debug_meta/images/0/image_size", "big")],
        "chunk_measurements_have_units_and_times": [
            ("measurements/cpu_usage/unit", "bytes"),
            ("measurements/cpu_usage/values/0/timestamp", GONE),
            ("measurements/cpu_usage/values/0/value", None)],
    },
    "event": {
        "event_has_id_time_and_platform": [
            ("event_id", "12"), ("timestamp", "yesterday"),
            ("platform", GONE)],
        "event_level_is_one_of_five": [("level", "critical")],
        "event_exceptions_have_a_type_or_value": [
            ("exception/values/0", {"thread_id": 7})],
        "event_mechanism_has_a_type_and_typed_meta": [
            ("exception/values/0/mechanism/type", GONE),
            ("exception/values/0/mechanism/type", "minidump"),
            ("exception/values/0/mechanism/handled", "no"),
            ("exception/values/0/mechanism/data", []),
            ("exception/values/0/mechanism/meta/signal/number", "11")],
        "event_stacks_have_frames_that_are_typed": [
            ("exception/values/0/stacktrace/frames", []),
            ("exception/values/0/stacktrace/frames/0/lineno", 0),
            ("exception/values/0/stacktrace/frames/0/package", None),
            ("exception/values/0/stacktrace/frames/0/in_app", "yes"),
            ("exception/values/0/stacktrace/frames/1/instruction_addr", 16)],
        "event_registers_are_addresses": [
            ("exception/values/0/stacktrace/registers/rip", 4112)],
        "event_address_adjustment_is_known": [
            ("exception/values/0/stacktrace/instruction_addr_adjustment",
             "some")],
        "event_threads_have_an_id": [
            ("threads/values/1/id", GONE), ("threads/values/0/current", 1)],
        "event_crashed_thread_has_its_stack_in_the_exception": [
            ("threads/values/0/stacktrace", {"frames": [{"function": "f"}]}),
            ("exception/values/0/thread_id", 9)],
        "event_images_are_complete_and_apart": [
            ("debug_meta/images/0/type", "symbolic"),
            ("debug_meta/images/0/code_file", GONE),
            ("debug_meta/images/0/debug_id", GONE),
            ("debug_meta/images/0/code_id", "15DF"),
            ("debug_meta/images/0/image_addr", 4096),
            ("debug_meta/images/0/image_size", GONE),
            ("debug_meta/images/0/image_size", 4097)],
        "event_debug_id_is_that_of_the_code_id": [
            ("debug_meta/images/0/debug_id",
             "15dfff32-39aa-7c3b-16a7-1e6b2e3b6e40")],
        "event_tags_are_short_texts": [
            ("tags/zone", 1), ("tags/zone", "a" * 201)],
        "event_release_and_environment_are_texts": [
            ("release", "a/b"), ("environment", ""), ("dist", 1)],
        "event_fingerprint_is_of_texts": [("fingerprint", ["a", 1])],
        "event_contexts_are_typed": [
            ("contexts/trace/trace_id", GONE),
            ("contexts/trace/span_id", ID),
            ("contexts/profile/profiler_id", "7"),
            ("contexts/os", "Linux")],
    },
    "transaction": {
        "transaction_has_name_type_and_times": [
            ("type", GONE), ("transaction", ""), ("start_timestamp", GONE),
            ("event_id", "1"), ("platform", GONE)],
        "transaction_does_not_end_before_it_starts": [
            ("timestamp", "2025-11-22T08:26:39.999Z"),
            ("spans/0/timestamp", 1763800000.05)],
        "transaction_has_a_trace": [
            ("contexts/trace", GONE), ("contexts/trace/trace_id", "1"),
            ("contexts/trace/span_id", GONE)],
        "transaction_status_is_known": [
            ("contexts/trace/status", "fine"), ("spans/0/status", "bad")],
        "transaction_measurements_have_a_value_and_a_unit": [
            ("measurements/threads/value", "4"),
            ("measurements/threads/unit", GONE),
            ("measurements", {"a name": {"value": 1, "unit": "none"}}),
            ("measurements",
             {f"m{i}": {"value": i, "unit": "byte"} for i in range(11)})],
        "transaction_source_is_known": [("transaction_info/source", "x")],
        "transaction_spans_are_complete": [
            ("spans/0/span_id", GONE), ("spans/0/trace_id", ID[::-1]),
            ("spans/0/parent_span_id", "f" * 16),
            ("spans/0/start_timestamp", GONE)],
        "transaction_has_a_thousand_spans_at_most": [
            ("spans", examples.transaction()["spans"] * 1001)],
        "transaction_links_to_a_thread_of_its_profile": [
            ("contexts/trace/data", GONE),
            ("spans/0/data/thread.id", 7)],
    },
    "session": {
        "session_has_id_times_and_status": [
            ("sid", "x"), ("started", GONE), ("timestamp", "now"),
            ("status", "dead")],
        "session_init_is_told_and_counts_are_numbers": [
            ("init", 1), ("errors", -1), ("duration", -0.5)],
        "session_that_crashed_has_an_error": [("status", "crashed")],
        "session_has_a_release": [
            ("attrs", GONE), ("attrs/release", "")],
    },
    "client_report": {
        "client_report_counts_known_things": [
            ("timestamp", GONE), ("discarded_events/0/reason", "boredom"),
            ("discarded_events/0/category", "tea"),
            ("discarded_events/0/quantity", 0)],
    },
    "check_in": {
        "check_in_has_id_slug_and_status": [
            ("check_in_id", "1"), ("monitor_slug", ""), ("status", "fine")],
    },
}


def judged(kind, payload, headers=None):
    data = json.dumps(payload).encode()
    headers = {"type": kind, **examples.HEADERS.get(kind, {}), **(headers or {})}
    return [found.rule for found in check_item(Item(headers, data))]


@pytest.mark.parametrize("kind", examples.PAYLOADS)
def test_a_valid_payload_breaks_no_rule(kind):
    assert judged(kind, examples.PAYLOADS[kind]()) == []


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_payload_breaks_its_rule(kind):
    valid = examples.PAYLOADS[kind]()
    for name, changes in BROKEN[kind].items():
        for path, new in changes:
            found = judged(kind, changed(valid, path, new))
            assert name in found, (name, path, new, found)


def test_items_headers_can_break_rules():
    assert judged(
        "profile_chunk", examples.chunk(), {"meta_length": 3}
    ) == ["chunk_header_has_no_meta_length"]
    assert judged("profile_chunk", examples.chunk(), {"platform": None}) == [
        "chunk_header_has_the_platform"]
    for name, headers, payload in (
        ("attachment_has_a_file_name", {}, b""),
        ("attachment_that_is_a_minidump_is_one",
         {"filename": "a", "attachment_type": "event.minidump"}, b"XDMP"),
    ):
        item = Item({"type": "attachment", **headers}, payload)
        assert [found.rule for found in check_item(item)] == [name]


ENVELOPES = {
    "header_line_has_no_carriage_return": lambda headers: examples.framed(
        headers, ("session", examples.session())).replace(b"\n", b"\r\n", 1),
    "event_id_is_there_where_it_must_be": lambda headers: examples.framed(
        {**headers, "event_id": "x"},
        ("attachment", b"", {"filename": "a"})),
    "event_id_is_that_of_the_payload": lambda headers: examples.framed(
        {**headers, "event_id": ID[::-1]}, ("event", examples.event())),
    "sent_at_is_a_time_of_utc": lambda headers: examples.framed(
        {**headers, "sent_at": time.time()},
        ("session", examples.session())),
    "sent_at_is_now": lambda headers: examples.framed(
        {**headers, "sent_at": "2020-01-01T00:00:00.000Z"},
        ("session", examples.session())),
    "sdk_has_name_and_version": lambda headers: examples.framed(
        {**headers, "sdk": {"name": "a"}}, ("session", examples.session())),
    "trace_header_is_of_strings": lambda headers: examples.framed(
        {**headers, "trace": {**headers["trace"], "sample_rate": 1}},
        ("session", examples.session())),
    "items_have_a_length": lambda headers: examples.framed(
        headers, ("session", examples.session(), {"length": None})),
    "items_are_of_known_types": lambda headers: examples.framed(
        headers, ("teapot", {})),
    "items_are_within_their_size": lambda headers: examples.framed(
        headers, ("session", examples.session()), ("client_report", {
            **examples.client_report(), "padding": "x" * 4096})),
    "event_or_transaction_is_one": lambda headers: examples.framed(
        headers, ("event", examples.event()),
        ("transaction", examples.transaction())),
    "profile_is_one_with_its_transaction": lambda headers: examples.framed(
        headers, ("profile", {})),
    "sessions_are_a_hundred_at_most": lambda headers: examples.framed(
        headers, *[("session", examples.session())] * 101),
    "client_report_rides_along": lambda headers: examples.framed(
        headers, ("client_report", examples.client_report())),
}


def test_a_broken_envelope_breaks_its_rule():
    for name, broken in ENVELOPES.items():
        data = broken(examples.headers_of_envelope())
        found = [complaint.rule for complaint in check_envelope(Envelope(data))]
        assert found == [name]


def test_a_valid_envelope_breaks_no_rule():
    data = examples.framed(
        examples.headers_of_envelope(), ("event", examples.event()),
        ("session", examples.session()),
        ("attachment", b"a\nb", {"filename": "a.txt"}),
        ("profile_chunk", examples.chunk(), {"platform": "native"}),
        ("client_report", examples.client_report()),
    )
    assert check_envelope(Envelope(data)) == []


BAD_FRAMING = (
    b"", b"[]\n", b"{}\n{}\n", b"{}\n{\"type\":\"event\",\"length\":9}\n{}",
    b"{}\n{\"type\":\"event\",\"length\":1}\n{}", b"\xff\n",
    b"{\"a\":1,\"a\":2}\n", b"{}\n{\"type\":\"event\",\"length\":-1}\n{}",
    b"{}\n{\"type\":\"event\",\"length\":true}\n{}",
)


def test_broken_framing_is_refused():
    for data in BAD_FRAMING:
        with pytest.raises(Broken):
            Envelope(data)


def test_what_only_python_takes_for_json_is_refused():
    for text in ("NaN", "[Infinity]", "{\"a\":1,\"a\":1}"):
        with pytest.raises(Broken):
            strict_json(text)


AUTH = f"Sentry sentry_key={KEY}, sentry_version=7, sentry_client=watchfire/0.1.0"


def with_header(name, value):
    headers = {
        "X-Sentry-Auth": AUTH, "Content-Type": "application/x-sentry-envelope",
        "Content-Encoding": "gzip", "User-Agent": "watchfire/0.1.0",
    }
    headers[name] = value
    return examples.request(headers=headers)


REQUESTS = {
    "request_is_a_post": [lambda: examples.request(method="GET")],
    "path_is_the_envelope_endpoint": [
        lambda: examples.request(path="/pre/api/42/envelope"),
        lambda: examples.request(path="/api/42/envelope/")],
    "auth_names_key_version_and_client": [
        lambda: with_header("X-Sentry-Auth", AUTH.replace("=7", "=6")),
        lambda: with_header("X-Sentry-Auth", AUTH.replace("Sentry", "Basic")),
        lambda: with_header("X-Sentry-Auth", AUTH.replace("/0.1.0", ""))],
    "auth_has_the_key_of_the_dsn": [
        lambda: with_header("X-Sentry-Auth", AUTH.replace(KEY, KEY[::-1]))],
    "auth_has_a_secret_only_if_the_dsn_has": [
        lambda: with_header("X-Sentry-Auth", AUTH + ", sentry_secret=x"),
        lambda: examples.request(secret="x")],
    "headers_come_once": [
        lambda: examples.request(more=[("user-agent", "watchfire/1")])],
    "content_type_is_an_envelope": [
        lambda: with_header("Content-Type", "text/plain")],
    "content_is_packed_by_gzip": [
        lambda: with_header("Content-Encoding", None)],
    "user_agent_is_named_with_a_version": [
        lambda: with_header("User-Agent", "watchfire")],
}


def test_a_broken_request_breaks_its_rule():
    assert complaints("request", examples.request()) == []
    for name, requests in REQUESTS.items():
        for broken in requests:
            found = [c.rule for c in complaints("request", broken())]
            assert name in found, (name, found)


def test_a_body_that_is_not_what_it_says_is_refused():
    with pytest.raises(Broken):
        examples.request(body=b"not gzip").unpacked()


def test_every_rule_is_broken_here():
    broken = set(ENVELOPES) | set(REQUESTS)
    for rules in BROKEN.values():
        broken |= set(rules)
    broken |= {
        "chunk_header_has_no_meta_length", "attachment_has_a_file_name",
        "attachment_that_is_a_minidump_is_one",
    }
    assert broken == set(RULES)
    assert {kind for kind, _ in RULES.values()} - {"request", "envelope"} <= set(
        LIMITS)
