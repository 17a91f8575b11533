// Words, numbers, colours, DOM and canvas: what every part of the view draws with. Data reaches the page as text only.

const PALETTES = {
  light: { ground: "#FAFAF7", ink: "#17181A", soft: "#5A5D63", line: "#DEDCD4", query: "#B34700", key: "#0B5CAD", onQuery: "#FFFFFF", onKey: "#FFFFFF" },
  dark: { ground: "#14161A", ink: "#ECEAE4", soft: "#A6AAB1", line: "#30343B", query: "#E69F00", key: "#56B4E9", onQuery: "#14161A", onKey: "#0B0D10" },
};
const LEVELS = 64; // tints between ground and key colour
const SYSTEM = 'system-ui, -apple-system, "Segoe UI", Roboto, "PingFang SC", "Noto Sans CJK SC", "Microsoft YaHei", sans-serif';
const TICKS = [0.01, 0.05, 0.25, 1];

const channels = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
const mix = (from, to, share) => `rgb(${channels(from).map((c, i) => Math.round(c + (channels(to)[i] - c) * share)).join(",")})`;
const ramp = (from, to) => Array.from({ length: LEVELS + 1 }, (_, i) => mix(from, to, i / LEVELS));

const luminance = (rgb) => {
  const [r, g, b] = rgb.map((c) => (c <= 10 ? c / 3294.6 : ((c / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (a, b) => { const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y); return (high + 0.05) / (low + 0.05); };
const READABLE = 4.6; // contrast of text on its ground; WCAG 2.2 asks for 4.5

// For every tint of a ramp the colour that text on it takes; null where the page's own ink does.
function inksOn(tints, ink) {
  return tints.map((colour) => {
    const ground = colour.match(/\d+/g).map(Number);
    if (contrast(ground, channels(ink)) >= READABLE) return null;
    return luminance(ground) > 0.179 ? "#000000" : "#FFFFFF";
  });
}

// The colours of the moment; `tints` and `queryTints` are ramps from the ground.
const theme = { dark: null };
function readTheme() {
  const dark = Boolean(document.querySelector(".dark"));
  if (theme.dark === dark) return false;
  Object.assign(theme, PALETTES[dark ? "dark" : "light"], { dark });
  theme.tints = ramp(theme.ground, theme.key);
  theme.queryTints = ramp(theme.ground, theme.query);
  theme.greys = ramp(theme.ground, theme.ink).map((colour) => colour.match(/\d+/g).map(Number)); // of a difference
  theme.idleTints = ramp(theme.ground, theme.soft); // of rows that were computed and switched off
  theme.idleInks = inksOn(theme.idleTints, theme.ink);
  theme.inks = inksOn(theme.tints, theme.ink);
  theme.queryInks = inksOn(theme.queryTints, theme.ink);
  theme.pixels = theme.tints.map((colour) => colour.match(/\d+/g).map(Number));
  return true;
}

const lang = () => ((document.documentElement.lang || navigator.language || "en").toLowerCase().startsWith("zh") ? "zh" : "en");
const fill = (sentence, parts) => sentence.replace(/\{(\w+)\}/g, (all, name) => (name in parts ? String(parts[name]) : all));
const t = (name, parts = {}) => fill(STRINGS[lang()][name] ?? name, parts);
const words = (given) => (typeof given === "string" ? given : (given || {})[lang()] || (given || {}).en || "");

// An element from a tag, its properties and children; strings become text nodes, never markup.
function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && name !== "list" && name !== "role") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

// Text of an element that follows the language.
function said(element, name, parts = {}, attribute = null) {
  (element.said = element.said || {})[attribute || "text"] = [name, parts];
  element.setAttribute("data-said", "");
  resay(element);
  return element;
}
function resay(element) {
  for (const [attribute, [name, parts]] of Object.entries(element.said)) {
    const text = t(name, typeof parts === "function" ? parts() : parts);
    if (attribute === "text") { if (element.textContent !== text) element.textContent = text; } else element.setAttribute(attribute, text);
  }
}

// A token as a person reads it: spaces at the ends away, what is only white space named by a sign.
const SIGNS = { " ": "␣", "\n": "⏎", "\t": "⇥", "\r": "⏎", "\u3000": "␣" };
function bare(label) {
  const text = label.trim();
  if (text) return text.replace(/\s*\n\s*/g, " ");
  return [...label].slice(0, 3).map((letter) => SIGNS[letter] || "␣").join("") || t("nothing");
}

// A token that stands for no text, as "⟨end⟩".
const isMark = (label) => /^⟨[^⟩]*⟩$/.test(label);

function percent(share, exact = false) {
  const value = 100 * share;
  const nearlyAll = value > 99 && value < 99.95; // is not all
  const digits = exact ? (value >= 10 ? 1 : 2) : nearlyAll ? 1 : value >= 9.95 || value === 0 ? 0 : value >= 0.95 ? 1 : 2;
  return value > 0 && value < 0.005 ? "< 0.01 %" : `${value.toFixed(digits)}\u202f%`;
}
const tick = (share) => `${Number((100 * share).toPrecision(2))}\u202f%`;
const short = (value) => (Number.isInteger(value) ? String(value) : Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2)).replace("-", "−");

// Tints, the text colours on them and the strongest: those of keys, of queries (who looked at me), or of a row switched off.
function inksOf(look) {
  if (look && look.reverse) return { tints: theme.queryTints, inks: theme.queryInks, strong: theme.query };
  if (look && look.used === false) return { tints: theme.idleTints, inks: theme.idleInks, strong: theme.soft };
  return { tints: theme.tints, inks: theme.inks, strong: theme.key };
}

// The share of the ramp that stands for a weight: √p, relative to the row's highest or not.
const level = (weight, top) => Math.min(1, Math.sqrt(weight / top));

// Sizes a canvas for the screen's density, clears it, returns its context in CSS pixels.
function fresh(canvas, width, height) {
  const density = Math.min(3, window.devicePixelRatio || 1);
  const [w, h_] = [Math.max(1, Math.round(width * density)), Math.max(1, Math.round(height * density))];
  if (canvas.width !== w || canvas.height !== h_) {
    canvas.width = w;
    canvas.height = h_;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(density, 0, 0, density, 0, 0);
  pen.clearRect(0, 0, width, height);
  return pen;
}

// An image of rows × columns cells, in the key colour if no other ramp is given; `weightAt(row, column)` may be negative: not there.
const scratch = document.createElement("canvas");
function cells(pen, rows, columns, weightAt, x, y, width, height, smooth = false, pixels = theme.pixels) {
  scratch.width = columns;
  scratch.height = rows;
  const inner = scratch.getContext("2d");
  const image = inner.createImageData(columns, rows);
  for (let r = 0, at = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++, at += 4) {
      const share = weightAt(r, c);
      if (!(share >= 0)) continue;
      const pixel = pixels[Math.round(LEVELS * Math.min(1, share))];
      image.data[at] = pixel[0];
      image.data[at + 1] = pixel[1];
      image.data[at + 2] = pixel[2];
      image.data[at + 3] = 255;
    }
  }
  inner.putImageData(image, 0, 0);
  pen.imageSmoothingEnabled = smooth;
  pen.drawImage(scratch, x, y, width, height);
}

function arc(x1, y1, x2, y2, lineHeight) {
  const across = Math.abs(x2 - x1), down = Math.abs(y2 - y1);
  const lift = down < 4 ? Math.min(lineHeight * 0.62, 7 + across * 0.05) : Math.min(26, 10 + across * 0.04);
  return { x1, y1, x2, y2, c1: [x1 + (x2 - x1) * 0.12, y1 - lift * 1.25], c2: [x1 + (x2 - x1) * 0.88, y2 - lift * 1.25] };
}

// A line from a word of one text to a word of another, upright at both ends.
function link(x1, y1, x2, y2) {
  const bend = (y2 - y1) * 0.45;
  return { x1, y1, x2, y2, c1: [x1, y1 + bend], c2: [x2, y2 - bend] };
}

// A radio group with one stop of the Tab key: arrows move and choose.
function rovingRadios(group, choose) {
  group.addEventListener("keydown", (event) => {
    const items = [...group.querySelectorAll('[role="radio"]')];
    const at = items.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    const next = items[(to + items.length) % items.length];
    next.focus();
    choose(next);
  });
}

const debounce = (wait, action) => {
  let timer = 0;
  return (...given) => { clearTimeout(timer); timer = setTimeout(() => action(...given), wait); };
};
// Calls when the page has nothing better to do, with what is left of that time in milliseconds.
const idle = (action) => (window.requestIdleCallback ? requestIdleCallback((given) => action(() => given.timeRemaining()), { timeout: 400 })
  : setTimeout(() => { const began = performance.now(); action(() => 8 - (performance.now() - began)); }, 30));
const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
