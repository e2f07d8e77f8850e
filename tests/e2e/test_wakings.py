"""A signal of the program's interrupts its sleeping call, as without us.

Waking takes CPU time: a sample may come between the signal and the return to
the program, and must not have the call restarted (sig_interrupt_x86_64.c).
"""

import shutil

import pytest

import lab

ROUNDS = 400
HERTZ = 20000  # a sample at nearly every waking


def command_line(clock, folder, words):
    program = folder / "wakings"
    if not program.exists():
        shutil.copy(lab.program("wakings"), program)
        program.chmod(0o755)
    words = (
        folder / "bin" / "watchfire", "record", "-F", HERTZ,
        *lab.AT_ANY_COST, "-o", folder / f"{clock}.folded", "--", program,
        *words)
    if clock == "user":
        return lab.as_nobody(*words)
    if clock == "refused":
        return (lab.program("refuse_perf"), *words)
    lab.need_root()
    return words


@pytest.mark.parametrize("clock", ("perf", "user", "refused"))
@pytest.mark.parametrize("how", ("read", "recv", "wait", "semaphore"))
def test_every_signal_interrupts_its_call(public_folder, clock, how):
    result = lab.run(*command_line(clock, public_folder, (how, ROUNDS)))
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{ROUNDS} {ROUNDS}\n"


@pytest.mark.parametrize("clock", ("perf", "user", "refused"))
def test_none_does_that_asks_for_a_restart(public_folder, clock):
    result = lab.run(*command_line(clock, public_folder, ("restart", ROUNDS)))
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{ROUNDS} 0\n"


def test_the_program_itself_is_right():
    for how in ("read", "recv", "wait", "semaphore"):
        assert lab.run(lab.program("wakings"), how, 50).stdout == "50 50\n"
    assert lab.run(lab.program("wakings"), "restart", 50).stdout == "50 0\n"
