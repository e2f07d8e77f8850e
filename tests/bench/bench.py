"""Runs the benches and prints what they found as one table.

Called by tests/bench/run, from the top of the source tree. Every figure with
a ratio stands beside its rival's of the same run.
"""

import argparse
import importlib

from workloads import Row

BENCHES = ("handler", "unwind", "added", "start", "memory", "ring",
           "collector", "accuracy", "flame", "dump", "servers", "sample",
           "copies", "symbolize")


def show(rows):
    head = Row("what", "watchfire", "beside", "ratio", "budget")
    widths = [max(len(row.cells[i]) for row in (head, *rows))
              for i in range(len(head.cells))]
    for row in (head, *rows):
        print("  ".join(cell.ljust(width)
                        for cell, width in zip(row.cells, widths)).rstrip(),
              flush=True)


def main():
    parser = argparse.ArgumentParser(prog="tests/bench/run")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", action="append", choices=BENCHES)
    chosen = parser.parse_args()
    rows = []
    for name in chosen.only or BENCHES:
        print(f"{name}: {importlib.import_module('bench_' + name).__doc__}",
              flush=True)
        found = list(importlib.import_module(
            "bench_" + name).run(chosen.rounds))
        show(found)
        print()
        rows += found
    if len(chosen.only or BENCHES) > 1:
        print("in all:")
        show(rows)


main()
