"""record by perf events of programs that make much work for who watches.

In a short time they map, start and become more than is sampled; what we use
for that has bounds, and what comes after it is seen as ever.
"""

import os
import subprocess

import pytest

import lab

# Of a recording: for each time something is done, and for each sample, of
# which a slow machine takes more.
DATA_BYTES, SAMPLE_BYTES = 150, 300
PEAK_KIB = 64 << 10  # of memory, as while sampling anything
SPARED_DESCRIPTORS = 32  # for all but threads and processors

STORMS = {"maps": 10000, "threads": 5000, "forks": 1000, "execs": 100}


class Storm:
    """What record used while it watched one, and what it wrote."""

    def __init__(self, folder, kind, count):
        output = folder / "storm.folded"
        self.data = folder / "storm.data"
        process = subprocess.Popen(
            [str(word) for word in (
                lab.WATCHFIRE, "record", "--via", "perf", "-F", 997, "-o",
                output, "-o", self.data, "--", lab.program("storms"), kind,
                count)],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env=lab.clean_environment())
        self.descriptors = 0
        pid, status = 0, None
        while pid == 0:
            try:
                entries = os.listdir(f"/proc/{process.pid}/fd")
                self.descriptors = max(self.descriptors, len(entries))
            except FileNotFoundError:
                pass
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.stderr = process.stderr.read()
        self.peak_kib = usage.ru_maxrss
        assert process.returncode == 0, self.stderr
        self.folded = lab.Folded(output)


@pytest.mark.parametrize("kind", STORMS)
def test_a_storm_costs_what_is_sampled_and_hides_nothing(tmp_path, kind):
    storm = Storm(tmp_path, kind, STORMS[kind])
    assert storm.peak_kib < PEAK_KIB
    if kind != "execs":  # of which each is a program
        samples = lab.report(storm.data)["quality"]["samples"]
        assert storm.data.stat().st_size < (
            DATA_BYTES * STORMS[kind] + SAMPLE_BYTES * samples)
    # Each processor has a ring and an event.
    assert storm.descriptors <= 2 * os.cpu_count() + SPARED_DESCRIPTORS
    after = storm.folded.weight(
        lambda stack: "after_storm" in stack and "_start" in stack)
    assert after > 50e6, storm.stderr


def test_without_descriptors_for_all_threads_the_others_are_watched(tmp_path):
    output = tmp_path / "few.folded"
    sleepers = subprocess.Popen(
        [lab.program("storms"), "sleepers", "100"], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert sleepers.stdout.readline() == "ready\n"
        recorder = lab.Recorder(
            "perf", [output], [sleepers.pid], "-F", 997, before=(
                *lab.without_perfmon(), lab.tool("prlimit"), "--nofile=96:96",
                "--"))
        sleepers.communicate("", timeout=lab.PATIENCE)
        result = recorder.end()
    finally:
        lab.end(sleepers)
    assert result.returncode == 0, result.stderr
    _, remarks = lab.summary_and_remarks(result.stderr)
    assert any("threads are not watched" in line and "'ulimit -n' is 96" in line
               for line in remarks), result.stderr
    assert "after_storm" in lab.Folded(output).inclusive()
