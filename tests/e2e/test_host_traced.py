"""Debuggers and tracers find a program as they find it without us."""

import re
import subprocess

import pytest

import host
import lab

SESSION = (
    "set confirm off", "set pagination off", "break stop_here", "run",
    "backtrace 3", "next", "next", "print twice", "finish", "continue",
    "delete", "break caller if turn == 2", "continue", "stepi", "stepi",
    "stepi", "next", "step", "info breakpoints", "delete", "continue",
)


def essence(text):
    """Without what differs from run to run."""
    text = re.sub(r"\(process \d+\)", "(process)", text)
    text = re.sub(r"0x[0-9a-f]+", "0x", text)
    return [line for line in text.splitlines() if "watchfire" not in line]


def debugger(tmp_path, *lines):
    script = tmp_path / "session.gdb"
    script.write_text("\n".join(lines) + "\n")
    return (lab.tool("gdb"), "-q", "-nx", "--batch", "-x", script)


@pytest.mark.parametrize("way", ("record", "refused"))
def test_breakpoints_and_steps_while_watched(tmp_path, way):
    command = (*debugger(tmp_path, *SESSION), lab.program("host_traced"))
    plain = lab.run(*command)
    assert "stop_here" in plain.stdout
    assert "exited with code 04" in plain.stdout
    watched = host.watch(tmp_path, way, *command)
    assert essence(watched.result.stdout) == essence(plain.stdout)
    assert watched.result.returncode == plain.returncode
    assert any("while it was traced" in line for line in watched.remarks)
    assert watched.folded().of_program("host_traced").account() > 0
    gdb = watched.folded().of_program("gdb")
    assert gdb.total() > gdb.account()


# To be run by sh: until the collector $1 has looked at its targets once more,
# which it does on its first turn after a tenth of a second.
LOOKED = r"""
turns() { sed -n 's/^voluntary_ctxt_switches://p' /proc/$1/status; }
sleep 0.3
before=$(turns $1)
until [ $(turns $1) -ge $((before + 4)) ]; do sleep 0.02; done
"""


# A sample whose time had come when the debugger took hold is on its way as a
# signal, most of all to a thread that lost its processor to the debugger, and
# nobody but the debugger can take it: one step does.
TAKEN = ("stepi", "echo from here on\\n")
ENDLESS = 1000000


def test_a_debugger_that_attaches_meets_one_signal_at_most(tmp_path):
    path, looked = tmp_path / "x.folded", tmp_path / "looked.sh"
    looked.write_text(LOOKED)
    watched = subprocess.Popen(
        [str(word) for word in (
            lab.WATCHFIRE, "record", "-F", 4999, *lab.AT_ANY_COST, "-o",
            path, "--", lab.program("host_traced"), ENDLESS)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=lab.clean_environment())
    try:
        assert watched.stdout.readline() == "turn 0\n"
        children = f"/proc/{watched.pid}/task/{watched.pid}/children"
        child = open(children).read().split()[0]
        result = lab.run(*debugger(
            tmp_path, "set confirm off", f"attach {child}",
            f"shell sh {looked} {watched.pid}", *TAKEN, "break caller",
            "continue", "delete", "break stop_here", "continue", "continue",
            "next", "next", "print twice", "frame function main",
            "set variable turns = 0", "detach"))
        stdout, stderr = watched.communicate(timeout=lab.PATIENCE)
    finally:
        lab.end(watched)
    attached, told = result.stdout.split("from here on\n")
    assert attached.count("SIGTRAP") <= 1
    assert "SIGTRAP" not in told
    assert told.count("Breakpoint 2, stop_here") == 2
    assert watched.returncode == 4
    turns = stdout.count("turn ") + 1
    assert stdout.endswith(f"sum {3 * turns * (turns + 2)}\n")
    assert "while it was traced" in stderr


@pytest.mark.parametrize("way", ("record", "refused"))
def test_a_tracer_of_system_calls(tmp_path, way):
    command = (lab.tool("strace"), "-f", "-o", "/dev/null",
               lab.program("host_traced"))
    watched = host.alike(tmp_path, way, *command)
    assert watched.folded().of_program("host_traced").total() > 0
