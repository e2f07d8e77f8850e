"""Memory added to a program with 1000 threads and 500 libraries."""

import subprocess
import tempfile
from pathlib import Path

from workloads import BUILD, WATCHFIRE, row

LIBRARIES, THREADS, RATE = 500, 1000, 10000


def make_libraries(folder):
    """Copies of one, each with a build-id of its own."""
    image = (BUILD / "lib/libbench_crowd_library.so").read_bytes()
    note = image.index(b"\4\0\0\0\x14\0\0\0\3\0\0\0GNU\0") + 16
    for i in range(LIBRARIES):
        (folder / f"{i}.so").write_bytes(
            image[:note] + i.to_bytes(8, "little") + image[note + 8:])


def memory(*prefix, folder):
    words = [*prefix, BUILD / "bin/bench_crowd", folder, THREADS]
    result = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True,
        check=True)
    _, resident, _, virtual = result.stdout.split()
    return int(resident) / 1024, int(virtual) / 1024


def run(rounds):
    with tempfile.TemporaryDirectory(prefix="watchfire-bench-") as name:
        folder = Path(name) / "libraries"
        folder.mkdir()
        make_libraries(folder)
        alone = memory(folder=folder)
        record = [WATCHFIRE, "record", "-F", RATE, "-o",
                  Path(name) / "x.folded"]
        ours = memory(*record, "--", folder=folder)
        caught = memory(*record, "--crashes=/dev/null", "--", folder=folder)
    what = f"with {THREADS} threads and {LIBRARIES} libraries"
    yield row(f"memory added {what}", f"{ours[0] - alone[0]:.1f} MiB",
              f"alone {alone[0]:.1f} MiB", None, "4 MiB")
    yield row("the same, where crashes are caught",
              f"{caught[0] - alone[0]:.1f} MiB", f"alone {alone[0]:.1f} MiB",
              None, "4 MiB")
    yield row(f"addresses added {what}", f"{ours[1] - alone[1]:.1f} MiB",
              f"alone {alone[1]:.1f} MiB")
