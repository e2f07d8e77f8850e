/*
 * The profile that the page was given: frames, and nodes as columns.
 *
 * The data block is the element "profile"; its shape is in page.h.
 */

const SHADES = 4;
const LETTERS = {
  application: "a", library: "l", kernel: "k", runtime: "r",
  unknown: "u", account: "g", process: "p", thread: "t",
};

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
