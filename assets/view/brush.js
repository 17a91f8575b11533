// The brush: what of the picture that is read is rubbed out, cell by cell, by mouse, finger or key.

const WIDTHS = [1, 3]; // cells a side
const PAUSE = 250; // ms after the last dab by key before the run is made again

class Brush {
  constructor(stage) {
    Object.assign(this, { stage, on: false, width: 3, at: null, grid: null, hidden: new Set(), stroke: null, dabbed: false, asked: [] });
    this.toggle = said(h("button", { type: "button", className: "av-button av-rub", onclick: () => this.turn(!this.on) }), "rub");
    this.sizes = h("span", { className: "av-switch", role: "radiogroup" }, ...WIDTHS.map((width) => {
      const item = h("button", { type: "button", role: "radio", onclick: () => this.choose(width) }, `${width}×${width}`);
      item.cells = width;
      return said(item, "rub_size", { n: width }, "aria-label");
    }));
    said(this.sizes, "rub_sizes", {}, "aria-label");
    rovingRadios(this.sizes, (item) => this.choose(item.cells));
    this.clear = said(h("button", { type: "button", className: "av-link", onclick: () => this.wipe() }), "rub_clear");
    this.element = h("div", { className: "av-brush" }, this.toggle, this.sizes, this.clear);
    this.sendSoon = debounce(PAUSE, () => this.send());
    this.choose(this.width);
  }

  // Takes over what a run had hidden, unless more was asked for since.
  follow(run) {
    const side = run.head.grid, told = cellsKey(run.hidden);
    this.grid = side ? [side, side] : null;
    this.element.hidden = !side || !run.source || Boolean(run.series);
    if (this.element.hidden && this.on) this.turn(false);
    if (this.stroke || this.dabbed || this.asked.slice(0, -1).includes(told)) return;
    this.asked = [];
    this.hidden = new Set(run.hidden);
    this.show();
  }

  turn(on) {
    this.on = on;
    this.at = null;
    this.show();
    this.stage.element.classList.toggle("av-rubbing", on);
    this.stage.view.hoverCell(null);
    this.stage.view.resized();
  }

  choose(width) {
    this.width = width;
    for (const item of this.sizes.children) {
      item.setAttribute("aria-checked", String(item.cells === width));
      item.tabIndex = item.cells === width ? 0 : -1;
    }
  }

  show() {
    this.toggle.setAttribute("aria-pressed", String(this.on));
    this.sizes.hidden = !this.on;
    this.clear.hidden = !this.hidden.size;
    this.stage.view.root.dataset.hidden = cellsKey(this.hidden);
    this.stage.view.refresh();
  }

  // The cells of the brush at a cell, those within the picture.
  under(cell) {
    const [rows, columns] = this.grid, reach = (this.width - 1) / 2, found = [];
    const [row, column] = [Math.floor(cell / columns), cell % columns];
    for (let r = Math.max(0, row - reach); r <= Math.min(rows - 1, row + reach); r++) {
      for (let c = Math.max(0, column - reach); c <= Math.min(columns - 1, column + reach); c++) found.push(r * columns + c);
    }
    return found;
  }

  // A stroke that begins on what is rubbed out brings it back.
  begin(cell) {
    this.stroke = { back: this.hidden.has(cell), before: cellsKey(this.hidden), last: cell };
    this.over(cell);
  }

  over(cell) {
    this.at = cell;
    if (this.stroke) {
      for (const each of line(this.stroke.last, cell, this.grid[1])) this.rub(each, this.stroke.back);
      this.stroke.last = cell;
    }
    this.show();
  }

  leave() {
    if (this.at === null || this.stroke) return;
    this.at = null;
    this.stage.view.refresh();
  }

  end() {
    if (!this.stroke) return;
    const { before } = this.stroke;
    this.stroke = null;
    if (cellsKey(this.hidden) !== before) this.send();
  }

  rub(cell, back) {
    for (const each of this.under(cell)) {
      if (back) this.hidden.delete(each);
      else if (this.hidden.size < this.grid[0] * this.grid[1] - 1) this.hidden.add(each); // something must stay to be seen
    }
  }

  dab(cell) {
    this.at = cell;
    this.dabbed = true; // and not yet sent: a run that comes meanwhile must not undo it
    this.rub(cell, this.hidden.has(cell));
    this.show();
    this.sendSoon();
  }

  wipe() {
    this.hidden.clear();
    this.show();
    this.send();
  }

  send() {
    this.dabbed = false;
    this.asked.push(cellsKey(this.hidden));
    this.stage.view.sendHidden([...this.hidden].sort((a, b) => a - b));
  }
}

const cellsKey = (cells) => [...cells].sort((a, b) => a - b).join(",");

// The cells on the straight way between two, so that a quick stroke leaves no gaps.
function line(from, to, columns) {
  const [r0, c0, r1, c1] = [Math.floor(from / columns), from % columns, Math.floor(to / columns), to % columns];
  const steps = Math.max(Math.abs(r1 - r0), Math.abs(c1 - c0), 1);
  return Array.from({ length: steps + 1 }, (_, i) => Math.round(r0 + ((r1 - r0) * i) / steps) * columns + Math.round(c0 + ((c1 - c0) * i) / steps));
}
