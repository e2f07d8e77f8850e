/* What is shown, and the address, which keeps all of it but the focus. */

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
