/*
 * The interactive flame graph.
 *
 * It reads the data block (the element "profile"; its shape is in page.h),
 * removes the static picture and builds one page: head, tools, graph, status
 * line. In an SVG file the page lives in a foreignObject, in an HTML file in
 * the element "watchfire"; nothing else depends on which it is.
 *
 * Drawing. Frames that have room for a label are elements of their own, with a
 * role and a name for assistive tools. All narrower ones are segments of one
 * path for each colour, so that a graph of 100 000 frames costs a few hundred
 * elements. What is under the pointer is found in the data, not in the page.
 *
 * State is { zoom, focus, query, isRegex, isIcicle }; render() draws it, and
 * the address keeps all of it but the focus. Text reaches the page through
 * textContent alone: names come from the profiled program.
 */
"use strict";
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const HTML = "http://www.w3.org/1999/xhtml";
  const ROW = 18;          // pixels from one row to the next
  const MIN_DRAWN = 0.3;   // narrower frames, in pixels, are left out
  const MIN_COLUMNS = 3;   // narrower labels say nothing
  const PADDING = 3;       // between a frame's edge and its label
  const MIN_REVEALED = 4;  // a search result is zoomed to until it is as wide
  const SHADES = 4;
  const BAR = 3;           // the bar at a frame's foot: its time off CPU
  const LETTERS = {
    application: "a", library: "l", kernel: "k", runtime: "r",
    unknown: "u", account: "g", process: "p", thread: "t",
  };

  // ---- the profile ----

  // The same function has the same colour, here and in svg.c.
  function shadeOf(name) {
    let hash = 0;
    for (const byte of new TextEncoder().encode(name)) {
      hash = (Math.imul(hash, 31) + byte) >>> 0;
    }
    return ((hash ^ (hash >>> 16)) >>> 0) % SHADES;
  }

  function readFrames(data) {
    const frames = [];
    for (let at = 0; at < data.frames.length; at += 5) {
      const [name, kind, module, file, line] = data.frames.slice(at, at + 5);
      const text = data.names[name];
      const isInlined = kind % 2 === 1;
      const kindText = data.kinds[kind >> 1];
      frames.push({
        nameId: name,
        name: text,
        kind: kindText,
        isInlined,
        module: module ? data.modules[module - 1] : "",
        file: file ? data.files[file - 1] : "",
        line: Math.floor(line / 2),
        hasOtherLines: line % 2 === 1,
        style: LETTERS[kindText] + shadeOf(text) + (isInlined ? " i" : ""),
      });
    }
    return frames;
  }

  // Nodes as columns, callers first; a subtree is the ids from a node to its
  // `end`. `start` is the value to the left of a node.
  function readProfile(data) {
    const count = data.nodes.length / 4;
    const profile = {
      data, count,
      frames: readFrames(data),
      frame: new Uint32Array(count),
      parent: new Int32Array(count),
      depth: new Uint32Array(count),
      end: new Uint32Array(count),
      total: new Float64Array(count),
      self: new Float64Array(count),
      off: new Float64Array(count), // the part of the total off CPU
      start: new Float64Array(count),
      rows: [],
    };
    const path = [];
    const next = [];
    for (let id = 0; id < count; id++) {
      const depth = path.length - data.nodes[id * 4];
      while (path.length > depth) {
        profile.end[path.pop()] = id;
      }
      profile.depth[id] = depth;
      profile.parent[id] = depth > 0 ? path[depth - 1] : -1;
      profile.frame[id] = data.nodes[id * 4 + 1];
      profile.total[id] = data.nodes[id * 4 + 2];
      profile.self[id] = data.nodes[id * 4 + 3];
      profile.off[id] = data.off.length > 0 ? data.off[id] : 0;
      profile.start[id] = depth > 0 ? next[depth - 1] : 0;
      if (depth > 0) {
        next[depth - 1] += profile.total[id];
      }
      next[depth] = profile.start[id];
      (profile.rows[depth] = profile.rows[depth] || []).push(id);
      path.push(id);
    }
    while (path.length > 0) {
      profile.end[path.pop()] = count;
    }
    return profile;
  }

  const profile = readProfile(
    JSON.parse(document.getElementById("profile").textContent));
  const { data, total, self, off, start, end, depth, parent } = profile;
  const frameOf = (id) => profile.frames[profile.frame[id]];
  const contains = (outer, id) => id >= outer && id < end[outer];

  function ancestorsOf(id) {
    const found = [];
    for (let at = parent[id]; at >= 0; at = parent[at]) {
      found.push(at);
    }
    return found;
  }

  // ---- figures and labels ----

  const SCALES = {
    nanoseconds: [[1, "ns"], [1e3, "us"], [1e6, "ms"], [1e9, "s"]],
    bytes: [[1, "B"], [1024, "KiB"], [1024 ** 2, "MiB"], [1024 ** 3, "GiB"],
            [1024 ** 4, "TiB"]],
  };

  // Four significant digits, as exp_text_value() has them.
  function valueText(value) {
    const scale = SCALES[data.unit];
    if (!scale) {
      return `${value.toLocaleString("en")} ${data.unit}`;
    }
    let at = 0;
    while (at + 1 < scale.length && value >= scale[at + 1][0] * 0.99995) {
      at++;
    }
    const figure = value / scale[at][0];
    const decimals = at === 0 || figure >= 999.95 ? 0
      : figure >= 99.995 ? 1 : figure >= 9.9995 ? 2 : 3;
    return `${figure.toFixed(decimals)} ${scale[at][1]}`;
  }

  function percentText(part, whole) {
    const percent = whole > 0 ? 100 * part / whole : 0;
    return part > 0 && percent < 0.01 ? "< 0.01 %" : `${percent.toFixed(2)} %`;
  }

  const WIDE = new RegExp(
    "[\\u1100-\\u115f\\u2e80-\\ua4cf\\uac00-\\ud7a3\\uf900-\\ufaff" +
    "\\ufe30-\\ufe6f\\uff00-\\uff60\\u{1f300}-\\u{1faff}\\u{20000}-\\u{3fffd}]",
    "u");
  const columnsOf = (character) => WIDE.test(character) ? 2 : 1;

  function columnsIn(text) {
    if (/^[\x20-\x7e]*$/.test(text)) {
      return text.length;
    }
    return Array.from(text).reduce((sum, c) => sum + columnsOf(c), 0);
  }

  function clip(text, columns) {
    let left = columns - 1; // one for the ellipsis
    let kept = "";
    for (const character of text) {
      left -= columnsOf(character);
      if (left < 0) {
        break;
      }
      kept += character;
    }
    return `${kept}\u2026`;
  }

  // ---- short forms of C++, Rust and Go names ----

  // Where the bracket at `at` closes; -1 if it does not.
  function groupEnd(name, at) {
    let level = 0;
    for (; at < name.length; at++) {
      if ("<([{".includes(name[at])) {
        level++;
      } else if (">)]}".includes(name[at]) && name.substr(at - 1, 2) !== "->") {
        level--;
        if (level === 0) {
          return at;
        }
      }
    }
    return -1;
  }

  // What is left of a bracketed group that follows `before`.
  function shortGroup(group, before) {
    if (group === "(anonymous namespace)") {
      return "(anonymous)";
    }
    if (/^[<{]lambda/.test(group)) {
      return group.replace(/\(.*\)/, ""); // {lambda#1}
    }
    // After a name or an operator: parameters, or template arguments.
    return /[\w)\]>}<=~+*/%^&|!-]$/.test(before) ? "" : group;
  }

  const OPERATOR =
    /^(\(\)|\[\]|<=>|->\*|<<=?|>>=?|->|[<>]=?| (new|delete)(\[\])?)/;
  const QUALIFIER = /^ (const|volatile|noexcept|&&?|\[[^\]]*\])/;

  // A name without return type, parameters and template arguments, and the
  // last part of that; the name itself where it is not of that kind.
  function shortForms(name) {
    if (!/[(<]|::/.test(name)) {
      return [name];
    }
    let bare = "";
    let last = 0;
    for (let at = 0; at < name.length;) {
      const rest = name.slice(at);
      const operator = /\boperator$/.test(bare) && OPERATOR.exec(rest);
      if (operator) {
        bare += operator[0];
        at += operator[0].length;
        at += rest.startsWith(`${operator[0]} <`); // "operator< <int>"
      } else if ("<([{".includes(name[at])) {
        const end = groupEnd(name, at);
        if (end < 0) {
          return [name];
        }
        bare += shortGroup(name.slice(at, end + 1), bare);
        at = end + 1;
      } else if (rest.startsWith("::")) {
        bare += "::";
        last = bare.length;
        at += 2;
      } else if (QUALIFIER.test(rest)) {
        break;
      } else if (name[at] === " " && !/\boperator$/.test(bare)) {
        bare = ""; // it was the return type
        last = 0;
        at++;
      } else {
        bare += name[at++];
      }
    }
    return bare.length > last ? [name, bare, bare.slice(last)] : [name];
  }

  const knownForms = new Map();
  function formsOf(name) {
    let forms = knownForms.get(name);
    if (!forms) {
      forms = shortForms(name);
      knownForms.set(name, forms);
    }
    return forms;
  }

  // The longest form of a name that fits, or the shortest one cut.
  function labelFor(name, columns) {
    const forms = formsOf(name);
    for (const form of forms) {
      if (columnsIn(form) <= columns) {
        return form;
      }
    }
    return clip(forms[forms.length - 1], columns);
  }

  function placeOf(frame) {
    const parts = [frame.isInlined ? `${frame.kind}, inlined` : frame.kind];
    if (frame.module) {
      parts.push(frame.module);
    }
    if (frame.file) {
      const line = frame.line ? `:${frame.line}` : "";
      const more = frame.line && frame.hasOtherLines ? " and other lines" : "";
      parts.push(frame.file + line + more);
    }
    return parts.join(" \u00b7 ");
  }

  // ---- the page ----

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

  // ---- state ----

  const state = {
    zoom: 0, focus: 0, query: "", isRegex: false, isIcicle: data.is_icicle,
  };
  let isNameMatch = null; // of each name, or null without a search
  let matches = [];       // all nodes that match, the largest first
  const isMatch = (id) =>
    isNameMatch !== null && isNameMatch[frameOf(id).nameId] === 1;

  function addressOf() {
    const fields = new URLSearchParams();
    if (state.zoom > 0) {
      fields.set("zoom", state.zoom);
    }
    if (state.query) {
      fields.set("search", state.query);
    }
    if (state.isRegex) {
      fields.set("regex", 1);
    }
    if (state.isIcicle !== data.is_icicle) {
      fields.set("icicle", state.isIcicle ? 1 : 0);
    }
    return `#${fields}`;
  }

  // A zoom is a step that the browser's Back undoes; typing is none.
  function keepAddress(isStep) {
    const address = addressOf();
    if (address === (location.hash || "#")) {
      return;
    }
    try {
      history[isStep ? "pushState" : "replaceState"](null, "", address);
    } catch (error) {
      // A sandboxed frame has no address of its own; the rest works.
    }
  }

  function readAddress() {
    const fields = new URLSearchParams(location.hash.slice(1));
    const zoom = Number(fields.get("zoom"));
    state.zoom = Number.isInteger(zoom) && zoom > 0 && zoom < profile.count
      ? zoom : 0;
    state.focus = state.zoom;
    state.isRegex = fields.get("regex") === "1";
    state.isIcicle = fields.has("icicle")
      ? fields.get("icicle") === "1" : data.is_icicle;
    state.query = fields.get("search") || "";
    search.value = state.query;
    compileSearch();
  }

  // ---- drawing ----

  let columnWidth = 7.3; // of the font; measured once the page stands
  let width = 0;         // of the graph in pixels
  let lowest = 0;        // the deepest row that is drawn

  const scaleOf = () => total[state.zoom] > 0 ? width / total[state.zoom] : 0;
  const isAbove = (id) => contains(id, state.zoom) && id !== state.zoom;
  const topOf = (id) =>
    ROW * (state.isIcicle ? depth[id] : lowest - depth[id]);

  function boxOf(id) {
    const isWhole = isAbove(id) || id === state.zoom;
    return {
      x: isWhole ? 0 : (start[id] - start[state.zoom]) * scaleOf(),
      y: topOf(id),
      width: isWhole ? width : total[id] * scaleOf(),
    };
  }

  const isDrawn = (id) => isAbove(id) ||
    (contains(state.zoom, id) &&
      (id === state.zoom || total[id] * scaleOf() >= MIN_DRAWN));

  function drawnNodes() {
    const drawn = ancestorsOf(state.zoom);
    lowest = depth[state.zoom];
    const smallest = MIN_DRAWN / (scaleOf() || 1);
    for (let id = state.zoom; id < end[state.zoom];) {
      if (total[id] < smallest && id !== state.zoom) {
        id = end[id];
        continue;
      }
      drawn.push(id);
      lowest = Math.max(lowest, depth[id]);
      id++;
    }
    return drawn;
  }

  function describe(id) {
    const frame = frameOf(id);
    const offText = off[id] > 0 ? `, off CPU ${valueText(off[id])}` : "";
    return `${frame.name}, ${frame.kind}, total ${valueText(total[id])}, ` +
      `${percentText(total[id], total[0])}, self ${valueText(self[id])}` +
      offText;
  }

  const styleOf = (id) => isMatch(id) ? "m" : frameOf(id).style;

  // As long as what the frame spent off CPU.
  function offBar(id, box) {
    const share = off[id] > 0 ? off[id] / total[id] : 0;
    const length = Math.max(box.width - 0.6, 0.3) * share;
    return length < 0.3 ? [] : [svg("rect", {
      class: "o", x: box.x, y: box.y + ROW - 1 - BAR, width: length,
      height: BAR,
    })];
  }

  function frameElement(id, box, columns) {
    const label = svg("text", { x: box.x + PADDING, y: box.y + 13 });
    label.textContent = labelFor(frameOf(id).name, columns);
    return svg("g", {
      id: `frame-${id}`, class: isAbove(id) ? "frame above" : "frame",
      role: "treeitem", "aria-level": depth[id] + 1,
      "aria-label": describe(id),
    },
    svg("rect", {
      class: styleOf(id), x: box.x, y: box.y,
      width: Math.max(box.width - 0.6, 0.3), height: ROW - 1,
    }), ...offBar(id, box), label);
  }

  function draw() {
    const nodes = drawnNodes();
    const strips = new Map(); // class -> segments of its path
    const wide = [];
    for (const id of nodes) {
      const box = boxOf(id);
      const columns = Math.floor((box.width - 2 * PADDING) / columnWidth);
      if (columns >= MIN_COLUMNS) {
        wide.push(frameElement(id, box, columns));
        continue;
      }
      const style = styleOf(id);
      const right = box.width > 2 ? box.width - 0.6 : box.width;
      const strip = strips.get(style) || [];
      strip.push(`M${box.x.toFixed(2)} ${box.y}h${right.toFixed(2)}` +
        `v${ROW - 1}h-${right.toFixed(2)}z`);
      strips.set(style, strip);
    }
    const paths = Array.from(strips, ([style, strip]) =>
      svg("path", { class: style, d: strip.join(""), "aria-hidden": "true" }));
    body.replaceChildren(...paths, ...wide);
  }

  function drawFocus() {
    const box = boxOf(state.focus);
    const ring = (style) => svg("rect", {
      class: style, x: box.x, y: box.y,
      width: Math.max(box.width - 0.6, 1), height: ROW - 1,
    });
    const items = [ring("ring under"), ring("ring")];
    if (!document.getElementById(`frame-${state.focus}`)) {
      items.push(svg("g", {
        id: `frame-${state.focus}`, role: "treeitem",
        "aria-level": depth[state.focus] + 1,
        "aria-label": describe(state.focus),
      }));
    }
    overlay.replaceChildren(...items);
    graph.setAttribute("aria-activedescendant", `frame-${state.focus}`);
  }

  function showStatus() {
    const id = state.focus;
    const frame = frameOf(id);
    const figures = [
      `total ${valueText(total[id])}`, percentText(total[id], total[0]),
      `self ${valueText(self[id])}`, percentText(self[id], total[0]),
      ...off[id] > 0 ? [`off CPU ${valueText(off[id])}`] : [],
      placeOf(frame),
    ];
    status.replaceChildren(
      html("div", { class: "name" }, frame.name),
      html("div", { class: "figures" }, figures.join(" \u00b7 ")));
  }

  function showMatches() {
    previousButton.disabled = nextButton.disabled = matches.length === 0;
    pane.classList.toggle("searching", isNameMatch !== null);
    if (isNameMatch === null) {
      found.textContent = "";
      return;
    }
    found.textContent = foundText();
  }

  function foundText() {
    if (matches.length === 0) {
      return "no match";
    }
    // The outermost matches: what a match calls is in its total already.
    let value = 0;
    for (let id = state.zoom; id < end[state.zoom];) {
      if (isMatch(id)) {
        value += total[id];
        id = end[id];
      } else {
        id++;
      }
    }
    const count = matches.filter((id) => contains(state.zoom, id)).length;
    if (count === 0) {
      return "no match in this view";
    }
    return `${percentText(value, total[state.zoom])} in ${count} ` +
      (count === 1 ? "frame" : "frames");
  }

  function render() {
    width = Math.max(pane.clientWidth - paneMargins(), 50);
    draw();
    graph.setAttribute("width", width);
    graph.setAttribute("height", ROW * (lowest + 1));
    pane.classList.toggle("flame", !state.isIcicle);
    resetButton.disabled = state.zoom === 0 && !state.query;
    regexButton.setAttribute("aria-pressed", state.isRegex);
    drawFocus();
    showStatus();
    showMatches();
    hideCard();
  }

  function paneMargins() {
    const style = getComputedStyle(pane);
    return parseFloat(style.paddingLeft) + parseFloat(style.paddingRight);
  }

  function scrollTo(id) {
    const graphTop = graph.getBoundingClientRect().top -
      pane.getBoundingClientRect().top + pane.scrollTop;
    const y = graphTop + topOf(id);
    if (y < pane.scrollTop) {
      pane.scrollTop = y - ROW;
    } else if (y + ROW > pane.scrollTop + pane.clientHeight) {
      pane.scrollTop = y + 2 * ROW - pane.clientHeight;
    }
  }

  // ---- the card under the pointer ----

  function nodeAt(event) {
    const box = graph.getBoundingClientRect();
    const row = Math.floor((event.clientY - box.top) / ROW);
    const level = state.isIcicle ? row : lowest - row;
    const ids = profile.rows[level];
    const x = event.clientX - box.left;
    if (!ids || row < 0 || x < 0 || x > width) {
      return -1;
    }
    if (level <= depth[state.zoom]) {
      return ids.find((id) => contains(id, state.zoom));
    }
    const value = start[state.zoom] + x / (scaleOf() || 1);
    let low = 0;
    let high = ids.length;
    while (low < high) { // the last node that starts at or before `value`
      const middle = (low + high) >> 1;
      if (start[ids[middle]] <= value) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    const id = low > 0 ? ids[low - 1] : -1;
    return id >= 0 && isDrawn(id) && value < start[id] + total[id] ? id : -1;
  }

  function figureRow(text, value, id) {
    const view = state.zoom > 0 && contains(state.zoom, id)
      ? [html("td", {}, percentText(value, total[state.zoom]))] : [];
    return html("tr", {}, html("th", { scope: "row" }, text),
      html("td", {}, valueText(value)),
      html("td", {}, percentText(value, total[0])), ...view);
  }

  function cardRows(id) {
    const rows = [];
    if (state.zoom > 0 && contains(state.zoom, id)) {
      rows.push(html("tr", {}, html("th", {}), html("th", {}),
        html("th", {}, "of all"), html("th", {}, "of view")));
    }
    rows.push(figureRow("total", total[id], id));
    rows.push(figureRow("self", self[id], id));
    if (data.period > 0 && data.unit === "nanoseconds") {
      // What chance may add or take, 19 times of 20: 1.96 standard deviations
      // of a Poisson count.
      const samples = Math.round(total[id] / data.period);
      const doubt = Math.round(1.96 * Math.sqrt(samples));
      rows.push(html("tr", {}, html("th", { scope: "row" }, "samples"),
        html("td", {}, samples.toLocaleString("en")),
        html("td", {}, `\u00b1 ${doubt.toLocaleString("en")}`)));
    }
    return rows;
  }

  function showCard(id, event) {
    const frame = frameOf(id);
    card.replaceChildren(
      html("div", { class: "name" }, frame.name),
      html("div", { class: "place" }, placeOf(frame)),
      html("table", {}, ...cardRows(id)));
    card.hidden = false;
    const size = card.getBoundingClientRect();
    const right = innerWidth - size.width - 8;
    const isLow = event.clientY + 22 + size.height > innerHeight;
    const y = isLow ? event.clientY - size.height - 14 : event.clientY + 18;
    card.style.transform = `translate(${Math.max(
      4, Math.min(event.clientX + 12, right))}px, ${Math.max(4, y)}px)`;
    drawCursor(id);
  }

  function drawCursor(id) {
    overlay.querySelectorAll(".cursor").forEach((old) => old.remove());
    if (id < 0) {
      return;
    }
    const box = boxOf(id);
    overlay.append(svg("rect", {
      class: "cursor", x: box.x, y: box.y,
      width: Math.max(box.width - 0.6, 1), height: ROW - 1,
    }));
  }

  function hideCard() {
    card.hidden = true;
    drawCursor(-1);
  }

  // ---- search ----

  // Case counts as soon as the query has an upper case letter.
  function compileSearch() {
    isNameMatch = null;
    matches = [];
    search.setAttribute("aria-invalid", "false");
    if (!state.query) {
      return;
    }
    const source = state.isRegex ? state.query
      : state.query.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    let pattern;
    try {
      pattern = new RegExp(source, /\p{Lu}/u.test(state.query) ? "" : "i");
    } catch (error) {
      search.setAttribute("aria-invalid", "true");
      return;
    }
    isNameMatch = Uint8Array.from(
      data.names, (name) => pattern.test(name) ? 1 : 0);
    for (let id = 0; id < profile.count; id++) {
      if (isMatch(id)) {
        matches.push(id);
      }
    }
    matches.sort((a, b) => total[b] - total[a] || a - b);
  }

  function searchFor(query) {
    state.query = query;
    compileSearch();
    keepAddress(false);
    render();
  }

  // Go to the next (1) or the previous (-1) match, round the ends.
  function step(direction) {
    if (matches.length === 0) {
      return;
    }
    const at = matches.indexOf(state.focus);
    const count = matches.length;
    const next = at < 0 ? (direction > 0 ? 0 : count - 1)
      : (at + direction + count) % count;
    reveal(matches[next]);
  }

  // Focus a node, in the widest view that shows it as more than a line.
  function reveal(id) {
    const isSeen = (root) => contains(root, id) &&
      total[id] / total[root] * width >= MIN_REVEALED;
    if (!isSeen(state.zoom)) {
      const views = ancestorsOf(id).reverse();
      const root = views.find(isSeen);
      zoomTo(root === undefined ? id : root, id);
    }
    focusOn(id);
  }

  // ---- moving ----

  function focusOn(id) {
    state.focus = id;
    drawFocus();
    showStatus();
    scrollTo(id);
  }

  function zoomTo(id, focus = id) {
    state.zoom = id;
    state.focus = focus;
    keepAddress(true);
    render();
    scrollTo(focus);
  }

  function reset() {
    state.query = search.value = "";
    compileSearch();
    zoomTo(0, state.focus);
  }

  function flip() {
    state.isIcicle = !state.isIcicle;
    keepAddress(false);
    render();
    scrollTo(state.focus);
  }

  function stepBack() {
    if (state.zoom > 0) {
      zoomTo(0, state.focus);
    } else {
      search.value = "";
      searchFor("");
    }
  }

  // The callee with the largest total, or -1.
  function hottestChild(id) {
    let best = -1;
    for (let at = id + 1; at < end[id]; at = end[at]) {
      if (isDrawn(at) && (best < 0 || total[at] > total[best])) {
        best = at;
      }
    }
    return best;
  }

  // Towards the zoomed frame among its callers, else the hottest callee.
  function childOf(id) {
    return isAbove(id)
      ? profile.rows[depth[id] + 1].find((at) => contains(at, state.zoom))
      : hottestChild(id);
  }

  function neighbour(id, direction) {
    const row = profile.rows[depth[id]];
    let at = row.indexOf(id) + direction;
    while (at >= 0 && at < row.length && !isDrawn(row[at])) {
      at += direction;
    }
    return at >= 0 && at < row.length ? row[at] : -1;
  }

  function moveFocus(key) {
    const isOutward = key === (state.isIcicle ? "ArrowDown" : "ArrowUp");
    const target = key === "ArrowLeft" ? neighbour(state.focus, -1)
      : key === "ArrowRight" ? neighbour(state.focus, 1)
        : isOutward ? childOf(state.focus) : parent[state.focus];
    if (target >= 0) {
      focusOn(target);
    }
  }

  function showHelp(isShown) {
    help.hidden = !isShown;
    (isShown ? closeButton : graph).focus();
  }

  // ---- events ----

  const graphKeys = {
    Enter: () => zoomTo(state.focus),
    " ": () => zoomTo(state.focus),
    Backspace: () => zoomTo(Math.max(parent[state.zoom], 0)),
    Home: () => focusOn(state.zoom),
  };
  for (const key of ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"]) {
    graphKeys[key] = () => moveFocus(key);
  }
  const pageKeys = {
    "?": () => showHelp(true),
    "/": () => search.focus(),
    0: reset,
    i: flip,
    I: flip,
    n: () => step(1),
    N: () => step(-1),
    Escape: stepBack,
  };

  function onSearchKey(event) {
    if (event.key === "Enter") {
      step(event.shiftKey ? -1 : 1);
    } else if (event.key === "Escape") {
      search.value = "";
      searchFor("");
      graph.focus();
    } else {
      return;
    }
    event.preventDefault();
  }

  function onKey(event) {
    const isFind = (event.ctrlKey || event.metaKey) && event.key === "f";
    if (isFind && event.target !== search) {
      search.focus();
      search.select();
      event.preventDefault();
    } else if (!help.hidden) {
      if (event.key === "Escape" || event.key === "?") {
        showHelp(false);
        event.preventDefault();
      } else if (event.key === "Tab") {
        event.preventDefault(); // one button holds the focus
      }
    } else if (event.target === search) {
      onSearchKey(event);
    } else if (!event.ctrlKey && !event.altKey && !event.metaKey) {
      const isOnButton = event.target.localName === "button";
      const act = (isOnButton ? null : graphKeys[event.key]) ||
        pageKeys[event.key];
      if (act) {
        act();
        event.preventDefault();
      }
    }
  }

  function listen() {
    document.addEventListener("keydown", onKey);
    search.addEventListener("input", () => searchFor(search.value));
    graph.addEventListener("mousemove", (event) => {
      const id = nodeAt(event);
      if (id >= 0) {
        showCard(id, event);
      } else {
        hideCard();
      }
    });
    graph.addEventListener("mouseleave", hideCard);
    graph.addEventListener("click", (event) => {
      const id = nodeAt(event);
      if (id >= 0) {
        zoomTo(id);
      }
      graph.focus();
    });
    addEventListener("popstate", () => {
      readAddress();
      render();
      scrollTo(state.focus);
    });
    new ResizeObserver(() => {
      if (pane.clientWidth - paneMargins() !== width) {
        render();
      }
    }).observe(pane);
  }

  function measureFont() {
    const ruler = svg("text", {});
    ruler.textContent = "m".repeat(100);
    body.append(ruler);
    columnWidth = ruler.getComputedTextLength() / 100 || columnWidth;
    ruler.remove();
  }

  function mount() {
    const root = document.documentElement;
    const picture = document.getElementById("static");
    if (picture) {
      picture.remove();
    }
    if (root.namespaceURI === SVG) {
      root.removeAttribute("viewBox");
      root.setAttribute("width", "100%");
      root.setAttribute("height", "100%");
      root.append(
        svg("foreignObject", { width: "100%", height: "100%" }, page));
    } else {
      document.getElementById("watchfire").append(page);
    }
  }

  mount();
  measureFont();
  readAddress();
  listen();
  render();
  scrollTo(state.focus);
})();
