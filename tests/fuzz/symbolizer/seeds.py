"""Seeds for the index fuzzer: seeds.py FOLDER

A small file in the layout of symbolizer/index_format.h; the fuzzer makes its
checksums right.
"""

import struct
import sys
from pathlib import Path


def parts(places, nodes, sources, strings):
    """The bytes behind the table of checksums, and the counts in the header."""
    text = b"".join(word + b"\0" for word in strings)
    offsets, at = [], 0
    for word in strings:
        offsets.append(at)
        at += len(word) + 1
    pieces = [
        struct.pack(f"<{len(places) + 2}I", 0, *range(len(places) + 1)),
        struct.pack(f"<{len(places)}I", *(place for place, _, _ in places)),
        b"".join(struct.pack("<2I", node, source)
                 for _, node, source in places),
        b"".join(struct.pack("<3I", *node) for node in nodes),
        b"".join(struct.pack("<4I", *source) for source in sources),
        struct.pack(f"<{len(offsets)}I", *offsets)]
    body = b"".join(piece + b"\0" * (-len(piece) % 8) for piece in pieces)
    return body + text, len(text)


def index(shift, places, nodes, sources, strings):
    body, text_bytes = parts(places, nodes, sources, strings)
    # The fuzzer bounds the last three counts and adds one to each.
    header = struct.pack(
        "<QIIQQ6IQQ", 0, 0, shift, 0, 0x401000, len(places) + 1, len(places),
        len(nodes), len(sources) - 1, len(strings) - 1, text_bytes - 1, 0, 0)
    blocks = (len(body) + 0x3fff) >> 14
    return header + bytes(8 * blocks) + body


def main():
    folder = Path(sys.argv[1])
    none = 0xffffffff
    strings = [b"", b"main", b"inlined", b"a.c", b"x" * 3000]
    sources = [(0, 0, 0, 0), (3, 10, 1, 0), (3, 20, 2, 1)]
    nodes = [(1, none, 0), (2, 0, 1), (4, 1, 2)]
    places = [(i, i % 4 if i % 4 < 3 else none, i % 3) for i in range(16)]
    for number, shift in enumerate((0, 1, 4, 31)):
        content = index(shift, places, nodes, sources, strings)
        for flag in (0, 1):
            (folder / f"index_{number}_{flag}").write_bytes(
                bytes([flag]) + content)
    (folder / "empty").write_bytes(
        b"\1" + index(0, [], [], [(0, 0, 0, 0)], [b""]))


if __name__ == "__main__":
    main()
