"""The spool loses nothing, whoever is killed, and whenever.

Two processes add to a spool, two send from it, and one is the backend. At
random moments one of them is killed by SIGKILL and started again. From time to
time all are killed, and the disk must agree with what the backend has:

  - what was added is on disk or at the backend: nothing is lost;
  - what is no longer on disk, that is, whose answer is, does not come again;
  - each kill explains at most one envelope that came twice for each sender,
    under the same id.

TESTS_SPOOL_KILLS=1000 is the long form.
"""

import gzip
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from lab import clean_environment, end, program, wait_until
from sentry_backend import Nobody

KILLS = int(os.environ.get("TESTS_SPOOL_KILLS", "60"))
BETWEEN_LOOKS = 20
HERE = Path(__file__).parent


class Lot:
    """The processes, and what they have written down."""

    def __init__(self, folder, nobody):
        self.spool, self.added, self.got = (
            folder / "spool", folder / "added", folder / "got")
        load = program("spool_load")
        adder = [load, "add", self.spool, self.added]
        sender = [load, "send", self.spool, nobody.dsn]
        self.commands = [
            adder, [load, "add-many", *adder[2:]], sender, sender,
            [sys.executable, "-B", HERE / "sentry_log.py", nobody.port,
             self.got],
        ]
        self.processes = [None] * len(self.commands)

    def start(self, index):
        self.processes[index] = subprocess.Popen(
            [str(word) for word in self.commands[index]],
            stdin=subprocess.DEVNULL, stderr=sys.stderr,
            env=clean_environment(NO_PROXY="127.0.0.1"))

    def start_all(self):
        for index in range(len(self.commands)):
            self.start(index)

    def kill(self, index):
        """It was alive: no one ends by himself."""
        assert self.processes[index].poll() is None, self.commands[index]
        end(self.processes[index])

    def end_all(self):
        for process in self.processes:
            if process is not None:
                end(process)

    def ids_added(self):
        return lines(self.added)

    def ids_got(self):
        return lines(self.got)

    def ids_on_disk(self):
        found = set()
        for path in self.spool.glob("*.envelope.gz"):
            payload = gzip.decompress(path.read_bytes()).split(b"\n")[2]
            found.add(json.loads(payload)["sid"])
        return found


def lines(path):
    """Whole lines; a killed process may have left a part of one."""
    if not path.exists():
        return []
    return path.read_text().split("\n")[:-1]


def look(lot, settled):
    """All are dead: compare disk and backend. `settled` are those of before,
    by the number of times that they had come."""
    on_disk, got = lot.ids_on_disk(), Counter(lot.ids_got())
    assert "! a rule was broken" not in got
    for name, count in settled.items():
        assert got[name] == count, f"{name} came again after its answer"
    for name in set(lot.ids_added()) - on_disk:
        assert got[name] > 0, f"{name} is lost"
        settled[name] = got[name]


def drain(lot):
    """With nobody killed any more, all of it arrives."""
    for index in (2, 4):
        lot.start(index)
    assert wait_until(lambda: not list(lot.spool.glob("*.envelope.gz")))
    lot.end_all()


def kill_at_random(lot, settled, chance):
    kills = Counter()
    lot.start_all()
    for count in range(KILLS):
        time.sleep(chance.uniform(0, 0.05))
        victim = chance.randrange(len(lot.commands))
        lot.kill(victim)
        kills[victim] += 1
        if count % BETWEEN_LOOKS == BETWEEN_LOOKS - 1:
            lot.end_all()
            kills[2] += 1
            kills[3] += 1
            look(lot, settled)
            lot.start_all()
            # Long enough for something to arrive.
            before = len(lot.ids_got())
            assert wait_until(lambda: len(lot.ids_got()) > before)
        else:
            lot.start(victim)
    return kills


def test_nothing_is_lost_and_nothing_comes_again_after_its_answer():
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    with tempfile.TemporaryDirectory(dir=memory) as folder, Nobody() as nobody:
        lot = Lot(Path(folder), nobody)
        settled = {}
        try:
            kills = kill_at_random(lot, settled, random.Random(seed))
            lot.end_all()
            kills.update((2, 3))
            look(lot, settled)
            drain(lot)
            look(lot, settled)
        finally:
            lot.end_all()
        got = Counter(lot.ids_got())
        twice = sum(count - 1 for count in got.values())
        print(f"{KILLS} kills, {len(lot.ids_added())} added, {len(got)} "
              f"came, {twice} again")
        assert set(lot.ids_added()) <= set(got)
        assert twice <= kills[2] + kills[3] + 2 * kills[4]
        assert not list(lot.spool.glob("aside/*"))
