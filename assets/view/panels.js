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
      const { x, y, unit, rows, columns, r0, c0 } = this.area;
      const box = this.frame.getBoundingClientRect();
      const at = (value, most) => Math.max(0, Math.min(most - 1, Math.floor(value)));
      return [r0 + at((event.clientY - box.y - y) / unit, rows), c0 + at((event.clientX - box.x - x) / unit, columns)];
    };
    this.frame.addEventListener("pointermove", (event) => { if (this.area) { const [row] = cell(event); if (row < this.map.queries) view.hoverRow(row); } });
    this.frame.addEventListener("pointerleave", () => view.hoverRow(null));
    this.frame.addEventListener("click", (event) => {
      if (!this.area) return;
      const [row, column] = cell(event);
      if (view.run.paired) view.state.reverse = false;
      if (row < this.map.queries) view.pinRows([row]);
      if (view.run.paired || column <= row) view.chooseKey(column);
    });
  }

  paint(map, look) {
    this.map = map;
    if (this.view.run.paired) this.paintPair(map, look); else this.paintSelf(map, look);
  }

  // Rows and columns are words of two texts, so both axes are named: rows and columns round the pin and what it looks at most.
  paintPair(map, look) {
    const { view } = this, { run, state } = view, size = view.sizes.map;
    said(this.note, "map_pair");
    const pen = fresh(this.base, size, size);
    pen.font = `12px ${SYSTEM}`;
    const names = (count, name) => Array.from({ length: count }, (_, i) => name(i));
    const rows = names(map.queries, (row) => bare(run.tokens[run.wordOf(row)] ?? "")), columns = names(map.keys, (key) => view.keyName(key));
    const wide = (labels) => Math.min(68, Math.max(...labels.map((label) => pen.measureText(label).width)));
    const upright = columns.every((label) => [...label].length <= 2 || isMark(label)); // single characters stand, words are turned
    if (upright) columns.forEach((label, key) => { if (isMark(label)) columns[key] = "∎"; });
    const x = wide(rows) + 6, y = upright ? 20 : wide(columns) + 6;
    const least = 13, most = 26;
    const fit = (room, count) => Math.min(count, Math.floor(room / least));
    const [shownRows, shownColumns] = [fit(size - y, map.queries), fit(size - x, map.keys)];
    const unit = Math.min(most, (size - y) / shownRows, (size - x) / shownColumns);
    const start = (at, shown, all) => Math.max(0, Math.min(all - shown, at - Math.floor(shown / 2)));
    const pinned = look.reverse ? look.askers[0] ?? 0 : look.rows[0], key = look.reverse ? look.seen : view.keyShown() ?? 0;
    const before = view.state.over && this.area?.run === run.id ? this.area : {}; // while one points about, it stays where it can
    const stay = (from, at, shown, all) => (at >= from && at < from + shown && from + shown <= all ? from : start(at, shown, all));
    const r0 = stay(before.r0, pinned, shownRows, map.queries), c0 = stay(before.c0, key, shownColumns, map.keys);
    this.area = { x, y, unit, rows: shownRows, columns: shownColumns, r0, c0, run: run.id };
    cells(pen, shownRows, shownColumns, (r, c) => {
      const row = view.rowAt(r0 + r);
      return row && c0 + c < row.length ? level(row[c0 + c], view.topOf(row)) : -1;
    }, x, y, unit * shownColumns, unit * shownRows, state.smooth);
    pen.strokeStyle = theme.line;
    pen.strokeRect(x - 0.5, y - 0.5, unit * shownColumns + 1, unit * shownRows + 1);
    const clip = (label, room) => { let cut = label; while (cut.length > 1 && pen.measureText(cut).width > room) cut = cut.slice(0, -1); return cut === label ? label : `${cut.slice(0, -1)}…`; };
    pen.textBaseline = "middle";
    for (let r = 0; r < shownRows; r++) {
      const on = !look.reverse && look.rows.includes(r0 + r);
      pen.fillStyle = on ? theme.query : theme.soft;
      pen.textAlign = "right";
      pen.fillText(clip(rows[r0 + r], x - 6), x - 5, y + (r + 0.5) * unit);
    }
    for (let c = 0; c < shownColumns; c++) {
      const at = x + (c + 0.5) * unit;
      pen.fillStyle = c0 + c === key ? theme.key : theme.soft;
      pen.textAlign = upright ? "center" : "left";
      pen.save();
      pen.translate(at, y - 6);
      if (!upright) pen.rotate(-Math.PI / 2);
      pen.fillText(clip(columns[c0 + c], y - 6), 0, upright ? -4 : 0);
      pen.restore();
    }
    const over = fresh(this.over, size, size);
    over.lineWidth = 1.5;
    over.strokeStyle = theme.query;
    if (!look.reverse) for (const row of look.rows) if (row >= r0 && row < r0 + shownRows) over.strokeRect(x, y + (row - r0) * unit, unit * shownColumns, unit);
    over.strokeStyle = theme.key;
    if (key >= c0 && key < c0 + shownColumns) over.strokeRect(x + (key - c0) * unit, y, unit, unit * shownRows);
  }

  paintSelf(map, look) {
    const size = this.view.sizes.map;
    const keys = Math.max(map.keys, map.queries);
    const whole = this.view.state.whole || keys <= 1.5 * NEAR;
    const n = whole ? keys : Math.min(keys, NEAR);
    const pin = this.view.state.pins[0] ?? map.queries - 1;
    const r0 = whole ? 0 : Math.max(0, Math.min(map.queries - n, pin - Math.floor(n * 0.75))), c0 = whole ? 0 : r0;
    const { head, relative, aside } = this.view.state, rolled = head === "rollout";
    const drawn = [map.id, map.version, head, relative, aside, n, r0, size, theme.dark, this.view.run.id, rolled && look.rows.join()].join();
    const margin = look.row.rest || map.places[r0 + n - 1]?.part.top ? 9 : 0; // a column at the edge for all that was not kept
    const unit = (size - margin) / n;
    this.area = { x: 0, y: 0, unit, rows: n, columns: n, r0, c0 };
    if (drawn !== this.drawn) {
      this.drawn = drawn;
      const pen = fresh(this.base, size, size);
      const dots = Math.min(n, Math.ceil(size)), at = (i) => Math.floor((i * n) / dots); // of a large map not every cell has its pixel
      const rows = Array.from({ length: dots }, (_, r) => (rolled && !this.view.rolled.has(r0 + at(r)) ? null : this.view.rowAt(r0 + at(r))));
      const tops = rows.map((row) => this.view.topOf(row));
      cells(pen, dots, dots, (r, c) => {
        const row = rows[r], k = c0 + at(c);
        return !row || k >= row.length || (aside && k === 0) ? -1 : level(row[k], tops[r]);
      }, 0, 0, size - margin, size - margin);
      if (margin) cells(pen, dots, 1, (r) => (rows[r] ? level(rows[r].rest, Math.max(tops[r], rows[r].rest)) : -1), size - margin + 3, 0, margin - 3, size - margin);
      said(this.note, margin ? "map_others" : whole ? "map_whole" : "map_near", { n });
    }
    const pen = fresh(this.over, size, size);
    pen.lineWidth = 1.5;
    for (const row of look.rows) {
      const y = (row - r0) * unit;
      if (y < -0.5 || y > size) continue;
      pen.strokeStyle = theme.query;
      pen.strokeRect(0.75, y + 0.25, Math.max(unit, Math.min(size, (row + 1 - c0) * unit)) - 1, Math.max(2, unit - 0.5));
    }
    const key = look.reverse ? look.seen : this.view.keyShown();
    if (key !== null && key >= c0) { pen.strokeStyle = theme.key; pen.strokeRect((key - c0) * unit + 0.25, 0.75, Math.max(2, unit - 0.5), size - margin - 1.5); }
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
      share.textContent = row.shown ?? percent(row.share, row.exact);
      bar.firstChild.style.width = `${Math.max(1.5, (100 * row.share) / top)}%`;
      bar.firstChild.style.backgroundColor = row.marked ? colour : "";
      button.classList.toggle("av-marked", Boolean(row.marked));
      button.setAttribute("aria-label", row.name);
      button.title = row.shown ? row.name : "";
      button.disabled = Boolean(row.fixed);
    });
  }
}

// ---- heads ----

const MIXES = ["mean", "max", "rollout"];
const DOES = ["before", "first", "same", "after_same"]; // what heads were measured to do, over a fixed sample
const TELLING = 0.15; // share from which a habit is worth its name
const SPELLED = 6; // heads of a layer up to which each has its habit beside it

class HeadPanel {
  constructor(view) {
    this.view = view;
    this.group = h("div", { className: "av-heads" });
    this.mixes = h("div", { className: "av-mixes" });
    this.layers = h("div", { className: "av-layers", role: "radiogroup" });
    said(this.layers, "layers", {}, "aria-label");
    this.title = said(h("h3", { className: "av-title" }), "heads");
    this.told = h("p", { className: "av-note av-does" });
    this.radios = h("div", { className: "av-radios", role: "radiogroup" }, h("div", { className: "av-line" }, this.title, this.mixes), this.group);
    said(this.radios, "heads", {}, "aria-label");
    this.element = h("section", { className: "av-head-part" }, this.layers, this.radios, this.told);
    this.items = [];
    this.built = "";
    rovingRadios(this.layers, (item) => view.setLayer(item.layer));
    this.radios.addEventListener("keydown", (event) => this.key(event));
    this.group.addEventListener("scroll", () => this.paintSoon(), { passive: true });
  }

  // A row a layer where a text has several; pictures and single layers have a list.
  get isStack() { return this.layerMaps.length > 1 && !this.view.run.isPicture; }

  update(run, map) {
    this.layerMaps = byKind(run.order).find((maps) => maps.includes(map)) || [map];
    const built = `${run.id}|${run.order.map((each) => each.id).join()}|${map.heads}|${this.isStack && map.kind}|${lang()}`;
    if (built !== this.built) { this.built = built; this.build(run, map); }
    const { head } = this.view.state;
    for (const item of this.layers.children) this.check(item, item.layer === map.id || (this.isStack && item.kind === map.kind));
    for (const item of this.items) this.check(item, item.head === head && (!this.isStack || typeof head !== "number" || item.map === map.id));
    for (const label of this.group.querySelectorAll(".av-row-name")) label.classList.toggle("av-on", label.map === map.id && head !== "rollout");
    this.tell(run, map, head);
    this.element.hidden = run.paired && run.order.length < 2 && map.heads < 2; // nothing to choose
    this.view.band.classList.toggle("av-alone", this.element.hidden && this.view.curves.element.hidden);
  }

  check(item, on) {
    if (item.getAttribute("aria-checked") === String(on)) return;
    item.setAttribute("aria-checked", String(on));
    item.tabIndex = on ? 0 : -1;
  }

  build(run, map) {
    this.element.classList.toggle("av-stacked", this.isStack);
    this.view.band.classList.toggle("av-many", this.isStack);
    const kinds = byKind(run.order);
    this.layers.hidden = this.isStack ? kinds.length < 2 : run.order.length < 2;
    this.layers.replaceChildren(...(this.isStack ? kinds.map((maps) => maps[0]) : run.order).map((each) => {
      const item = h("button", { type: "button", role: "radio", className: "av-chip", onclick: () => this.view.setLayer(each.id) });
      Object.assign(item, { layer: each.id, kind: each.kind });
      return this.isStack ? said(item, `kind_${each.kind}`) : said(item, "layer", () => ({ kind: t(`kind_${each.kind}`), layer: each.layer + 1 }));
    }));
    this.mixes.replaceChildren();
    if (this.isStack) this.buildStack(run); else this.buildList(map);
    this.items = [...this.radios.querySelectorAll('[role="radio"]')];
    this.title.title = this.isStack ? t("heads_keys") : "";
  }

  buildList(map) {
    const heads = [...Array(map.heads).keys(), ...(map.heads > 1 ? ["mean", "max"] : [])];
    this.group.replaceChildren(...heads.map((head) => {
      const name = said(h("b"), typeof head === "number" ? "head" : head, { n: head + 1 });
      const item = h("button", { type: "button", role: "radio", className: "av-head", onclick: () => this.view.setHead(head) }, h("canvas", { ariaHidden: "true" }), h("span", {}, name, h("small")));
      item.head = head;
      return item;
    }));
  }

  buildStack(run) {
    const { view } = this;
    const mixes = MIXES.filter((name) => name !== "rollout" || run.stack.length > 1).map((name) => {
      const item = said(h("button", { type: "button", role: "radio", className: "av-chip", onclick: () => view.setHead(name) }), name);
      Object.assign(item, { head: name, title: t(`${name}_title`) });
      return item;
    });
    const spelled = Math.max(...this.layerMaps.map((map) => map.heads)) <= SPELLED;
    const rows = this.layerMaps.map((map) => h("div", { className: "av-layer-row" },
      Object.assign(said(h("span", { className: "av-row-name", ariaHidden: "true" }), "layer_short", { n: map.layer + 1 }), { map: map.id }),
      ...Array.from({ length: map.heads }, (_, head) => {
        const item = h("button", { type: "button", role: "radio", className: "av-cell", onclick: () => this.choose(map.id, head) }, h("canvas", { ariaHidden: "true", width: 1, height: 1 }), ...(spelled ? [h("span", {}, h("b"), h("small"))] : []));
        Object.assign(item, { head, map: map.id });
        this.name(item, run, map);
        return item;
      })));
    this.mixes.replaceChildren(...mixes);
    this.group.replaceChildren(h("div", { className: `av-stack${spelled ? " av-told" : ""}` }, ...rows));
  }

  choose(id, head) {
    if (id !== this.view.map.id) this.view.setLayer(id, head); else this.view.setHead(head);
  }

  // Arrows walk over a list one by one, over a stack by head and by layer.
  key(event) {
    const at = this.items.indexOf(document.activeElement);
    const moves = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 1, ArrowUp: -1 };
    if (at < 0 || !(event.key in moves || event.key === "Home" || event.key === "End")) return;
    event.preventDefault();
    const cells = this.items.filter((item) => item.map), mixes = this.items.length - cells.length;
    const wide = this.isStack && /Up|Down/.test(event.key) && at >= mixes ? this.layerMaps[0].heads : 1;
    const to = event.key === "Home" ? 0 : event.key === "End" ? this.items.length - 1 : at + moves[event.key] * wide;
    const next = wide > 1 ? this.items[to < mixes ? 0 : Math.min(to, this.items.length - 1)] : this.items[(to + this.items.length) % this.items.length];
    if (next.map) this.choose(next.map, next.head); else this.view.setHead(next.head);
    next.focus();
  }

  // What a head of a stack does, by its own measure; said beside it where there is room, else by its name.
  name(item, run, map) {
    const habit = this.measured(run, map, item.head), [best] = habit;
    const told = best && best[1] >= TELLING ? best : null;
    if (item.children[1]) {
      const [share, does] = item.children[1].children;
      share.textContent = told ? percent(told[1]) : t("head", { n: item.head + 1 });
      does.textContent = told ? t(`short_${told[0]}`) : "";
    }
    const name = t("head_of", { layer: map.layer + 1, head: item.head + 1 });
    item.setAttribute("aria-label", told ? `${name}: ${t("does", { share: percent(told[1]), what: t(`does_${told[0]}`) })}` : name);
    item.title = [name, ...habit.map(([what, share]) => t("does", { share: percent(share), what: t(`does_${what}`) }))].join("\n");
  }

  // [[habit, share]], the strongest first, as the card has them; else over the rows of this run, once it is done.
  measured(run, map, head) {
    const shares = run.head.heads?.[map.kind]?.[map.layer]?.[head];
    if (shares) return DOES.filter((name) => name in shares).map((name) => [name, shares[name]]).sort((a, b) => b[1] - a[1]);
    const known = (map.habits ||= new Map()), drawn = `${head}:${map.version}`;
    if (!run.done || run.shown < run.steps.length || map.kind !== "self" || run.paired) return [];
    if (!known.has(drawn)) {
      const found = habitsOfTokens(map, head, (position) => map.read(head, position));
      known.set(drawn, found ? found.shares.filter(([name]) => name !== "itself") : []);
    }
    return known.get(drawn);
  }

  describe(run, map, head) {
    if (head === "rollout") return t("rollout_told", { n: run.stack.length });
    if (typeof head !== "number") return t(`${head}_told`, { layer: map.layer + 1, n: map.heads });
    const list = this.measured(run, map, head).filter(([, share]) => share >= 0.005).map(([what, share]) => t("does", { share: percent(share), what: t(`does_${what}`) }));
    return [t("head_of", { layer: map.layer + 1, head: head + 1 }), list.join(t("comma"))].filter(Boolean).join(t("colon"));
  }

  // Thumbnails and what each head does: dear, so called now and then only, and of a stack only what is seen, while there is time.
  draw(run, map) {
    if (this.isStack) { this.paintSoon(); return; }
    const size = this.view.sizes.head;
    for (const item of this.items) {
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

  paintSoon() {
    if (this.painting || !this.isStack) return;
    this.painting = true;
    idle((left) => {
      this.painting = false;
      if (!this.paintStack(left)) this.paintSoon();
    });
  }

  // Draws cells that are in sight and not as the run stands; returns whether that were all.
  paintStack(left) {
    const { run, sizes } = this.view;
    if (!run || !this.view.map || !this.isStack) return true;
    const { scrollTop, clientHeight, scrollHeight } = this.group, tall = scrollHeight / this.layerMaps.length;
    let worked = 0;
    for (const item of this.items) {
      const map = item.map && run.maps.get(item.map);
      if (!map) continue;
      const drawn = [run.id, map.version, theme.dark, sizes.cell, run.done && run.shown === run.steps.length, lang()].join();
      if (item.drawn === drawn) continue;
      const top = this.layerMaps.indexOf(map) * tall;
      if (top > scrollTop + clientHeight || top + tall < scrollTop) continue;
      if (worked++ && left() < 3) return false;
      item.drawn = drawn;
      const size = item.children[1] ? sizes.cell : sizes.tiny, dots = Math.min(size, Math.max(2, map.queries));
      const small = map.small(item.head, dots, 3 * size);
      cells(fresh(item.firstChild, size, size), dots, dots, (r, c) => small[r * dots + c] / 255 || -1, 0, 0, size, size);
      this.name(item, run, map);
    }
    this.tell(run, this.view.map, this.view.state.head);
    return true;
  }

  tell(run, map, head) {
    this.told.textContent = this.told.title = this.isStack ? this.describe(run, map, head) : "";
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
    const found = run.paired ? null : habitsOfTokens(map, head);
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
