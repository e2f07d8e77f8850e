"""The Open POSIX Test Suite: signals, threads, timers, semaphores, queues.

One program for each sentence of the standard; Debian has its source package.
"""

import re
from pathlib import Path

import compiled
from unit import FAILED, PASSED, SKIPPED

# posixtest.h; UNRESOLVED is a test that could not do its work.
STATUS = {0: PASSED, 1: FAILED, 2: FAILED, 4: SKIPPED, 5: SKIPPED}

FLAGS = (
    "-O1", "-w", "-std=gnu99", "-fcommon", "-D_POSIX_C_SOURCE=200112L",
    "-D_XOPEN_SOURCE=600")
LIBRARIES = ("-lpthread", "-lrt", "-lm")

# Ten thousand threads and hundreds of processes at once, for minutes: it tests
# the machine's patience, and that of whoever shares it.
STRESS = ("pthread_cond_broadcast/1-2.c",)

SHORT = re.compile(
    r"(sigaction|sigprocmask|pthread_sigmask|sigpending|sigwait|sigsuspend|"
    r"sigqueue|raise|kill|signal|timer_\w+)/")


def has_main(source):
    return re.search(r"\bmain\s*\(", source.read_text(errors="replace"))


def units(folder, is_short):
    tree = folder / "source"
    compiled.unpack(
        compiled.debian_source("posixtestsuite", folder), tree)
    interfaces = tree / "conformance" / "interfaces"
    commands = {}
    for source in sorted(interfaces.glob("*/*.c")):
        name = source.relative_to(interfaces)
        if not re.fullmatch(r"\d+-\d+\.c", source.name) or not has_main(source):
            continue
        if str(name) in STRESS:
            continue
        if is_short and not SHORT.match(str(name)):
            continue
        program = folder / "bin" / name.with_suffix("")
        # Some use more than they include by the letter of the standard.
        commands[program] = [
            ("gcc", *flags, "-I", tree / "include", "-I", source.parent,
             source, "-o", program, *LIBRARIES)
            for flags in (FLAGS, (*FLAGS, "-D_GNU_SOURCE"))]
    return [
        compiled.program_unit(
            str(program.relative_to(folder / "bin")), program, STATUS)
        for program in compiled.compile_all(commands)]
