// Where the things are that words name, found apart from any attention: outlines over the maps, and how well a map points at its thing.

class Silhouette {
  constructor({ label, at, size: [rows, columns], mask }) {
    const bits = bytesOf(mask);
    Object.assign(this, { label, at, rows, columns, paths: new Map() });
    this.mask = Uint8Array.from({ length: rows * columns }, (_, i) => (bits[i >> 3] >> (7 - (i & 7))) & 1);
    this.area = this.mask.reduce((a, b) => a + b, 0) / this.mask.length;
  }

  // Its edge, pixel by pixel, in a picture drawn so large.
  path(size) {
    if (!this.paths.has(size)) this.paths.set(size, this.trace(size / this.columns, size / this.rows));
    return this.paths.get(size);
  }

  trace(wide, tall) {
    const path = new Path2D(), inside = (r, c) => r >= 0 && c >= 0 && r < this.rows && c < this.columns && this.mask[r * this.columns + c] === 1;
    const edge = (r, c, down, across) => { path.moveTo(c * wide, r * tall); path.lineTo((c + across) * wide, (r + down) * tall); };
    for (let r = 0; r <= this.rows; r++) {
      for (let c = 0; c <= this.columns; c++) {
        if (inside(r, c) !== inside(r - 1, c)) edge(r, c, 0, 1);
        if (inside(r, c) !== inside(r, c - 1)) edge(r, c, 1, 0);
      }
    }
    return path;
  }

  draw(pen, size, colour, thick = 2) {
    pen.save();
    pen.lineCap = "square";
    for (const [width, stroke] of [[thick + 1.75, "rgba(255,255,255,.9)"], [thick, colour]]) {
      pen.lineWidth = width;
      pen.strokeStyle = stroke;
      pen.stroke(this.path(size));
    }
    pen.restore();
  }

  // Of a map, enlarged to the pixels of the picture: the share of its weight that lies inside, and whether its highest pixel does.
  measure(weights, grid) {
    const large = enlarged(weights, grid, [this.rows, this.columns]);
    let inside = 0, sum = 0, best = 0;
    for (let i = 0; i < large.length; i++) {
      sum += large[i];
      if (this.mask[i]) inside += large[i];
      if (large[i] > large[best]) best = i;
    }
    return { share: sum ? inside / sum : 0, hit: this.mask[best] === 1 };
  }
}

// Bilinear, the middle of each cell its value; past the outermost middles it stays as there.
function enlarged(weights, [rows, columns], [tall, wide]) {
  const out = new Float32Array(tall * wide);
  const spots = (count, all) => Array.from({ length: all }, (_, i) => {
    const at = Math.max(0, Math.min(count - 1, ((i + 0.5) * count) / all - 0.5)), low = Math.floor(at);
    return [low, Math.min(count - 1, low + 1), at - low];
  });
  const down = spots(rows, tall), across = spots(columns, wide);
  down.forEach(([top, foot, low], y) => across.forEach(([left, right, far], x) => {
    const above = weights[top * columns + left] * (1 - far) + weights[top * columns + right] * far;
    const below = weights[foot * columns + left] * (1 - far) + weights[foot * columns + right] * far;
    out[y * wide + x] = above * (1 - low) + below * low;
  }));
  return out;
}

// The sentence beside a map: how often such maps point at their thing, and how this one does; and the switch that shows the outlines.
class Truth {
  constructor(view) {
    this.view = view;
    this.told = h("p");
    this.here = h("p");
    this.outlines = said(h("button", { type: "button", className: "av-toggle", onclick: () => { view.state.outlines = !view.state.outlines; view.refresh(); } }), "outlines");
    this.best = said(h("button", { type: "button", className: "av-link", onclick: () => this.goBest() }), "truth_best");
    this.element = h("div", { className: "av-truth", hidden: true }, said(h("h3", { className: "av-title" }), "truth"), this.told, this.here, h("span", { className: "av-truth-tools" }, this.outlines, this.best));
  }

  // Of the map that is shown: share of held-out pictures, overlap; null where that was not measured.
  figure() {
    const { run, map, state } = this.view, { truth } = run.head;
    if (!truth || !map || truth.kind !== map.kind) return null;
    const of = (table) => {
      const steps = table?.[map.layer]?.[state.head === "mean" ? table[map.layer].length - 1 : state.head];
      const at = this.view.momentNow === "mean" ? (steps?.length > truth.steps ? truth.steps : -1) : scaled(this.view.momentNow, run.steps.length, truth.steps);
      return steps?.[at];
    };
    const pointing = of(truth.pointing);
    return pointing === undefined ? null : { ...truth, pointing, iou: of(truth.iou) };
  }

  // measured: of each thing {label, share, hit, area}. one: whether it is the map of one word that is looked at.
  paint(measured, one) {
    const figure = this.figure(), { state, run } = this.view, { best } = run.head.truth ?? {};
    this.element.hidden = !figure && !run.regions.length;
    if (this.element.hidden) return;
    this.told.textContent = figure ? t("truth_told", { share: percent(figure.pointing), n: figure.n.toLocaleString(lang()), uniform: percent(figure.uniform) }) : "";
    this.told.title = figure?.iou === undefined ? "" : t("truth_iou", { iou: figure.iou.toFixed(2) });
    this.here.textContent = one && measured.length ? this.tellOne(measured[0])
      : measured.length ? t("truth_here", { list: measured.map(({ label, share }) => t("truth_part", { label: bare(label), share: percent(share) })).join(t("comma")) }) : "";
    this.outlines.hidden = !run.regions.length;
    this.outlines.setAttribute("aria-pressed", String(Boolean(state.outlines)));
    this.best.hidden = !best || !this.view.map || this.isBest(best);
  }

  tellOne({ label, share, hit, area }) {
    return t(hit ? "truth_here_hit" : "truth_here_missed", { label: bare(label), share: percent(share), area: percent(area) });
  }

  isBest({ layer, head, step }) {
    const { map, state, run, momentNow } = this.view;
    return map.layer === layer && state.head === (head ?? "mean") && (!run.isPainting || momentNow === scaled(step, run.head.truth.steps, run.steps.length));
  }

  goBest() {
    const { run } = this.view, { best, steps, kind } = run.head.truth;
    if (run.isPainting) this.view.setMoment(scaled(best.step, steps, run.steps.length));
    this.view.setLayer(`${kind}:${best.layer}`, best.head ?? "mean");
  }
}

// A step of so many as the step of others that lies as far along.
const scaled = (step, of, to) => (of > 1 ? Math.round((step * (to - 1)) / (of - 1)) : Math.max(0, to - 1));
