"""What starting costs: a process of a tree, `record` itself, a preload."""

import os
import subprocess
import time

from workloads import LIBRARY, WATCHFIRE, BUILD, median, row

COUNT = 200


def spawn(how, prefix=()):
    words = [*prefix, BUILD / "bin/bench_spawn", how, COUNT, "/bin/true"]
    result = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True,
        check=True)
    return [float(word) / 1e6 for word in result.stdout.split()]


def once(words, **more):
    start = time.monotonic()
    subprocess.run(
        [str(word) for word in words], stderr=subprocess.DEVNULL, check=True,
        env={**os.environ, **more})
    return (time.monotonic() - start) * 1e3


def run(rounds):
    output = BUILD / "bench-start.folded"
    record = (WATCHFIRE, "record", "-o", output, "--")
    try:
        for how, text in (("vfork", "spawned"), ("fork", "forked")):
            pairs = [(spawn(how), spawn(how, record)) for _ in range(rounds)]
            for i, clock in enumerate(("wall", "CPU")):
                alone = median(plain[i] for plain, _ in pairs)
                more = median(ours[i] - plain[i] for plain, ours in pairs)
                yield row(f"a {text} process that does nothing, {clock}",
                          f"{more:+.2f} ms", f"alone {alone:.2f} ms", None,
                          "3 ms" if clock == "wall" else "")
        alone, ours, preload = [], [], []
        for _ in range(4 * rounds):
            alone.append(once(["/bin/true"]))
            output.unlink(missing_ok=True)
            ours.append(once([*record, "/bin/true"]))
            preload.append(once(
                ["/bin/true"], LD_PRELOAD=str(LIBRARY),
                WATCHFIRE_OUTPUT=str(output)))
        plain = median(alone)
        yield row("record of a program that does nothing, in all",
                  f"{median(ours) - plain:+.1f} ms", f"alone {plain:.1f} ms")
        yield row("the same by LD_PRELOAD, with its collector",
                  f"{median(preload) - plain:+.1f} ms", f"alone {plain:.1f} ms")
    finally:
        output.unlink(missing_ok=True)
