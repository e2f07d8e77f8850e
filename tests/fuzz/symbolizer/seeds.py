"""Seeds for the index fuzzer: seeds.py FOLDER

A small file in the layout of symbolizer/index_format.h; the fuzzer makes its
checksums right.
"""

import struct
import sys
from pathlib import Path


def record(*numbers, step=0):
    """A head, and each number in as few bytes as hold it."""
    codes = [0 if not n else 1 if n < 1 << 8 else 2 if n < 1 << 16 else 3
             for n in numbers]
    head = min(step, 63) << 10
    for i, code in enumerate(codes):
        head |= code << 2 * i
    return (struct.pack("<H", head) + (struct.pack("<I", step) if step > 62
                                       else b"")
            + b"".join(n.to_bytes((1 << code) >> 1, "little")
                       for n, code in zip(numbers, codes)))


def front_coded(words):
    """The text, and where each eighth word begins."""
    text, groups, before = b"", [], b""
    for number, word in enumerate(words):
        shared = 0
        if number % 8 == 0:
            groups.append(len(text))
        else:
            while (shared < min(len(before), len(word), 255)
                   and before[shared] == word[shared]):
                shared += 1
            text += bytes([shared])
        text += word[shared:] + b"\0"
        before = word
    return text, groups


def index(shift, stretches, nodes, words):
    text, groups = front_coded(words)
    offsets = [sum(map(len, stretches[:i])) for i in range(len(stretches) + 1)]
    body = b"".join(
        piece + b"\0" * (-len(piece) % 8) for piece in (
            struct.pack(f"<{len(offsets)}I", *offsets),
            struct.pack(f"<{len(groups)}I", *groups)))
    body += b"".join(stretches) + nodes + bytes(32) + text
    # The fuzzer bounds these, and adds one to the last and the second.
    header = struct.pack(
        "<QIIQQ6IQQ", 0, 0, shift, 0, 0x401000, len(stretches),
        len(words) - 1, 3, offsets[-1], len(nodes), len(text) - 1, 0, 0)
    blocks = (len(body) + 0x3fff) >> 14
    return header + bytes(8 * blocks) + body


def main():
    folder = Path(sys.argv[1])
    words = [b"", b"/a.c", b"/a.h", b"inlined", b"inlined_too", b"main",
             b"x", b"xy", b"xyz" * 700, b"xyz" * 700 + b"z"]
    body, call = record(5), record(3, 2, 1, 10, 1)
    nodes = body + call + record(9, len(call), 2, 20, 2)
    # A body, an inlined call 4 bytes on, one in it 200 bytes on, and a gap;
    # numbers are differences, with their sign in the lowest bit.
    stretch = (record(2, 2, 40) + record(2 * len(body), 0, 6, 14, step=4)
               + record(2 * len(call), 2, 0, 0, 10, step=200) + record(step=1))
    for number, shift in enumerate((0, 4, 8, 31)):
        content = index(shift, [stretch, b"", stretch], nodes, words)
        for flag in (0, 1):
            (folder / f"index_{number}_{flag}").write_bytes(
                bytes([flag]) + content)
    (folder / "empty").write_bytes(b"\1" + index(0, [b""], b"", [b""]))


if __name__ == "__main__":
    main()
