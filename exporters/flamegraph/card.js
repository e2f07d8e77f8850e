/* The card beside the pointer. What is under it is found in the data. */

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
