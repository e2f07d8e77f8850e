"""What the collector uses while it samples, and until the picture is there."""

import time
from pathlib import Path

from workloads import Run, WORKLOADS, median, record_prefix, row


class Watch:
    """Reads the collector's CPU time and memory while its program runs."""

    def __init__(self):
        self.readings = []  # (time, CPU ns)
        self.peak_kib = 0

    def __call__(self, pid, folder):
        tasks = Path(f"/proc/{pid}/task")
        while not (folder / "usage").exists():
            try:
                used = sum(int((task / "schedstat").read_text().split()[0])
                           for task in tasks.iterdir())
                status = Path(f"/proc/{pid}/status").read_text()
                self.peak_kib = int(status.split("VmHWM:")[1].split()[0])
            except (OSError, IndexError):
                return
            self.readings.append((time.monotonic_ns(), used))
            time.sleep(0.05)

    def share(self):
        """Of a processor; what happens at the start is left out."""
        late = [reading for reading in self.readings
                if reading[0] - self.readings[0][0] > 300e6]
        if len(late) < 2:
            return float("nan")
        return (late[-1][1] - late[0][1]) / (late[-1][0] - late[0][0])


def run(rounds):
    for name in ("g++", "redis", "python3"):
        for rate, budget in ((99, "0.2 %"), (997, "1 %")):
            watches, ends = [], []
            for _ in range(rounds):
                watch = Watch()
                workload = WORKLOADS[name]
                if name == "redis":
                    workload = in_background(workload)
                done = Run(workload, record_prefix(rate, "w.svg"),
                           observe=watch)
                watches.append(watch)
                ends.append((done.end_ns - done.program_end_ns) / 1e9)
            share = median(watch.share() for watch in watches)
            peak = max(watch.peak_kib for watch in watches)
            yield row(f"collector on {name} at {rate} Hz",
                      f"{share:.2%} of a processor",
                      f"{peak / 1024:.0f} MiB", None, f"{budget}, 64 MiB")
            yield row(f"exit of {name} at {rate} Hz to flame graph",
                      f"{median(ends):.3f} s", "", None, "0.3 s")


def in_background(workload):
    """The load runs beside, so that the collector can be watched."""
    import threading

    def begin(folder):
        command, load = workload(folder)
        return command, threading.Thread(target=load, daemon=True).start
    return begin
