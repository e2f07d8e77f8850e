"""GLib's installed tests (libglib2.0-tests): main loops, threads, spawn, GIO."""

import configparser
import shlex
from pathlib import Path

from unit import Unit, tap_cases

DESCRIPTIONS = Path("/usr/share/installed-tests/glib")

SHORT = (
    "mainloop", "spawn-singlethread", "spawn-multithreaded", "timeout",
    "unix", "thread", "thread-pool", "cond", "mutex", "asyncqueue",
    "gsubprocess", "pollable", "unix-fd", "gwakeup",
)


def unit_of(path):
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(path)
    command = shlex.split(parser["Test"]["Exec"])
    return Unit(
        name=path.stem, command=tuple(command), cases=tap_cases, seconds=300,
        environment=(("XDG_RUNTIME_DIR", "{folder}"),))


def units(folder, is_short):
    found = [unit_of(path) for path in sorted(DESCRIPTIONS.glob("*.test"))]
    return [unit for unit in found if not is_short or unit.name in SHORT]
