"""How long a thread is held for a sample by perf events, and what for.

On a shallow stack, as servers have, and on one of 40 KiB: the interrupt of the
timer alone, which every sampler pays, with the kernel's call chain, with copies
of the stack of several sizes, and all that a tap asks for. See sample.c.
"""

from workloads import lines_of, row

HZ = 997
DEPTHS_KIB = (4, 40)


def run(rounds):
    for depth in DEPTHS_KIB:
        held = {(place, event): int(ns) for place, event, _, ns in
                lines_of("sample", 2 * rounds, depth)}
        for place in ("computing", "calling"):
            timer = held[place, "timer"]
            yield row(
                f"a sample of one {place}, stack of {depth} KiB",
                f"{held[place, 'tap'] / 1e3:.1f} us, "
                f"{held[place, 'tap'] * HZ / 1e7:.1f} % at {HZ} Hz",
                f"the timer alone {timer / 1e3:.1f} us",
                held[place, "tap"] / timer)
            yield row("", " ".join(
                f"{event} {held[place, event] / 1e3:.1f}" for event in (
                    "kernel-chain", "copy-4", "copy-8", "copy-16",
                    "on-thread")), "us in all")
