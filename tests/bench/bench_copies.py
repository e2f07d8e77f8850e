"""Stacks deeper than their copy: how many are completed, how many wrongly.

Each sample is unwound from 48 KiB and again as if less had been copied, on
programs whose stacks go up and down; see copies.c. At 48 KiB, where copies end
in truth, stacks are less lively.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

from workloads import PROGRAMS, lines_of, row

PERIOD_US = 1003
SHORT_BYTES = (4096, 16384)
ROUNDS = 3  # of each round of the other benches: what is sought is rare

PYTHON_PROGRAM = """
import json, re
def down(n, value):
    if n == 0:
        return json.loads(json.dumps(value))
    return sorted([down(n - 1, value)], key=lambda row: str(row)[:n % 7])[0]
for i in range(1500):
    down(20 + i % 70, {"a": [1, 2, {"b": i}]})
    re.sub(r"(a|b)*c", lambda m: str(down(5, i)), "ababcabc" * 3)
"""

NODE_PROGRAM = """
function down(n, value) {
  if (n === 0) return JSON.parse(JSON.stringify(value));
  return [n, n - 1].map((x) => (x === n ? down(n - 1, value) : x))[0];
}
for (let i = 0; i < 30000; i++) {
  down(5 + (i % 160), { a: [1, 2, { b: i }] });
  "ababcabc".replace(/c/g, () => String(down(3, i)));
}
"""


def commands(folder):
    compiler = subprocess.run(
        ["g++", "-print-prog-name=cc1plus"], capture_output=True, text=True
    ).stdout.strip()
    source = folder / "demo.ii"
    subprocess.run(["g++", "-std=c++20", "-E", PROGRAMS / "demo.cc", "-o",
                    source], check=True)
    yield "g++", (compiler, "-quiet", "-std=c++20", "-O2", "-fpreprocessed",
                  source, "-o", "/dev/null")
    yield "python3", ("/usr/bin/python3", "-c", PYTHON_PROGRAM)
    if shutil.which("node"):
        yield "node", ("node", "-e", NODE_PROGRAM)


def run(rounds):
    with tempfile.TemporaryDirectory(prefix="watchfire-bench-") as name:
        for program, command in commands(Path(name)):
            for size in SHORT_BYTES:
                yield from rates(program, command, size, rounds)


def rates(program, command, size, rounds):
    runs = [list(map(int, lines_of("copies", PERIOD_US, size, *command)[0]))
            for _ in range(ROUNDS * rounds)]
    deeper, completed, wrong, other_line = map(sum, zip(*runs))
    yield row(f"{program}, a copy of {size} bytes",
              f"{completed / max(1, deeper):.1%} of {deeper} completed",
              f"{wrong} wrong ({wrong / max(1, deeper):.3%} of all), "
              f"{other_line} by the line alone", None, "0.1 %")
