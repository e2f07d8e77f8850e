"""CPython's own test suite, as Debian installs it (libpython3.11-testsuite)."""

import dataclasses
import re
import subprocess
import xml.etree.ElementTree as ElementTree

from unit import FAILED, PASSED, SKIPPED, Unit

PYTHON = "/usr/bin/python3.11"

# Nothing beyond the loopback, no display, no file of 2 GiB.
RESOURCES = "all,-network,-urlfetch,-gui,-audio,-largefile"

# What a guest in the process could disturb, and is over soon: modules, and of
# the long ones some cases.
SHORT = {
    "test_asyncio": (
        "test.test_asyncio.test_subprocess.*",
        "test.test_asyncio.test_unix_events.*"),
    "test_fork1": (),
    "test_faulthandler": (),
    "test_multiprocessing_fork": (
        "test.test_multiprocessing_fork.WithProcessesTestProcess.*",),
    "test_os": (),
    "test_posix": (),
    "test_selectors": (),
    "test_signal": (),
    "test_socket": (
        "*Timeout*", "*NonBlocking*", "*SendRecvMsg*", "*Interrupted*"),
    "test_subprocess": ("*POSIXProcessTestCase*",),
    "test_thread": (),
    "test_threading": ("*.ThreadTests.*", "*.ThreadJoinOnShutdown.*"),
    "test_threadsignals": (),
}


def cases(outcome):
    found = {}
    try:
        tree = ElementTree.parse(outcome.folder / "results.xml")
    except (OSError, ElementTree.ParseError):
        return found
    for case in tree.iter("testcase"):
        if case.find("error") is not None or case.find("failure") is not None:
            result = FAILED
        elif case.get("result") == "skipped" or case.find("skipped") is not None:
            result = SKIPPED
        else:
            result = PASSED
        # A case with subtests is named once for each of them that failed.
        name = case.get("name")
        if found.get(name) != FAILED:
            found[name] = result
    return found


def command(name, patterns):
    """regrtest's -m: a pattern of a case's full name; several are or-ed."""
    chosen = [word for pattern in patterns for word in ("-m", pattern)]
    return (
        PYTHON, "-u", "-m", "test", "-u", RESOURCES, "--fail-env-changed",
        "--junit-xml", "{folder}/results.xml", *chosen, name)


def narrow(unit, names):
    """Only these cases, where their names are patterns for regrtest."""
    wanted = [re.sub(r" \(.*", "", name) for name in names]
    if all(name.startswith("test.") for name in wanted):
        return dataclasses.replace(unit, command=command(unit.name, wanted))
    return unit


def units(folder, is_short):
    names = SHORT if is_short else subprocess.run(
        [PYTHON, "-m", "test", "--list-tests"], capture_output=True,
        text=True, check=True, cwd=folder).stdout.split()
    return [
        Unit(
            name=name, cases=cases, narrow=narrow, seconds=1500,
            command=command(name, SHORT[name] if is_short else ()))
        for name in names]
