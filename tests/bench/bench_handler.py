"""One signal, handled by ours, by nothing and by others; a frame in a loop."""

from workloads import lines_of, row


def run(rounds):
    costs = {(name, int(depth)): float(ns)
             for name, depth, ns in lines_of("handler")}
    for depth in (5, 50, 200):
        ours, empty = costs["watchfire", depth], costs["empty", depth]
        for rival in ("empty", "unw_backtrace", "unw_step", "gperftools"):
            other = costs.get((rival, depth))
            if other:
                yield row(
                    f"handler, depth {depth}", f"{ours / 1e3:.2f} us",
                    f"{rival} {other / 1e3:.2f} us", ours / other,
                    "1.2 x empty" if (rival, depth) == ("empty", 50) else "")
        yield row(f"of it ours, depth {depth}", f"{ours - empty:.0f} ns")
    warm = {}
    depth = None
    for words in lines_of("frames", "warm"):
        if words[0] == "warm,":
            depth = words[2]
        elif words[0] == "nothing":
            loop_ns = float(words[-4])
        else:  # without the loop around the walk
            count, ns = int(words[-6]), float(words[-4])
            warm[" ".join(words[:-6]), depth] = ns - loop_ns / count
    for (name, depth), ns in warm.items():
        if name == "ours":
            rival = warm["unw_backtrace", depth]
            yield row(f"warm frame, depth {depth}", f"{ns:.1f} ns",
                      f"unw_backtrace {rival:.1f} ns", ns / rival, "4 ns")
