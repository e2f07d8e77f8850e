"""GCC's own tests of C++: exceptions, threads, thread-local storage.

From the package gcc-12-source: g++.dg/eh, torture and tls, g++.old-deja/g++.eh
and libstdc++'s 18_support and 30_threads; of these the tests that run.
"""

import dataclasses
import hashlib
import re
from pathlib import Path

import compiled

TARBALLS = Path("/usr/src/gcc-12")
FRONT = ("eh", "tls", "torture")
LIBRARY = ("18_support", "30_threads")
OTHERS = re.compile(
    r"ilp32|arm|aarch64|powerpc|sparc|ia64|mingw|cygwin|darwin|i\?86|alpha|"
    r"mips|s390|solaris|static|hpux|wrs-vxworks|avr|lto|dfp|xfail")

SHORT = re.compile(r"eh/|g\+\+\.eh/|30_threads/(async|thread|condition)")


def directives(text, name):
    return [
        match[1] for match in re.finditer(
            r"\{\s*dg-" + name + r"\b(.*)\}", text)]


def is_run(text, source):
    kinds = directives(text, "do")
    if not kinds:
        # DejaGnu's default there; the others' is to compile.
        return "old-deja" in str(source)
    return any(
        kind.split()[:1] == ["run"] and not OTHERS.search(kind)
        for kind in kinds)


def options(text):
    """The words of dg-options, unless they are another processor's."""
    words = []
    for line in directives(text, "options") + directives(
        text, "additional-options"):
        quoted, _, condition = line.strip().partition(" {")
        if condition and OTHERS.search(condition):
            continue
        words += quoted.strip('" ').split()
    if any(word in ("-static", "./testsuite_shared.so") for word in words):
        return None
    if not any(word.startswith("-std=") for word in words):
        words.append("-std=gnu++17")
    return words


def sources(tree):
    front = tree / "gcc" / "testsuite"
    library = tree / "libstdc++-v3" / "testsuite"
    for folder in FRONT:
        yield from (front / "g++.dg" / folder).rglob("*.C")
    yield from (front / "g++.old-deja" / "g++.eh").rglob("*.C")
    for folder in LIBRARY:
        yield from (library / folder).rglob("*.cc")


def unpack(folder):
    tree = folder / "source"
    compiled.unpack(
        sorted(TARBALLS.glob("gcc-*.tar.xz"))[0], tree,
        *(f"*/gcc/testsuite/g++.dg/{name}/*" for name in FRONT),
        "*/gcc/testsuite/g++.old-deja/g++.eh/*",
        *(f"*/libstdc++-v3/testsuite/{name}/*" for name in (*LIBRARY, "util")))
    return tree


def with_output(unit):
    """These print little, and always the same: their output is compared."""
    plain = unit.cases

    def cases(outcome):
        digest = hashlib.sha1(outcome.output.encode()).hexdigest()[:12]
        return {**plain(outcome), "output": digest}

    return dataclasses.replace(unit, cases=cases)


def units(folder, is_short):
    tree = unpack(folder)
    util = tree / "libstdc++-v3" / "testsuite" / "util"
    hooks = folder / "hooks.o"
    compiled.compile_one(
        [("g++", "-O2", "-c", "-I", util, util / "testsuite_hooks.cc", "-o",
          hooks)], hooks)
    commands = {}
    for source in sorted(sources(tree)):
        text = source.read_text(errors="replace")
        # The suffix stays: there are folders by the bare names.
        name = source.relative_to(tree)
        words = options(text) if is_run(text, source) else None
        if words is None or (is_short and not SHORT.search(str(name))):
            continue
        program = folder / "programs" / name
        is_library = "libstdc++-v3" in str(name)
        commands[program] = [(
            "g++", "-w", *words, "-I", util, source,
            *([hooks] if is_library else []), "-o", program, "-pthread")]
    return [
        with_output(compiled.program_unit(
            str(program.relative_to(folder / "programs")).split("testsuite/")[1],
            program, compiled.EXIT_STATUS))
        for program in compiled.compile_all(commands)]
