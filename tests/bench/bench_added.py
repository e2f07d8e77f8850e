"""CPU time added to programs, beside the same clock with an empty handler."""

from workloads import BUILD, Run, WORKLOADS, median, perf_prefix, \
    record_prefix, row

LIBRARY = BUILD / "lib/libbench_empty_handler.so"
RATES = (99, 997, 10000)


def empty_environment(rate):
    return lambda folder: {
        "LD_PRELOAD": str(LIBRARY), "EMPTY_HANDLER_HZ": str(rate)}


def added(runs, alone, field):
    """The median of paired runs, as a share of the program's own."""
    return median(getattr(run, field) / getattr(plain, field) - 1
                  for run, plain in zip(runs, alone))


def run(rounds):
    for name, workload in WORKLOADS.items():
        per_sample = None
        for rate in reversed(RATES):
            alone, empty, ours, perf = [], [], [], []
            for _ in range(rounds):
                alone.append(Run(workload))
                empty.append(Run(
                    workload, environment=empty_environment(rate)))
                ours.append(Run(workload, record_prefix(rate)))
                perf.append(Run(workload, perf_prefix(rate)))
            mine = added(ours, alone, "program_ns")
            theirs = added(empty, alone, "program_ns")
            yield row(f"added to {name} at {rate} Hz", f"{mine:+.2%}",
                      f"empty handler {theirs:+.2%}", mine / theirs, "1.05 x")
            beside = added(perf, alone, "program_ns")
            yield row("", f"{mine:+.2%}", f"perf -g {beside:+.2%}",
                      mine / beside)
            if rate == 10000:
                per_sample = mine / rate
            elif rate == 99:
                yield row(
                    f"added to {name} at 99 Hz, by the figure at 10 kHz",
                    f"{per_sample * 99:+.2%}", "", None, "0.3 %")
