"""Seeds made by compilers: seeds_files.py SOURCES SCRATCH ELF DWARF JIT"""

import struct
import subprocess
import sys
from pathlib import Path

SECTIONS = ("info", "abbrev", "str", "line_str", "str_offsets", "addr",
            "ranges", "rnglists", "line")
FLAGS = ("-O2", "-nostdlib", "-static", "-Wl,--entry=main", "-Wl,--build-id")
BUILDS = {
    "gcc5": ("gcc", "-g", "-gdwarf-5"),
    "gcc4": ("gcc", "-g", "-gdwarf-4"),
    "gcc2": ("gcc", "-g", "-gdwarf-2", "-gstrict-dwarf"),
    "gcc64": ("gcc", "-g", "-gdwarf64"),
    "clang5": ("clang-14", "-g", "-gdwarf-5"),
    "clang4": ("clang-14", "-g", "-gdwarf-4"),
}


def section(program, name, scratch):
    out = scratch / "section"
    out.unlink(missing_ok=True)
    subprocess.run(["objcopy", "-O", "binary", "--only-section", name,
                    "--set-section-flags", name + "=alloc", program, out],
                   check=False, capture_output=True)
    return out.read_bytes() if out.exists() else b""


def main(sources, scratch, elf, dwarf, jit):
    for name, (compiler, *flags) in BUILDS.items():
        program = scratch / name
        made = subprocess.run(
            [compiler, *FLAGS, *flags, sources / "inline.c", "-o", program],
            check=False, capture_output=True)
        if made.returncode != 0:
            continue
        parts = [section(program, ".debug_" + s, scratch) for s in SECTIONS]
        head = struct.pack("<B9H", 0, *map(len, parts))
        (dwarf / name).write_bytes(head + b"".join(parts))
        subprocess.run(["strip", "--strip-debug", program], check=True)
        (elf / name).write_bytes(program.read_bytes())
    (jit / "map").write_bytes(
        b"7f0010000000 40 LazyCompile:~f a.js:1\n7f0010000020 10 second\n")
    load = struct.pack("<IIQ", 0, 16 + 40 + 6, 0) + struct.pack(
        "<IIQQQQ", 1, 1, 0x1000, 0x1000, 0x20, 1) + b"first\0"
    move = struct.pack("<IIQ", 1, 16 + 48, 0) + struct.pack(
        "<IIQQQQQ", 1, 1, 0x1000, 0x1000, 0x2000, 0x20, 1)
    (jit / "dump").write_bytes(
        struct.pack("<IIIIIIQQ", 0x4a695444, 1, 40, 62, 0, 1, 0, 0) + load
        + move)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
