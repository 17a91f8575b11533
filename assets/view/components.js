// The three components of the pinned query, a strip each: the model's own numbers where they are known.

const FORMULAS = {
  scores: [["i", "s"], ["sub", "i"], " = ", ["b", "q"], " · ", ["b", "k"], ["sub", "i"], " ∕ √", ["u", "d"]],
  additive: [["i", "s"], ["sub", "i"], " = ", ["b", "v"], " · tanh(", ["b", "q"], " + ", ["b", "k"], ["sub", "i"], ")"],
  weights: [["i", "w"], ["sub", "i"], " = softmax(", ["i", "s"], ")", ["sub", "i"]],
  context: [["b", "c"], " = Σ ", ["i", "w"], ["sub", "i"], " ", ["b", "v"], ["sub", "i"]],
};

class Components {
  constructor(view) {
    this.view = view;
    this.parts = {};
    const parts = ["scores", "weights", "context"].map((name, i) => {
      const canvas = h("canvas", { ariaHidden: "true" });
      const formula = h("span", { className: "av-formula", role: "img" });
      const stat = h("p", { className: "av-note" });
      const frame = h("div", { className: "av-strip" }, canvas);
      const title = h("h3", { className: "av-title" }, h("span", { className: "av-number", ariaHidden: "true" }, String(i + 1)), said(h("span"), name));
      this.parts[name] = { canvas, stat, frame, formula };
      this.write(name, name);
      return h("section", { className: `av-component av-${name}` }, h("header", {}, title, formula), frame, stat);
    });
    this.element = h("div", { className: "av-components" }, ...parts);
    this.listen();
  }

  write(name, formula) {
    const part = this.parts[name];
    if (part.written === formula) return;
    part.written = formula;
    part.formula.replaceChildren(...FORMULAS[formula].map((piece) => (typeof piece === "string" ? piece : h(piece[0], {}, piece[1]))));
    said(part.formula, `formula_${formula}`, {}, "aria-label");
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
      if (key !== null && this.view.look) this.view.paintKey(key, Math.max(0, Math.min(1, 1 - (event.clientY - box.y - 6) / (this.view.sizes.tall - 24))));
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
    if (key !== null && key !== undefined && key < weights.length) this.parts.weights.stat.textContent = t("key_share", { key: this.view.keyName(key), share: percent(shareOf(weights, key), this.shown.exact) });
    else this.parts.weights.stat.textContent = stat;
  }

  // look: rows, weights by key; detail: exact numbers of this row or null.
  paint(look, detail) {
    const { head } = this.view.state, rolled = head === "rollout";
    const heads = detail ? detail.weights.length : 0;
    if (detail) this.view.scoring.set(this.view.run.head.generator, detail.additive ? "additive" : "scores"); // known from then on
    this.write("scores", this.view.scoring.get(this.view.run.head.generator) ?? "scores");
    const painted = this.view.state.painted;
    const weights = painted || (detail ? mixHeads(detail.weights, head) : look.row);
    const scores = detail ? mixHeads(detail.scores, head) : Float32Array.from(look.row, (weight) => (weight > 0 ? Math.log(weight) : NaN));
    const grid = look.keyGrid;
    const size = this.view.sizes.strip;
    const finite = [...scores].filter(Number.isFinite);
    const [low, high] = [Math.min(...finite), Math.max(...finite)];
    this.parts.scores.frame.classList.toggle("av-rough", !detail);
    this.parts.scores.stat.textContent = rolled ? t("rollout_none") : detail ? t("scores_stat", { low: short(low), high: short(high) }) : t("scores_rough");
    const rest = (!painted && look.row.rest) || 0;
    let top = 0, sum = rest;
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
      if (rolled) fresh(this.parts.scores.canvas, size, this.view.sizes.tall);
      else this.drawBars("scores", scores, { low: detail ? Math.min(0, low) : low - 0.4, high: detail ? Math.max(0, high) : high, colour: theme.soft, size, marks: labels });
      this.keyAt = this.drawBars("weights", weights, { low: 0, high: Math.max(top, rest) || 1, colour: unused ? theme.soft : theme.key, size, marks: labels, names: true, rest });
    }
    this.parts.weights.frame.classList.toggle("av-unused", unused);
    this.drawContext(detail, heads, head, size);
  }

  // rest: the weight of all keys that were not kept, a bar of its own at the right.
  drawBars(name, values, { low, high, colour, size: whole, marks, names, rest = 0 }) {
    const { tall } = this.view.sizes;
    const pen = fresh(this.parts[name].canvas, whole, tall);
    const size = rest ? whole - 26 : whole;
    const span = high - low || 1, foot = tall - 18, room = foot - 6;
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
    if (rest) {
      pen.fillStyle = theme.soft;
      pen.fillRect(whole - 16, y(rest), 12, Math.max(0.6, foot - y(rest)));
      pen.font = `12px ${SYSTEM}`;
      pen.textAlign = "right";
      pen.fillText(t("others_short"), whole, tall - 4);
    }
    if (names) this.names(pen, marks, x0, unit, rest ? size - pen.measureText(t("others_short")).width + 20 : size);
    return (x) => { if (rest && x > whole - 20) return OTHERS; const key = Math.floor((x - x0) / unit); return key >= 0 && key < values.length ? key : null; };
  }

  names(pen, marks, x0, unit, size) {
    const { tall } = this.view.sizes;
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
      pen.fillText(text, x, tall - 4);
    }
  }

  drawGrid(name, [rows, columns], shareAt, size) {
    const { tall } = this.view.sizes;
    const pen = fresh(this.parts[name].canvas, size, tall);
    const side = tall, x0 = 0, wide = (side * columns) / rows;
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
    const foot = this.view.sizes.tall - 2;
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
    const { canvas, stat, frame } = this.parts.context, { tall } = this.view.sizes;
    const pen = fresh(canvas, size, tall);
    frame.classList.toggle("av-rough", !detail);
    if (!detail) { stat.textContent = head === "rollout" ? t("rollout_none") : this.view.run.silent ? words(this.view.run.silent) : t(this.view.run.series ? "context_none" : this.view.state.pins.length > 1 ? "context_one" : this.view.run.isPainting && this.view.momentNow === "mean" ? "context_moment" : this.view.run.isPicture ? "context_cell" : "context_rough"); return; }
    const values = typeof head === "number" ? detail.context[head] : detail.context.flat();
    const most = Math.max(1e-6, ...values.map(Math.abs)), middle = tall / 2, unit = size / values.length;
    pen.fillStyle = theme.line;
    pen.fillRect(0, middle, size, 1);
    values.forEach((value, i) => {
      const high = (Math.abs(value) / most) * (middle - 4);
      pen.fillStyle = theme.ink;
      pen.globalAlpha = 0.45 + (0.55 * Math.abs(value)) / most;
      pen.fillRect(i * unit, value > 0 ? middle - high : middle + 1, Math.max(0.8, unit * 0.8), high);
    });
    pen.globalAlpha = 1;
    if (typeof head !== "number") {
      pen.fillStyle = theme.line;
      for (let i = 1; i < heads; i++) pen.fillRect((i * size) / heads - 0.5, 0, 1, tall);
    }
    const length = Math.hypot(...values);
    stat.textContent = t(typeof head === "number" || heads === 1 ? "context_stat" : "context_all", { n: values.length, heads, length: short(length) });
  }
}

function mixHeads(rows, head) {
  if (typeof head === "number") return rows[head].map((value) => (value === null ? NaN : value));
  return rows[0].map((_, k) => {
    const column = rows.map((row) => row[k]).filter((value) => value !== null);
    if (!column.length) return NaN;
    return head === "max" ? Math.max(...column) : column.reduce((a, b) => a + b, 0) / column.length;
  });
}
