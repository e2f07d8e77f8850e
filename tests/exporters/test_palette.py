"""The flame graph's colours: text can be read, and kinds told apart.

    test_palette.py FLAMEGRAPH_CSS

Contrast is that of WCAG 2; colour vision deficiencies are simulated with the
matrices of Machado, Oliveira and Fernandes (2009) at full severity.
"""
import re
import sys

THEMES = {"light": ("#ffffff", "#1f2429", "#ffffff"),
          "dark": ("#14171b", "#f4f5f7", "#14171b")}
KINDS = "alkr"        # told apart by hue
ALL_KINDS = "alkrgpt" # carry text
VISION = {
    "full": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.152286, 1.052583, -0.204868),
               (0.114503, 0.786281, 0.099216),
               (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968),
               (0.280085, 0.672501, 0.047413),
               (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779),
               (-0.078411, 0.930809, 0.147602),
               (0.004733, 0.691367, 0.303900)),
}


def linear(colour):
    values = [int(colour[at:at + 2], 16) / 255 for at in (1, 3, 5)]
    return [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4
            for v in values]


def luminance(rgb):
    return 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2]


def contrast(a, b):
    high, low = sorted((luminance(linear(a)), luminance(linear(b))))[::-1]
    return (high + 0.05) / (low + 0.05)


def mix(colour, ground, opacity):
    pairs = [(int(colour[at:at + 2], 16), int(ground[at:at + 2], 16))
             for at in (1, 3, 5)]
    return "#" + "".join(
        f"{round(c * opacity + g * (1 - opacity)):02x}" for c, g in pairs)


def lab(rgb):
    rows = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722),
            (0.0193, 0.1192, 0.9505))
    white = (0.9505, 1.0, 1.089)
    x, y, z = (
        sum(r * c for r, c in zip(row, rgb)) / w
        for row, w in zip(rows, white))
    x, y, z = (v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116
               for v in (x, y, z))
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def distance(a, b, matrix):
    def seen(colour):
        rgb = linear(colour)
        return lab([max(0, min(1, sum(m * c for m, c in zip(row, rgb))))
                    for row in matrix])
    return sum((p - q) ** 2 for p, q in zip(seen(a), seen(b))) ** 0.5


def fills(css):
    found = {}
    for selectors, colour in re.findall(
            r"([^{}]+)\{\s*fill: (#[0-9a-f]{6})", css):
        for selector in selectors.split(","):
            found[selector.strip()] = colour
    return found


def inlined_opacity(css):
    return float(re.search(r"\.i \{ fill-opacity: ([0-9.]+)", css).group(1))


def check_theme(theme, css):
    ground, text, match_text = THEMES[theme]
    colours = fills(css)
    worst = 99
    for kind in ALL_KINDS:
        for shade in range(4):
            fill = colours[f".{kind}{shade}"]
            pale = mix(fill, ground, inlined_opacity(css))
            for shown in (fill, pale, mix(fill, ground, 0.45)):
                worst = min(worst, contrast(text, shown))
    for name in (".hatch-ground", ".hatch-line"):
        worst = min(worst, contrast(text, colours[name]))
    worst = min(worst, contrast(match_text, colours[".m"]))
    assert worst >= 4.5, (theme, "contrast", worst)

    nearest = min(
        (distance(colours[f".{a}{s}"], colours[f".{b}{t}"], matrix),
         a, b, vision)
        for vision, matrix in VISION.items()
        for at, a in enumerate(KINDS) for b in KINDS[at + 1:]
        for s in range(4) for t in range(4))
    assert nearest[0] >= 10, (theme, "kinds too near", nearest)
    print(f"{theme}: contrast {worst:.2f}, nearest kinds {nearest}")


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        css = file.read()
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.S)
    light, dark = css.split("@media (prefers-color-scheme: dark) {", 1)
    check_theme("light", light)
    check_theme("dark", dark.split(".wf {")[0])


main()
