"""Seeds for the unwinder's fuzzers: seeds.py cfi|walk FOLDER."""
import pathlib
import struct
import sys


def entry(body):
    body += b"\0" * (-len(body) % 4)
    return struct.pack("<I", len(body)) + body


def cie(program=b"\x0c\x07\x08\x90\x01", augmentation=b"zR\0"):
    """The one gcc writes: pcrel sdata4, CFA = rsp + 8, RA at CFA - 8."""
    return entry(struct.pack("<IB", 0, 1) + augmentation +
                 b"\x01\x78\x10\x01\x1b" + program)


def fde(section, address, start, size, program):
    """An FDE to follow `section`, whose CIE is at its beginning."""
    here = len(section) + 4
    return entry(struct.pack("<IiI", here, start - (address + here + 4), size) +
                 b"\0" + program)


PROGRAMS = [
    b"\x41\x0e\x10\x86\x02\x43\x0d\x06",  # push rbp; mov rsp, rbp
    b"\x41\x0e\x10\x83\x02\x0a\x0e\x20\x0b\x48\x0e\x08",
    b"\x0f\x0b\x77\x08\x80\x00\x3f\x1a\x3b\x2a\x33\x24\x22",  # a PLT's
    b"\x45\x0c\x0a\x00\x4b\x10\x06\x02\x76\x00\x44\x0f\x03\x76\x78\x06",
    b"\x07\x10",  # the outermost frame
    b"\x16\x03\x02\x77\x10\x10\x0c\x03\x77\x08\x06\x14\x0d\x01\x09\x0e\x03",
]


def section(address, start, augmentation=b"zR\0"):
    data = cie(augmentation=augmentation)
    for index, program in enumerate(PROGRAMS):
        data += fde(data, address, start + 0x100 * index, 0x100, program)
    return data


def walk(augmentation):
    stack = b"".join(
        struct.pack("<Q", word)
        for index in range(16)
        for word in (0x300000 + 16 * index + 16, 0x100010 + 0x100 * (index % 6)))
    registers = [0x300040] * 17
    registers[6], registers[7], registers[16] = 0x300010, 0, 0x100000
    return (struct.pack("<17Q", *registers) + struct.pack("<H", len(stack)) +
            stack + section(0x200000, 0x100000, augmentation))


def main():
    kind, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    if kind == "cfi":
        body = section(0x500000, 0x400000)
        header = struct.pack("<BBBBiIii", 1, 0x1b, 3, 0x3b, 0xffc, 1, -0xff000,
                             0x1000 + 24)
        header += b"\0" * (64 - len(header))
        seeds = [b"\0" + body, b"\4" + body, b"\2" + header + body, b"\1" + body]
    else:
        seeds = [walk(b"zR\0"), walk(b"zRS\0")]
    for index, seed in enumerate(seeds):
        (folder / f"seed{index}").write_bytes(seed)


main()
