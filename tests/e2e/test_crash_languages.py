"""Crashes of programs that no C or C++ compiler made, or of another libc.

Those of Go are in test_go.py, which has Go's compiler warm.
"""

import json
import os
import shutil
import signal

import pytest

import lab

RUST = """
#[inline(never)]
fn fails(at: usize) -> u32 { vec![1u32; 3][at] }
#[inline(never)]
fn writes(to: usize) { unsafe { *(to as *mut u32) = 1 } }
fn main() {
    let count = std::env::args().count();
    if count > 1 { println!("{}", fails(count + 7)); } else { writes(8 * count) }
}
"""


@pytest.fixture(scope="module")
def rust(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rust")
    compiler = shutil.which("rustc", path=os.pathsep.join(
        ("/usr/bin", "/usr/local/cargo/bin", str(folder.home() / ".cargo/bin"))))
    if compiler is None:
        pytest.skip("rustc is not installed")
    (folder / "fails.rs").write_text(RUST)
    built = lab.run(
        compiler, "-g", "-O", "-C", "panic=abort", "-o", folder / "fails",
        folder / "fails.rs", env={**lab.clean_environment(), "PATH": (
            os.path.dirname(compiler) + ":/usr/bin:/bin")})
    assert built.returncode == 0, built.stderr
    return folder / "fails"


def crash_of(tmp_path, *command):
    """Its exception, and how it ended, which is as without us."""
    plain = lab.run(*command)
    watched = lab.run(
        lab.WATCHFIRE, "record", f"--crashes={tmp_path}/crash.json", "-o",
        tmp_path / "x.folded", "--", *command)
    assert watched.returncode == plain.returncode
    assert watched.stdout == plain.stdout
    event = json.loads((tmp_path / "crash.json").read_text())
    return event["exception"]["values"][0], plain.returncode


def functions(value):
    return [f["function"] for f in reversed(value["stacktrace"]["frames"])]


def test_a_rust_panic_that_aborts(rust, tmp_path):
    value, status = crash_of(tmp_path, rust, "panic")
    assert status == -signal.SIGABRT and value["type"] == "SIGABRT"
    names = functions(value)
    assert "abort" in names
    assert names.index("abort") < names.index("fails::fails") < names.index(
        "fails::main") < names.index("main")


def test_a_rust_program_that_writes_to_nowhere(rust, tmp_path):
    value, status = crash_of(tmp_path, rust)
    assert status == -signal.SIGSEGV
    assert (value["type"], value["value"]) == (
        "SIGSEGV", "invalid memory access at 0x8")
    assert functions(value)[:2] == ["fails::writes", "fails::main"]
    innermost = value["stacktrace"]["frames"][-1]
    assert (innermost["filename"], innermost["lineno"]) == ("fails.rs", 5)


def test_a_program_of_musl_is_left_alone(tmp_path):
    """It crashes as ever, and nobody tells of what nobody has seen."""
    (tmp_path / "falls.c").write_text("int main(void) { __builtin_trap(); }\n")
    falls = tmp_path / "falls"
    assert lab.run(lab.tool("musl-gcc"), "-o", falls,
                   tmp_path / "falls.c").returncode == 0
    script = '"$0"; echo $?; exit 5'
    result = lab.run(
        lab.WATCHFIRE, "record", f"--crashes={tmp_path}/crash.json", "-o",
        tmp_path / "x.folded", "--", "/bin/sh", "-c", script, falls)
    assert (result.returncode, result.stdout) == (
        5, f"{128 + signal.SIGILL}\n")
    assert not (tmp_path / "crash.json").exists()
    assert any("musl" in line for line in result.stderr.splitlines())
