"""One valid payload of each kind, to be broken in tests of the rules."""

import gzip
import json
import time
from datetime import datetime, timezone

from sentry_backend import KEY
from sentry_rules import Request

ID = "0123456789abcdef0123456789abcdef"
SPAN = "0123456789abcdef"
NOW = 1763800000.0


def chunk():
    def sample(offset, stack, thread="7"):
        return {"timestamp": NOW + offset, "stack_id": stack,
                "thread_id": thread}

    return {
        "version": "2",
        "chunk_id": ID,
        "profiler_id": ID[::-1],
        "platform": "native",
        "release": "app@1.0",
        "environment": "production",
        "client_sdk": {"name": "watchfire", "version": "0.1.0"},
        "debug_meta": {"images": [{
            "type": "symbolic", "code_file": "/usr/bin/app",
            "debug_id": "32ffdf15-aa39-3b7c-16a7-1e6b2e3b6e40",
            "image_addr": "0x1000", "image_size": 4096,
        }]},
        "measurements": {"cpu_usage": {
            "unit": "percent", "values": [{"timestamp": NOW, "value": 50}],
        }},
        "profile": {
            "samples": [sample(0, 0), sample(0.01, 0), sample(0.02, 1)],
            "stacks": [[0, 1], []],
            "frames": [
                {"function": "leaf", "module": "app", "lineno": 3,
                 "package": "/usr/bin/app", "in_app": True},
                {"instruction_addr": "0x1010", "in_app": False},
            ],
            "thread_metadata": {"7": {"name": "main", "priority": 20}},
        },
    }


def event():
    return {
        "event_id": ID,
        "timestamp": NOW,
        "platform": "native",
        "level": "fatal",
        "release": "app@1.0",
        "environment": "production",
        "fingerprint": ["{{ default }}", "a"],
        "tags": {"zone": "a"},
        "exception": {"values": [{
            "type": "SIGSEGV", "value": "Segfault", "thread_id": 7,
            "mechanism": {
                "type": "signalhandler", "handled": False, "synthetic": True,
                "meta": {"signal": {"number": 11, "name": "SIGSEGV"}},
                "data": {},
            },
            "stacktrace": {
                "frames": [
                    {"function": "main", "in_app": True, "lineno": 3},
                    {"instruction_addr": "0x1010", "in_app": True},
                ],
                "registers": {"rip": "0x1010"},
                "instruction_addr_adjustment": "none",
            },
        }]},
        "threads": {"values": [
            {"id": 7, "crashed": True, "current": True},
            {"id": 8, "stacktrace": {"frames": [{"function": "poll"}]}},
        ]},
        "debug_meta": {"images": [
            {"type": "elf", "code_file": "/usr/bin/app",
             "debug_id": "32ffdf15-aa39-3b7c-16a7-1e6b2e3b6e40",
             "code_id": "15dfff3239aa7c3b16a71e6b2e3b6e4009dab998",
             "image_addr": "0x1000", "image_size": 4096},
            {"type": "elf", "code_file": "/lib/libc.so.6",
             "debug_id": "c0bcc3f1-9827-fe65-3058-404b2831d9e6",
             "code_id": "f1c3bcc0279865fe3058404b2831d9e64135386c",
             "image_addr": "0x2000", "image_size": 4096},
        ]},
        "contexts": {
            "trace": {"trace_id": ID, "span_id": SPAN},
            "profile": {"profiler_id": ID},
            "os": {"name": "Linux"},
        },
    }


def transaction():
    return {
        "type": "transaction",
        "event_id": ID,
        "transaction": "GET /",
        "platform": "native",
        "start_timestamp": "2025-11-22T08:26:40.000Z",
        "timestamp": "2025-11-22T08:26:41.000Z",
        "transaction_info": {"source": "custom"},
        "contexts": {
            "trace": {"trace_id": ID, "span_id": SPAN, "op": "http.server",
                      "status": "ok", "data": {"thread.id": "7"}},
            "profile": {"profiler_id": ID},
        },
        "measurements": {"threads": {"value": 4, "unit": "none"}},
        "spans": [{
            "trace_id": ID, "span_id": SPAN[::-1], "parent_span_id": SPAN,
            "op": "db", "start_timestamp": "2025-11-22T08:26:40.100Z",
            "timestamp": "2025-11-22T08:26:40.200Z", "status": "ok",
            "data": {"thread.id": "7"},
        }],
    }


def session():
    return {
        "sid": ID, "init": True, "started": "2025-11-22T08:26:40.000Z",
        "timestamp": "2025-11-22T08:26:41.000Z", "status": "ok", "errors": 0,
        "duration": 1.0, "attrs": {"release": "app@1.0"},
    }


def client_report():
    return {"timestamp": NOW, "discarded_events": [
        {"reason": "send_error", "category": "error", "quantity": 1}]}


def check_in():
    return {"check_in_id": ID, "monitor_slug": "nightly", "status": "ok"}


PAYLOADS = {
    "profile_chunk": chunk, "event": event, "transaction": transaction,
    "session": session, "client_report": client_report, "check_in": check_in,
}
HEADERS = {"profile_chunk": {"platform": "native"}}


def headers_of_envelope():
    now = datetime.fromtimestamp(time.time(), timezone.utc)
    return {
        "event_id": ID,
        "sent_at": now.strftime("%Y-%m-%dT%H:%M:%S.")
        + f"{now.microsecond // 1000:03}Z",
        "sdk": {"name": "watchfire", "version": "0.1.0"},
        "trace": {"trace_id": ID, "public_key": KEY, "sample_rate": "1"},
    }


def framed(headers, *items):
    """An envelope of (type, payload[, headers])."""
    lines = [json.dumps(headers).encode()]
    for kind, payload, *more in items:
        data = (
            payload if isinstance(payload, bytes)
            else json.dumps(payload).encode()
        )
        header = {"type": kind, "length": len(data), **(more[0] if more else {})}
        lines += [json.dumps(header).encode(), data]
    return b"\n".join(lines) + b"\n"


def envelope_of(kind):
    """A whole valid envelope with one item, as a file might have it."""
    headers = {"sdk": {"name": "watchfire", "version": "0.1.0"}}
    if kind in ("event", "transaction"):
        headers["event_id"] = ID
    return framed(headers, (kind, PAYLOADS[kind](), HEADERS.get(kind, {})))


def request(**changes):
    more = changes.pop("more", ())
    secret = changes.pop("secret", None)
    parts = {
        "method": "POST",
        "path": "/pre/api/42/envelope/",
        "headers": {
            "X-Sentry-Auth": f"Sentry sentry_key={KEY}, sentry_version=7, "
            "sentry_client=watchfire/0.1.0",
            "Content-Type": "application/x-sentry-envelope",
            "Content-Encoding": "gzip",
            "User-Agent": "watchfire/0.1.0",
        },
        "body": gzip.compress(framed(
            headers_of_envelope(), ("session", session()))),
        **changes,
    }
    return Request(
        parts["method"], parts["path"], list(parts["headers"].items())
        + list(more), parts["body"],
        (KEY, secret, "/pre", "42"),
    )
