"""One command of a suite: what it runs, and the cases it reports."""

import dataclasses
import re
from pathlib import Path
from typing import Callable

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"

# The command as a whole: its exit status, or that it hung.
WHOLE = "(whole)"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What one run of a unit left behind."""

    status: str  # "exit 0", "signal 11", "timeout"
    output: str  # standard output and standard error
    folder: Path  # its working folder, not yet removed


@dataclasses.dataclass(frozen=True)
class Unit:
    """
    name     unique in its suite
    command  words; "{folder}" stands for the fresh folder it runs in
    cases    Outcome -> {case: result}; WHOLE is added by the runner
    folder   where it must run, when not in the fresh folder
    seconds  after which it counts as hung
    parallel False when it disturbs, or is disturbed by, others of the suite
    narrow   (unit, cases) -> unit with these cases alone, for reruns
    """

    name: str
    command: tuple
    cases: Callable = lambda outcome: {}
    folder: Path | None = None
    seconds: int = 300
    environment: tuple = ()
    narrow: Callable | None = None


def tap_cases(outcome):
    """Test Anything Protocol: ok 1 name, not ok 2 name # TODO, ok 3 # SKIP.
    Numbers drawn at random that are part of a name are left out of it."""
    found = {}
    for line in outcome.output.splitlines():
        words = line.split(None, 1)
        if words[:1] == ["not"] and line.startswith("not ok "):
            result, rest = FAILED, line[len("not ok "):]
        elif words[:1] == ["ok"] and len(words) > 1:
            result, rest = PASSED, words[1]
        else:
            continue
        name, _, directive = rest.partition("#")
        directive = directive.strip().upper()
        if directive.startswith("SKIP"):
            result = SKIPPED
        elif directive.startswith("TODO"):
            result = f"todo: {result}"
        number, _, title = name.strip().partition(" ")
        if number.isdigit():
            title = re.sub(r"seed:\d+", "seed:", title)
            found[f"{number} {title.strip(' -')}".strip()] = result
    return found
