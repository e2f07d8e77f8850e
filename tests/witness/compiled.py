"""Suites that come as sources: unpacked and compiled once, kept by name."""

import concurrent.futures
import os
import subprocess
from pathlib import Path

from unit import FAILED, PASSED, Unit

APT = """Types: deb-src
URIs: http://deb.debian.org/debian
Suites: bookworm
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""


def debian_source(package, folder):
    """The tarball of a Debian source package. The system's own list of
    sources has no source packages: this one is apt's only for this call."""
    found = sorted(folder.glob(f"{package}_*.orig.tar.*"))
    if found:
        return found[0]
    lists = folder / "apt"
    (lists / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (lists / "parts").mkdir(exist_ok=True)
    (lists / "parts" / "debian.sources").write_text(APT)
    apt = [
        "apt-get", "-q", "-o", "Acquire::Retries=3",
        "-o", "Dir::Etc::sourcelist=/dev/null",
        "-o", f"Dir::Etc::sourceparts={lists / 'parts'}",
        "-o", f"Dir::State::lists={lists / 'lists'}",
    ]
    for words in (["update"], ["source", "--download-only", package]):
        subprocess.run(
            [*apt, *words], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return sorted(folder.glob(f"{package}_*.orig.tar.*"))[0]


def unpack(tarball, folder, *patterns):
    """Into `folder`, which exists only when it is complete."""
    if folder.exists():
        return
    partial = folder.with_suffix(".partial")
    partial.mkdir(parents=True, exist_ok=True)
    wanted = ["--wildcards", *patterns] if patterns else []
    subprocess.run(
        ["tar", "-xf", tarball, "--strip-components=1", "-C", partial,
         *wanted], check=True)
    partial.rename(folder)


def compile_one(attempts, target):
    """Whether there is a program now, by the first command that makes one.
    A failure is remembered by its log."""
    log = Path(f"{target}.log")
    if target.exists() or log.exists():
        return target.exists()
    target.parent.mkdir(parents=True, exist_ok=True)
    for command in attempts:
        done = subprocess.run(
            [str(word) for word in command], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        if done.returncode == 0:
            return True
    log.write_bytes(done.stdout)
    return False


def compile_all(commands):
    """{program: (command, ...)} to those that could be built, in order."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        built = list(pool.map(
            lambda item: compile_one(item[1], item[0]), commands.items()))
    missing = built.count(False)
    if missing:
        print(f"{missing} of {len(built)} programs cannot be compiled here: "
              "their tests are left out", flush=True)
    return [path for path, is_there in zip(commands, built) if is_there]


def program_unit(name, program, words, seconds=120, folder=None):
    """A unit of one case, whose exit status `words` translates."""
    def cases(outcome):
        kind, _, number = outcome.status.partition(" ")
        result = FAILED
        if kind == "exit":
            result = words.get(int(number), FAILED)
        return {"test": result}

    return Unit(
        name=name, command=(program,), cases=cases, seconds=seconds,
        folder=folder)


EXIT_STATUS = {0: PASSED}
