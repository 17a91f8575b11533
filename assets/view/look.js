// What is pointed at, pinned and chosen, and what follows from it: the rows, weights and marks that the stages paint.

const looking = {
  // ---- hover, pin, key, head ----

  // Several pinned places stay averaged while the pointer is among them.
  among(row) { return this.state.pins.length > 1 && this.state.pins.includes(row); },

  hover(word, alt = false) {
    const row = word === null ? -1 : this.run.rowOf(word);
    const over = word === null || (this.among(row) && !alt && !this.state.reverse) ? null : { word, row };
    if (this.state.over?.word === over?.word && this.state.alt === alt) return;
    Object.assign(this.state, { over, alt: over ? alt : false });
    this.refresh();
  },

  hoverRow(row) {
    const over = row === null ? null : { row, word: this.run.wordOf(row) };
    if (this.state.over?.row === over?.row) return;
    this.state.over = over;
    this.refresh();
  },

  hoverCell(cell, key = false) {
    const over = cell === null || (!key && this.among(cell)) ? null : { row: cell, cell, key };
    if (this.state.over?.cell === over?.cell && this.state.over?.key === over?.key) return;
    this.state.over = over;
    this.refresh();
  },

  pinWord(word, more = false) {
    const row = Math.min(this.run.rowOf(word), (this.map ? this.map.queries : this.run.tokens.length) - 1);
    const pins = more ? (this.state.pins.includes(row) ? this.state.pins.filter((each) => each !== row) : [...this.state.pins, row]) : [row];
    this.pinRows(pins.length ? pins : [row]);
  },

  pinWords(a, b) {
    const [from, to] = [Math.min(a, b), Math.max(a, b)].map((word) => this.run.rowOf(word));
    this.pinRows(Array.from({ length: to - from + 1 }, (_, i) => from + i));
  },

  pinRows(rows) {
    Object.assign(this.state, { pins: rows.sort((a, b) => a - b), follow: false, key: null, painted: null });
    if (!this.run.isPicture) this.state.over = null;
    this.refresh();
    this.settled();
    this.showPinned();
    this.keepPins = this.run.isPicture;
  },

  showPinned() {
    if (this.run && !this.run.isPicture && this.state.pins.length) this.text.reveal(this.run.wordOf(this.state.pins[0]));
  },

  settled() {
    this.speak();
    this.writeAddress();
    this.askRow();
    trigger("state", { pin: this.state.pins, layer: this.map?.id ?? null, head: this.state.head });
  },

  pinStep(row) { if (this.map && row < this.map.queries) this.pinRows([row]); },

  turn(by) {
    if (!this.map || !this.state.pins.length) return;
    this.pinRows([Math.max(0, Math.min(this.map.queries - 1, this.state.pins[0] + by))]);
  },

  chooseKey(key) {
    this.state.key = this.state.key === key ? null : key;
    this.refresh();
  },

  // The key that "hide" means: the chosen one, else the highest of the pinned row.
  keyShown() {
    if (this.state.key !== null) return this.state.key;
    const { look } = this;
    return look && look.best.length ? look.best[0] : null;
  },

  keyName(key) {
    if (this.map?.keyAxis?.grid) return this.grid.map ? this.grid.place(key, "key") : String(key);
    const labels = this.map?.keyAxis?.tokens || this.run.tokens;
    return bare(labels[key] ?? "");
  },

  setHead(head) {
    this.state.head = this.chosenHead = head;
    this.state.painted = null;
    this.heads.update(this.run, this.map);
    this.refresh();
    this.settled();
  },

  setLayer(id) {
    this.map = this.run.maps.get(id);
    this.state.layer = id;
    if (typeof this.state.head === "number") this.state.head = Math.min(this.state.head, this.map.heads - 1);
    this.heads.update(this.run, this.map);
    this.drawHeads();
    this.refresh();
    this.settled();
  },

  // ---- what is looked at now ----

  topOf(row) {
    if (!row) return 1;
    if (!this.state.relative) return 1;
    let top = 0;
    for (let k = this.state.aside ? 1 : 0; k < row.length; k++) if (row[k] > top) top = row[k];
    return top || 1;
  },

  mean(rows) {
    const { head } = this.state;
    if (rows.length === 1) return this.map.row(head, rows[0]) || new Float32Array(0);
    const found = rows.map((row) => this.map.row(head, row)).filter(Boolean);
    const out = new Float32Array(Math.max(0, ...found.map((row) => row.length)));
    for (const row of found) for (let k = 0; k < row.length; k++) out[k] += row[k] / found.length;
    return out;
  },

  see() {
    const { run, map, state } = this;
    if (!map || !state.pins.length) return null;
    const over = state.over;
    const grid = Boolean(map.keyAxis?.grid);
    const reverse = over ? Boolean(over.key || state.alt || state.reverse) : state.reverse;
    const rows = over && !over.key && !(reverse && grid) ? [Math.min(over.row, map.queries - 1)] : state.pins;
    const exact = rows.length === 1 ? this.detailOf(rows[0]) : null;
    const row = exact ? Float32Array.from(mixHeads(exact.weights, state.head), (weight) => weight || 0) : this.mean(rows);
    const look = { rows, row, reverse, key: grid ? null : state.key, keyGrid: grid ? map.keyAxis.grid : null, used: rows.some((each) => map.used(state.head, each)), stood: null, arcs: [], boxed: [] };
    look.best = topKeys(row, LISTED).filter((key) => !(state.aside && key === 0));
    if (reverse) this.seeReverse(look, grid); else this.seeForward(look, grid);
    return look;
  },

  seeForward(look, grid) {
    const { state, run } = this;
    look.top = this.topOf(look.row);
    look.boxed = grid ? look.rows : state.over ? [state.over.word] : look.rows.map((row) => run.wordOf(row));
    if (grid) { look.weights = look.row; return; }
    if (look.rows.length === 1 && look.boxed[0] !== look.rows[0]) look.stood = look.rows[0];
    look.weights = [];
    for (let k = state.aside ? 1 : 0; k < look.row.length; k++) if (look.row[k] > 0.0005) look.weights.push([k, look.row[k]]);
    look.arcs = look.best.slice(0, ARCS).filter((key) => look.row[key] > 0.02).map((key) => [key, look.row[key]]);
    look.weights = look.weights.filter(([key]) => !look.boxed.includes(key));
  },

  // Over a key: who looked at it.
  seeReverse(look, grid) {
    const { state, run, map } = this;
    const key = state.over ? (grid ? (state.over.key ? state.over.row : (state.key ?? 0)) : state.over.word) : (state.key ?? (grid ? this.keyOf(look) : run.wordOf(state.pins[0])));
    look.seen = key;
    look.boxed = [key];
    const column = new Float32Array(map.queries);
    for (let p = 0; p < map.queries; p++) { const row = map.row(state.head, p); if (row && key < row.length) column[p] = row[key]; }
    look.top = Math.max(...column) || 1;
    if (!state.relative) look.top = 1;
    if (grid) { look.weights = column; return; }
    const best = topKeys(column, ARCS + 1);
    look.weights = [];
    column.forEach((weight, p) => { if (weight > 0.0005 && run.wordOf(p) !== key) look.weights.push([run.wordOf(p), weight]); });
    look.arcs = best.filter((p) => column[p] > 0.02).slice(0, ARCS).map((p) => [run.wordOf(p), column[p]]);
    look.askers = best;
    look.column = column;
  },

  keyOf(look) { return look.best[0] ?? 0; },
};
