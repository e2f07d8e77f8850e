"""What a Sentry backend demands of a request and of an envelope's framing.

Each rule is a generator of complaints with a name of its own:

    @rule("envelope")
    def sent_at_is_a_time_of_utc(envelope):
        if ...:
            yield "..."

A backend answers 200 and drops what breaks a rule later, so that the client
never learns of it: this is the only place where it shows. The rules on payloads
are in sentry_payloads.py; both are Relay's, as far as they are known.
"""

import gzip
import json
import math
import re
import time
import zlib
from datetime import datetime

RULES = {}  # name -> (kind, function)

HEX32 = re.compile(r"[0-9a-f]{32}\Z")
HEX16 = re.compile(r"[0-9a-f]{16}\Z")
ADDRESS = re.compile(r"0x[0-9a-f]+\Z")
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)\Z")

MIB = 1 << 20
LIMITS = {  # of an item, unpacked
    "event": MIB,
    "transaction": MIB,
    "session": MIB,
    "sessions": MIB,
    "check_in": 100 * 1024,
    "client_report": 4 * 1024,
    "profile": 50 * MIB,
    "profile_chunk": 50 * MIB,
    "attachment": 200 * MIB,
}
ENVELOPE_BYTES = 200 * MIB


class Broken(Exception):
    """Bytes that cannot be taken apart: the backend answers 400."""


class Complaint:
    def __init__(self, rule_name, text):
        self.rule, self.text = rule_name, text

    def __repr__(self):
        return f"{self.rule}: {self.text}"


def rule(kind):
    """Register a rule on a "request", an "envelope", or an item's type."""

    def register(function):
        assert function.__name__ not in RULES, function.__name__
        RULES[function.__name__] = (kind, function)
        return function

    return register


def complaints(kind, *things):
    """What the rules of one kind say. One that trips over a thing says so."""
    found = []
    for name, (its_kind, function) in RULES.items():
        if its_kind != kind:
            continue
        try:
            found += [Complaint(name, text) for text in function(*things)]
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            found.append(Complaint(name, f"cannot even be judged: {error!r}"))
    return found


def is_int(value, low=0, high=(1 << 64) - 1):
    return (
        isinstance(value, int) and not isinstance(value, bool)
        and low <= value <= high
    )


def is_number(value):
    return (
        isinstance(value, (int, float)) and not isinstance(value, bool)
        and math.isfinite(value)
    )


def is_text(value):
    return isinstance(value, str) and value != ""


def is_time(value):
    """RFC 3339 of UTC, or seconds since 1970."""
    if is_number(value):
        return value > 0
    return isinstance(value, str) and RFC3339.match(value) is not None


def seconds(value):
    """A time as seconds since 1970."""
    if is_number(value):
        return value
    return datetime.fromisoformat(value).timestamp()


def strict_json(data):
    """JSON as RFC 8259 has it; no member twice, no NaN, valid UTF-8."""

    def no_constant(name):
        raise Broken(f"{name} is no JSON")

    def no_double(pairs):
        names = [name for name, _ in pairs]
        if len(set(names)) != len(names):
            raise Broken(f"a member twice: {sorted(names)}")
        return dict(pairs)

    try:
        text = data.decode() if isinstance(data, bytes) else data
        return json.loads(
            text, parse_constant=no_constant, object_pairs_hook=no_double
        )
    except ValueError as error:
        raise Broken(f"no JSON: {error}") from error


def one_object(data, what):
    value = strict_json(data)
    if not isinstance(value, dict):
        raise Broken(f"{what} is no object")
    return value


class Item:
    def __init__(self, headers, payload):
        self.headers, self.payload = headers, payload
        self.type = headers.get("type")

    def json(self):
        return one_object(self.payload, self.type)


class Envelope:
    """An envelope taken apart; Broken when a backend could not do it."""

    def __init__(self, data):
        self.size = len(data)
        line, _, rest = data.partition(b"\n")
        self.header_line = line
        self.headers = one_object(line, "the envelope's header")
        self.items = []
        while rest.strip(b"\n"):
            rest = self._take_item(rest.lstrip(b"\n"))

    def _take_item(self, rest):
        line, newline, rest = rest.partition(b"\n")
        headers = one_object(line, "an item's header")
        if not is_text(headers.get("type")):
            raise Broken("an item without a type")
        length = headers.get("length")
        if length is None:
            payload, _, rest = rest.partition(b"\n")
        else:
            if not is_int(length, 0, (1 << 32) - 1):
                raise Broken(f"a length of {length!r}")
            if len(rest) < length:
                raise Broken("unexpected end of file")
            if len(rest) > length and rest[length:length + 1] != b"\n":
                raise Broken("an item is longer than its length")
            payload, rest = rest[:length], rest[length + 1:]
        self.items.append(Item(headers, payload))
        return rest

    def of_type(self, *types):
        return [item for item in self.items if item.type in types]


class Request:
    """What came over HTTP."""

    def __init__(self, method, path, headers, body, dsn_parts):
        self.method, self.path, self.body = method, path, body
        self.headers = {name.lower(): value for name, value in headers}
        self.names = [name.lower() for name, _ in headers]
        self.key, self.secret, self.prefix, self.project = dsn_parts

    def auth(self):
        """The members of X-Sentry-Auth."""
        value = self.headers.get("x-sentry-auth", "")
        scheme, _, members = value.partition(" ")
        pairs = [member.strip().partition("=") for member in members.split(",")]
        return scheme, {name: value for name, _, value in pairs}

    def unpacked(self):
        encoding = self.headers.get("content-encoding")
        try:
            if encoding == "gzip":
                return gzip.decompress(self.body)
            if encoding == "deflate":
                return zlib.decompress(self.body)
        except (OSError, EOFError, zlib.error) as error:
            raise Broken(f"not {encoding}: {error}") from error
        if encoding is None:
            return self.body
        raise Broken(f"Content-Encoding {encoding}")


# Section 1: the endpoint and the auth header.


@rule("request")
def request_is_a_post(request):
    if request.method != "POST":
        yield request.method


@rule("request")
def path_is_the_envelope_endpoint(request):
    wanted = f"{request.prefix}/api/{request.project}/envelope/"
    if request.path.partition("?")[0] != wanted:
        yield f"{request.path} instead of {wanted}"


@rule("request")
def auth_names_key_version_and_client(request):
    scheme, members = request.auth()
    if scheme != "Sentry":
        yield f"scheme {scheme!r}"
    if members.get("sentry_version") != "7":
        yield f"version {members.get('sentry_version')!r}"
    if not re.match(r"[\w.-]+/\d+\.\d+\.\d+", members.get("sentry_client", "")):
        yield f"client {members.get('sentry_client')!r}"


@rule("request")
def auth_has_the_key_of_the_dsn(request):
    if request.auth()[1].get("sentry_key") != request.key:
        yield f"key {request.auth()[1].get('sentry_key')!r}"


@rule("request")
def auth_has_a_secret_only_if_the_dsn_has(request):
    if request.auth()[1].get("sentry_secret") != request.secret:
        yield f"secret {request.auth()[1].get('sentry_secret')!r}"


@rule("request")
def headers_come_once(request):
    for name in ("x-sentry-auth", "content-type", "content-encoding",
                 "content-length", "user-agent", "host"):
        if request.names.count(name) > 1:
            yield name


@rule("request")
def content_type_is_an_envelope(request):
    if request.headers.get("content-type") != "application/x-sentry-envelope":
        yield str(request.headers.get("content-type"))


@rule("request")
def content_is_packed_by_gzip(request):
    if request.headers.get("content-encoding") != "gzip":
        yield str(request.headers.get("content-encoding"))


@rule("request")
def user_agent_is_named_with_a_version(request):
    if not re.match(r"[\w.-]+/\d", request.headers.get("user-agent", "")):
        yield str(request.headers.get("user-agent"))


# Section 2: the framing.


@rule("envelope")
def header_line_has_no_carriage_return(envelope):
    if b"\r" in envelope.header_line:
        yield repr(envelope.header_line)


@rule("envelope")
def event_id_is_there_where_it_must_be(envelope):
    if envelope.of_type("event", "transaction", "attachment"):
        if not HEX32.match(str(envelope.headers.get("event_id"))):
            yield f"event_id {envelope.headers.get('event_id')!r}"


@rule("envelope")
def event_id_is_that_of_the_payload(envelope):
    for item in envelope.of_type("event", "transaction"):
        its_id = item.json().get("event_id")
        if its_id != envelope.headers.get("event_id"):
            yield f"{item.type} {its_id!r}"


@rule("envelope")
def sent_at_is_a_time_of_utc(envelope):
    text = envelope.headers.get("sent_at")
    if not re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z", str(text)):
        yield repr(text)


@rule("envelope")
def sent_at_is_now(envelope):
    if is_time(envelope.headers.get("sent_at")):
        off = abs(seconds(envelope.headers["sent_at"]) - time.time())
        if off > 300:
            yield f"off by {off} s"


@rule("envelope")
def sdk_has_name_and_version(envelope):
    sdk = envelope.headers.get("sdk", {})
    if not is_text(sdk.get("name")) or not is_text(sdk.get("version")):
        yield repr(sdk)


@rule("envelope")
def trace_header_is_of_strings(envelope):
    trace = envelope.headers.get("trace")
    if trace is None:
        return
    if not HEX32.match(str(trace.get("trace_id"))):
        yield f"trace_id {trace.get('trace_id')!r}"
    if not is_text(trace.get("public_key")):
        yield "no public_key"
    for name, value in trace.items():
        if not isinstance(value, str):
            yield f"{name} is {value!r}"


@rule("envelope")
def items_have_a_length(envelope):
    for item in envelope.items:
        if item.headers.get("length") is None:
            yield str(item.type)


@rule("envelope")
def items_are_of_known_types(envelope):
    for item in envelope.items:
        if item.type not in LIMITS:
            yield str(item.type)


@rule("envelope")
def items_are_within_their_size(envelope):
    for item in envelope.items:
        if len(item.payload) > LIMITS.get(item.type, MIB):
            yield f"{item.type} of {len(item.payload)} bytes"
    if envelope.size > ENVELOPE_BYTES:
        yield f"an envelope of {envelope.size} bytes"


@rule("envelope")
def event_or_transaction_is_one(envelope):
    count = len(envelope.of_type("event", "transaction"))
    if count > 1:
        yield f"{count} of them"


@rule("envelope")
def profile_is_one_with_its_transaction(envelope):
    count = len(envelope.of_type("profile"))
    if count > 1 or (count == 1 and not envelope.of_type("transaction")):
        yield f"{count} of them"


@rule("envelope")
def sessions_are_a_hundred_at_most(envelope):
    if len(envelope.of_type("session")) > 100:
        yield str(len(envelope.of_type("session")))


@rule("envelope")
def client_report_rides_along(envelope):
    if envelope.items and all(
        item.type == "client_report" for item in envelope.items
    ):
        yield "it is alone"
