// The stage of cells that look at cells: the picture with the query marked, and the same picture dimmed where it was not looked at.

const DIM = 0.84; // how far a cell with no weight is darkened
const SHADE = "13,15,18";
const CROP = 46; // pixels of a cell shown with its neighbours

class GridStage {
  constructor(view) {
    this.view = view;
    this.image = null;
    this.panes = ["query", "key"].map((side) => this.pane(side));
    this.crops = h("ol", { className: "av-crops" });
    this.facts = h("dl", { className: "av-facts" });
    this.film = h("div", { className: "av-film" });
    said(this.film, "film", {}, "aria-label");
    this.film.setAttribute("role", "group");
    this.cropsTitle = h("h3", { className: "av-title" });
    this.filmTitle = said(h("h3", { className: "av-title" }), "film");
    this.top = h("div", { className: "av-grid-top" }, this.facts);
    this.side = h("div", { className: "av-grid-side" }, this.top, h("section", {}, this.cropsTitle, this.crops), h("section", { className: "av-film-part" }, this.filmTitle, this.film));
    this.element = h("div", { className: "av-grid" }, h("div", { className: "av-panes" }, ...this.panes.map((pane) => pane.element)), this.side);
    this.observer = new ResizeObserver(() => this.view.refresh());
    this.observer.observe(this.panes[0].frame);
  }

  pane(side) {
    const canvas = h("canvas", { ariaHidden: "true" });
    const frame = h("div", { className: "av-frame", tabIndex: 0, role: "application" }, canvas);
    said(frame, `picture_${side}`, {}, "aria-label");
    const caption = h("figcaption");
    const element = h("figure", { className: "av-pane" }, frame, caption);
    const pane = { side, canvas, frame, caption, element, from: null };
    const cellAt = (event) => {
      const [rows, columns] = this.gridOf(side);
      const box = frame.getBoundingClientRect();
      const clamp = (value, most) => Math.max(0, Math.min(most - 1, Math.floor(value)));
      return clamp(((event.clientY - box.y) / box.height) * rows, rows) * columns + clamp(((event.clientX - box.x) / box.width) * columns, columns);
    };
    frame.addEventListener("pointermove", (event) => {
      if (!this.map || event.pointerType === "touch") return;
      const cell = cellAt(event);
      if (side === "query" && pane.from !== null && event.buttons && cell !== pane.from) { pane.dragged = true; this.view.pinRows(this.rectangle(pane.from, cell)); }
      this.view.hoverCell(cell, side === "key" || event.altKey);
    });
    frame.addEventListener("pointerleave", () => this.view.hoverCell(null));
    frame.addEventListener("pointerdown", (event) => { pane.from = this.map ? cellAt(event) : null; pane.dragged = false; });
    frame.addEventListener("click", (event) => {
      if (!this.map || pane.dragged || pane.from === null) return;
      if (side === "query") this.view.pinRows(event.shiftKey ? [...new Set([...this.view.state.pins, pane.from])] : [pane.from]);
      else this.view.chooseKey(pane.from);
      pane.cursor = pane.from;
    });
    frame.addEventListener("keydown", (event) => this.key(event, pane));
    frame.addEventListener("focusout", () => this.view.hoverCell(null));
    return pane;
  }

  gridOf(side) { return (side === "query" ? this.map.queryAxis : this.map.keyAxis).grid; }

  rectangle(a, b) {
    const columns = this.gridOf("query")[1];
    const [rows, cols] = [[a, b].map((cell) => Math.floor(cell / columns)), [a, b].map((cell) => cell % columns)].map((pair) => pair.sort((x, y) => x - y));
    const found = [];
    for (let r = rows[0]; r <= rows[1]; r++) for (let c = cols[0]; c <= cols[1]; c++) found.push(r * columns + c);
    return found;
  }

  key(event, pane) {
    if (!this.map || event.ctrlKey || event.metaKey) return;
    const [rows, columns] = this.gridOf(pane.side);
    const at = pane.cursor ?? (pane.side === "query" ? this.view.state.pins[0] : this.view.keyShown()) ?? 0;
    let [r, c] = [Math.floor(at / columns), at % columns];
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      if (pane.side === "query") this.view.pinRows([at]); else this.view.chooseKey(at);
      return;
    }
    const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!move) return;
    event.preventDefault();
    r = Math.max(0, Math.min(rows - 1, r + move[0]));
    c = Math.max(0, Math.min(columns - 1, c + move[1]));
    pane.cursor = r * columns + c;
    if (pane.side === "query" && event.shiftKey) this.view.pinRows(this.rectangle(this.view.state.pins[0] ?? at, pane.cursor));
    this.view.hoverCell(pane.cursor, pane.side === "key");
  }

  async update(run, map) {
    this.map = map && map.queryAxis && map.keyAxis && map.queryAxis.grid && map.keyAxis.grid ? map : null;
    const picture = [...run.pictures].reverse().find(Boolean);
    this.showFacts(run);
    if (!picture) { this.image = null; return; }
    if (!picture.image) {
      picture.image = new Image();
      picture.image.src = picture.url;
      await picture.image.decode().catch(() => {});
    }
    this.image = picture.image;
    if (map && !picture.colours && this.map) picture.colours = { query: this.colours(this.gridOf("query")), key: this.colours(this.gridOf("key")) };
    run.colours = picture.colours;
    this.view.pictureReady();
  }

  // Mean colour of every cell, three numbers a cell.
  colours([rows, columns]) {
    const canvas = h("canvas", { width: columns, height: rows });
    const pen = canvas.getContext("2d", { willReadFrequently: true });
    pen.imageSmoothingQuality = "high";
    pen.drawImage(this.image, 0, 0, columns, rows);
    const { data } = pen.getImageData(0, 0, columns, rows);
    return Float32Array.from({ length: rows * columns * 3 }, (_, i) => data[4 * Math.floor(i / 3) + (i % 3)]);
  }

  showFacts(run) {
    const facts = Object.entries(run.facts).map(([name, value]) => [words({ en: STRINGS.en[`fact_${name}`], zh: STRINGS.zh[`fact_${name}`] }) || name, short(value)]);
    if (this.map) {
      const [rows, columns] = this.gridOf("query"), [kr, kc] = this.gridOf("key");
      facts.push([t("looks_at"), t("grids", { queries: `${rows}×${columns}`, keys: `${kr}×${kc}` })]);
    }
    this.facts.replaceChildren(...facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
  }

  paint(look) {
    for (const pane of this.panes) {
      const size = pane.frame.clientWidth;
      const pen = fresh(pane.canvas, size, size);
      pen.imageSmoothingEnabled = this.view.state.smooth;
      pen.imageSmoothingQuality = "high";
      if (!this.image) continue;
      pen.drawImage(this.image, 0, 0, size, size);
      if (!look || !this.map) continue;
      const dimmed = (pane.side === "key") !== look.reverse;
      if (dimmed) this.dim(pen, look, this.gridOf(pane.side), size);
      this.marks(pen, look, pane.side, size);
    }
    said(this.panes[0].caption, look && look.reverse ? "pane_who" : "pane_query");
    said(this.panes[1].caption, look && look.reverse ? "pane_seen" : "pane_key");
    this.element.classList.toggle("av-nomap", !this.map);
  }

  dim(pen, look, [rows, columns], size) {
    scratch.width = columns;
    scratch.height = rows;
    const inner = scratch.getContext("2d");
    const image = inner.createImageData(columns, rows);
    const [r, g, b] = SHADE.split(",").map(Number);
    for (let cell = 0; cell < rows * columns; cell++) image.data.set([r, g, b, 255 * DIM * (1 - level(look.weights[cell] || 0, look.top))], 4 * cell);
    inner.putImageData(image, 0, 0);
    pen.save();
    pen.imageSmoothingEnabled = this.view.state.smooth;
    pen.drawImage(scratch, 0, 0, size, size);
    pen.restore();
  }

  marks(pen, look, side, size) {
    const [rows, columns] = this.gridOf(side);
    const own = (side === "query") !== look.reverse;
    if (own) {
      const at = look.boxed.map((cell) => [Math.floor(cell / columns), cell % columns]);
      if (!at.length) return;
      const r0 = Math.min(...at.map((p) => p[0])), r1 = Math.max(...at.map((p) => p[0])) + 1;
      const c0 = Math.min(...at.map((p) => p[1])), c1 = Math.max(...at.map((p) => p[1])) + 1;
      const rect = [(c0 / columns) * size, (r0 / rows) * size, ((c1 - c0) / columns) * size, ((r1 - r0) / rows) * size];
      cross(pen, rect, look.reverse ? theme.key : theme.query, at.length === 1);
      return;
    }
    if (!look.reverse && this.view.state.key !== null) {
      const key = this.view.state.key;
      frame(pen, [((key % columns) / columns) * size, (Math.floor(key / columns) / rows) * size, size / columns, size / rows], theme.key);
    }
    if (!look.reverse && look.boxed.length === 1) {
      const [qr, qc] = this.gridOf("query");
      const x = (((look.boxed[0] % qc) + 0.5) / qc) * size, y = ((Math.floor(look.boxed[0] / qc) + 0.5) / qr) * size;
      cross(pen, [x, y, 0, 0], theme.query, true);
    }
  }

  showCrops(look) {
    const side = look && look.reverse ? "query" : "key";
    said(this.cropsTitle, look && look.reverse ? "top_askers" : "top_cells");
    const top = look && this.map && this.image ? topKeys(look.weights, 6) : [];
    while (this.crops.children.length > top.length) this.crops.lastChild.remove();
    top.forEach((cell, i) => {
      if (!this.crops.children[i]) {
        const canvas = h("canvas", { ariaHidden: "true" });
        const button = h("button", { type: "button", onclick: () => (button.side === "key" ? this.view.chooseKey(button.cell) : this.view.pinRows([button.cell])) }, canvas, h("span"));
        this.crops.append(h("li", {}, button));
      }
      const button = this.crops.children[i].firstChild;
      const [rows, columns] = this.gridOf(side);
      Object.assign(button, { cell, side });
      button.lastChild.textContent = percent(look.weights[cell]);
      button.setAttribute("aria-label", t("cell_share", { place: this.place(cell, side), share: percent(look.weights[cell]) }));
      button.setAttribute("aria-pressed", String(side === "key" && this.view.state.key === cell));
      const pen = fresh(button.firstChild, CROP, CROP);
      pen.imageSmoothingEnabled = this.view.state.smooth;
      const { naturalWidth: w, naturalHeight: h_ } = this.image;
      const around = 1; // cells shown on every side, so that one sees what the cell is part of
      const sx = ((cell % columns) - around) * (w / columns), sy = (Math.floor(cell / columns) - around) * (h_ / rows);
      const sw = (w / columns) * (1 + 2 * around), sh = (h_ / rows) * (1 + 2 * around);
      pen.drawImage(this.image, sx, sy, sw, sh, 0, 0, CROP, CROP);
      frame(pen, [CROP / 3, CROP / 3, CROP / 3, CROP / 3], side === "key" ? theme.key : theme.query);
    });
  }

  place(cell, side) {
    const columns = this.gridOf(side)[1];
    return t("place", { row: Math.floor(cell / columns) + 1, column: (cell % columns) + 1 });
  }

  showFilm(pictures, current) {
    const nodes = pictures.slice(0, 7).map(({ seed, url }) => {
      const button = h("button", { type: "button", onclick: () => this.view.face(seed) }, h("img", { src: url, alt: "", draggable: false }));
      said(button, "face", { seed }, "aria-label");
      button.title = String(seed);
      if (String(seed) === String(current)) button.setAttribute("aria-current", "true");
      return button;
    });
    this.film.replaceChildren(...nodes);
    this.element.classList.toggle("av-nofilm", !nodes.length);
  }
}

// A frame in a colour, readable on any ground.
function frame(pen, [x, y, w, hh], colour) {
  pen.lineWidth = 4.5;
  pen.strokeStyle = "rgba(255,255,255,.9)";
  pen.strokeRect(x, y, w, hh);
  pen.lineWidth = 2.25;
  pen.strokeStyle = colour;
  pen.strokeRect(x, y, w, hh);
}

// The mark of the query: a frame round its cells, and for one cell four short lines that point at it.
function cross(pen, [x, y, w, hh], colour, lines) {
  if (w) frame(pen, [x, y, w, hh], colour);
  if (!lines) return;
  const [cx, cy, gap, reach] = [x + w / 2, y + hh / 2, Math.max(w / 2 + 2, 4), Math.max(w / 2 + 9, 11)];
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
