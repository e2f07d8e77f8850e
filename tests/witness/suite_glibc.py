"""glibc's own tests: threads, cancellation, signals, spawning, contexts.

Debian's source of the very glibc that is installed. Its tests are compiled
against the installed library; those that need glibc's insides are left out.
"""

import re
import shutil
import subprocess
from pathlib import Path

import compiled
from unit import FAILED, PASSED, SKIPPED

# support/test-driver.c: 77 is a test that this system does not permit.
STATUS = {0: PASSED, 1: FAILED, 77: SKIPPED}

FOLDERS = (
    "nptl", "posix", "rt", "setjmp", "signal", "stdlib", "sysdeps/pthread",
    "sysdeps/unix/sysv/linux")
SHORT = re.compile(r"(signal|setjmp)/|tst-(cancel|cond|exec|fork|join|spawn)")

# They would change the system's clock, accounting or mounts.
HARMFUL = re.compile(r"settime|adjtime|ntp|acct|mount|hostname|chroot")
STATIC = re.compile(r"-static\.c$|-time64\.c$")

# Headers of glibc's insides that its library of helpers is happy with.
BORROWED = (
    "allocate_once.h", "array_length.h", "intprops.h", "intprops-internal.h",
    "libc-diag.h", "scratch_buffer.h", "verify.h")
ATOMIC = """#define atomic_load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define atomic_store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
"""

# TIMEOUTFACTOR: thousands of forks, each of which speaks to the collector.
FLAGS = (
    "-std=gnu11", "-O2", "-w", "-D_GNU_SOURCE", "-DTIMEOUTFACTOR=20",
    "-include", "linux/limits.h",
    # support_paths.c: where a build of glibc would be.
    *(f'-D{name}_PATH="/"' for name in (
        "SRCDIR", "OBJDIR", "OBJDIR_ELF_LDSO", "INSTDIR", "LIBDIR", "BINDIR",
        "SBINDIR", "ROOTSBINDIR", "COMPLOCALEDIR", "SYSCONFDIR", "SLIBDIR")))


def borrow(tree, folder):
    """A folder of headers: the tests' own helpers, and what those include."""
    include = folder / "include"
    if include.exists():
        return include
    partial = folder / "include.partial"
    shutil.copytree(tree / "support", partial / "support", dirs_exist_ok=True)
    for name in BORROWED:
        if (tree / "include" / name).exists():
            shutil.copy(tree / "include" / name, partial)
    shutil.copy(tree / "sysdeps" / "x86_64" / "stackinfo.h", partial)
    shutil.copy(tree / "test-skeleton.c", partial)
    (partial / "config.h").write_text("")
    (partial / "atomic.h").write_text(ATOMIC)
    partial.rename(include)
    return include


def support_library(folder, include):
    """Of glibc's helpers those that compile outside it."""
    library = folder / "libsupport.a"
    if library.exists():
        return library
    commands = {}
    for source in sorted((include / "support").glob("*.c")):
        if re.search(r"tst-|-dso-|container|driver|_main\.c|time64",
                     source.name) and source.name != "support_test_main.c":
            continue
        target = folder / "support" / source.with_suffix(".o").name
        commands[target] = [(
            "gcc", *FLAGS, "-I", include, "-I", include / "support", "-c",
            source, "-o", target)]
    objects = compiled.compile_all(commands)
    subprocess.run(["ar", "rc", library, *objects], check=True)
    return library


def units(folder, is_short):
    tree = folder / "source"
    compiled.unpack(compiled.debian_source("glibc", folder), tree)
    include = borrow(tree, folder)
    library = support_library(folder, include)
    # Some tests include another one, or a header beside it.
    shared = [
        word for name in ("", *FOLDERS)
        for word in ("-idirafter", tree / name)]
    commands = {}
    for source in sorted(
        path for name in FOLDERS for path in (tree / name).glob("tst-*.c")):
        name = source.relative_to(tree)
        if HARMFUL.search(source.name) or STATIC.search(source.name):
            continue
        if is_short and not SHORT.search(str(name)):
            continue
        program = folder / "programs" / name.with_suffix("")
        commands[program] = [(
            "gcc", *FLAGS, "-I", include, "-I", include / "support", *shared,
            source, "-o", program, library, "-lpthread", "-lrt", "-ldl", "-lm")]
    return [
        compiled.program_unit(
            str(program.relative_to(folder / "programs")), program, STATUS,
            seconds=900)
        for program in compiled.compile_all(commands)]
