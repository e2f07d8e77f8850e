"""Records a second through the ring, by the number of writers."""

from workloads import lines_of, row


def run(rounds):
    for threads, rate, writer, reader, lost, exact in lines_of("ring"):
        yield row(f"ring, {threads} writers that never rest",
                  f"{float(rate) / 1e6:.2f} M records/s",
                  f"{writer} ns to write, {reader} to read; "
                  f"{float(lost):.1%} lost, {exact}", None, "exact")
