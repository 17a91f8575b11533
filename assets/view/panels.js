// What stands around a stage: the map, the lists, the heads, the three components, the scale, and the changes one can make.

const NEAR = 40; // tokens on each side of the map round the pin
const LISTED = 6;

// ---- the map round the pin ----

class MapPanel {
  constructor(view) {
    this.view = view;
    this.base = h("canvas", { ariaHidden: "true" });
    this.over = h("canvas", { ariaHidden: "true" });
    this.frame = h("div", { className: "av-map", ariaHidden: "true" }, this.base, this.over);
    this.note = h("p", { className: "av-note" });
    this.element = h("section", { className: "av-map-part" }, said(h("h3", { className: "av-title" }), "map"), this.frame, this.note);
    this.drawn = "";
    const cell = (event) => {
      const box = this.frame.getBoundingClientRect();
      const at = (value, most) => Math.max(0, Math.min(most - 1, Math.floor(value)));
      return [this.r0 + at(((event.clientY - box.y) / box.height) * this.n, this.n), this.c0 + at(((event.clientX - box.x) / box.width) * this.n, this.n)];
    };
    this.frame.addEventListener("pointermove", (event) => { if (this.n) { const [row] = cell(event); if (row < this.map.queries) view.hoverRow(row); } });
    this.frame.addEventListener("pointerleave", () => view.hoverRow(null));
    this.frame.addEventListener("click", (event) => {
      if (!this.n) return;
      const [row, column] = cell(event);
      if (row < this.map.queries) view.pinRows([row]);
      if (column <= row) view.chooseKey(column);
    });
  }

  paint(map, look) {
    this.map = map;
    const size = this.view.sizes.map;
    const keys = Math.max(map.keys, map.queries);
    const whole = this.view.state.whole || keys <= 1.5 * NEAR;
    const n = whole ? keys : Math.min(keys, NEAR);
    const pin = this.view.state.pins[0] ?? map.queries - 1;
    this.n = n;
    this.r0 = whole ? 0 : Math.max(0, Math.min(map.queries - n, pin - Math.floor(n * 0.75)));
    this.c0 = whole ? 0 : this.r0;
    const { head, relative, aside } = this.view.state;
    const drawn = [map.id, map.version, head, relative, aside, n, this.r0, size, theme.dark, this.view.run.id].join();
    if (drawn !== this.drawn) {
      this.drawn = drawn;
      const pen = fresh(this.base, size, size);
      const tops = Array.from({ length: n }, (_, r) => this.view.topOf(map.row(head, this.r0 + r)));
      cells(pen, n, n, (r, c) => {
        const row = map.row(head, this.r0 + r), k = this.c0 + c;
        return !row || k >= row.length || (aside && k === 0) ? -1 : level(row[k], tops[r]);
      }, 0, 0, size, size);
      said(this.note, whole ? "map_whole" : "map_near", { n });
    }
    const pen = fresh(this.over, size, size);
    const unit = size / n;
    pen.lineWidth = 1.5;
    for (const row of look.rows) {
      const y = (row - this.r0) * unit;
      if (y < -0.5 || y > size) continue;
      pen.strokeStyle = theme.query;
      pen.strokeRect(0.75, y + 0.25, Math.max(unit, Math.min(size, (row + 1 - this.c0) * unit)) - 1, Math.max(2, unit - 0.5));
    }
    const key = look.reverse ? look.seen : this.view.keyShown();
    if (key !== null && key >= this.c0) { pen.strokeStyle = theme.key; pen.strokeRect((key - this.c0) * unit + 0.25, 0.75, Math.max(2, unit - 0.5), size - 1.5); }
  }
}

// ---- lists of tokens with a bar each ----

class BarList {
  constructor(title, pick) {
    this.pick = pick;
    this.title = said(h("h3", { className: "av-title" }), title);
    this.list = h("ol", { className: "av-bars" });
    this.note = h("p", { className: "av-note" });
    this.element = h("section", { className: `av-list av-list-${title}` }, this.title, this.list, this.note);
  }

  // rows: [{label, share, marked, name, given}]
  show(rows, colour) {
    const top = Math.max(1e-6, ...rows.map((row) => row.share));
    while (this.list.children.length > rows.length) this.list.lastChild.remove();
    rows.forEach((row, i) => {
      if (!this.list.children[i]) {
        const made = h("button", { type: "button", onclick: () => this.pick(made.row) }, h("span", { className: "av-label" }), h("span", { className: "av-bar", ariaHidden: "true" }, h("i")), h("span", { className: "av-share" }));
        this.list.append(h("li", {}, made));
      }
      const button = this.list.children[i].firstChild;
      const [label, bar, share] = button.children;
      button.row = row;
      label.textContent = bare(row.label);
      label.classList.toggle("av-joined", Boolean(row.joined));
      share.textContent = percent(row.share, row.exact);
      bar.firstChild.style.width = `${Math.max(1.5, (100 * row.share) / top)}%`;
      bar.firstChild.style.backgroundColor = row.marked ? colour : "";
      button.classList.toggle("av-marked", Boolean(row.marked));
      button.setAttribute("aria-label", row.name);
      button.disabled = Boolean(row.fixed);
    });
  }
}

// ---- heads ----

class HeadPanel {
  constructor(view) {
    this.view = view;
    this.group = h("div", { className: "av-heads", role: "radiogroup" });
    said(this.group, "heads", {}, "aria-label");
    this.layers = h("div", { className: "av-layers", role: "radiogroup" });
    said(this.layers, "layers", {}, "aria-label");
    this.title = said(h("h3", { className: "av-title" }), "heads");
    this.element = h("section", { className: "av-head-part" }, this.title, this.layers, this.group);
    this.built = "";
    rovingRadios(this.group, (item) => view.setHead(item.head));
    rovingRadios(this.layers, (item) => view.setLayer(item.layer));
  }

  update(run, map) {
    const built = `${run.order.map((each) => each.id).join()}|${map.heads}`;
    if (built !== this.built) { this.built = built; this.build(run, map); }
    for (const item of this.layers.children) this.check(item, item.layer === map.id);
    for (const item of this.group.children) this.check(item, item.head === this.view.state.head);
  }

  check(item, on) {
    item.setAttribute("aria-checked", String(on));
    item.tabIndex = on ? 0 : -1;
  }

  build(run, map) {
    this.layers.hidden = run.order.length < 2;
    this.layers.replaceChildren(...run.order.map((each) => {
      const item = h("button", { type: "button", role: "radio", className: "av-chip", onclick: () => this.view.setLayer(each.id) });
      item.layer = each.id;
      return said(item, "layer", () => ({ kind: t(`kind_${each.kind}`), layer: each.layer + 1 }));
    }));
    const heads = [...Array(map.heads).keys(), ...(map.heads > 1 ? ["mean", "max"] : [])];
    this.group.replaceChildren(...heads.map((head) => {
      const name = said(h("b"), typeof head === "number" ? "head" : head, { n: head + 1 });
      const item = h("button", { type: "button", role: "radio", className: "av-head", onclick: () => this.view.setHead(head) }, h("canvas", { ariaHidden: "true" }), h("span", {}, name, h("small")));
      item.head = head;
      return item;
    }));
    this.group.style.setProperty("--heads", heads.length);
  }

  // Thumbnails and what each head does: dear, so called now and then only.
  draw(run, map) {
    const size = this.view.sizes.head;
    for (const item of this.group.children) {
      const { head } = item;
      const pen = fresh(item.querySelector("canvas"), size, size);
      const habit = item.querySelector("small");
      if (map.queryAxis && map.queryAxis.grid) this.drawGrid(pen, map, head, size);
      else {
        const n = Math.min(map.queries, 64), from = Math.max(0, map.queries - n);
        cells(pen, n, n, (r, c) => {
          const row = map.row(head, from + r), k = from + c;
          return !row || k >= row.length ? -1 : level(row[k], this.view.topOf(row));
        }, 0, 0, size, size);
      }
      const [name, shares] = typeof head === "number" ? this.habit(run, map, head) : [`${head}_of`, { n: map.heads }];
      habit.textContent = name ? t(name, shares) : "";
      item.title = name && shares.chance ? t(`${name}_long`, shares) : "";
    }
  }

  drawGrid(pen, map, head, size) {
    const [rows, columns] = map.keyAxis.grid;
    const total = new Float32Array(rows * columns);
    const stride = Math.max(1, Math.floor(map.queries / 256));
    for (let q = 0; q < map.queries; q += stride) { const row = map.row(head, q); if (row) for (let k = 0; k < total.length; k++) total[k] += row[k]; }
    const top = Math.max(...total) || 1;
    cells(pen, rows, columns, (r, c) => level(total[r * columns + c], top), 0, 0, size, size);
  }

  // The sentence that says it and its numbers; `chance`: what it would be if all keys counted alike.
  habit(run, map, head) {
    if (map.queryAxis && map.queryAxis.grid && map.keyAxis && map.keyAxis.grid) {
      const found = habitsOfCells(map, head, run.colours);
      if (!found) return [];
      if (found.alike !== null && found.alike > 1.25 * found.chance && found.alike > 0.2) return ["habit_alike", { share: percent(found.alike), chance: percent(found.chance) }];
      return ["habit_far", { share: percent(found.distance), chance: percent(found.far) }];
    }
    const found = habitsOfTokens(map, head);
    if (!found) return [];
    return found.share >= 0.2 ? [`habit_${found.name}`, { share: percent(found.share) }] : ["habit_back", { n: found.distance.toFixed(found.distance < 10 ? 1 : 0) }];
  }
}

// ---- the three components ----

const FORMULAS = {
  scores: [["i", "s"], ["sub", "i"], " = ", ["b", "q"], " · ", ["b", "k"], ["sub", "i"], " ∕ √", ["u", "d"]],
  weights: [["i", "w"], ["sub", "i"], " = softmax(", ["i", "s"], ")", ["sub", "i"]],
  context: [["b", "c"], " = Σ ", ["i", "w"], ["sub", "i"], " ", ["b", "v"], ["sub", "i"]],
};

class Components {
  constructor(view) {
    this.view = view;
    this.parts = {};
    const parts = ["scores", "weights", "context"].map((name, i) => {
      const canvas = h("canvas", { ariaHidden: "true" });
      const formula = h("span", { className: "av-formula", role: "img" }, ...FORMULAS[name].map((piece) => (typeof piece === "string" ? piece : h(piece[0], {}, piece[1]))));
      said(formula, `formula_${name}`, {}, "aria-label");
      const stat = h("p", { className: "av-note" });
      const frame = h("div", { className: "av-strip" }, canvas);
      const title = h("h3", { className: "av-title" }, h("span", { className: "av-number", ariaHidden: "true" }, String(i + 1)), said(h("span"), name));
      this.parts[name] = { canvas, stat, frame };
      return h("section", { className: `av-component av-${name}` }, h("header", {}, title, formula), frame, stat);
    });
    this.element = h("div", { className: "av-components" }, ...parts);
    this.listen();
  }

  listen() {
    const { frame } = this.parts.weights;
    const keyAt = (event) => {
      const box = frame.getBoundingClientRect();
      return this.keyAt ? this.keyAt(event.clientX - box.x, event.clientY - box.y, box.width, box.height) : null;
    };
    let drawing = false;
    const draw = (event) => {
      const box = frame.getBoundingClientRect();
      const key = keyAt(event);
      if (key !== null && this.view.look) this.view.paintKey(key, Math.max(0, Math.min(1, 1 - (event.clientY - box.y - 6) / (STRIP - 24))));
    };
    frame.addEventListener("pointerdown", (event) => { if (this.view.state.painting) { drawing = true; frame.setPointerCapture(event.pointerId); draw(event); } });
    frame.addEventListener("pointermove", (event) => { if (drawing) draw(event); else { this.over = keyAt(event); this.tell(); } });
    frame.addEventListener("pointerup", () => { if (drawing) { drawing = false; this.view.paintDone(); } });
    frame.addEventListener("pointerleave", () => { this.over = null; this.tell(); });
    frame.addEventListener("click", (event) => { const key = keyAt(event); if (key !== null && !this.view.state.painting) this.view.chooseKey(key); });
  }

  tell() {
    const { weights, stat } = this.shown || {};
    if (!stat) return;
    const key = this.over;
    if (key !== null && key !== undefined && key < weights.length) this.parts.weights.stat.textContent = t("key_share", { key: this.view.keyName(key), share: percent(weights[key], this.shown.exact) });
    else this.parts.weights.stat.textContent = stat;
  }

  // look: rows, weights by key; detail: exact numbers of this row or null.
  paint(look, detail) {
    const { head } = this.view.state;
    const heads = detail ? detail.weights.length : 0;
    const painted = this.view.state.painted;
    const weights = painted || (detail ? mixHeads(detail.weights, head) : look.row);
    const scores = detail ? mixHeads(detail.scores, head) : Float32Array.from(look.row, (weight) => (weight > 0 ? Math.log(weight) : NaN));
    const grid = look.keyGrid;
    const size = this.view.sizes.strip;
    const finite = [...scores].filter(Number.isFinite);
    const [low, high] = [Math.min(...finite), Math.max(...finite)];
    this.parts.scores.frame.classList.toggle("av-rough", !detail);
    this.parts.scores.stat.textContent = detail ? t("scores_stat", { low: short(low), high: short(high) }) : t("scores_rough");
    let top = 0, sum = 0;
    for (const weight of weights) { sum += weight; if (weight > top) top = weight; }
    const unused = !look.used;
    const stat = unused ? t("unused") : painted ? t("painting") : t("weights_stat", { top: percent(top, Boolean(detail)), sum: head === "max" ? percent(sum) : "100\u202f%" });
    this.shown = { weights, stat, exact: Boolean(detail) };
    this.tell();
    if (grid) {
      const span = high - low || 1;
      this.drawGrid("scores", grid, (k) => (Number.isFinite(scores[k]) ? (scores[k] - low) / span : -1), size);
      this.keyAt = this.drawGrid("weights", grid, (k) => level(weights[k], top || 1), size);
    } else {
      const labels = topKeys(weights, 3);
      this.drawBars("scores", scores, { low: detail ? Math.min(0, low) : low - 0.4, high: detail ? Math.max(0, high) : high, colour: theme.soft, size, marks: labels });
      this.keyAt = this.drawBars("weights", weights, { low: 0, high: top || 1, colour: unused ? theme.soft : theme.key, size, marks: labels, names: true });
    }
    this.parts.weights.frame.classList.toggle("av-unused", unused);
    this.drawContext(detail, heads, head, size);
  }

  drawBars(name, values, { low, high, colour, size, marks, names }) {
    const pen = fresh(this.parts[name].canvas, size, STRIP);
    const span = high - low || 1, foot = STRIP - 18, room = foot - 6;
    const unit = Math.min(26, size / Math.max(1, values.length)), wide = unit * values.length;
    const x0 = (size - wide) / 2;
    const y = (value) => foot - ((value - low) / span) * room;
    const zero = y(Math.max(low, Math.min(high, 0)));
    pen.fillStyle = theme.line;
    pen.fillRect(x0, (low < 0 && high > 0 ? zero : foot), wide, 1);
    const gap = unit > 5 ? Math.min(3, unit * 0.2) : 0;
    for (let k = 0; k < values.length; k++) {
      if (!Number.isFinite(values[k])) continue;
      const at = y(values[k]), base = low < 0 && high > 0 ? zero : foot;
      pen.fillStyle = k === this.view.state.key ? theme.ink : colour;
      pen.globalAlpha = name === "scores" && !marks.includes(k) ? 0.65 : 1;
      pen.fillRect(x0 + k * unit + gap / 2, Math.min(at, base), Math.max(0.8, unit - gap), Math.max(0.6, Math.abs(at - base)));
    }
    pen.globalAlpha = 1;
    if (names) this.names(pen, marks, x0, unit, size);
    return (x) => { const key = Math.floor((x - x0) / unit); return key >= 0 && key < values.length ? key : null; };
  }

  names(pen, marks, x0, unit, size) {
    pen.font = `12px ${SYSTEM}`;
    pen.fillStyle = theme.ink;
    pen.textAlign = "center";
    const taken = [];
    for (const key of marks) {
      const text = this.view.keyName(key).slice(0, 14);
      const half = pen.measureText(text).width / 2;
      const x = Math.max(half, Math.min(size - half, x0 + (key + 0.5) * unit));
      if (taken.some(([from, to]) => x + half + 6 > from && x - half - 6 < to)) continue;
      taken.push([x - half, x + half]);
      pen.fillText(text, x, STRIP - 4);
    }
  }

  drawGrid(name, [rows, columns], shareAt, size) {
    const pen = fresh(this.parts[name].canvas, size, STRIP);
    const side = STRIP, x0 = 0, wide = (side * columns) / rows;
    cells(pen, rows, columns, (r, c) => shareAt(r * columns + c), x0, 0, wide, side, this.view.state.smooth);
    pen.strokeStyle = theme.line;
    pen.strokeRect(x0 + 0.5, 0.5, wide - 1, side - 1);
    this.drawProfile(pen, Array.from({ length: rows * columns }, (_, k) => shareAt(k)), wide + 14, size - wide - 14, name);
    const key = this.view.state.key;
    if (key !== null) { pen.strokeStyle = theme.ink; pen.lineWidth = 1.5; pen.strokeRect(x0 + ((key % columns) * wide) / columns, (Math.floor(key / columns) * side) / rows, wide / columns, side / rows); }
    return (x, y) => (x < x0 || x >= x0 + wide || y < 0 || y >= side ? null : Math.floor((y / side) * rows) * columns + Math.floor(((x - x0) / wide) * columns));
  }

  // The same numbers sorted, highest first: how many cells share the look.
  drawProfile(pen, shares, x, wide, name) {
    if (wide < 60) return;
    const foot = STRIP - 2;
    const sorted = shares.map((share) => (name === "weights" ? share * share : Math.max(0, share))).sort((a, b) => b - a);
    const unit = wide / sorted.length;
    pen.fillStyle = theme.line;
    pen.fillRect(x, foot, wide, 1);
    pen.fillStyle = name === "weights" ? theme.key : theme.soft;
    pen.beginPath();
    pen.moveTo(x, foot);
    sorted.forEach((share, i) => { pen.lineTo(x + i * unit, foot - share * (foot - 4)); pen.lineTo(x + (i + 1) * unit, foot - share * (foot - 4)); });
    pen.lineTo(x + wide, foot);
    pen.fill();
  }

  drawContext(detail, heads, head, size) {
    const { canvas, stat, frame } = this.parts.context;
    const pen = fresh(canvas, size, STRIP);
    frame.classList.toggle("av-rough", !detail);
    if (!detail) { stat.textContent = this.view.run.silent ? words(this.view.run.silent) : t(this.view.run.series ? "context_none" : this.view.state.pins.length > 1 ? "context_one" : "context_rough"); return; }
    const values = typeof head === "number" ? detail.context[head] : detail.context.flat();
    const most = Math.max(1e-6, ...values.map(Math.abs)), middle = STRIP / 2, unit = size / values.length;
    pen.fillStyle = theme.line;
    pen.fillRect(0, middle, size, 1);
    values.forEach((value, i) => {
      const tall = (Math.abs(value) / most) * (middle - 4);
      pen.fillStyle = theme.ink;
      pen.globalAlpha = 0.45 + (0.55 * Math.abs(value)) / most;
      pen.fillRect(i * unit, value > 0 ? middle - tall : middle + 1, Math.max(0.8, unit * 0.8), tall);
    });
    pen.globalAlpha = 1;
    if (typeof head !== "number") {
      pen.fillStyle = theme.line;
      for (let i = 1; i < heads; i++) pen.fillRect((i * size) / heads - 0.5, 0, 1, STRIP);
    }
    const length = Math.hypot(...values);
    stat.textContent = t(typeof head === "number" || heads === 1 ? "context_stat" : "context_all", { n: values.length, heads, length: short(length) });
  }
}

const STRIP = 108; // height of a strip in pixels

function mixHeads(rows, head) {
  if (typeof head === "number") return rows[head].map((value) => (value === null ? NaN : value));
  return rows[0].map((_, k) => {
    const column = rows.map((row) => row[k]).filter((value) => value !== null);
    if (!column.length) return NaN;
    return head === "max" ? Math.max(...column) : column.reduce((a, b) => a + b, 0) / column.length;
  });
}

// ---- the scale ----

const ticksBelow = (top) => [...TICKS.filter((share) => share < top * 0.9), top];

class Legend {
  constructor() {
    this.canvas = h("canvas", { ariaHidden: "true" });
    this.text = h("span", { className: "av-note" });
    this.element = h("div", { className: "av-legend" }, this.text, this.canvas);
  }

  paint(look, relative) {
    const wide = 196, top = relative ? look.top : 1;
    const drawn = [top, theme.dark, look.reverse].join();
    said(this.text, relative ? "scale_relative" : "scale_absolute", { top: percent(top) });
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    const pen = fresh(this.canvas, wide + 28, 30);
    const inks = look.reverse ? theme.queryTints : theme.tints;
    for (let x = 0; x < wide; x++) { pen.fillStyle = inks[Math.round((LEVELS * x) / wide)]; pen.fillRect(x + 4, 2, 1.5, 9); }
    pen.strokeStyle = theme.line;
    pen.strokeRect(3.5, 1.5, wide + 1, 10);
    pen.font = `12px ${SYSTEM}`;
    pen.textAlign = "center";
    pen.fillStyle = theme.soft;
    let last = Infinity;
    for (const share of ticksBelow(top).reverse()) {
      const x = 4 + wide * level(share, top);
      if (last - x < 36) continue;
      last = x;
      pen.fillRect(x - 0.5, 11, 1, 4);
      pen.fillText(tick(share), Math.max(14, x), 26);
    }
  }
}

// ---- changing the attention ----

class ChangePanel {
  constructor(view) {
    this.view = view;
    const action = (name, act) => said(h("button", { type: "button", className: "av-button", onclick: act }), name);
    this.sharp = h("input", { type: "range", min: "0", max: "4", step: "0.25", value: "1" });
    said(this.sharp, "sharpness", {}, "aria-label");
    this.sharpOut = h("output", {}, "× 1");
    this.sharp.addEventListener("input", () => { this.sharpOut.textContent = `× ${this.sharp.value}`; });
    this.sharp.addEventListener("change", () => this.add({ action: "sharpness", value: Number(this.sharp.value) }));
    this.hide = action("hide_key", () => { const key = this.view.keyShown(); if (key !== null) this.add({ action: "hide", keys: [key] }); });
    this.off = action("off", () => this.add({ action: "off" }));
    this.uniform = action("uniform", () => this.add({ action: "uniform" }));
    this.shuffle = action("shuffle", () => this.add({ action: "shuffle", seed: Math.floor(Math.random() * 1e6) }));
    this.paintButton = action("paint", () => this.view.togglePainting());
    this.scopes = { heads: this.scope("heads", ["this_head", "all_heads"], "all_heads"), queries: this.scope("queries", ["this_query", "all_queries"], "all_queries") };
    this.chips = h("div", { className: "av-edits", role: "group" });
    said(this.chips, "edits", {}, "aria-label");
    this.element = h("div", { className: "av-panel av-change", hidden: true },
      h("label", { className: "av-sharp" }, said(h("span"), "sharpness"), this.sharp, this.sharpOut),
      this.hide, this.off, this.uniform, this.shuffle, this.paintButton,
      h("span", { className: "av-scopes" }, said(h("span", { className: "av-note" }), "scope"), this.scopes.heads.element, this.scopes.queries.element));
  }

  scope(name, options, chosen) {
    const scope = { chosen };
    scope.element = h("span", { className: "av-switch", role: "radiogroup" });
    said(scope.element, `scope_${name}`, {}, "aria-label");
    const choose = (item) => {
      scope.chosen = item.option;
      for (const each of scope.element.children) { each.setAttribute("aria-checked", String(each === item)); each.tabIndex = each === item ? 0 : -1; }
    };
    for (const option of options) {
      const item = said(h("button", { type: "button", role: "radio", onclick: () => choose(item) }), option);
      item.option = option;
      scope.element.append(item);
    }
    choose([...scope.element.children].find((item) => item.option === chosen));
    rovingRadios(scope.element, choose);
    return scope;
  }

  place() {
    const { state, run, map } = this.view;
    const scope = {};
    if (run.order.length > 1 && map) Object.assign(scope, { map: map.kind, layers: [map.layer] });
    if (this.scopes.heads.chosen === "this_head" && typeof state.head === "number") scope.heads = [state.head];
    if (this.scopes.queries.chosen === "this_query") scope.queries = [...state.pins];
    return scope;
  }

  add(edit) {
    const made = { ...edit, ...this.place() };
    const scopeOf = ({ action, heads, queries, layers, map }) => JSON.stringify([action, heads, queries, layers, map]);
    const kept = this.view.edits().filter((each) => each.action === "hide" || scopeOf(each) !== scopeOf(made));
    this.view.sendEdits(made.action === "sharpness" && made.value === 1 ? kept : [...kept, made]);
  }

  update() {
    const edits = this.view.edits();
    const key = this.view.keyShown();
    said(this.hide, "hide_key", { key: key === null ? "…" : this.view.keyName(key) });
    this.hide.disabled = key === null;
    this.paintButton.setAttribute("aria-pressed", String(Boolean(this.view.state.painting)));
    const drawn = JSON.stringify(edits) + lang() + this.view.run?.id;
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    const chips = edits.map((edit, i) => {
      const chip = h("button", { type: "button", className: "av-chip av-edit", onclick: () => this.view.sendEdits(edits.filter((_, at) => at !== i)) }, `${this.describe(edit)} ✕`);
      chip.setAttribute("aria-label", t("remove_edit", { edit: this.describe(edit) }));
      return chip;
    });
    if (chips.length) chips.push(said(h("button", { type: "button", className: "av-link", onclick: () => this.view.sendEdits([]) }), "reset"));
    this.chips.replaceChildren(...chips);
  }

  describe(edit) {
    const key = (edit.keys || []).map((k) => this.view.keyName(k)).join(", ");
    const parts = [t(`edit_${edit.action}`, { value: edit.value ?? 1, key })];
    if (edit.heads) parts.push(edit.heads.map((head) => t("head", { n: head + 1 })).join(", "));
    if (edit.queries) parts.push(t("edit_queries", { n: edit.queries.length }));
    return parts.join(" · ");
  }
}
