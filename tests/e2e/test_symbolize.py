"""watchfire symbolize: a stand-in for addr2line, and JSON for programs."""

import json
import os
import pty
import random
import re
import subprocess

import pytest

import lab

CLONES = r"\.(cold|part|isra|constprop|lto_priv|localalias)(\.\d+)*"


def symbolize(*words, **options):
    return lab.run(lab.WATCHFIRE, "symbolize", *words, **options)


def code_sections(path):
    """(name, start, bytes) of every section that holds code."""
    text = lab.run(lab.tool("readelf"), "-SW", path).stdout
    for line in text.splitlines():
        row = re.match(r"\s*\[\s*\d+\]\s+(\S+)\s+PROGBITS\s+(\S+)\s+\S+"
                       r"\s+(\S+)\s+\S+\s+(\S+)", line)
        if row and "X" in row[4]:
            yield row[1], int(row[2], 16), int(row[3], 16)


def sized_symbols(path):
    """(start, end) of every symbol that has a size."""
    for line in lab.run(lab.tool("nm"), "-S", path).stdout.splitlines():
        row = line.split()
        if len(row) == 4:
            yield int(row[0], 16), int(row[0], 16) + int(row[1], 16)


def some_addresses(path, count):
    """Random ones of all code, at least one of each section."""
    sections = list(code_sections(path))
    total = sum(size for _, _, size in sections)
    dice = random.Random(1)
    return [start + dice.randrange(size) for _, start, size in sections
            for _ in range(1 + count * size // total)]


def lines_of(addresses):
    return "".join(f"{address:x}\n" for address in addresses)


def answers(text):
    """The output of -a -f -i: for each address its lines, in pairs."""
    found = []
    for line in text.splitlines():
        if re.fullmatch(r"0x[0-9a-f]{16}", line):
            found.append([])
        else:
            found[-1].append(line)
    return found


def places_of_llvm(path, address):
    """FILE:LINE of each frame, without the columns."""
    lines = lab.run(lab.tool("llvm-symbolizer-14"), "-i", "-e", path,
                    hex(address)).stdout.split("\n")
    return [line.rpartition(":")[0] for line in lines[1:-2:2]]


def plain_name(name):
    """Without what a compiler adds to one body of a function: the marks of
    clones, and which of the structors that share a body it is."""
    return re.sub("([CD])[12]E", r"\1E", re.sub(CLONES, "", name))


def why_names_differ(theirs, ours):
    # Stubs have no symbols; we read where they jump to, for calls of small
    # functions spend time in them.
    if ours[0].endswith("@plt"):
        return "stub"
    # A clone is the function it was made from: DWARF says so. It takes the
    # symbol's name where there is no linkage name, as in C.
    theirs, ours = (list(map(plain_name, x)) for x in (theirs, ours))
    if theirs == ours:
        return "clone"
    # Where DWARF has no linkage name (C++ functions of unnamed namespaces)
    # both turn to the symbol table. It gives the answer to the innermost
    # frame, also where that is an inlined function; we to the function whose
    # symbol it is.
    if len(theirs) == len(ours) and all(
            a == b or (at == 0 and len(ours) > 1) or b.startswith("_Z")
            for at, (a, b) in enumerate(zip(theirs, ours))):
        return "no linkage name"
    return None


def why_places_differ(path, address, theirs, ours):
    # A discriminator belongs to one row of the line table, that of the
    # innermost frame; it prints the same one again for each caller.
    bare = [re.sub(r" \(discriminator \d+\)", "", x) for x in theirs]
    if theirs[0] == ours[0] and bare[1:] == ours[1:]:
        return "repeated discriminator"
    # Of a global function and its local alias we take the global one, which
    # belongs to no file.
    if ours == ["??:?"] and "/" not in theirs[0]:
        return "alias"
    # Of units that describe one body it takes the line of one and the file of
    # another; LLVM is the judge.
    if ours == places_of_llvm(path, address):
        return "file of another unit"
    return None


def why_different(path, address, theirs, ours, is_in_symbol):
    """Where we differ from GNU addr2line 2.40, and mean to."""
    # It gives padding between functions to the symbol before.
    if ours[0] == "??" and not is_in_symbol:
        return "padding"
    names = why_names_differ(theirs[::2], ours[::2])
    if names == "stub" or theirs[1::2] == ours[1::2]:
        return names
    places = why_places_differ(path, address, theirs[1::2], ours[1::2])
    return places if theirs[::2] == ours[::2] else names and places


def compare(path, count=2000):
    addresses = some_addresses(path, count)
    words = ("-a", "-f", "-i", "-e", path)
    theirs = answers(lab.run(
        lab.tool("addr2line"), *words, input=lines_of(addresses),
        stdin=None).stdout)
    ours = answers(symbolize(
        *words, input=lines_of(addresses), stdin=None).stdout)
    assert len(ours) == len(theirs) == len(addresses)
    symbols = list(sized_symbols(path))
    classes = {}
    for address, a, b in zip(addresses, theirs, ours, strict=True):
        is_in_symbol = any(start <= address < end for start, end in symbols)
        reason = "same" if a == b else why_different(
            path, address, a, b, is_in_symbol)
        classes.setdefault(reason, []).append((hex(address), a, b))
    assert None not in classes, classes[None][:5]
    return {reason: len(cases) for reason, cases in classes.items()}


def test_answers_are_those_of_addr2line_byte_for_byte():
    path = lab.program("shares")
    names = lab.run(lab.tool("nm"), path).stdout.split("\n")
    functions = [line.split()[0] for line in names if " T main" in line]
    for options in ("", "-a", "-f", "-s", "-p", "-afi", "-pafi", "-Cfs"):
        words = [options, "-e", path, *functions, "0", "ffffffffffffffff"]
        words = [word for word in words if word != ""]
        theirs = lab.run(lab.tool("addr2line"), *words)
        assert symbolize(*words).stdout == theirs.stdout, options
    assert ":0" in theirs.stdout


def test_thousands_of_addresses_agree_with_addr2line_but_for_known_reasons():
    for name in (lab.WATCHFIRE, lab.program("throw"), lab.program("shares")):
        classes = compare(name)
        assert classes["same"] > 0, (name, classes)


def test_names_are_demangled_as_addr2line_does():
    path = lab.program("throw")
    addresses = lines_of(some_addresses(path, 300))
    raw, plain = [
        [answers(lab.run(*command, *words, "-a", "-f", "-e", path,
                         input=addresses, stdin=None).stdout)
         for command in ((lab.tool("addr2line"),),
                         (lab.WATCHFIRE, "symbolize"))]
        for words in ((), ("-C",))]
    names = {(x[0], y[0]) for a, b, x, y in zip(*raw, *plain)
             if a[0] == b[0]}
    assert any("(" in a for a, _ in names)
    assert all(a == b for a, b in names), names


def test_a_section_is_where_addresses_count_from():
    path = lab.program("shares")
    text = next(s for s in code_sections(path) if s[0] == ".text")
    whole = symbolize("-f", "-e", path, f"{text[1] + 0x40:x}").stdout
    assert symbolize("-f", "-j", ".text", "-e", path, "40").stdout == whole
    past = symbolize("-f", "-j", ".text", "-e", path, f"{text[2]:x}")
    assert past.stdout == "??\n??:0\n"


PIECES = """
int total;
static inline __attribute__((always_inline)) void add(int what)
{
    total += what * what;
}
void first(int what) { add(what); }
void second(int what) { first(what); add(what + 1); }
"""


# clang's address tables, zlib and the older form of line tables beside what
# gcc does by itself.
@pytest.mark.parametrize("compiler, options", [
    ("gcc", ["-g"]), ("gcc", ["-g", "-gz"]), ("gcc", ["-gdwarf-4"]),
    ("clang-14", ["-gdwarf-5"])])
def test_a_relocatable_file_says_what_the_linked_one_does(
        compiler, options, tmp_path):
    source, part, whole = (tmp_path / name for name in ("a.c", "a.o", "a.so"))
    source.write_text(PIECES)
    lab.run(lab.tool(compiler), "-O2", "-fPIC", "-ffunction-sections",
            *options, "-c", source, "-o", part)
    lab.run(lab.tool(compiler), "-shared", part, "-o", whole)
    for symbol in lab.run(lab.tool("nm"), "-S", whole).stdout.splitlines():
        name = symbol.split()[-1]
        if name not in ("first", "second"):
            continue
        start, size = (int(word, 16) for word in symbol.split()[:2])
        linked = symbolize("-fi", "-e", whole, input=lines_of(
            range(start, start + size)), stdin=None).stdout
        assert f"{name}\n{source}:" in linked
        assert f"add\n{source}:5" in linked
        loose = symbolize("-fi", "-j", f".text.{name}", "-e", part,
                          input=lines_of(range(size)), stdin=None)
        assert loose.stdout == linked
        assert loose.stderr == ""


def test_an_archive_is_refused(tmp_path):
    archive = tmp_path / "lib.a"
    lab.run(lab.tool("ar"), "rc", archive, lab.program("shares"))
    result = symbolize("-e", archive, "0")
    assert result.returncode == 1
    assert "is an archive" in lab.only_sentence(result.stderr)


def test_long_names_of_options():
    path = lab.program("shares")
    text = next(s for s in code_sections(path) if s[0] == ".text")
    address = f"{text[1] + 0x40:x}"
    short = symbolize("-afiCsp", "-j", ".text", "-e", path, "40").stdout
    long = symbolize(
        "--addresses", "--functions", "--inlines", "--demangle",
        "--basenames", "--pretty-print", "--section=.text", f"--exe={path}",
        "40").stdout
    assert long == short != ""
    assert address not in short


def test_words_are_taken_as_addr2line_takes_them(tmp_path):
    path = lab.program("shares")
    text = next(s for s in code_sections(path) if s[0] == ".text")
    address = f"{text[1] + 0x40:x}"
    words = tmp_path / "words"
    words.write_text(f"-f -i\n--exe={path} 0x{address}\n'{address}' 0X0")
    for command in (
            [f"@{words}"], [f"-e{path}", f"@{words}", "1"],
            ["-b", "elf64-x86-64", "-r", "-R", "-C", "-fie", path, address],
            ["--target=elf64-x86-64", "--no-recurse-limit", "--func",
             "--demangle=auto", f"--exe={path}", f"0x{address}", "--", "1"]):
        theirs = lab.run(lab.tool("addr2line"), *command)
        ours = symbolize(*command)
        assert (ours.stdout, ours.returncode) == (theirs.stdout, 0), command
        assert ours.stdout != ""
    assert symbolize("--version").stdout == lab.run(
        lab.WATCHFIRE, "--version").stdout


def test_each_line_of_a_pipe_is_answered_at_once():
    with subprocess.Popen(
            [lab.WATCHFIRE, "symbolize", "-f", "-e", lab.program("shares")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=lab.clean_environment()) as process:
        for _ in range(3):
            process.stdin.write("0\n")
            process.stdin.flush()
            # Hangs where answers are kept back; ctest then says so.
            assert process.stdout.readline() == "??\n"
            assert process.stdout.readline() == "??:0\n"
        process.stdin.close()
        assert process.wait() == 0


def test_each_line_of_a_terminal_is_answered_at_once():
    ours, theirs = pty.openpty()
    with subprocess.Popen(
            [lab.WATCHFIRE, "symbolize", "-e", lab.program("shares")],
            stdin=theirs, stdout=theirs, stderr=theirs,
            env=lab.clean_environment()) as process:
        os.close(theirs)
        os.write(ours, b"0\n")
        seen = b""
        while b"??:0\r\n" not in seen:
            seen += os.read(ours, 100)
        os.write(ours, b"\x04")
        assert process.wait() == 0
    os.close(ours)


def test_a_line_without_an_end_is_answered():
    result = symbolize("-e", lab.program("shares"), input="0", stdin=None)
    assert result.stdout == "??:0\n"


def test_json_has_the_shape_of_llvm_symbolizer():
    path = lab.program("throw")
    addresses = some_addresses(path, 300)
    theirs = lab.run(
        lab.tool("llvm-symbolizer-14"), "--output-style=JSON", "-e", path,
        input="".join(f"0x{address:x}\n" for address in addresses),
        stdin=None).stdout
    ours = symbolize("--json", "-e", path, input=lines_of(addresses),
                     stdin=None).stdout
    same = 0
    for a, b in zip(theirs.splitlines(), ours.splitlines(), strict=True):
        a, b = json.loads(a), json.loads(b)
        assert list(a) == list(b)
        assert a["Address"] == b["Address"]
        assert a["ModuleName"] == b["ModuleName"]
        assert list(a["Symbol"][0]) == list(b["Symbol"][0])
        for frame in b["Symbol"]:
            assert {k: type(v) for k, v in frame.items()} == {
                k: type(v) for k, v in a["Symbol"][0].items()}
        places = [[(f["FileName"], f["Line"], f["Column"])
                   for f in x["Symbol"]] for x in (a, b)]
        same += places[0] == places[1]
    assert same >= 0.99 * len(addresses)


def test_json_of_a_command_line_is_one_array():
    path = lab.program("shares")
    array = json.loads(symbolize("--json", "-e", path, "0", "1").stdout)
    assert [x["Address"] for x in array] == ["0x0", "0x1"]
    assert array[0]["Symbol"][0]["FunctionName"] == ""


def test_a_line_that_is_no_address_is_answered_and_complained_about():
    path = lab.program("shares")
    result = symbolize("-e", path, input="0\nmain\n\n0\n", stdin=None)
    assert result.stdout == "??:0\n" * 4
    assert result.returncode == 1
    assert "'main' is not" in lab.only_sentence(result.stderr)
    rows = symbolize("--json", "-e", path, input="main\n", stdin=None).stdout
    assert "main" in json.loads(rows)["Error"]["Message"]


@pytest.mark.parametrize("words, status, reason", [
    (["-e", "/nonexistent", "0"], 1, "/nonexistent"),
    (["-e", "/etc/passwd", "0"], 1, "not an ELF"),
    (["-e", "/dev/null", "0"], 1, "regular"),
    (["-e", "PROGRAM", "main"], 2, "'main' is not"),
    (["-e", "PROGRAM", "-j", ".nope", "0"], 2, r"\.nope"),
    (["-e"], 2, "argument"),
    (["-x"], 2, "-x is"),
    (["-C=gnu-v3", "0"], 2, "-= is not"),
    (["--unknown", "0"], 2, "--unknown is not"),
    (["-fe"], 2, "-e wants"),
])
def test_what_cannot_be_done_is_said_in_one_sentence(words, status, reason):
    words = [lab.program("shares") if w == "PROGRAM" else w for w in words]
    result = symbolize(*words)
    assert result.returncode == status
    assert re.search(reason, lab.only_sentence(result.stderr))
    assert result.stdout == ""


def test_a_full_disk_is_noticed():
    with open("/dev/full", "w", encoding="ascii") as full:
        result = subprocess.run(
            [lab.WATCHFIRE, "symbolize", "-e", lab.program("shares"), "0"],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert result.returncode == 1
    assert "No space left" in lab.only_sentence(result.stderr)


TEMPLATES = """
template <class T, int Limit> struct holder {
    __attribute__((noinline)) double spin(T times)
    {
        volatile double sum = 0;
        for (T i = 0; i < times; i++)
            sum = sum + Limit;
        return sum;
    }
};
int main()
{
    return holder<long, 123456>().spin(60000000) < 0;
}
"""
LONG = "holder<long, 123456>::spin(long)"
SHORT = "holder<...>::spin(long)"


def test_names_of_profiles_are_shortened_on_demand(tmp_path):
    source, program = tmp_path / "templates.cc", tmp_path / "templates"
    source.write_text(TEMPLATES)
    lab.run(lab.tool("g++"), "-O1", "-g", source, "-o", program, check=True)
    whole, short = tmp_path / "whole.data", tmp_path / "short.folded"
    lab.record([whole], program).check_returncode()
    lab.record([short], program, options=["--short-names"]
               ).check_returncode()
    assert SHORT in short.read_text() and LONG not in short.read_text()
    for words in (["export", "-f", "folded", "-o", "-"],
                  ["flamegraph", "-f", "folded", "-o", "-"], ["report"]):
        for name, other, flags in ((LONG, SHORT, []),
                                   (SHORT, LONG, ["--short-names"])):
            text = lab.run(lab.WATCHFIRE, *words, "-i", whole, *flags,
                           check=True).stdout
            assert name in text and other not in text, (words, flags)
