"""What a Sentry backend demands of payloads; see sentry_rules.py.

A chunk or an event that breaks one of these is dropped behind a 200.
"""

import re

from sentry_rules import (
    ADDRESS, HEX16, HEX32, Broken, complaints, is_int, is_number, is_text,
    is_time, rule, seconds,
)

# Section 3: profile chunks. Reasons are those of Relay.

UNITS = {
    "nanosecond", "ns", "hertz", "hz", "byte", "percent", "nanojoule", "nj",
}
FRAME_TEXTS = (
    "abs_path", "filename", "function", "module", "package", "platform",
)
CHUNK_SECONDS = 66


def is_numeric(value):
    if isinstance(value, str):
        return re.match(r"-?\d+(\.\d+)?\Z", value) is not None
    return is_number(value)


@rule("profile_chunk")
def chunk_header_has_the_platform(item, chunk):
    if item.headers.get("platform") != chunk.get("platform"):
        yield f"{item.headers.get('platform')!r} != {chunk.get('platform')!r}"


@rule("profile_chunk")
def chunk_header_has_no_meta_length(item, chunk):
    if "meta_length" in item.headers:
        yield "it is for other formats"


@rule("profile_chunk")
def chunk_is_of_version_2(item, chunk):
    if chunk.get("version") != "2":
        yield repr(chunk.get("version"))


@rule("profile_chunk")
def chunk_has_its_ids(item, chunk):
    for name in ("chunk_id", "profiler_id"):
        if not HEX32.match(str(chunk.get(name))):
            yield f"{name} {chunk.get(name)!r}"


@rule("profile_chunk")
def chunk_has_platform_release_and_sdk(item, chunk):
    for name in ("platform", "release"):
        if not is_text(chunk.get(name)):
            yield f"{name} {chunk.get(name)!r}"
    sdk = chunk.get("client_sdk", {})
    if not is_text(sdk.get("name")) or not is_text(sdk.get("version")):
        yield f"client_sdk {sdk!r}"
    if not isinstance(chunk.get("environment", ""), str):
        yield f"environment {chunk['environment']!r}"


@rule("profile_chunk")
def chunk_samples_have_time_stack_and_thread(item, chunk):
    for sample in chunk["profile"]["samples"]:
        if not is_number(sample.get("timestamp")) or sample["timestamp"] <= 0:
            yield f"timestamp {sample.get('timestamp')!r}"
        if not is_int(sample.get("stack_id"), 0, (1 << 31) - 1):
            yield f"stack_id {sample.get('stack_id')!r}"
        if not is_text(sample.get("thread_id")):
            yield f"thread_id {sample.get('thread_id')!r}"


@rule("profile_chunk")
def chunk_samples_name_stacks_that_are_there(item, chunk):
    count = len(chunk["profile"]["stacks"])
    for sample in chunk["profile"]["samples"]:
        if sample["stack_id"] >= count:
            yield f"malformed_samples: {sample['stack_id']} of {count}"


@rule("profile_chunk")
def chunk_stacks_name_frames_that_are_there(item, chunk):
    count = len(chunk["profile"]["frames"])
    for stack in chunk["profile"]["stacks"]:
        for frame in stack:
            if not is_int(frame, 0, count - 1):
                yield f"malformed_stacks: {frame!r} of {count}"


@rule("profile_chunk")
def chunk_threads_have_two_samples_that_are_not_idle(item, chunk):
    """Relay drops all samples of a thread that has fewer."""
    counts = {}
    for sample in chunk["profile"]["samples"]:
        is_busy = bool(chunk["profile"]["stacks"][sample["stack_id"]])
        counts.setdefault(sample["thread_id"], 0)
        counts[sample["thread_id"]] += is_busy
    if not any(count > 1 for count in counts.values()):
        yield "not_enough_samples"
    for thread, count in counts.items():
        if count == 1:
            yield f"thread {thread} has one"


@rule("profile_chunk")
def chunk_is_not_too_long(item, chunk):
    times = [s["timestamp"] for s in chunk["profile"]["samples"]]
    if times and max(times) - min(times) > CHUNK_SECONDS:
        yield f"duration_is_too_long: {max(times) - min(times)} s"


@rule("profile_chunk")
def chunk_thread_metadata_fits(item, chunk):
    for thread, about in chunk["profile"].get("thread_metadata", {}).items():
        if not isinstance(about.get("name", ""), str):
            yield f"{thread}: name {about['name']!r}"
        if "priority" in about and not is_int(about["priority"], 0, 2**32 - 1):
            yield f"{thread}: priority {about['priority']!r}"


@rule("profile_chunk")
def chunk_frames_are_typed(item, chunk):
    for frame in chunk["profile"]["frames"]:
        for name in FRAME_TEXTS:
            if not isinstance(frame.get(name, ""), str):
                yield f"{name} {frame[name]!r}"
        for name in ("lineno", "colno"):
            if name in frame and not is_int(frame[name], 1, 2**32 - 1):
                yield f"{name} {frame[name]!r}"
        if not ADDRESS.match(frame.get("instruction_addr", "0x0")):
            yield f"instruction_addr {frame['instruction_addr']!r}"


@rule("profile_chunk")
def chunk_frames_say_whether_they_are_in_app(item, chunk):
    for frame in chunk["profile"]["frames"]:
        if not isinstance(frame.get("in_app"), bool):
            yield f"{frame.get('function')}: {frame.get('in_app')!r}"


@rule("profile_chunk")
def chunk_frames_with_a_function_have_no_address(item, chunk):
    """An address would make a node of the call tree of every instruction."""
    for frame in chunk["profile"]["frames"]:
        if frame.get("function") and "instruction_addr" in frame:
            yield frame["function"]


@rule("profile_chunk")
def chunk_images_are_of_types_for_profiles(item, chunk):
    for image in chunk.get("debug_meta", {}).get("images", []):
        if image.get("type") not in (
            "macho", "symbolic", "sourcemap", "proguard", "jvm"
        ):
            yield f"invalid_json: {image.get('type')!r}"
        if "debug_id" in image and not is_debug_id(image["debug_id"]):
            yield f"debug_id {image['debug_id']!r}"
        for name in ("image_addr", "image_vmaddr"):
            if name in image and not ADDRESS.match(str(image[name])):
                yield f"{name} {image[name]!r}"
        if not is_numeric(image.get("image_size", 0)):
            yield f"image_size {image['image_size']!r}"


@rule("profile_chunk")
def chunk_measurements_have_units_and_times(item, chunk):
    for name, series in chunk.get("measurements", {}).items():
        if series.get("unit") not in UNITS:
            yield f"{name}: unit {series.get('unit')!r}"
        for value in series["values"]:
            if not is_number(value.get("timestamp")):
                yield f"{name}: timestamp {value.get('timestamp')!r}"
            if not is_numeric(value.get("value")):
                yield f"{name}: value {value.get('value')!r}"


def is_debug_id(text):
    return re.match(
        r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
        r"(-[0-9a-f]{1,8})?\Z", str(text),
    ) is not None


# Section 5: events.

LEVELS = {"fatal", "error", "warning", "info", "debug"}


@rule("event")
def event_has_id_time_and_platform(item, event):
    if not HEX32.match(str(event.get("event_id"))):
        yield f"event_id {event.get('event_id')!r}"
    if not is_time(event.get("timestamp")):
        yield f"timestamp {event.get('timestamp')!r}"
    if not is_text(event.get("platform")):
        yield f"platform {event.get('platform')!r}"


@rule("event")
def event_level_is_one_of_five(item, event):
    if event.get("level", "error") not in LEVELS:
        yield repr(event.get("level"))


@rule("event")
def event_exceptions_have_a_type_or_value(item, event):
    for value in event.get("exception", {}).get("values", []):
        if not is_text(value.get("type")) and not is_text(value.get("value")):
            yield repr(sorted(value))


@rule("event")
def event_mechanism_has_a_type_and_typed_meta(item, event):
    for value in event.get("exception", {}).get("values", []):
        mechanism = value.get("mechanism")
        if mechanism is None:
            continue
        if not is_text(mechanism.get("type")) or mechanism["type"] == "minidump":
            yield f"type {mechanism.get('type')!r}"
        for name in ("handled", "synthetic"):
            if not isinstance(mechanism.get(name, False), bool):
                yield f"{name} {mechanism[name]!r}"
        signal = mechanism.get("meta", {}).get("signal")
        if signal is not None and not is_int(signal.get("number"), 1, 64):
            yield f"signal {signal.get('number')!r}"
        if not isinstance(mechanism.get("data", {}), dict):
            yield f"data {mechanism['data']!r}"


def traces(event):
    """All stack traces, with what they belong to."""
    for value in event.get("exception", {}).get("values", []):
        if "stacktrace" in value:
            yield "exception", value["stacktrace"]
    for thread in event.get("threads", {}).get("values", []):
        if "stacktrace" in thread:
            yield f"thread {thread.get('id')}", thread["stacktrace"]


@rule("event")
def event_stacks_have_frames_that_are_typed(item, event):
    for owner, trace in traces(event):
        if not trace.get("frames"):
            yield f"{owner} has none"
        for frame in trace.get("frames", []):
            for name in (*FRAME_TEXTS, "raw_function", "symbol"):
                if not isinstance(frame.get(name, ""), str):
                    yield f"{owner}: {name} {frame[name]!r}"
            for name in ("lineno", "colno"):
                if name in frame and not is_int(frame[name], 1, 2**32 - 1):
                    yield f"{owner}: {name} {frame[name]!r}"
            for name in ("instruction_addr", "symbol_addr", "image_addr"):
                if not ADDRESS.match(str(frame.get(name, "0x0"))):
                    yield f"{owner}: {name} {frame[name]!r}"
            if not isinstance(frame.get("in_app", False), bool):
                yield f"{owner}: in_app {frame['in_app']!r}"


@rule("event")
def event_registers_are_addresses(item, event):
    for owner, trace in traces(event):
        for name, value in (trace.get("registers") or {}).items():
            if not ADDRESS.match(str(value)):
                yield f"{owner}: {name} {value!r}"


@rule("event")
def event_address_adjustment_is_known(item, event):
    for owner, trace in traces(event):
        if trace.get("instruction_addr_adjustment", "auto") not in (
            "auto", "all_but_first", "all", "none"
        ):
            yield f"{owner}: {trace['instruction_addr_adjustment']!r}"


@rule("event")
def event_threads_have_an_id(item, event):
    for thread in event.get("threads", {}).get("values", []):
        if not is_int(thread.get("id")) and not is_text(thread.get("id")):
            yield repr(thread.get("id"))
        for name in ("crashed", "current", "main"):
            if not isinstance(thread.get(name, False), bool):
                yield f"{thread.get('id')}: {name} {thread[name]!r}"


@rule("event")
def event_crashed_thread_has_its_stack_in_the_exception(item, event):
    ids = [
        value["thread_id"]
        for value in event.get("exception", {}).get("values", [])
        if "thread_id" in value
    ]
    for thread in event.get("threads", {}).get("values", []):
        if thread.get("crashed") and thread["id"] not in ids:
            yield f"no exception of thread {thread['id']}"
        if thread["id"] in ids and "stacktrace" in thread:
            yield f"thread {thread['id']} has it twice"


@rule("event")
def event_images_are_complete_and_apart(item, event):
    spans = []
    for image in event.get("debug_meta", {}).get("images", []):
        if image.get("type") != "elf":
            yield f"type {image.get('type')!r}"
        if not is_text(image.get("code_file")):
            yield f"code_file {image.get('code_file')!r}"
        if not is_debug_id(image.get("debug_id")):
            yield f"debug_id {image.get('debug_id')!r}"
        if not re.match(r"[0-9a-f]+\Z", image.get("code_id", "0")):
            yield f"code_id {image['code_id']!r}"
        if not ADDRESS.match(str(image.get("image_addr"))):
            yield f"image_addr {image.get('image_addr')!r}"
            continue
        if not is_int(image.get("image_size"), 1):
            yield f"image_size {image.get('image_size')!r}"
            continue
        start = int(image["image_addr"], 16)
        spans.append((start, start + image["image_size"], image["code_file"]))
    spans.sort()
    for (_, end, name), (start, _, other) in zip(spans, spans[1:]):
        if start < end:
            yield f"{name} and {other} overlap"


@rule("event")
def event_debug_id_is_that_of_the_code_id(item, event):
    for image in event.get("debug_meta", {}).get("images", []):
        code = image.get("code_id", "")
        if len(code) < 32 or not is_debug_id(image.get("debug_id")):
            continue
        swapped = [
            "".join(reversed(re.findall("..", part)))
            for part in (code[:8], code[8:12], code[12:16])
        ]
        wanted = "-".join([*swapped, code[16:20], code[20:32]])
        if image["debug_id"] != wanted:
            yield f"{image['debug_id']} instead of {wanted}"


@rule("event")
def event_tags_are_short_texts(item, event):
    tags = event.get("tags", {})
    for name, value in tags.items() if isinstance(tags, dict) else tags:
        if not is_text(name) or not isinstance(value, str):
            yield f"{name!r}: {value!r}"
        elif len(name) > 200 or len(value) > 200:
            yield f"{name[:20]}... is too long"


@rule("event")
def event_release_and_environment_are_texts(item, event):
    for name in ("release", "environment", "dist", "server_name"):
        if name in event and not is_text(event[name]):
            yield f"{name} {event[name]!r}"
    if re.search(r"[\n/\\]", str(event.get("release", ""))):
        yield f"release {event['release']!r}"


@rule("event")
def event_fingerprint_is_of_texts(item, event):
    if any(not is_text(part) for part in event.get("fingerprint", [])):
        yield repr(event["fingerprint"])


@rule("event")
def event_contexts_are_typed(item, event):
    yield from check_contexts(event.get("contexts", {}))


def check_contexts(contexts):
    for name in ("trace",):
        trace = contexts.get(name)
        if trace is None:
            continue
        if not HEX32.match(str(trace.get("trace_id"))):
            yield f"trace_id {trace.get('trace_id')!r}"
        if not HEX16.match(str(trace.get("span_id"))):
            yield f"span_id {trace.get('span_id')!r}"
    profile = contexts.get("profile")
    if profile is not None:
        if not HEX32.match(
            str(profile.get("profiler_id", profile.get("profile_id")))
        ):
            yield f"profile {profile!r}"
    for name in ("os", "device", "runtime", "app"):
        if not isinstance(contexts.get(name, {}), dict):
            yield f"{name} {contexts[name]!r}"


# Section 6: transactions.

STATUSES = {
    "ok", "cancelled", "unknown", "unknown_error", "invalid_argument",
    "deadline_exceeded", "not_found", "already_exists", "permission_denied",
    "resource_exhausted", "failed_precondition", "aborted", "out_of_range",
    "unimplemented", "internal_error", "unavailable", "data_loss",
    "unauthenticated",
}


@rule("transaction")
def transaction_has_name_type_and_times(item, event):
    if event.get("type") != "transaction":
        yield f"type {event.get('type')!r}"
    if not is_text(event.get("transaction")):
        yield f"transaction {event.get('transaction')!r}"
    for name in ("start_timestamp", "timestamp"):
        if not is_time(event.get(name)):
            yield f"{name} {event.get(name)!r}"
    if not HEX32.match(str(event.get("event_id"))):
        yield f"event_id {event.get('event_id')!r}"
    if not is_text(event.get("platform")):
        yield f"platform {event.get('platform')!r}"


@rule("transaction")
def transaction_does_not_end_before_it_starts(item, event):
    for part in (event, *event.get("spans", [])):
        if is_time(part.get("start_timestamp")) and is_time(
            part.get("timestamp")
        ):
            if seconds(part["timestamp"]) < seconds(part["start_timestamp"]):
                yield str(part.get("op"))


@rule("transaction")
def transaction_has_a_trace(item, event):
    if "trace" not in event.get("contexts", {}):
        yield "there is none"
    yield from check_contexts(event.get("contexts", {}))


@rule("transaction")
def transaction_status_is_known(item, event):
    trace = event.get("contexts", {}).get("trace", {})
    for part in (trace, *event.get("spans", [])):
        if part.get("status", "ok") not in STATUSES:
            yield repr(part["status"])


@rule("transaction")
def transaction_source_is_known(item, event):
    source = event.get("transaction_info", {}).get("source", "custom")
    if source not in ("custom", "url", "route", "view", "component", "task"):
        yield repr(source)


@rule("transaction")
def transaction_spans_are_complete(item, event):
    trace = event.get("contexts", {}).get("trace", {})
    known = {trace.get("span_id")}
    known |= {span.get("span_id") for span in event.get("spans", [])}
    for span in event.get("spans", []):
        if not HEX16.match(str(span.get("span_id"))):
            yield f"span_id {span.get('span_id')!r}"
        if span.get("trace_id") != trace.get("trace_id"):
            yield f"trace_id {span.get('trace_id')!r}"
        if span.get("parent_span_id") not in known:
            yield f"parent_span_id {span.get('parent_span_id')!r}"
        for name in ("start_timestamp", "timestamp"):
            if not is_time(span.get(name)):
                yield f"{name} {span.get(name)!r}"


@rule("transaction")
def transaction_measurements_have_a_value_and_a_unit(item, event):
    for name, measure in event.get("measurements", {}).items():
        if not re.fullmatch("[a-zA-Z_][a-zA-Z0-9_.]{0,199}", name):
            yield repr(name)
        if not is_number(measure.get("value")):
            yield f"{name}: value {measure.get('value')!r}"
        if not is_text(measure.get("unit")):
            yield f"{name}: unit {measure.get('unit')!r}"
    if len(event.get("measurements", {})) > 10:
        yield "more than ten"


@rule("transaction")
def transaction_has_a_thousand_spans_at_most(item, event):
    if len(event.get("spans", [])) > 1000:
        yield str(len(event["spans"]))


@rule("transaction")
def transaction_links_to_a_thread_of_its_profile(item, event):
    """With a profiler_id there are thread ids, as texts (section 3.8)."""
    contexts = event.get("contexts", {})
    if "profiler_id" not in contexts.get("profile", {}):
        return
    for part in (contexts.get("trace", {}), *event.get("spans", [])):
        if not is_text(part.get("data", {}).get("thread.id")):
            yield f"thread.id {part.get('data', {}).get('thread.id')!r}"


# Section 7: the rest.

REASONS = {
    "queue_overflow", "cache_overflow", "ratelimit_backoff", "network_error",
    "sample_rate", "before_send", "event_processor", "send_error",
    "internal_sdk_error", "insufficient_data", "backpressure",
}
CATEGORIES = {
    "default", "error", "transaction", "span", "profile", "profile_chunk",
    "session", "attachment", "monitor", "log_item", "internal",
}


@rule("session")
def session_has_id_times_and_status(item, session):
    if not re.match(r"[0-9a-f-]{32,36}\Z", str(session.get("sid"))):
        yield f"sid {session.get('sid')!r}"
    for name in ("started", "timestamp"):
        if not is_time(session.get(name)):
            yield f"{name} {session.get(name)!r}"
    if session.get("status") not in (
        "ok", "exited", "crashed", "abnormal", "unhandled"
    ):
        yield f"status {session.get('status')!r}"


@rule("session")
def session_init_is_told_and_counts_are_numbers(item, session):
    if not isinstance(session.get("init", False), bool):
        yield f"init {session['init']!r}"
    if not is_int(session.get("errors", 0)):
        yield f"errors {session['errors']!r}"
    if "duration" in session and not (
        is_number(session["duration"]) and session["duration"] >= 0
    ):
        yield f"duration {session['duration']!r}"


@rule("session")
def session_that_crashed_has_an_error(item, session):
    if session.get("status") == "crashed" and not session.get("errors"):
        yield "errors is 0"


@rule("session")
def session_has_a_release(item, session):
    if not is_text(session.get("attrs", {}).get("release")):
        yield repr(session.get("attrs"))


@rule("client_report")
def client_report_counts_known_things(item, report):
    if not is_time(report.get("timestamp")):
        yield f"timestamp {report.get('timestamp')!r}"
    for entry in report["discarded_events"]:
        if entry.get("reason") not in REASONS:
            yield f"reason {entry.get('reason')!r}"
        if entry.get("category") not in CATEGORIES:
            yield f"category {entry.get('category')!r}"
        if not is_int(entry.get("quantity"), 1):
            yield f"quantity {entry.get('quantity')!r}"


@rule("check_in")
def check_in_has_id_slug_and_status(item, check_in):
    if not HEX32.match(str(check_in.get("check_in_id"))):
        yield f"check_in_id {check_in.get('check_in_id')!r}"
    if not is_text(check_in.get("monitor_slug")):
        yield f"monitor_slug {check_in.get('monitor_slug')!r}"
    if check_in.get("status") not in ("in_progress", "ok", "error"):
        yield f"status {check_in.get('status')!r}"


@rule("attachment")
def attachment_has_a_file_name(item, _):
    if not is_text(item.headers.get("filename")):
        yield repr(item.headers.get("filename"))


@rule("attachment")
def attachment_that_is_a_minidump_is_one(item, _):
    if item.headers.get("attachment_type") == "event.minidump":
        if not item.payload.startswith(b"MDMP"):
            yield "it is not"


def check_item(item):
    """What the rules for its type say of one item."""
    if item.type == "attachment":
        return complaints("attachment", item, None)
    return complaints(item.type, item, item.json())


def check_envelope(envelope):
    """What all rules say of an envelope; Broken where it is no JSON."""
    found = complaints("envelope", envelope)
    for item in envelope.items:
        try:
            found += check_item(item)
        except Broken as error:
            raise Broken(f"{item.type}: {error}") from error
    return found
