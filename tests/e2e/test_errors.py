"""What goes wrong is said in one sentence, with the right exit status."""

import os
import signal
import subprocess

import pytest

import lab


def nothing_but(folder, *names):
    """No half-written file, under no name."""
    assert sorted(os.listdir(folder)) == sorted(names)


def test_a_command_that_is_not_there(tmp_path):
    result = lab.record([tmp_path / "x.svg"], "/nonexistent/program")
    assert result.returncode == 127
    assert "/nonexistent/program" in lab.only_sentence(result.stderr)
    nothing_but(tmp_path)


def test_a_name_that_is_in_no_folder_of_the_path(tmp_path):
    result = lab.record([tmp_path / "x.svg"], "no-such-program-anywhere")
    assert result.returncode == 127
    lab.only_sentence(result.stderr)
    nothing_but(tmp_path)


def test_a_file_that_cannot_be_executed(tmp_path):
    script = tmp_path / "script"
    script.write_text("data\n")
    script.chmod(0o644)
    result = lab.record([tmp_path / "x.svg"], script)
    assert result.returncode == 126
    assert str(script) in lab.only_sentence(result.stderr)
    nothing_but(tmp_path, "script")


@pytest.mark.parametrize("words", (
    ("record", "--no-such-flag", "--", "true"),
    ("record", "-F", "banana", "--", "true"),
    ("record", "-F", "0", "--", "true"),
    ("record", "-e", "moon", "--", "true"),
    ("record", "--tag", "moon", "--", "true"),
    ("record",),
    ("report", "--no-such-flag"),
    ("export",),
    ("no-such-verb",),
    (),
))
def test_a_wrong_command_line_is_status_2(tmp_path, words):
    result = lab.run(lab.WATCHFIRE, *words, cwd=tmp_path)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.strip()
    nothing_but(tmp_path)


def test_an_unknown_extension_names_the_known_ones(tmp_path):
    marker = tmp_path / "ran"
    result = lab.record(
        [tmp_path / "x.bmp"], "touch", marker, cwd=tmp_path)
    assert result.returncode == 2
    sentence = lab.only_sentence(result.stderr)
    assert ".bmp" in sentence and ".svg" in sentence
    nothing_but(tmp_path)  # and the command was not started


def test_an_output_folder_that_is_not_there(tmp_path):
    result = lab.record(
        [tmp_path / "missing" / "x.svg"], lab.program("spin"), 0.1)
    assert result.returncode == 1
    assert "missing/x.svg" in result.stderr
    nothing_but(tmp_path)


def test_a_program_that_fails_keeps_its_status_when_an_output_fails(tmp_path):
    result = lab.record(
        [tmp_path / "missing" / "x.svg"], lab.program("leave"), 9)
    assert result.returncode in (1, 9)
    assert "missing/x.svg" in result.stderr


def test_an_output_that_may_not_be_written(public_folder):
    folder = public_folder / "closed"
    folder.mkdir(mode=0o755)
    result = lab.run(*lab.as_nobody(
        public_folder / "bin" / "watchfire", "record", "-o",
        folder / "x.svg", "--", "sh", "-c", "exit 0"))
    assert result.returncode == 1
    assert "x.svg" in result.stderr
    assert "ermission denied" in result.stderr
    nothing_but(folder)


def on_a_small_disk(tmp_path, *command):
    """Run where tmp_path/disk is a tmpfs of a few pages, in a mount namespace
    of its own; then list what is on it."""
    lab.need_root()
    disk = tmp_path / "disk"
    disk.mkdir()
    script = (
        'mount -t tmpfs -o size=16k none "$0" || exit 99\n'
        '"$@"; status=$?; ls -A "$0"; exit $status')
    result = lab.run(
        lab.tool("unshare"), "-m", "sh", "-c", script, disk, *command)
    if result.returncode == 99:
        pytest.skip("this system does not let root mount a tmpfs")
    return result


@pytest.mark.parametrize("name", ("x.svg", "x.folded"))
def test_a_full_disk_leaves_no_half_file(tmp_path, name):
    disk = tmp_path / "disk"
    result = on_a_small_disk(
        tmp_path, lab.WATCHFIRE, "record", "-o", disk / name, "--",
        "sh", "-c", f"{lab.program('chain')} >/dev/null; "
        f"head -c 15k /dev/zero >{disk}/ballast")
    assert result.returncode == 1
    assert "No space left" in result.stderr
    assert result.stdout.split() == ["ballast"]


def test_a_full_disk_leaves_a_recording_that_can_be_read(tmp_path):
    copy = tmp_path / "copy.data"
    disk = tmp_path / "disk"
    result = on_a_small_disk(
        tmp_path, "sh", "-c",
        f"{lab.WATCHFIRE} record -o {disk}/x.data -- {lab.program('spin')} 2; "
        f"status=$?; cp {disk}/x.data {copy} 2>/dev/null; exit $status")
    assert result.returncode == 1
    assert "No space left" in result.stderr
    if copy.exists():  # whole or readable: both are honest
        assert lab.report(copy)["total"] >= 0


@pytest.mark.parametrize("words", (
    ("--help",), ("--version",), ("record", "--help"), ("doctor",)))
def test_what_could_not_be_printed_is_a_failure(words):
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            [lab.WATCHFIRE, *words], stdout=full, stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL, env=lab.clean_environment(), text=True,
            timeout=lab.PATIENCE, check=False)
    assert result.returncode == 1
    assert "No space left" in lab.only_sentence(result.stderr)


def test_a_program_too_short_for_a_sample_still_has_an_account(tmp_path):
    svg = tmp_path / "x.svg"
    result = lab.record([svg, tmp_path / "x.folded"], "true", frequency=1)
    assert result.returncode == 0
    summary, remarks = lab.summary_and_remarks(result.stderr)
    assert lab.is_xml(svg)
    folded = lab.Folded(tmp_path / "x.folded")
    assert folded.total() > 0
    # Its first sample is due within a second of CPU time, by chance at once.
    if folded.total() > folded.account():
        assert " 1 sample" in summary and not remarks
        return
    assert " 0 samples" in summary
    assert len(remarks) == 1 and "no sample" in remarks[0]


@pytest.mark.parametrize("verb", ("report", "export", "flamegraph"))
def test_an_input_that_is_not_there(tmp_path, verb):
    words = [verb, "-i", tmp_path / "missing.data"]
    if verb != "report":
        words += ["-o", tmp_path / "x.svg"]
    result = lab.run(lab.WATCHFIRE, *words)
    assert result.returncode == 1
    assert "missing.data" in lab.only_sentence(result.stderr)
    assert result.stdout == ""
    nothing_but(tmp_path)


@pytest.mark.parametrize("content", (b"", b"\x7fELF" + bytes(100), b"PERFILE2"))
def test_an_input_that_is_no_profile(tmp_path, content):
    (tmp_path / "bad.data").write_bytes(content)
    result = lab.run(
        lab.WATCHFIRE, "export", "-i", tmp_path / "bad.data", "-o",
        tmp_path / "x.svg")
    assert result.returncode == 1
    assert "bad.data" in lab.only_sentence(result.stderr)
    nothing_but(tmp_path, "bad.data")


@pytest.mark.parametrize("status", (0, 1, 7, 255))
def test_the_exit_status_is_the_programs(tmp_path, status):
    result = lab.record(
        [tmp_path / "x.folded"], lab.program("leave"), status)
    assert result.returncode == status
    assert lab.Folded(tmp_path / "x.folded").total() > 0


@pytest.mark.parametrize(
    "number", (signal.SIGSEGV, signal.SIGTERM, signal.SIGKILL, signal.SIGABRT))
def test_a_fatal_signal_is_raised_again(tmp_path, number):
    result = lab.record(
        [tmp_path / "x.folded"], lab.program("crash"), int(number))
    assert result.returncode == -number
    # Its ring outlived it: what it did is there.
    assert lab.Folded(tmp_path / "x.folded").inclusive()["main"] > 0


class Interactive:
    """A recording in a process group of its own, as a shell starts it."""

    def __init__(self, tmp_path, script):
        self.folded = tmp_path / "x.folded"
        self.process = subprocess.Popen(
            [str(word) for word in (
                lab.WATCHFIRE, "record", *lab.AT_ANY_COST, "-o", self.folded,
                "--", lab.tool("python3"), "-c", script)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env=lab.clean_environment(),
            process_group=0)
        assert self.process.stdout.readline() == "ready\n"

    def interrupt(self):
        os.killpg(self.process.pid, signal.SIGINT)

    def end(self):
        try:
            return self.process.communicate(timeout=lab.PATIENCE)
        finally:
            lab.end(self.process)


def test_ctrl_c_goes_to_the_program_first(tmp_path):
    session = Interactive(
        tmp_path,
        "import signal, sys, time\n"
        "def leave(number, frame):\n"
        "    sum(range(3000000))\n"
        "    print('said goodbye', flush=True)\n"
        "    sys.exit(5)\n"
        "signal.signal(signal.SIGINT, leave)\n"
        "print('ready', flush=True)\n"
        "while True: sum(range(1000))\n")
    session.interrupt()
    stdout, stderr = session.end()
    assert stdout == "said goodbye\n"
    assert session.process.returncode == 5
    assert len(stderr.splitlines()) == 1
    assert lab.Folded(session.folded).total() > 0


def test_a_program_that_dies_of_ctrl_c_is_reported_so(tmp_path):
    session = Interactive(
        tmp_path,
        "import signal\n"
        "signal.signal(signal.SIGINT, signal.SIG_DFL)\n"
        "print('ready', flush=True)\n"
        "while True: sum(range(1000))\n")
    session.interrupt()
    session.end()
    assert session.process.returncode == -signal.SIGINT
    assert lab.Folded(session.folded).total() > 0


def test_standard_output_can_be_the_output():
    result = lab.run(
        lab.WATCHFIRE, "record", "-f", "folded", "-o", "-", "--",
        lab.program("leave"), 0)
    assert result.returncode == 0, result.stderr
    stack, weight = result.stdout.splitlines()[0].rsplit(" ", 1)
    assert stack and int(weight) > 0


def test_without_an_output_it_writes_watchfire_data(tmp_path):
    result = lab.run(
        lab.WATCHFIRE, "record", "--", lab.program("leave"), 0, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    nothing_but(tmp_path, "watchfire.data")
    assert lab.report(tmp_path / "watchfire.data")["total"] > 0


def test_a_duration_ends_the_recording(tmp_path):
    folded = tmp_path / "x.folded"
    result = lab.record(
        [folded], lab.program("spin"), 2.5, options=("-d", "1"))
    assert result.returncode == 0, result.stderr
    total = lab.Folded(folded).total()
    assert 0 < total < int(result.stdout) * 0.8


def test_help_is_no_error():
    result = lab.run(lab.WATCHFIRE, "--help")
    assert result.returncode == 0
    assert "record" in result.stdout
    assert result.stderr == ""
