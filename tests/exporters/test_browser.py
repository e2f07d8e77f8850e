"""The flame graph in a real browser: what a person sees and can do.

    test_browser.py WRITE_PROFILE

Exits 77 where no browser is installed.
"""
import json
import os
import re
import subprocess
import sys
import tempfile

from browser import Browser, find_browser

WRITE_PROFILE = sys.argv[1]
ROW = 18


class Page:
    """A flame graph that is open, and questions about it."""

    def __init__(self, browser, path, fragment=""):
        self.browser = browser
        self.path = path
        browser.open(path, fragment)
        with open(path, encoding="utf-8") as file:
            block = re.search(
                r'<script id="profile"[^>]*>(.*?)</script>', file.read(), re.S)
        self.data = json.loads(block.group(1))
        nodes = self.data["nodes"]
        self.totals = nodes[2::4]
        self.names = [self.data["names"][self.data["frames"][5 * frame]]
                      for frame in nodes[1::4]]
        self.ends, self.parents = self._shape(nodes)

    @staticmethod
    def _shape(nodes):
        count = len(nodes) // 4
        ends, parents, path = [count] * count, [-1] * count, []
        for node in range(count):
            for _ in range(nodes[4 * node]):
                ends[path.pop()] = node
            parents[node] = path[-1] if path else -1
            path.append(node)
        return ends, parents

    def run(self, expression):
        return self.browser.run(expression)

    def text(self, selector):
        return self.run(f"document.querySelector('{selector}').textContent")

    def count(self, selector):
        return self.run(f"document.querySelectorAll('{selector}').length")

    def node(self, name):
        return self.names.index(name)

    def box(self, node):
        return self.run(
            "(() => { const box = document.getElementById("
            f"'frame-{node}').getBoundingClientRect(); "
            "return [box.x, box.y, box.width, box.height]; })()")

    def click(self, node):
        x, y, width, height = self.box(node)
        self.browser.click(x + width / 2, y + height / 2)

    def hover(self, node):
        x, y, width, height = self.box(node)
        self.browser.move(x + width / 2, y + height / 2)

    def focused(self):
        active = self.run(
            "document.querySelector('.graph')"
            ".getAttribute('aria-activedescendant')")
        return int(active.split("-")[1])

    def hash(self):
        return self.run("location.hash")

    def search(self, text):
        self.browser.press("f", control=True)
        self.browser.type(text)

    def matched_percent(self, pattern, root):
        """By a way of our own: no match below another counts."""
        value, node = 0, root
        while node < self.ends[root]:
            if re.search(pattern, self.names[node]):
                value += self.totals[node]
                node = self.ends[node]
            else:
                node += 1
        return 100 * value / self.totals[root]


# ---- the checks; a name is the claim ----

def page_shows_head_and_losses(page):
    assert page.text("h1") == page.data["title"]
    assert page.text(".command") == page.data["command"]
    assert "11 samples" in page.text(".facts")
    assert "2 samples lost" in page.text("header .bad")
    assert page.count("#static") == 0


def page_labels_fit_their_boxes(page):
    worst = page.run("""Math.max(...Array.from(
        document.querySelectorAll('.frame'), frame =>
            frame.querySelector('text').getComputedTextLength() -
            frame.querySelector('rect').getBBox().width))""")
    assert worst <= 0, worst


def page_shows_details_under_the_pointer(page):
    node = page.node("put_bit")
    page.hover(node)
    card = page.text(".card")
    assert "put_bit" in card and "8.000 ms" in card and "19.75 %" in card
    assert "/src/pack/bits.h:12" in card and "inlined" in card
    assert "/usr/bin/pack" in card
    page.browser.move(5, 5)
    assert page.run("document.querySelector('.card').hidden")


def page_zooms_on_click_and_fades_callers(page):
    node = page.node("compress")
    before = page.box(node)[2]
    page.click(node)
    after = page.box(node)[2]
    assert after > before and after > 1100, (before, after)
    assert f"zoom={node}" in page.hash()
    faded = page.run("Array.from(document.querySelectorAll('.above'), "
                     "frame => Number(frame.id.split('-')[1]))")
    callers, at = [], page.parents[node]
    while at >= 0:
        callers.append(at)
        at = page.parents[at]
    assert sorted(faded) == sorted(callers), (faded, callers)
    page.hover(page.node("put_bit"))
    share = 100 * page.totals[page.node("put_bit")] / page.totals[node]
    assert f"{share:.2f} %" in page.text(".card"), page.text(".card")


def page_goes_back_with_the_browsers_history(page):
    node = page.node("compress")
    page.click(node)
    # The page hears of it first: it has listened for longer.
    page.run("new Promise(done => { addEventListener('popstate', "
             "() => done(0), {once: true}); history.back(); })")
    page.browser.settle()
    assert page.hash() in ("", "#"), page.hash()
    assert page.count(".above") == 0
    assert page.box(node)[2] < 1100


def page_resets_by_button_and_keys(page):
    for act in (lambda: page.browser.press("0"),
                lambda: page.browser.press("Escape"),
                lambda: page.run("Array.from(document.querySelectorAll("
                                 "'button')).find(b => b.textContent === "
                                 "'Reset').click()")):
        page.click(page.node("walk"))
        assert page.count(".above") > 0
        act()
        page.browser.settle()
        assert page.count(".above") == 0
        assert "zoom" not in page.hash()


def page_search_counts_nested_matches_once(page):
    page.search("walk")
    wanted = page.matched_percent("walk", 0)
    assert page.text(".found") == f"{wanted:.2f} % in 3 frames", \
        page.text(".found")
    assert page.count(".frame .m") == 3
    assert "search=walk" in page.hash()


def page_search_is_of_the_zoomed_view(page):
    page.click(page.node("main"))
    page.search("memcpy")
    wanted = page.matched_percent("memcpy", page.node("main"))
    assert page.text(".found").startswith(f"{wanted:.2f} % in 2"), \
        page.text(".found")


def page_search_takes_text_literally_unless_asked(page):
    page.search("^put_.*")
    assert page.text(".found") == "no match"
    page.run("document.querySelector('[aria-pressed]').click()")
    wanted = page.matched_percent("^put_", 0)
    assert page.text(".found").startswith(f"{wanted:.2f} % in 2")
    page.run("document.querySelector('input').value = '('; document."
             "querySelector('input').dispatchEvent(new Event('input'))")
    assert page.run("document.querySelector('input')"
                    ".getAttribute('aria-invalid')") == "true"
    assert page.text(".found") == ""


def page_search_steps_through_matches(page):
    page.search("memcpy")
    first, second = [node for node, name in enumerate(page.names)
                     if name == "memcpy"]
    page.browser.press("Enter")
    assert page.focused() == first
    page.browser.press("Enter")
    assert page.focused() == second
    page.run("document.querySelector('.graph').focus()")
    page.browser.press("n")
    assert page.focused() == first
    page.browser.press("N", shift=True)
    assert page.focused() == second


def page_moves_with_the_arrows(page):
    page.run("document.querySelector('.graph').focus()")
    assert page.focused() == 0
    page.browser.press("ArrowUp")
    page.browser.press("ArrowUp")
    assert page.names[page.focused()] == "_start" # the hottest callee
    page.browser.press("ArrowRight")
    assert page.names[page.focused()] == "compress"
    page.browser.press("ArrowLeft")
    page.browser.press("ArrowUp")
    assert page.names[page.focused()] == "main"
    assert "main" in page.text("footer") and "35.00 ms" in page.text("footer")
    page.browser.press("ArrowDown")
    assert page.names[page.focused()] == "_start"
    page.browser.press("Enter")
    assert f"zoom={page.node('_start')}" in page.hash()
    page.browser.press("Backspace")
    assert f"zoom={page.node('pack')}" in page.hash()


def page_flips_to_icicles_and_back(page):
    root, leaf = 0, page.node("main")
    assert page.box(root)[1] > page.box(leaf)[1]
    page.browser.press("i")
    assert page.box(root)[1] < page.box(leaf)[1]
    assert "icicle=1" in page.hash()
    page.run("document.querySelector('.graph').focus()")
    page.browser.press("ArrowDown")
    assert page.names[page.focused()] == "pack"
    page.browser.press("I", shift=True)
    assert page.box(root)[1] > page.box(leaf)[1]


def page_help_opens_holds_the_focus_and_closes(page):
    page.browser.press("?")
    assert not page.run("document.querySelector('.help').hidden")
    page.browser.press("Tab")
    assert page.run("document.activeElement.textContent") == "Close"
    page.browser.press("Escape")
    assert page.run("document.querySelector('.help').hidden")


def page_can_be_read_by_assistive_tools(page):
    assert page.run("document.querySelector('.graph')"
                    ".getAttribute('role')") == "tree"
    label = page.run(f"document.getElementById('frame-{page.node('main')}')"
                     ".getAttribute('aria-label')")
    assert label == "main, application, total 35.00 ms, 86.42 %, self 0 ns"
    unnamed = page.run(
        "Array.from(document.querySelectorAll('button, input')).filter("
        "e => !e.getAttribute('aria-label') && e.textContent.length < 2)"
        ".length")
    assert unnamed == 0
    for _ in range(3):
        page.browser.press("Tab")
    outline = page.run("getComputedStyle(document.activeElement).outlineWidth")
    assert outline == "2px", outline


def page_follows_the_window(page):
    page.browser.resize(500, 600)
    page.browser.settle()
    try:
        width = page.run("document.querySelector('.graph').clientWidth")
        assert 440 < width < 500, width
        page_labels_fit_their_boxes(page)
    finally:
        page.browser.resize(1200, 800)


STORY = [
    page_shows_head_and_losses, page_labels_fit_their_boxes,
    page_shows_details_under_the_pointer,
    page_zooms_on_click_and_fades_callers,
    page_goes_back_with_the_browsers_history,
    page_resets_by_button_and_keys, page_search_counts_nested_matches_once,
    page_search_is_of_the_zoomed_view,
    page_search_takes_text_literally_unless_asked,
    page_search_steps_through_matches, page_moves_with_the_arrows,
    page_flips_to_icicles_and_back,
    page_help_opens_holds_the_focus_and_closes,
    page_can_be_read_by_assistive_tools, page_follows_the_window,
]


def address_restores_zoom_and_search(browser, path):
    page = Page(browser, path)
    node = page.node("main")
    page = Page(browser, path, f"#zoom={node}&search=walk&icicle=1")
    assert page.count(".above") == 3
    assert page.text(".found").endswith("in 3 frames")
    assert page.run("document.querySelector('input').value") == "walk"
    page = Page(browser, path, "#zoom=99999&search=")
    assert page.count(".above") == 0


def names_cannot_become_markup(browser, path):
    page = Page(browser, path)
    assert page.count("script") == 2
    hostile = page.node("</script><script>alert(1)</script>")
    page.hover(hostile)
    assert "</script>" in page.text(".card .name")
    assert page.count(".card script") == 0


def labels_are_the_longest_form_that_fits(browser, path):
    browser.resize(2200, 800) # room for some 29 letters in each
    page = Page(browser, path)
    wanted = {
        "std::vector<": "std::vector::push_back",
        "void (anon": "parse_expression",
        "main.(*": "main.(*Server).handleConnection",
        "std::ostream& log": "log::operator<<",
        "<alloc": "extend",
        "run(": "run::{lambda#1}::operator()",
        "void std::__sort": "std::__sort",
        "bool std::op": "std::operator<",
        "operator new": "operator new[]",
        "a.out: not": "a.out: not a name (",
    }
    for start, form in wanted.items():
        node = next(at for at, name in enumerate(page.names)
                    if name.startswith(start))
        shown = page.text(f"#frame-{node} text")
        # Where even the shortest form is cut depends on the font.
        is_cut = len(shown) > 12 and shown[-1] == "\u2026"
        assert shown == form or is_cut and form.startswith(shown[:-1]), shown
    browser.resize(1200, 800)


def deep_stack_scrolls_to_what_is_asked_for(browser, path):
    page = Page(browser, path)
    assert page.run("document.querySelector('.graph').clientHeight") == \
        2402 * ROW
    page.run("document.querySelector('.graph').focus()")
    for _ in range(60):
        page.browser.press("ArrowUp")
    _, y, _, _ = page.box(page.focused())
    assert 0 < y < 800, y
    page.search("level_2399")
    page.browser.press("Enter")
    _, y, _, _ = page.box(page.focused())
    assert 0 < y < 800, y


def large_graph_answers_at_once(browser, path):
    page = Page(browser, path)
    assert len(page.names) > 10000
    # Narrow frames share paths: elements stay few, whatever the frames.
    assert page.count(".graph *") < 6000, page.count(".graph *")
    page_labels_fit_their_boxes(page)
    page.search("execute")
    wanted = page.matched_percent("execute", 0)
    assert page.text(".found").startswith(f"{wanted:.2f} % in ")
    page.browser.press("Enter")
    assert "execute" in page.names[page.focused()]


def empty_profile_shows_that_nothing_was_sampled(browser, path):
    page = Page(browser, path)
    assert "nothing was sampled" in page.text("header")
    page.browser.press("ArrowUp")
    page.search("x")
    assert page.text(".found") == "no match"


def static_picture_stands_without_scripts(browser, path):
    browser.page("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.load(path)
        assert browser.run("document.getElementById('static') !== null")
        assert browser.run(
            "document.querySelectorAll('#static rect title').length") > 10
    finally:
        browser.page("Emulation.setScriptExecutionDisabled", value=False)


FILES = [
    ("story", address_restores_zoom_and_search),
    ("ugly", names_cannot_become_markup),
    ("names", labels_are_the_longest_form_that_fits),
    ("deep:2400", deep_stack_scrolls_to_what_is_asked_for),
    ("large:3000", large_graph_answers_at_once),
    ("empty", empty_profile_shows_that_nothing_was_sampled),
    ("huge", lambda browser, path: page_labels_fit_their_boxes(
        Page(browser, path))),
    ("story", static_picture_stands_without_scripts),
]


def write(name, folder):
    path = os.path.join(folder, name.replace(":", "-") + ".svg")
    if not os.path.exists(path):
        subprocess.run([WRITE_PROFILE, name, path], check=True, timeout=60)
    return path


def check_quiet(browser, claim):
    assert not browser.messages, (claim, browser.messages)
    outside = [address for address in browser.requests
               if not address.startswith(("file:", "about:"))]
    assert not outside, (claim, outside)


def main():
    path = find_browser()
    if path is None:
        print("no browser is installed")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder, Browser(path) as browser:
        for claim in STORY:
            claim(Page(browser, write("story", folder)))
            check_quiet(browser, claim.__name__)
            print("ok", claim.__name__, flush=True)
        for name, claim in FILES:
            claim(browser, write(name, folder))
            check_quiet(browser, claim.__name__)
            print("ok", name, claim.__name__, flush=True)


main()
