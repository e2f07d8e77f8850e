/* Figures, places and widths of text. */

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
