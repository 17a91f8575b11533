// What stands around a stage: the map, the lists, the heads, the scale.

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
    const drawn = [top, theme.dark, look.reverse, look.used].join();
    said(this.text, relative ? "scale_relative" : "scale_absolute", { top: percent(top) });
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    const pen = fresh(this.canvas, wide + 28, 30);
    const { tints } = inksOf(look);
    for (let x = 0; x < wide; x++) { pen.fillStyle = tints[Math.round((LEVELS * x) / wide)]; pen.fillRect(x + 4, 2, 1.5, 9); }
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
