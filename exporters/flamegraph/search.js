/* Search: which names match, and the way from match to match. */

const MIN_REVEALED = 4; // a match is zoomed to until it is as wide

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
