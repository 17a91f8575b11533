// How well it does by the length of the source, with attention and without: the figures of the model's card, drawn beside the run.

const BRINK = 13; // pixels that two labels keep from each other

class Curves {
  constructor() {
    this.canvas = h("canvas", { ariaHidden: "true" });
    this.frame = h("div", { className: "av-curve", tabIndex: 0, role: "slider" }, this.canvas);
    this.title = h("h3", { className: "av-title" });
    this.told = h("p", { className: "av-note av-curve-told" });
    this.claim = h("p", { className: "av-note av-claim" });
    this.table = h("table", { className: "av-hidden" });
    this.element = h("section", { className: "av-curves", hidden: true }, this.title, this.frame, this.told, this.table);
    this.at = null;
    this.frame.addEventListener("pointermove", (event) => this.point(this.nearest(event.clientX - this.frame.getBoundingClientRect().x)));
    this.frame.addEventListener("pointerleave", () => this.point(null));
    this.frame.addEventListener("focus", () => { if (this.frame.matches(":focus-visible")) this.point(this.at ?? 0); });
    this.frame.addEventListener("blur", () => this.point(null));
    this.frame.addEventListener("keydown", (event) => {
      const to = { ArrowRight: (this.at ?? -1) + 1, ArrowLeft: (this.at ?? 1) - 1, Home: 0, End: Infinity }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      this.point(Math.max(0, Math.min(this.curve.points.length - 1, to)));
    });
    new ResizeObserver(() => this.paint()).observe(this.frame);
  }

  show(run) {
    this.run = run;
    this.curve = (run.head.curves || [])[0] || null;
    this.at = null;
    this.element.hidden = this.claim.hidden = !this.curve;
    this.paint();
  }

  // Steps came: the first says how long the source is.
  follow() { if (this.curve && this.length !== this.marked) this.paint(); }

  point(at) {
    if (!this.curve || at === this.at) return;
    this.at = at;
    this.paint();
  }

  nearest(x) {
    const { points } = this.curve;
    return points.reduce((best, _, i) => (Math.abs(this.x(i) - x) < Math.abs(this.x(best) - x) ? i : best), 0);
  }

  // Words of the source, as the card counts them: told by the run, else those that hold a letter or a digit.
  get length() {
    const { run } = this;
    return run.facts.source_length ?? (run.shown ? run.tokens.slice(0, run.prompt).filter((label) => /[\p{L}\p{N}]/u.test(label) && !isMark(label)).length : 0);
  }

  bin(length) { return this.curve.points.findIndex(({ from, to }) => length >= from && (to === null || length <= to)); }

  range({ from, to }) { return to === null ? `${from}+` : from === to ? String(from) : `${from}–${to}`; }

  figure(value) { return value === undefined ? "–" : `${Number(value.toPrecision(3))}${this.curve.unit === "%" ? "\u202f%" : ""}`; }

  name() { return t(`metric_${this.curve.name}`) === `metric_${this.curve.name}` ? this.curve.name : t(`metric_${this.curve.name}`); }

  paint() {
    const { curve } = this;
    if (!curve || this.element.hidden) return;
    const unit = words(curve.length_unit), parts = { name: this.name(), unit };
    this.title.textContent = t("curve_title", parts);
    this.claim.textContent = words(curve.claim);
    this.frame.setAttribute("aria-label", this.title.textContent);
    this.frame.setAttribute("aria-valuemin", "0");
    this.frame.setAttribute("aria-valuemax", String(curve.points.length - 1));
    this.frame.setAttribute("aria-valuenow", String(this.at ?? 0));
    this.marked = this.length;
    this.tell();
    this.fill(unit);
    this.draw();
  }

  tell() {
    const own = this.bin(this.length), at = this.at ?? (own < 0 ? 0 : own);
    const point = this.curve.points[at];
    const told = t("curve_point", { range: this.range(point), unit: words(this.curve.length_unit), with: this.figure(point.with), without: this.figure(point.without) });
    this.told.textContent = this.at === null && own >= 0 ? t("curve_own", { told, n: this.length }) : told;
    this.frame.setAttribute("aria-valuetext", told);
  }

  fill(unit) {
    const { points } = this.curve;
    const head = [unit, t("with_attention"), t("without_attention")].map((text) => h("th", { scope: "col" }, text));
    const rows = points.map((point) => h("tr", {}, h("th", { scope: "row" }, this.range(point)), h("td", {}, this.figure(point.with)), h("td", {}, this.figure(point.without))));
    this.table.replaceChildren(h("caption", {}, this.title.textContent), h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...rows));
  }

  x(i) {
    const { left, right, wide } = this.area;
    return left + ((wide - left - right) * (i + 0.5)) / this.curve.points.length;
  }

  draw() {
    const wide = this.frame.clientWidth, tall = this.frame.clientHeight;
    if (wide < 40 || tall < 40) return;
    const pen = fresh(this.canvas, wide, tall);
    pen.font = `12px ${SYSTEM}`;
    const { points } = this.curve;
    const sides = [["with", theme.key, t("with_attention")], ["without", theme.soft, t("without_attention")]];
    const values = points.flatMap((point) => [point.with, point.without]).filter((value) => value !== undefined);
    const step = niceStep(Math.max(...values) / 3), high = step * Math.ceil(Math.max(...values) / step);
    const right = 8 + Math.max(...sides.map(([, , name]) => pen.measureText(name).width));
    this.area = { left: 8 + pen.measureText(this.figure(high)).width, right, wide };
    const top = 9, foot = tall - 20, y = (value) => foot - (value / high) * (foot - top);
    pen.textBaseline = "middle";
    pen.textAlign = "right";
    for (let value = 0; value <= high + step / 2; value += step) {
      pen.fillStyle = theme.line;
      pen.fillRect(this.area.left, Math.round(y(value)), wide - this.area.left - right, 1);
      pen.fillStyle = theme.soft;
      pen.fillText(this.figure(value), this.area.left - 5, y(value));
    }
    const own = this.bin(this.length), marked = this.at ?? own;
    pen.textAlign = "center";
    points.forEach((point, i) => {
      pen.fillStyle = i === marked ? theme.ink : theme.soft;
      pen.font = `${i === marked ? 600 : 400} 12px ${SYSTEM}`;
      pen.fillText(this.range(point), this.x(i), tall - 8);
    });
    pen.font = `12px ${SYSTEM}`;
    if (marked >= 0) {
      pen.strokeStyle = own === marked ? theme.query : theme.soft;
      pen.lineWidth = 1.5;
      pen.setLineDash([3, 3]);
      pen.beginPath();
      pen.moveTo(this.x(marked), top - 4);
      pen.lineTo(this.x(marked), foot);
      pen.stroke();
      pen.setLineDash([]);
    }
    if (own >= 0) { // where this run stands on the axis
      pen.fillStyle = theme.query;
      pen.beginPath();
      pen.moveTo(this.x(own), foot - 6);
      pen.lineTo(this.x(own) - 5, foot + 2);
      pen.lineTo(this.x(own) + 5, foot + 2);
      pen.fill();
    }
    const ends = sides.map(([side]) => { const last = points.filter((point) => point[side] !== undefined).at(-1); return last ? y(last[side]) : null; });
    if (ends[0] !== null && ends[1] !== null && Math.abs(ends[0] - ends[1]) < BRINK) {
      const middle = (ends[0] + ends[1]) / 2, sign = ends[0] <= ends[1] ? -1 : 1;
      ends[0] = middle + (sign * BRINK) / 2;
      ends[1] = middle - (sign * BRINK) / 2;
    }
    sides.forEach(([side, colour, name], which) => {
      pen.strokeStyle = pen.fillStyle = colour;
      pen.lineWidth = 2;
      pen.lineJoin = "round";
      pen.beginPath();
      let begun = false;
      points.forEach((point, i) => { if (point[side] !== undefined) { begun ? pen.lineTo(this.x(i), y(point[side])) : pen.moveTo(this.x(i), y(point[side])); begun = true; } });
      pen.stroke();
      points.forEach((point, i) => {
        if (point[side] === undefined) return;
        pen.beginPath();
        pen.arc(this.x(i), y(point[side]), i === marked ? 4.5 : 3, 0, 7);
        pen.fill();
      });
      pen.textAlign = "left";
      if (ends[which] !== null) pen.fillText(name, wide - right + 4, ends[which]);
    });
  }
}

// The next of 1, 2, 5, 10, 20 … from a size on.
function niceStep(size) {
  const power = 10 ** Math.floor(Math.log10(size || 1));
  return [1, 2, 5, 10].map((each) => each * power).find((each) => each >= size);
}
