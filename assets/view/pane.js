// One picture of the stage with its cells: they are pointed at, pinned and walked over; what was not looked at is dimmed.

const DIM = 0.84; // how far a cell with no weight is darkened
const SHADE = [13, 15, 18];
const HATCH = 7; // pixels between the lines over what is rubbed out

class Pane {
  // of: the picture that it shows, "in", "out" or "difference"; queries, keys: whether the map that is shown asks from here, looks at here.
  constructor(stage) {
    Object.assign(this, { stage, of: "out", queries: false, keys: false, from: null, cursor: null });
    this.canvas = h("canvas", { ariaHidden: "true" });
    this.frame = h("div", { className: "av-frame", tabIndex: 0, role: "application" }, this.canvas);
    this.caption = h("figcaption");
    this.tools = h("div", { className: "av-pane-tools" });
    this.element = h("figure", { className: "av-pane" }, this.frame, h("div", { className: "av-pane-foot" }, this.caption, this.tools));
    this.listen();
  }

  get view() { return this.stage.view; }
  get grid() { return this.stage.gridOf(this); }
  get brushed() { return this.of === "in" && this.stage.brush.on; }

  cellAt(event) {
    const [rows, columns] = this.grid, box = this.frame.getBoundingClientRect();
    const clamp = (value, most) => Math.max(0, Math.min(most - 1, Math.floor(value)));
    return clamp(((event.clientY - box.y) / box.height) * rows, rows) * columns + clamp(((event.clientX - box.x) / box.width) * columns, columns);
  }

  listen() {
    const { frame, stage } = this;
    frame.addEventListener("pointermove", (event) => {
      if (!this.grid) return;
      const cell = this.cellAt(event);
      if (this.brushed) { stage.brush.over(cell, event); return; }
      if (event.pointerType === "touch") return;
      if (this.queries && this.from !== null && event.buttons && cell !== this.from) { this.dragged = true; this.view.pinRows(rectangle(this.grid, this.from, cell)); }
      this.hover(cell, event.altKey);
    });
    frame.addEventListener("pointerleave", () => { stage.brush.leave(); this.view.hoverCell(null); });
    frame.addEventListener("pointerdown", (event) => {
      this.from = this.grid ? this.cellAt(event) : null;
      this.dragged = false;
      if (!this.brushed || this.from === null || event.button > 0) return;
      frame.setPointerCapture(event.pointerId);
      stage.brush.begin(this.from);
    });
    for (const name of ["pointerup", "pointercancel"]) frame.addEventListener(name, () => stage.brush.end());
    frame.addEventListener("click", (event) => {
      if (this.brushed || this.dragged || this.from === null) return;
      this.cursor = this.from;
      stage.press(this, this.from, event.shiftKey);
    });
    frame.addEventListener("keydown", (event) => this.key(event));
    frame.addEventListener("focusin", () => this.view.refresh());
    frame.addEventListener("focusout", () => { stage.brush.leave(); this.view.hoverCell(null); this.view.refresh(); });
  }

  // Over what asks: where it looks; over what is looked at only, or with Alt: who looked there.
  hover(cell, alt = false) {
    const key = this.keys && (!this.queries || alt || this.view.state.reverse);
    this.view.hoverCell(this.queries || key ? cell : null, key);
  }

  key(event) {
    if (!this.grid || event.ctrlKey || event.metaKey) return;
    const [rows, columns] = this.grid;
    const at = this.cursor ?? (this.queries ? this.view.state.pins[0] : this.view.keyShown()) ?? 0;
    if (event.key === " " && this.brushed) { event.preventDefault(); this.stage.brush.dab(at); return; }
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); this.stage.press(this, at, event.shiftKey && !this.queries); return; }
    const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!move) return;
    event.preventDefault();
    const [r, c] = [Math.floor(at / columns) + move[0], (at % columns) + move[1]];
    this.cursor = Math.max(0, Math.min(rows - 1, r)) * columns + Math.max(0, Math.min(columns - 1, c));
    if (this.brushed) { this.stage.brush.over(this.cursor); return; }
    if (this.queries && event.shiftKey) this.view.pinRows(rectangle(this.grid, this.view.state.pins[0] ?? at, this.cursor));
    this.hover(this.cursor);
    this.view.refresh();
  }

  // ---- painting ----

  paint(look) {
    const { stage } = this, size = this.frame.clientWidth;
    const pen = fresh(this.canvas, size, size), { smooth } = this.view.state;
    pen.imageSmoothingEnabled = smooth;
    pen.imageSmoothingQuality = "high";
    if (this.of === "difference") stage.drawDifference(pen, size, smooth);
    else {
      const image = stage.imageOf(this.of);
      if (!image) return;
      pen.drawImage(image, 0, 0, size, size);
    }
    const brushing = this.brushed && stage.brush.at !== null; // one rubs out what one sees
    const mapped = look && stage.map && !stage.previewed && !brushing;
    const dimmed = mapped && this.of !== "difference" && (look.reverse ? this.queries : this.keys);
    if (dimmed) shade(pen, look.weights, stage.map[look.reverse ? "queryAxis" : "keyAxis"].grid, look.top, size, smooth);
    if (stage.sourced && this.of !== "out") this.hatch(pen, size);
    if (stage.sourced && this.of === "out") this.outline(pen, size);
    if (mapped) this.marks(pen, look, size);
    else if (stage.reach?.offered) stage.reach.paint(pen, size, this);
    else this.echo(pen, size);
    if (brushing) this.aim(pen, size);
    else if (this.cursor !== null && this.grid && this.frame.matches(":focus-visible")) frame(pen, this.box(this.cursor, size), theme.ink);
  }

  box(cell, size, [rows, columns] = this.grid) {
    return [((cell % columns) / columns) * size, (Math.floor(cell / columns) / rows) * size, size / columns, size / rows];
  }

  // What asks stands in a frame with four lines that point at it; on the other picture the lines alone say where that would be.
  marks(pen, look, size) {
    const asking = look.reverse ? this.keys : this.queries;
    const axis = this.stage.map[look.reverse ? "keyAxis" : "queryAxis"]?.grid, colour = look.reverse ? theme.key : theme.query;
    if (asking && look.boxed.length) {
      const boxes = look.boxed.map((cell) => this.box(cell, size, axis));
      const [x, y] = [0, 1].map((i) => Math.min(...boxes.map((box) => box[i])));
      const [right, foot] = [0, 1].map((i) => Math.max(...boxes.map((box) => box[i] + box[i + 2])));
      cross(pen, [x, y, right - x, foot - y], colour, boxes.length === 1);
    }
    if (look.reverse) return;
    if (this.keys && this.of !== "difference" && this.view.state.key !== null) frame(pen, this.box(this.view.state.key, size, this.stage.map.keyAxis.grid), theme.key);
    const lit = this.keys && this.of !== "difference" && this.view.leaving.boxOn(size);
    if (lit) frame(pen, lit, theme.key);
    if (this.keys && !this.queries && look.boxed.length === 1) {
      const [x, y, w, tall] = this.box(look.boxed[0], size, axis);
      cross(pen, [x + w / 2, y + tall / 2, 0, 0], colour, true);
    }
  }

  // What is looked at beside this picture: the same place, where this one has no map of its own.
  echo(pen, size) {
    const { cells: found, grid } = this.view.echoed ?? this.view.echo ?? {};
    if (found?.length) cross(pen, this.box(found[0], size, grid), theme.query, found.length === 1);
  }

  // What is rubbed out: paper with thin lines.
  hatch(pen, size) {
    const { brush } = this.stage;
    if (!brush.hidden.size || !brush.grid) return;
    pen.save();
    pen.beginPath();
    for (const cell of brush.hidden) pen.rect(...this.box(cell, size, brush.grid));
    pen.clip();
    pen.fillStyle = theme.ground;
    pen.fillRect(0, 0, size, size);
    pen.strokeStyle = theme.soft;
    pen.globalAlpha = 0.4;
    pen.lineWidth = 1;
    pen.beginPath();
    for (let x = -size; x < size; x += HATCH) { pen.moveTo(x, size); pen.lineTo(x + size, 0); }
    pen.stroke();
    pen.restore();
  }

  // The edge of what was filled in.
  outline(pen, size) {
    const { brush, filled } = this.stage;
    if (!filled.size || !brush.grid) return;
    const [rows, columns] = brush.grid, path = new Path2D();
    for (const cell of filled) {
      const [x, y, w, tall] = this.box(cell, size, brush.grid), r = Math.floor(cell / columns), c = cell % columns;
      if (r === 0 || !filled.has(cell - columns)) { path.moveTo(x, y); path.lineTo(x + w, y); }
      if (r === rows - 1 || !filled.has(cell + columns)) { path.moveTo(x, y + tall); path.lineTo(x + w, y + tall); }
      if (c === 0 || !filled.has(cell - 1)) { path.moveTo(x, y); path.lineTo(x, y + tall); }
      if (c === columns - 1 || !filled.has(cell + 1)) { path.moveTo(x + w, y); path.lineTo(x + w, y + tall); }
    }
    pen.save();
    for (const [width, colour, dash] of [[2.5, "rgba(255,255,255,.75)", []], [1.25, "rgba(20,22,26,.85)", [4, 3]]]) {
      pen.lineWidth = width;
      pen.strokeStyle = colour;
      pen.setLineDash(dash);
      pen.stroke(path);
    }
    pen.restore();
  }

  // The cells that the brush would rub out.
  aim(pen, size) {
    const { brush } = this.stage;
    const boxes = brush.under(brush.at).map((cell) => this.box(cell, size, brush.grid));
    const [x, y] = [0, 1].map((i) => Math.min(...boxes.map((box) => box[i])));
    const [right, foot] = [0, 1].map((i) => Math.max(...boxes.map((box) => box[i] + box[i + 2])));
    frame(pen, [x, y, right - x, foot - y], theme.query);
  }
}

// Darkens a picture where a map has little weight.
function shade(pen, weights, [rows, columns], top, size, smooth = false) {
  scratch.width = columns;
  scratch.height = rows;
  const inner = scratch.getContext("2d"), image = inner.createImageData(columns, rows);
  for (let cell = 0; cell < rows * columns; cell++) image.data.set([...SHADE, 255 * DIM * (1 - level(weights[cell] || 0, top))], 4 * cell);
  inner.putImageData(image, 0, 0);
  pen.save();
  pen.imageSmoothingEnabled = smooth;
  pen.drawImage(scratch, 0, 0, size, size);
  pen.restore();
}

// A frame in a colour, readable on any ground.
function frame(pen, [x, y, w, tall], colour) {
  pen.lineWidth = 4.5;
  pen.strokeStyle = "rgba(255,255,255,.9)";
  pen.strokeRect(x, y, w, tall);
  pen.lineWidth = 2.25;
  pen.strokeStyle = colour;
  pen.strokeRect(x, y, w, tall);
}

// The mark of the query: a frame round its cells, and for one cell four short lines that point at it.
function cross(pen, [x, y, w, tall], colour, lines) {
  if (w) frame(pen, [x, y, w, tall], colour);
  if (!lines) return;
  const [cx, cy, gap, reach] = [x + w / 2, y + tall / 2, Math.max(w / 2 + 2, 4), Math.max(w / 2 + 9, 11)];
  for (const [width, stroke] of [[4.5, "rgba(255,255,255,.9)"], [2.25, colour]]) {
    pen.lineWidth = width;
    pen.strokeStyle = stroke;
    pen.lineCap = "round";
    pen.beginPath();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      pen.moveTo(cx + dx * gap, cy + dy * gap);
      pen.lineTo(cx + dx * reach, cy + dy * reach);
    }
    pen.stroke();
  }
}
