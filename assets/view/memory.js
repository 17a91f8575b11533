// Whether a model of pictures copies what it learned from: how near what it made comes to a training picture, beside pictures it never saw.

const BY_CHANCE = 0.02; // share that is too near, up to which nothing speaks for copying: by definition 1 % of unseen pictures are
const MANY = 0.1;

class Memory {
  constructor() {
    this.canvas = h("canvas", { ariaHidden: "true" });
    this.frame = h("div", { className: "av-memory-plot" }, this.canvas);
    this.told = h("p", { className: "av-note" });
    this.element = h("section", { className: "av-memory", hidden: true }, said(h("h3", { className: "av-title" }), "memory"), this.frame, this.told);
    new ResizeObserver(() => this.paint()).observe(this.frame);
  }

  show(run) {
    this.given = run.source ? null : run.head.memory || null; // a picture that was given is no sample
    this.element.hidden = !this.given;
    this.paint();
  }

  sentence() {
    const { unit, closer, nearest_train: made, nearest_held_out: unseen } = this.given;
    const verdict = closer <= BY_CHANCE ? "none" : closer <= MANY ? "some" : "many";
    const distance = (value, edges) => `${short(value ?? median(edges, this.given.edges))} ${words(unit)}`;
    return t(`memory_${verdict}`, { made: distance(made, this.given.made), unseen: distance(unseen, this.given.held_out), share: percent(closer) });
  }

  paint() {
    if (!this.given || this.element.hidden) return;
    this.told.textContent = this.sentence();
    const wide = this.frame.clientWidth, tall = this.frame.clientHeight;
    if (wide < 60 || tall < 30) return;
    const { edges, made, held_out: unseen, unit } = this.given;
    const pen = fresh(this.canvas, wide, tall), foot = tall - 18, [low, high] = [edges[0], edges.at(-1)];
    const x = (value) => ((value - low) / (high - low)) * wide;
    const shares = [unseen, made].map((counts) => { const all = counts.reduce((a, b) => a + b, 0) || 1; return counts.map((count) => count / all); });
    const top = Math.max(...shares.flat()) || 1;
    [[shares[0], theme.soft, [4, 3]], [shares[1], theme.key, []]].forEach(([heights, colour, dash]) => {
      const path = new Path2D();
      path.moveTo(x(low), foot);
      heights.forEach((share, i) => { const y = foot - (share / top) * (foot - 6); path.lineTo(x(edges[i]), y); path.lineTo(x(edges[i + 1]), y); });
      path.lineTo(x(high), foot);
      pen.globalAlpha = 0.14;
      pen.fillStyle = colour;
      if (!dash.length) pen.fill(path);
      pen.globalAlpha = 1;
      pen.lineWidth = 1.75;
      pen.strokeStyle = colour;
      pen.setLineDash(dash);
      pen.stroke(path);
    });
    pen.setLineDash([]);
    pen.fillStyle = theme.line;
    pen.fillRect(0, foot, wide, 1);
    this.names(pen, wide, foot, x, words(unit));
  }

  // The two outlines by name, and the ends of the axis.
  names(pen, wide, foot, x, unit) {
    const { edges } = this.given, step = niceStep((edges.at(-1) - edges[0]) / 4);
    pen.font = `12px ${SYSTEM}`;
    pen.fillStyle = theme.soft;
    const room = wide - pen.measureText(unit).width - 8;
    for (let value = Math.ceil(edges[0] / step) * step; value <= edges.at(-1); value += step) {
      if (x(value) > room || x(value) < 4) continue;
      pen.textAlign = "center";
      pen.fillRect(x(value) - 0.5, foot, 1, 4);
      pen.fillText(short(Number(value.toPrecision(3))), x(value), foot + 15);
    }
    pen.textAlign = "right";
    pen.fillText(unit, wide, foot + 15);
    pen.fillText(`┄ ${t("memory_unseen")}`, wide, 27);
    pen.fillStyle = theme.key;
    pen.fillText(`— ${t("memory_made")}`, wide, 12);
  }
}

// The middle of a histogram.
function median(counts, edges) {
  const half = counts.reduce((a, b) => a + b, 0) / 2;
  let sum = 0;
  const at = counts.findIndex((count) => (sum += count) >= half);
  return at < 0 ? 0 : (edges[at] + edges[at + 1]) / 2;
}
