// What stands around a stage: the map, the lists, the scale.

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
    said(this.text, !relative ? "scale_absolute" : look.word !== undefined && !look.keyGrid ? "scale_common" : "scale_relative", { top: percent(top) });
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
