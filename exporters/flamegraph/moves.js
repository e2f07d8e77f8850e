/* Moves: zoom, focus, flip, and the neighbours of a frame. */

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
