"""The cache of indexes, as a user meets it: where it is, and that it changes
nothing but the time."""

import os
import pwd
import stat
import subprocess

import pytest

import lab

PROGRAM = lab.WATCHFIRE  # has debug information, whatever the build

# What takes idle processors only may have to wait for one.
IDLE_PATIENCE = 4 * lab.PATIENCE


@pytest.fixture(scope="module")
def addresses():
    """Starts of some functions of PROGRAM."""
    lines = lab.run(lab.tool("nm"), PROGRAM).stdout.splitlines()
    rows = [line.split() for line in lines]
    return [row[0] for row in rows if len(row) == 3 and row[1] in "tT"][::40]


def environment(**more):
    """Where nothing says where a cache would be, but for `more`."""
    kept = lab.clean_environment()
    for name in ("HOME", "XDG_CACHE_HOME", "WATCHFIRE_CACHE"):
        kept.pop(name, None)
    return {**kept, **{name: str(value) for name, value in more.items()}}


def symbolize(addresses, env):
    result = lab.run(lab.WATCHFIRE, "symbolize", "-afi", "-e", PROGRAM,
                     *addresses, env=env)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return result.stdout


def indexes(folder):
    return list(folder.glob("*.index")) if folder.is_dir() else []


def index_program(addresses, folder, env):
    """Ask once, and stay until the index is there: it is made by idle
    processors only."""
    child = subprocess.Popen(
        [str(lab.WATCHFIRE), "symbolize", "-e", str(PROGRAM)], env=env,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    child.stdin.write(addresses[0] + "\n")
    child.stdin.flush()
    assert child.stdout.readline()
    lab.wait_until(lambda: indexes(folder), seconds=IDLE_PATIENCE)
    child.stdin.close()
    assert child.wait(lab.PATIENCE) == 0
    child.stdout.close()
    assert len(indexes(folder)) == 1


@pytest.mark.parametrize("name, below", [
    ("WATCHFIRE_CACHE", "."), ("XDG_CACHE_HOME", "watchfire"),
    ("HOME", ".cache/watchfire")])
def test_an_index_is_kept_where_the_settings_say(
        tmp_path, addresses, name, below):
    env = environment(**{name: tmp_path})
    folder = tmp_path / below
    wanted = symbolize(addresses, environment())
    index_program(addresses, folder, env)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert symbolize(addresses, env) == wanted
    assert [path.suffix for path in folder.iterdir()] == [".index"]


def test_an_index_is_used_again(tmp_path, addresses):
    env = environment(WATCHFIRE_CACHE=tmp_path)
    index_program(addresses, tmp_path, env)
    (index,) = indexes(tmp_path)
    os.utime(index, (1, 1))
    symbolize(addresses, env)
    assert index.stat().st_atime > 1
    assert index.stat().st_mtime == 1  # the same file


def test_the_cache_can_be_switched_off(tmp_path, addresses):
    symbolize(addresses, environment(HOME=tmp_path, WATCHFIRE_CACHE="off"))
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_in_the_home_of_another_user(tmp_path, addresses):
    if os.geteuid() != 0:
        pytest.skip("needs root, as sudo gives it")
    nobody = pwd.getpwnam("nobody")
    os.chown(tmp_path, nobody.pw_uid, nobody.pw_gid)
    os.chmod(tmp_path, 0o777)
    for name in ("HOME", "XDG_CACHE_HOME"):
        symbolize(addresses, environment(**{name: tmp_path}))
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", ["/proc/nowhere", "/dev/null", "relative/a"])
def test_a_cache_that_cannot_be_used_is_no_failure(addresses, folder):
    wanted = symbolize(addresses, environment())
    assert symbolize(addresses, environment(WATCHFIRE_CACHE=folder)) == wanted


def test_a_relative_xdg_folder_is_ignored(tmp_path, addresses, monkeypatch):
    """By the specification; what HOME says counts then."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "relative").mkdir()
    home = tmp_path / "home"
    home.mkdir()
    env = environment(XDG_CACHE_HOME="relative", HOME=home)
    index_program(addresses, home / ".cache/watchfire", env)
    assert list((tmp_path / "relative").iterdir()) == []


def test_without_any_setting_nothing_is_kept(
        tmp_path, addresses, monkeypatch):
    monkeypatch.chdir(tmp_path)
    symbolize(addresses, environment())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mount", [
    "-t tmpfs -o size=40k none", "-t tmpfs -o ro none"])
def test_a_cache_that_is_full_or_read_only_is_no_failure(
        tmp_path, addresses, mount):
    wanted = symbolize(addresses, environment())
    cache = tmp_path / "cache"
    cache.mkdir()
    # It stays for a while, so that an index is tried for.
    result = lab.run(*lab.in_own_mounts(
        f"mount {mount} {cache}; (echo {addresses[0]}; sleep 1;"
        f"printf '%s\\n' {' '.join(addresses[1:])}) |"
        f"WATCHFIRE_CACHE={cache} {lab.WATCHFIRE} symbolize -afi -e {PROGRAM};"
        f"ls -A {cache}"))
    assert result.returncode == 0, result.stderr
    assert result.stdout == wanted  # and no file is left
    assert result.stderr == ""


def test_a_cache_that_is_a_link_to_a_stranger_s_folder_is_not_used(
        tmp_path, addresses):
    if os.geteuid() != 0:
        pytest.skip("needs root, to make a stranger's folder")
    stranger = tmp_path / "stranger"
    stranger.mkdir(mode=0o755)
    nobody = pwd.getpwnam("nobody")
    os.chown(stranger, nobody.pw_uid, nobody.pw_gid)
    (tmp_path / "cache").symlink_to(stranger)
    wanted = symbolize(addresses, environment())
    env = environment(WATCHFIRE_CACHE=tmp_path / "cache")
    assert symbolize(addresses, env) == wanted
    assert list(stranger.iterdir()) == []


def test_a_damaged_index_changes_no_answer(tmp_path, addresses):
    env = environment(WATCHFIRE_CACHE=tmp_path)
    wanted = symbolize(addresses, environment())
    index_program(addresses, tmp_path, env)
    (index,) = indexes(tmp_path)
    whole = index.read_bytes()
    step = len(whole) // 12
    for offset in range(0, len(whole), step):
        damaged = bytearray(whole)
        for at in range(offset, min(offset + step, len(whole)), 64):
            damaged[at] ^= 0xff
        index.unlink(missing_ok=True)
        index.write_bytes(damaged)
        index.chmod(0o600)
        assert symbolize(addresses, env) == wanted


def test_modules_are_indexed_while_the_program_runs(tmp_path):
    """It ends when it sees an index, and so before anything is looked up."""
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o700)
    script = f"""
import pathlib, time
end = time.monotonic() + {IDLE_PATIENCE}
folder = pathlib.Path({str(cache)!r})
while time.monotonic() < end:
    if list(folder.glob("*.index")):
        print("seen")
        break
"""
    python = lab.tool("python3.11d")
    result = lab.record([tmp_path / "out.folded"], python, "-c", script,
                        env=environment(WATCHFIRE_CACHE=cache),
                        timeout=IDLE_PATIENCE + lab.PATIENCE)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "seen\n"
    names = lab.Folded(tmp_path / "out.folded").inclusive()
    assert "_PyEval_EvalFrameDefault" in names
