"""Unwinding one sample inside real programs, with the caches they leave."""

import re

from workloads import BUILD, Run, WORKLOADS, median, mix, row

LIBRARY = BUILD / "lib/libbench_unwind_programs.so"
PROGRAMS = {"g++": WORKLOADS["g++"], "python3": WORKLOADS["python3"],
            "redis": WORKLOADS["redis"], "C++ mix": mix}


def one(workload, how):
    """Of the processes of a tree, the one that was sampled most."""
    run = Run(workload, environment=lambda folder: {
        "LD_PRELOAD": str(LIBRARY), "UNWIND_BENCH": how})
    lines = re.findall(
        r"(\d+) samples, ([\d.]+) frames, .* 95 % (\d+) ns", run.stderr)
    return max((int(count), float(frames), float(ns))
               for count, frames, ns in lines)


def run(rounds):
    for name, workload in PROGRAMS.items():
        found = {"ours": [], "tables": [], "trace": []}
        for _ in range(max(1, rounds // 2)):
            for how, values in found.items():
                values.append(one(workload, how))
        trace = median(ns for _, _, ns in found["trace"])
        for how, text in (("ours", "CFI"), ("tables", "tables of rows")):
            ours = median(ns for _, _, ns in found[how])
            frames = median(frames for _, frames, _ in found[how])
            yield row(
                f"a sample in {name}, {frames:.0f} frames, by {text}",
                f"{ours / 1e3:.2f} us", f"unw_backtrace {trace / 1e3:.2f} us",
                ours / trace, "0.45 x")
