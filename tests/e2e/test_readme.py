"""The README and the help texts tell of the same commands and options."""

import re
from pathlib import Path

import pytest

import lab

README = (Path(lab.SOURCES).parent.parent / "README.md").read_text()
TABLE = dict(re.findall(r"^\| `(\w+)` \| (`-.*) \|$", README, re.M))

# Other SDKs read them; the README says that we do not.
NOT_READ = {"SENTRY_DEBUG", "SENTRY_PROFILES_SAMPLE_RATE"}


def help_of(*command):
    result = lab.run(lab.WATCHFIRE, *command, "--help")
    assert result.returncode == 0, result.stderr
    return result.stdout


def options_of_help(text):
    """Those that begin a line: "  -o, --output FILE"."""
    heads = re.findall(r"^ {2,6}(-\w(?:, --[\w-]+)?|--[\w-]+)", text, re.M)
    return {option for head in heads for option in head.split(", ")}


def options_in(text):
    return set(re.findall(r"(?<![\w-])(?:--[\w-]+|-\w)(?![\w-])", text))


def variables_in(text):
    return set(re.findall(r"\b(?:WATCHFIRE|SENTRY)_[A-Z_]*[A-Z]\b", text))


def commands_of_help():
    return set(re.findall(r"^  ([a-z]+)  +\w", help_of(), re.M))


def test_every_command_has_a_row():
    assert set(TABLE) | {"flamegraph"} == commands_of_help()


@pytest.mark.parametrize("command", TABLE)
def test_a_row_has_the_options_of_the_help(command):
    wanted = options_of_help(help_of(command)) - {"-h", "--help"}
    assert options_in(TABLE[command]) == wanted


def test_the_examples_are_of_commands_and_options_there_are():
    blocks = "\n".join(re.findall(r"^```sh\n(.*?)^```", README, re.M | re.S))
    lines = re.findall(r"^watchfire (\w+)(.*)$", blocks, re.M)
    assert len(lines) > 10
    for command, rest in lines:
        known = options_of_help(help_of(command))
        given = options_in(re.sub(r" -- .*", "", rest))
        letters = {f"-{letter}" for word in given for letter in word[1:]
                   if not word.startswith("--")}
        longs = {word for word in given if word.startswith("--")}
        assert letters | longs <= known, (command, rest)


def test_the_variables_are_the_same():
    assert variables_in(README) - NOT_READ == variables_in(help_of())
