"""Programs that cannot be preloaded: the reason is said, never kept back."""

import os
import re
import shutil
import subprocess

import pytest

import lab


def refused(result, path, reason):
    """One sentence names the reason; nothing was run and nothing written."""
    assert result.returncode == 1
    assert re.search(reason, lab.only_sentence(result.stderr))
    assert result.stdout == ""
    assert not path.exists()


def test_a_static_program(tmp_path):
    path = tmp_path / "x.folded"
    result = lab.record([path], lab.program("spin_static"), 0.2)
    refused(result, path, "static")


# ---- a library and a command of different builds ----

# An agent as another version's would be: what it begins with is the same.
OTHER_AGENT = """
import os, socket, struct
name, secret = os.environ["WATCHFIRE_SESSION"].split(".")
asked = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
asked.connect("\\0watchfire-" + name)
asked.send(struct.pack("<4I", 0x57465231, 9999, 1, os.getpid())
           + secret.encode())
magic, version = struct.unpack("<2I", asked.recv(4096)[:8])
print(magic == 0x57465231 and version != 9999)
"""

OTHER_COLLECTOR = """#!/usr/bin/python3
import socket, struct
asked, _ = socket.socket(fileno=3).accept()
magic, version = struct.unpack("<2I", asked.recv(4096)[:8])
asked.send(struct.pack("<2I", magic, version + 1))
"""


def test_a_library_of_another_version(tmp_path):
    result = lab.record(
        [tmp_path / "x.folded"], lab.tool("python3"), "-c", OTHER_AGENT)
    assert result.stdout == "True\n", result.stderr
    _, remarks = lab.summary_and_remarks(result.stderr)
    said = [line for line in remarks if "speaks version 9999" in line]
    assert len(said) == 1 and "install both from one build" in said[0]


def test_a_command_of_another_version(tmp_path):
    for place in ("bin", "lib"):
        (tmp_path / place).mkdir()
    shutil.copy(lab.LIBRARY, tmp_path / "lib")
    command = tmp_path / "bin" / "watchfire"
    command.write_text(OTHER_COLLECTOR)
    command.chmod(0o755)
    result = lab.run(lab.program("leave"), 3, env=lab.clean_environment(
        LD_PRELOAD=str(tmp_path / "lib" / lab.LIBRARY.name)), cwd=tmp_path)
    assert result.returncode == 3
    assert re.search("nothing is sampled: .* are of different versions; ",
                     lab.only_sentence(result.stderr))


def test_a_32_bit_program(tmp_path):
    if not (lab.PROGRAMS / "narrow").exists():
        pytest.skip("no 32-bit program could be built")
    path = tmp_path / "x.folded"
    result = lab.record([path], lab.program("narrow"))
    refused(result, path, "32-bit")


def test_a_setuid_program(public_folder):
    lab.need_root()
    copy = public_folder / "spin_setuid"
    copy.write_bytes(lab.program("spin").read_bytes())
    copy.chmod(0o4755)
    if os.statvfs(public_folder).f_flag & os.ST_NOSUID:
        pytest.skip("the file system here ignores set-user-ID")
    path = public_folder / "x.folded"
    result = lab.run(*lab.as_nobody(
        public_folder / "bin" / "watchfire", "record", "-o", path, "--",
        copy, 0.2))
    refused(result, path, "set-user-ID|setuid")


def musl_program():
    path = lab.PROGRAMS / "lively_musl_dynamic"
    if not path.exists():
        pytest.skip("no program of musl could be built")
    return path


def test_a_program_of_musl(tmp_path):
    path = tmp_path / "x.folded"
    refused(lab.record([path], musl_program()), path, "musl.*--via perf")
    result = lab.run(
        lab.WATCHFIRE, "record", "--via", "perf", "-o", path, "--",
        musl_program(), stdin=subprocess.DEVNULL)
    assert (result.returncode, result.stdout) == (0, "waiting 0, early 0\n")


# ---- children of a program that is sampled ----

def named(lines, program, reason):
    """Whether one of the sentences names the program and the reason."""
    return any(f"/{program}' was not sampled" in line and reason in line
               for line in lines)


def frame(folded, program, label):
    """What the program used, in a frame that says why it was not seen."""
    wanted = f"[not sampled: {label}]"
    return folded.of_program(program).inclusive()[wanted]


def stolen_ns():
    """What a host has kept from the processors of this machine, to a tick
    each: a process that ends between two looks is told with it."""
    with open("/proc/stat", encoding="ascii") as stat:
        return int(stat.readline().split()[8]) / os.sysconf("SC_CLK_TCK") * 1e9


TICKS_NS = os.cpu_count() * 1e9 / os.sysconf("SC_CLK_TCK")

CHILDREN = (
    ("spin_static", "{programs}/spin_static", "static", "statically linked"),
    ("spin_static_pie", "{programs}/spin_static_pie", "static",
     "statically linked"),
    ("timed_out", "env -i {programs}/timed_out", "no LD_PRELOAD",
     "without LD_PRELOAD"),
)


@pytest.mark.parametrize("way", ("record", "refused", "preload"))
@pytest.mark.parametrize("program, command, label, reason", CHILDREN)
def test_a_child_that_cannot_be_preloaded_is_named(
        tmp_path, way, program, command, label, reason):
    (tmp_path / "timed_out").symlink_to(lab.program("spin"))
    folder = lab.PROGRAMS if program != "timed_out" else tmp_path
    # Without perf events its clock is read ten times a second: what it uses
    # after the last time is not known, be it late by half a second.
    seconds, least = (0.8, 0.25) if way == "refused" else (0.3, 0.9)
    used, before_ns = tmp_path / "used", stolen_ns()
    script = (f"{lab.program('spin')} 0.2 >/dev/null; "
              f"{lab.program('timed')} {used} "
              f"{command.format(programs=folder)} {seconds} >/dev/null; exit 4")
    data, path = tmp_path / "x.data", tmp_path / "x.folded"
    if way == "preload":
        result = lab.run("sh", "-c", script, env=lab.clean_environment(
            LD_PRELOAD=str(lab.LIBRARY), WATCHFIRE_FREQUENCY="997",
            WATCHFIRE_OUTPUT=f"{data},{path}"))
    else:
        prefix = (lab.program("refuse_perf"),) if way == "refused" else ()
        result = lab.run(*prefix, lab.WATCHFIRE, "record", "-F", "997", "-o",
                         data, "-o", path, "--", "sh", "-c", script)
        assert named(result.stderr.splitlines(), program, reason)
    assert result.returncode == 4
    assert result.stdout == ""
    assert lab.wait_until(path.exists)
    folded = lab.Folded(path)
    assert folded.of_program("spin").inclusive()["main"] > 0
    # With what it took to become that program and to end.
    used_ns = sum(map(int, used.read_text().split()))
    told_ns = frame(folded, program, label)
    assert least * seconds * 1e9 < told_ns < (
        used_ns + stolen_ns() - before_ns + TICKS_NS)
    report = lab.report(data)
    assert named(report["notes"], program, reason)
    assert {"reason": "not_sampled", "count": 1}.items() <= next(
        loss for loss in report["quality"]["losses"]
        if loss["reason"] == "not_sampled").items()


def test_a_32_bit_child_is_named(tmp_path):
    if not (lab.PROGRAMS / "narrow").exists():
        pytest.skip("no 32-bit program could be built")
    result = lab.record([tmp_path / "x.folded"], "sh", "-c",
                        f"{lab.program('narrow')}; exit 5")
    assert result.returncode == 5
    assert named(result.stderr.splitlines(), "narrow", "32-bit")


def test_a_setuid_child_is_named(public_folder):
    lab.need_root()
    copy = public_folder / "spin_setuid_child"
    copy.write_bytes(lab.program("spin").read_bytes())
    copy.chmod(0o4755)
    if os.statvfs(public_folder).f_flag & os.ST_NOSUID:
        pytest.skip("the file system here ignores set-user-ID")
    path = public_folder / "child.folded"
    result = lab.run(*lab.as_nobody(
        public_folder / "bin" / "watchfire", "record", "-o", path, "--",
        "sh", "-c", f"{copy} 0.2; exit 6"))
    assert result.returncode == 6
    assert named(result.stderr.splitlines(), copy.name, "setuid")


def test_a_spawned_child_is_named_and_one_that_fails_is_not(tmp_path):
    """By posix_spawn and by vfork; what cannot be started is not a process."""
    script = (
        "import os, resource, subprocess\n"
        f"program = '{lab.program('spin_static')}'\n"
        "os.posix_spawn(program, ['spin', '0.2'], os.environ)\n"
        "os.wait()\n"
        "subprocess.run([program, '0.2'], check=True)\n"
        "for failing in (['/nonexistent'], [program, 200000 * 'x']):\n"
        "    try: subprocess.run(failing)\n"
        "    except OSError as error: print(error.errno)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(used.ru_utime + used.ru_stime)\n")
    path, before_ns = tmp_path / "x.folded", stolen_ns()
    result = lab.record([path], lab.tool("python3"), "-c", script)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split()[-3:-1] == ["2", "7"]
    _, remarks = lab.summary_and_remarks(result.stderr)
    (sentence,) = (line for line in remarks if "was not sampled" in line)
    assert "(2 processes" in sentence and "spin_static'" in sentence
    told = frame(lab.Folded(path), "spin_static", "static")
    assert 0.9 * 400e6 < told < (
        float(result.stdout.split()[-1]) * 1e9 + stolen_ns() - before_ns
        + TICKS_NS)


STARTS = {
    "exec": ("sh", "-c", "exec $0"),
    "fork": ("sh", "-c", "$0; exit $?"),
    "spawn": ("/usr/bin/python3", "-S", "-c",
              "import os, sys; program = sys.argv[1]; os.waitpid("
              "os.posix_spawn(program, [program], os.environ), 0)"),
}


@pytest.mark.parametrize("start", STARTS)
def test_a_child_of_musl_runs_as_ever(tmp_path, start):
    """Its loader would end it, were the agent in its environment."""
    program = musl_program()
    result = lab.run(
        lab.WATCHFIRE, "record", "-o", tmp_path / "x.folded", "--",
        *STARTS[start], program, stdin=subprocess.DEVNULL)
    assert (result.returncode, result.stdout) == (0, "waiting 0, early 0\n")
    assert named(result.stderr.splitlines(), program.name, "musl")
