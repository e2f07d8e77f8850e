/*
 * The interactive flame graph.
 *
 * The files of this folder are one script, in one function, in the order of
 * exporters/CMakeLists.txt: each uses what stands before it, and the page's
 * buttons and keys call what stands after. The script reads the profile,
 * removes the static picture and builds one page. In an SVG file the page lives
 * in a foreignObject, in an HTML file in the element "watchfire"; nothing else
 * depends on which it is.
 *
 *     profile, text, short_names   what is known of the profile, as text
 *     page                         the elements
 *     state, view                  what is shown; render() draws it
 *     card, search, moves          what the reader does
 *     start                        keys, pointer, and the first view
 */

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
