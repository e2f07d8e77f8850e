"""Every profile's flame graph is well-formed XML whose data block is JSON.

    test_xml.py WRITE_PROFILE
"""
import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

SVG = "{http://www.w3.org/2000/svg}"
PROFILES = ["story", "two", "ugly", "empty", "huge", "deep:2400", "large:500"]


def check(write_profile, name, folder):
    path = os.path.join(folder, name.replace(":", "-") + ".svg")
    subprocess.run([write_profile, name, path], check=True, timeout=60)
    root = ElementTree.parse(path).getroot()
    assert root.tag == SVG + "svg", root.tag
    for address in ("src", "href", "{http://www.w3.org/1999/xlink}href"):
        for element in root.iter():
            assert address not in element.attrib, "a network or file address"

    block = next(e for e in root.iter(SVG + "script") if e.get("id"))
    data = json.loads(block.text)
    nodes = data["nodes"]
    assert len(nodes) % 4 == 0 and len(data["frames"]) % 5 == 0
    frame_count = len(data["frames"]) // 5
    depth = 0
    for at in range(0, len(nodes), 4):
        depth -= nodes[at]
        assert depth >= 0 and nodes[at + 1] < frame_count
        assert nodes[at + 3] <= nodes[at + 2]
        depth += 1
    for text in data["names"]:
        assert all(ord(c) >= 32 for c in text), repr(text)

    # The static picture has every node once, alone or in a path of many.
    drawn = sum(1 for e in root.iter(SVG + "rect") if e.get("x"))
    drawn += sum(e.get("d").count("M") for e in root.iter(SVG + "path"))
    assert drawn == len(nodes) // 4, (drawn, len(nodes) // 4)


def main():
    with tempfile.TemporaryDirectory() as folder:
        for name in PROFILES:
            check(sys.argv[1], name, folder)
            print("ok", name)


main()
