/*
 * The page: head, tools, graph, status line, card and help.
 *
 * Text reaches it through textContent alone: names come from the profiled
 * program.
 */

const SVG = "http://www.w3.org/2000/svg";
const HTML = "http://www.w3.org/1999/xhtml";

function make(space, tag, attributes, children) {
  const element = document.createElementNS(space, tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    element.setAttribute(name, value);
  }
  element.append(...(children || []));
  return element;
}
const html = (tag, attributes, ...children) =>
  make(HTML, tag, attributes, children);
const svg = (tag, attributes, ...children) =>
  make(SVG, tag, attributes, children);

function button(text, hint, act) {
  const element = html("button", { type: "button", title: hint }, text);
  element.addEventListener("click", act);
  return element;
}

const hatch = svg("defs", {}, svg("pattern", {
  id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse",
  patternTransform: "rotate(45)",
},
svg("rect", { class: "hatch-ground", width: 6, height: 6 }),
svg("rect", { class: "hatch-line", width: 2, height: 6 })));

const body = svg("g", { role: "presentation" });
const overlay = svg("g", { role: "presentation" });
const graph = svg("svg", {
  class: "graph watchfire", role: "tree", tabindex: 0,
  "aria-label": "Flame graph. Arrow keys move, Enter zooms, ? shows help.",
}, hatch, body, overlay);
const pane = html("div", { class: "pane" }, graph);
const card = html("div", { class: "card", hidden: "" });
const status = html("footer", { role: "status" });
const found = html("span", { class: "found", role: "status" });
const search = html("input", {
  type: "search", placeholder: "Search (Ctrl-F)", "aria-label": "Search",
  spellcheck: "false",
});
const regexButton = button(
  ".*", "Read the search as a regular expression", () => {
    state.isRegex = !state.isRegex;
    searchFor(search.value);
  });
const previousButton = button("\u2039", "Previous match (N)", () => step(-1));
const nextButton = button("\u203a", "Next match (n)", () => step(1));
const resetButton = button("Reset", "Zoom out and clear the search (0)",
  () => reset());
const flipButton = button("Flip", "Root at the top or the bottom (I)",
  () => flip());
const helpButton = button("?", "Help (?)", () => showHelp(true));
helpButton.setAttribute("aria-label", "Help");
previousButton.setAttribute("aria-label", "Previous match");
nextButton.setAttribute("aria-label", "Next match");

const KEYS = [
  [["Tab"], "to the graph, then on"],
  [["\u2190", "\u2191", "\u2192", "\u2193"],
    "move over frames; away from the root follows the hottest callee"],
  [["Enter", "click"], "zoom to the frame"],
  [["Backspace"], "zoom out to the caller"],
  [["Esc"], "all of the graph, then clear the search"],
  [["0"], "both at once"],
  [["Ctrl-F", "/"], "search; upper case letters match case"],
  [["n", "N"], "next and previous match, from the largest down"],
  [["I"], "flip: flames or icicles"],
  [["?"], "this help"],
];
const closeButton = button("Close", "Close (Esc)", () => showHelp(false));
const help = html("div", {
  class: "help", role: "dialog", "aria-modal": "true",
  "aria-label": "Help", hidden: "",
},
html("h2", {}, "Reading and moving"),
html("p", {}, "Each box is a function; its width is the value counted in " +
  "it and in all it called. Boxes stand on their callers and are in the " +
  "order of their names: from left to right is not time. After \u00b1 " +
  "stands what chance may add or take, 19 times of 20."),
html("table", {}, ...KEYS.map(([keys, text]) => html("tr", {},
  html("th", { scope: "row" }, ...keys.flatMap(
    (key, at) => at ? [" ", html("kbd", {}, key)] : [html("kbd", {}, key)])),
  html("td", {}, text)))),
closeButton);

function legend() {
  const kinds = data.kinds.filter((kind) => LETTERS[kind] !== "p" &&
    LETTERS[kind] !== "t" && profile.frames.some((f) => f.kind === kind));
  const swatch = (style) => svg("svg", { width: 12, height: 12 },
    svg("rect", { class: style, width: 12, height: 12 }));
  const entries = kinds.map((kind) =>
    html("span", {}, swatch(`${LETTERS[kind]}0`), kind));
  const inlined = profile.frames.find((frame) => frame.isInlined);
  if (inlined) {
    entries.push(html("span", {}, swatch(inlined.style), "inlined"));
  }
  if (off[0] > 0) {
    entries.push(html("span", {}, swatch("o"), "off CPU"));
  }
  return html("div", { class: "group legend" }, ...entries);
}

function pageHead() {
  const losses = (data.is_good ? "\u2713 " : "\u26a0 ") + data.losses;
  return html("header", {},
    html("h1", {}, data.title),
    html("code", { class: "command" }, data.command),
    html("p", { class: "facts" }, data.facts),
    html("p", { class: data.is_good ? "good" : "bad" }, losses));
}

const page = html("div", { class: "wf", lang: "en" },
  pageHead(),
  html("div", { class: "tools", role: "toolbar", "aria-label": "Tools" },
    html("div", { class: "group", role: "search" }, search, regexButton,
      previousButton, nextButton),
    html("div", { class: "group" }, resetButton, flipButton, helpButton),
    found, legend()),
  pane, status, card, help);
