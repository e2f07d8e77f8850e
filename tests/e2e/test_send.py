"""watchfire send: what goes over the wire, and what an answer means."""

import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

import sentry_examples as examples
from lab import (
    WATCHFIRE, clean_environment, end, in_own_mounts, only_sentence, run, tool,
    wait_until,
)
from sentry_backend import Answer, Backend, Certificate, Nobody, proxys


class Desk:
    """Envelopes to send, and the folder they are kept in."""

    def __init__(self, folder):
        self.folder = folder
        self.environment = clean_environment(
            XDG_STATE_HOME=str(folder / "state"))
        for name in list(self.environment):
            if name.startswith(("SSL_", "CURL_")):
                del self.environment[name]

    def envelope(self, kind="session", data=None):
        path = self.folder / f"{kind}.envelope"
        path.write_bytes(data if data else examples.envelope_of(kind))
        return path

    def command(self, path, dsn, *options):
        return [str(w) for w in (
            WATCHFIRE, "send", "-i", path, "--dsn", dsn, *options)]

    def send(self, backend, path=None, *options, **environment):
        return run(
            *self.command(
                path or self.envelope(), getattr(backend, "dsn", backend),
                *options),
            env={**self.environment, **environment},
        )

    def kept(self):
        return sorted((self.folder / "state").rglob("*.envelope.gz"))

    def beside(self, name):
        return next((self.folder / "state").rglob(name), None)



@pytest.fixture
def desk():
    """In memory where there is such a place: a disk takes its time to sync."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Desk(Path(folder))


def test_every_kind_of_envelope_arrives_by_the_rules(desk):
    with Backend() as backend:
        for kind in examples.PAYLOADS:
            if kind != "client_report":
                result = desk.send(backend, desk.envelope(kind))
                assert result.returncode == 0, result.stderr
        backend.check()
        assert [item.type for item in backend.items(*examples.PAYLOADS)] == [
            kind for kind in examples.PAYLOADS if kind != "client_report"]
        assert backend.items("event")[0].json() == examples.event()
    assert not desk.kept()


def test_a_dsn_may_have_a_prefix_a_secret_and_ipv6(desk):
    with Backend(prefix="/a/b", secret="s", project="name") as backend:
        assert desk.send(backend).returncode == 0
        backend.check()
    if socket.has_ipv6:
        with Backend(host="::1") as backend:
            assert desk.send(backend).returncode == 0
            backend.check()


def test_sent_at_is_replaced_and_standard_input_is_read(desk):
    data = examples.framed(
        {"sdk": {"name": "a", "version": "1"},
         "sent_at": "2001-01-01T00:00:00.000Z", "dsn": "http://a@other/1"},
        ("session", examples.session()))
    with Backend() as backend:
        result = subprocess.run(
            desk.command("-", backend.dsn), input=data, env=desk.environment,
            capture_output=True, timeout=60)
        assert result.returncode == 0, result.stderr
        backend.check()
        assert "dsn" not in backend.envelopes()[0].headers


def reports(backend):
    return {
        (entry["reason"], entry["category"]): entry["quantity"]
        for item in backend.items("client_report")
        for entry in item.json()["discarded_events"]
    }


@pytest.mark.parametrize("answer", [
    Answer(400), Answer(401), Answer(403), Answer(413), Answer(500),
    Answer(503), Answer(502, {"X-Sentry-Error": "queue"}, "oh"),
    Answer(413, how="early"),
], ids=lambda answer: f"{answer.status}-{answer.how}")
def test_what_the_backend_refuses_is_given_up_and_reported(desk, answer):
    with Backend() as backend:
        backend.answer(answer)
        # Too large for the socket's buffers, so that "early" cuts it short.
        large = desk.envelope("large", examples.framed(
            {}, ("session", {"noise": os.urandom(1 << 20).hex()})))
        result = desk.send(backend, large if answer.how == "early" else None)
        assert result.returncode == 1
        assert str(answer.status) in only_sentence(result.stderr)
        assert not desk.kept()
        assert desk.send(backend).returncode == 0
        assert reports(backend) == {("send_error", "session"): 1}
        assert desk.send(backend).returncode == 0
        assert len(backend.items("client_report")) == 1


@pytest.mark.parametrize("answer", [
    Answer(how="garbage"), Answer(how="closed"), Answer(how="headless"),
    proxys(502), proxys(503), proxys(504), Answer(301, {"Location": "/"}),
    Answer(407),
], ids=lambda answer: f"{answer.status}-{answer.how}")
def test_what_is_no_answer_of_the_backend_loses_nothing(desk, answer):
    with Backend() as backend:
        backend.default = answer
        result = desk.send(backend)
        assert result.returncode == 1
        assert "kept" in only_sentence(result.stderr)
        assert len(desk.kept()) == 1
        before = len(backend.deliveries)
        assert before > 1  # tried again by itself
        backend.default = Answer()
        assert desk.send(backend).returncode == 0
        assert not desk.kept()
        assert not backend.items("client_report")
        # The same envelope, and the other one.
        assert len(backend.deliveries) == before + 2


def test_an_answer_that_is_cut_off_is_one(desk):
    with Backend() as backend:
        backend.answer(Answer(how="half"))
        assert desk.send(backend).returncode == 0
        assert len(backend.deliveries) == 1
        assert not desk.kept()


def test_nobody_there_loses_nothing(desk):
    with Nobody() as nobody:
        result = desk.send(nobody)
    assert result.returncode == 1
    assert "cannot reach" in only_sentence(result.stderr)
    assert len(desk.kept()) == 1


def test_a_backend_that_takes_its_time_is_not_waited_for(desk):
    with Backend() as backend:
        backend.default = Answer(delay=600)
        result = desk.send(backend, None, "--limit", "200ms")
        assert result.returncode == 1
        assert "kept" in only_sentence(result.stderr)
        assert len(desk.kept()) == 1


@pytest.mark.parametrize("headers, later", [
    ({}, ["profile_chunk"]),
    ({"Retry-After": "3600"}, []),
    ({"Retry-After": "Fri, 31 Dec 2100 23:59:59 GMT"}, []),
    ({"X-Sentry-Rate-Limits": "3600::organization"}, []),
    ({"X-Sentry-Rate-Limits": "3600:session:key:why:what, 60:teapot"},
     ["profile_chunk"]),
    ({"X-Sentry-Rate-Limits": ["3600:session", "3600:profile_chunk;error"]},
     []),
    ({"X-Sentry-Rate-Limits": "3600:teapot", "Retry-After": "3600"},
     ["session", "profile_chunk"]),
], ids=range(7))
def test_rate_limits_hold_across_processes(desk, headers, later):
    """The 429 itself is not counted by us; what is not sent for it is."""
    with Backend() as backend:
        backend.answer(Answer(429, headers))
        assert desk.send(backend).returncode == 1
        del backend.deliveries[:]
        if headers == {}:
            # A minute, for all: here it is as if it were over for one.
            text = desk.beside("limits").read_text()
            assert "profile_chunk" in text
            desk.beside("limits").write_text(
                re.sub("profile_chunk .*\n", "", text))
        for kind in ("session", "profile_chunk"):
            result = desk.send(backend, desk.envelope(kind))
            assert result.returncode == (0 if kind in later else 1)
        sent = [item.type for item in backend.items("session", "profile_chunk")]
        assert sent == later
        assert not desk.kept()
        if desk.beside("limits"):
            desk.beside("limits").unlink()
        assert desk.send(backend, desk.envelope("check_in")).returncode == 0
        held = {"session", "profile_chunk"} - set(later)
        assert reports(backend) == {
            ("ratelimit_backoff", kind): 1 for kind in held}


def test_limits_come_with_any_status_and_take_out_single_items(desk):
    with Backend() as backend:
        backend.answer(Answer(200, {"X-Sentry-Rate-Limits": "60:session"}))
        assert desk.send(backend).returncode == 0
        both = desk.envelope("both", examples.framed(
            {"event_id": examples.ID}, ("event", examples.event()),
            ("session", examples.session())))
        assert desk.send(backend, both).returncode == 0
        assert [i.type for i in backend.envelopes()[1].items] == ["event"]


def test_tls_needs_a_certificate_that_is_trusted(desk, tmp_path):
    tool("openssl")
    certificate = Certificate(tmp_path)
    with Backend(certificate=certificate) as backend:
        result = desk.send(backend)
        assert result.returncode == 1
        assert "certificate" in only_sentence(result.stderr)
        assert len(desk.kept()) == 1
        authority = str(certificate.authority)
        assert desk.send(backend, SSL_CERT_FILE=authority).returncode == 0
        assert desk.send(
            backend, CURL_CA_BUNDLE=authority, SSL_CERT_FILE="/none"
        ).returncode == 0
        backend.check()
        assert len(backend.deliveries) == 3


def test_proxies_come_from_the_environment(desk):
    dsn = "http://key@backend.invalid/42"
    with Backend() as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        assert desk.send(dsn, HTTP_PROXY=url).returncode == 0
        assert proxy.deliveries[0].request.path == (
            "http://backend.invalid/api/42/envelope/")
        # In a CGI script that variable is what a client says.
        # Names are looked up then, which may take long where nobody answers.
        for more in ({"REQUEST_METHOD": "GET"}, {"NO_PROXY": ".invalid"}):
            assert desk.send(
                dsn, None, "--limit", "1s", HTTP_PROXY=url, **more
            ).returncode == 1
        assert len(proxy.deliveries) == 1
        assert len(desk.kept()) == 2
        # A tunnel that the proxy refuses is no answer of the backend.
        proxy.default = Answer(502)
        result = desk.send(
            "https://key@backend.invalid/42", HTTPS_PROXY=url)
        assert result.returncode == 1
        assert "502" in only_sentence(result.stderr)
        assert len(desk.kept()) == 3


def test_without_libcurl_all_else_works_and_the_package_is_named(desk):
    libraries = " ".join(
        f"/usr/lib/x86_64-linux-gnu/libcurl{flavour}.so.4"
        for flavour in ("", "-gnutls", "-nss"))
    words = " ".join(desk.command(
        desk.envelope(), "http://key@127.0.0.1:9/42"))
    result = run(*in_own_mounts(
        f"for library in {libraries}; do if [ -e $library ]; then "
        f"mount --bind /dev/null $library; fi; done; exec {words}"),
        env=desk.environment)
    assert result.returncode == 1
    assert "libcurl4" in only_sentence(result.stderr)
    assert len(desk.kept()) == 1


def test_libcurl_is_not_loaded_before_it_is_needed():
    dynamic = run(tool("readelf"), "-d", WATCHFIRE)
    assert dynamic.returncode == 0
    assert "curl" not in dynamic.stdout


def test_ctrl_c_during_a_send_loses_nothing(desk):
    with Backend() as backend:
        backend.default = Answer(delay=600)
        sender = subprocess.Popen(
            desk.command(desk.envelope(), backend.dsn),
            stderr=subprocess.DEVNULL, env=desk.environment)
        try:
            assert backend.wait_for(lambda b: b.deliveries)
            sender.send_signal(signal.SIGINT)
            assert sender.wait(60) == -signal.SIGINT
        finally:
            end(sender)
        assert len(desk.kept()) == 1
        backend.default = Answer()
        backend.ending.set()
        assert desk.send(backend).returncode == 0
        assert not desk.kept()


def test_several_senders_share_a_spool(desk):
    kinds = ("session", "check_in", "profile_chunk", "event")
    paths = [desk.envelope(kind) for kind in kinds]
    with Backend() as backend:
        backend.default = Answer(delay=0.02)
        senders = [
            subprocess.Popen(
                desk.command(paths[i % len(kinds)], backend.dsn),
                stderr=subprocess.PIPE, env=desk.environment)
            for i in range(12)
        ]
        for sender in senders:
            _, stderr = sender.communicate(timeout=60)
            assert sender.returncode == 0, stderr
        assert wait_until(lambda: not desk.kept())
        assert len(backend.deliveries) == len(senders)
        backend.check()


def test_what_is_foreign_in_the_spool_is_never_sent(desk):
    with Backend() as backend:
        assert desk.send(backend).returncode == 0
        folder = next((desk.folder / "state/watchfire/spool").iterdir())
        name = "e-0000000000000001-0123456789abcdef.envelope.gz"
        (folder / name).write_bytes(b"\x1f\x8b garbage")
        (folder / name).chmod(0o600)
        (folder / "notes.txt").write_text("mine")
        assert desk.send(backend).returncode == 0
        assert desk.send(backend).returncode == 0
        assert len(backend.items("session")) == 3
        assert sorted(os.listdir(folder / "aside")) == [name, "notes.txt"]
        assert reports(backend) == {("internal_sdk_error", "error"): 1}
        assert "foreign 2" in desk.beside("discards").read_text()


def test_a_spool_that_others_can_enter_is_not_used(desk):
    """What is there may be anybody's: a folder of our own does instead."""
    with Backend() as backend:
        assert desk.send(backend).returncode == 0
        folder = next((desk.folder / "state/watchfire/spool").iterdir())
        folder.chmod(0o755)
        result = desk.send(backend, TMPDIR=str(desk.folder))
        assert result.returncode == 0
        assert "not private" in result.stderr
        assert len(backend.deliveries) == 2
        assert not list(desk.folder.glob("watchfire-spool-*"))


def test_what_stays_in_a_folder_of_its_own_is_found_again(desk):
    """Two runs leave an envelope each, and a third one sends them all."""
    (desk.folder / "state").touch()  # no folder can be made there
    more = {"TMPDIR": str(desk.folder)}

    def left():
        return list(desk.folder.glob("watchfire-spool-*/*.envelope.gz"))

    with Nobody() as nobody:
        check_what_stays(desk, nobody, left, more)


def check_what_stays(desk, nobody, left, more):
    for count in (1, 2):
        result = desk.send(nobody, None, "--limit", "0.1", **more)
        assert result.returncode == 1
        assert "where the next run looks for it" in result.stderr
        assert len(left()) == count
    (folder,) = {path.parent for path in left()}
    # One of a run that goes on, which has its folder to itself, and one that
    # somebody else may have put there.
    other, strange = (
        folder.with_name(folder.name[:-6] + name)
        for name in ("second", "strang"))
    for path in (other, strange):
        path.mkdir(mode=0o700)
        shutil.copy(left()[0], path)
    strange.chmod(0o755)
    with Backend(port=nobody.port) as backend:
        lock = os.open(other, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert desk.send(backend, **more).returncode == 0
        os.close(lock)
        assert len(backend.items("session")) == 3
        assert not folder.exists() and other.exists()
        assert desk.send(backend, **more).returncode == 0
        assert len(backend.items("session")) == 5
        backend.check()
    assert not other.exists()
    assert len(list(strange.iterdir())) == 1


def test_what_cannot_be_sent_is_refused_with_the_reason(desk):
    garbage = desk.envelope("garbage", b"nothing")
    broken = desk.envelope("broken", b"{}\n{}\n{}\n")
    empty = desk.envelope("empty", b"{}\n")
    dsn = "http://key@127.0.0.1:9/42"
    for words, status, word in (
        (["-i", garbage, "--dsn", dsn], 1, "garbage"),
        (["-i", broken, "--dsn", dsn], 1, "not an envelope"),
        (["-i", empty, "--dsn", dsn], 1, "no item"),
        (["-i", garbage, "--dsn", dsn, "--tag", "x"], 2, "x"),
        (["-i", "/none", "--dsn", dsn], 1, "/none"),
        (["-i", garbage], 2, "SENTRY_DSN"),
        (["-i", garbage, "--dsn", "http://127.0.0.1/42"], 2, "public key"),
        (["--dsn", dsn], 2, "-i FILE"),
        (["-i", garbage, "--dsn", ""], 0, "nothing is sent"),
    ):
        result = run(WATCHFIRE, "send", *words, env=desk.environment)
        assert result.returncode == status, (words, result.stderr)
        assert word in only_sentence(result.stderr)
    assert not desk.kept()


def test_a_profile_is_sent_as_chunks(desk):
    folded = desk.folder / "stacks.folded"
    folded.write_text("app;main;work 500\napp;main;rest 100\n")
    with Backend() as backend:
        result = desk.send(
            backend, folded, "--release", "app@2", "--environment", "test",
            "--tag", "zone=a")
        assert result.returncode == 0, result.stderr
        backend.check()
        chunk = backend.items("profile_chunk")[0].json()
        assert (chunk["release"], chunk["environment"]) == ("app@2", "test")
        names = {f["function"] for f in chunk["profile"]["frames"]}
        assert {"main", "work", "rest"} <= names


@pytest.mark.parametrize("counts, options, seconds, said", [
    ((500, 100), (), 6.0, "samples at 100 a second"),
    ((500, 100), ("-F", "1000"), 0.6, None),
    ((500, 100), ("--unit", "samples"), 6.0, None),
    ((4000000000, 1000000000), (), 5.0, "nanoseconds"),
    ((40000000, 10000000), ("--unit", "ns"), 0.05, None),
])
def test_counts_of_folded_stacks_stand_for_a_time(
    desk, counts, options, seconds, said
):
    folded = desk.folder / "stacks.folded"
    folded.write_text("app;work {}\napp;rest {}\n".format(*counts))
    with Backend() as backend:
        result = desk.send(backend, folded, *options)
        assert result.returncode == 0, result.stderr
        assert (said or "sent 1") in result.stderr.splitlines()[0]
        backend.check()
        samples = [
            sample["timestamp"] for item in backend.items("profile_chunk")
            for sample in item.json()["profile"]["samples"]]
    assert max(samples) - min(samples) == pytest.approx(seconds, abs=1e-5)


def test_an_export_says_what_counts_of_folded_stacks_stand_for(desk):
    folded, envelope = desk.folder / "x.folded", desk.folder / "x.envelope"
    folded.write_text("app;work 500\n")
    result = run(
        WATCHFIRE, "export", "-i", folded, "-o", envelope,
        env=desk.environment)
    assert result.returncode == 0
    assert "samples at 100 a second" in only_sentence(result.stderr)
    assert envelope.exists()
    result = run(
        WATCHFIRE, "export", "-i", folded, "-o", desk.folder / "y.folded",
        env=desk.environment)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_dsn_of_the_environment_is_used(desk):
    with Backend() as backend:
        result = run(
            WATCHFIRE, "send", "-i", desk.envelope(),
            env={**desk.environment, "SENTRY_DSN": backend.dsn})
        assert result.returncode == 0, result.stderr
        assert json.loads(backend.items("session")[0].payload)
