"""Fixtures of the end-to-end tests."""

import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest

import host
import lab


# What nohup or a shell's & had ignored, each program here would ignore as well.
signal.signal(signal.SIGINT, signal.default_int_handler)
for number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
    signal.signal(number, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def nothing_is_left_running():
    """No collector outlives the program it watched."""
    before = set(lab.collectors())
    yield
    lab.wait_until(lambda: not set(lab.collectors()) - before)
    left = set(lab.collectors()) - before
    assert not left, f"watchfire still runs as {left}"


@pytest.fixture
def target():
    """Starts programs that are gone when the test is over."""
    started = []

    def begin(*command, **options):
        started.append(lab.start(*command, **options))
        return started[-1]

    yield begin
    for process in started:
        lab.end(process)
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


@pytest.fixture(scope="session", autouse=True)
def some_of_the_brief_programs_met_a_tick():
    yield
    assert host.some_met_a_tick()


@pytest.fixture(scope="session")
def public_folder():
    """A folder anyone may enter and write to, with a copy of the build."""
    folder = Path(tempfile.mkdtemp(prefix="watchfire-e2e-"))
    os.chmod(folder, 0o1777)
    for source, place in ((lab.WATCHFIRE, "bin"), (lab.LIBRARY, "lib")):
        (folder / place).mkdir()
        shutil.copy(source, folder / place)
        os.chmod(folder / place, 0o755)
        os.chmod(folder / place / source.name, 0o755)
    yield folder
    shutil.rmtree(folder)


def pytest_sessionfinish(session, exitstatus):
    """A file whose every test was skipped is skipped for ctest as well."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    stats = reporter.stats
    if exitstatus == 0 and stats.get("skipped") and not stats.get("passed"):
        session.exitstatus = 77
