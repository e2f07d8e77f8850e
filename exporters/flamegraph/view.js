/*
 * The view: render() draws the state.
 *
 * Frames that have room for a label are elements of their own, with a role and
 * a name for assistive tools. All narrower ones are segments of one path for
 * each colour, so that a graph of 100 000 frames costs a few hundred elements.
 */

const ROW = 18;          // pixels from one row to the next
const MIN_DRAWN = 0.3;   // narrower frames, in pixels, are left out
const MIN_COLUMNS = 3;   // narrower labels say nothing
const PADDING = 3;       // between a frame's edge and its label
const BAR = 3;           // the bar at a frame's foot: its time off CPU

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
