// What is pointed at, pinned and chosen, and what follows from it: the rows, weights and marks that the stages paint.

const looking = {
  // ---- hover, pin, key, head ----

  // Several pinned places stay averaged while the pointer is among them.
  among(row) { return this.state.pins.length > 1 && this.state.pins.includes(row); },

  hover(word, alt = false) {
    if (word !== null && this.run.rowOf(word) < 0 && this.run.keyOf(word) < 0) word = null; // not on the axes of this map
    const row = word === null ? -1 : this.run.rowOf(word);
    const over = word === null || (this.among(row) && !alt && !this.state.reverse) ? null : { word, row };
    if (this.state.over?.word === over?.word && this.state.alt === alt) return;
    Object.assign(this.state, { over, alt: over ? alt : false });
    this.pointed();
  },

  hoverRow(row) {
    const over = row === null ? null : { row, word: this.run.wordOf(row) };
    if (this.state.over?.row === over?.row) return;
    this.state.over = over;
    this.pointed();
  },

  hoverCell(cell, key = false) {
    const over = cell === null || (!key && this.among(cell)) ? null : { row: cell, cell, key };
    if (this.state.over?.cell === over?.cell && this.state.over?.key === over?.key) return;
    this.state.over = over;
    this.pointed();
  },

  // Over a word of a prompt that a picture is made from.
  hoverKey(word) {
    if (word === null ? !this.state.over : this.state.over?.key === word && this.state.over.named) return;
    this.state.over = word === null ? null : { key: word, named: true };
    this.pointed();
  },

  // What the pointer is over has changed.
  pointed() {
    this.refresh();
    this.link?.hovered(this);
  },

  // The word whose map lies over the picture that forms; once more, and it is none.
  chooseWord(word) {
    if (this.map?.keyAxis?.grid) { // looking at cells until now
      const words = this.run.order.find((map) => map.kind === "cross");
      if (words) this.setLayer(words.id);
    }
    this.chooseKey(word);
    if (this.state.key === null) this.state.over = null;
    this.link?.chosen(this);
    this.drawHeads();
    this.writeAddress();
    this.speak();
  },

  // ---- the step of a picture that forms ----

  // The step that is read, or "mean": averaged over all, where what is looked at are words.
  get momentNow() {
    const { moment } = this.state, last = Math.max(0, this.run.shown - 1);
    if (moment === "last" || !this.run.isPainting || (moment === "mean" && this.map && this.map.kind !== "cross")) return last;
    return moment === "mean" ? "mean" : Math.min(moment, last);
  },

  setMoment(moment, settle = true) {
    this.state.moment = moment === this.run.steps.length - 1 && this.run.done ? "last" : moment;
    this.refresh();
    this.link?.moved(this);
    if (settle) { this.drawHeads(); this.settled(); this.askMaps(); }
  },

  pinWord(word, more = false) {
    if (this.run.rowOf(word) < 0) { this.pinKey(this.run.keyOf(word)); return; }
    if (this.run.paired) this.state.reverse = false;
    const row = Math.min(this.run.rowOf(word), (this.map ? this.map.queries : this.run.tokens.length) - 1);
    const pins = more ? (this.state.pins.includes(row) ? this.state.pins.filter((each) => each !== row) : [...this.state.pins, row]) : [row];
    this.pinRows(pins.length ? pins : [row]);
  },

  pinWords(a, b) {
    const [from, to] = [Math.min(a, b), Math.max(a, b)].map((word) => this.run.rowOf(word));
    if (from >= 0) this.pinRows(Array.from({ length: to - from + 1 }, (_, i) => from + i));
  },

  // A word that is only looked at: who did stays shown.
  pinKey(key) {
    if (!this.map || key < 0) return;
    Object.assign(this.state, { key, reverse: true, follow: false, over: null, painted: null });
    this.refresh();
    this.link?.pinned(this);
    this.settled();
  },

  pinRows(rows) {
    Object.assign(this.state, { pins: rows.sort((a, b) => a - b), follow: false, key: this.run.isPainting ? this.state.key : null, painted: null });
    if (!this.run.isPicture) this.state.over = null;
    this.refresh();
    this.settled();
    this.showPinned();
    this.keepPins = this.run.isPicture;
    this.link?.pinned(this);
  },

  showPinned() {
    if (this.run?.stage === "text" && this.state.pins.length) this.text.reveal(this.run.wordOf(this.state.pins[0]));
  },

  settled() {
    if (!this.link?.told) this.speak(); // one of two speaks
    this.writeAddress();
    this.askRow();
    this.report("state", { pin: this.state.pins, layer: this.map?.id ?? null, head: this.state.head });
  },

  pinStep(row) { if (this.map && row < this.map.queries) this.pinRows([row]); },

  turn(by) {
    if (this.run?.isPainting) { const at = this.momentNow; this.setMoment(Math.max(0, Math.min(this.run.shown - 1, (at === "mean" ? this.run.shown - 1 : at) + by))); return; }
    if (!this.map || !this.state.pins.length) return;
    this.pinRows([Math.max(0, Math.min(this.map.queries - 1, this.state.pins[0] + by))]);
  },

  chooseKey(key) {
    if (key === OTHERS) return;
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
    if (key === OTHERS) return t("others");
    if (this.map?.keyAxis?.grid) return placeOn(this.map.keyAxis.grid, key);
    return bare(this.map?.keyAxis?.tokens?.[key] ?? this.run.tokens[this.run.wordOfKey(key)] ?? "");
  },

  setHead(head) {
    const opening = head === "rollout" && this.run.unpack(this.run.stack);
    if (opening) { opening.then(() => this.setHead(head)); return; }
    this.state.head = this.chosenHead = head;
    this.state.painted = null;
    this.heads.update(this.run, this.map);
    this.refresh();
    this.settled();
    this.askMaps();
  },

  // Another map, the same words.
  setLayer(id, head = this.state.head, pins = null) {
    const { run } = this;
    const opening = run.unpack([run.maps.get(id)]);
    if (opening) { opening.then(() => { if (run === this.run) this.setLayer(id, head, pins); }); return; }
    const words = this.state.pins.map((row) => run.wordOf(row)), grid = this.map?.queryAxis?.grid;
    this.map = run.maps.get(id);
    this.state.layer = id;
    if (run.kind !== this.map.kind) {
      run.kind = this.map.kind;
      if (run.isPainting) this.state.key = null; else this.turnTo(words);
    }
    if (run.isPainting && grid) Object.assign(this.state, { pins: rescaled(this.state.pins, grid, this.map.queryAxis.grid), over: null });
    if (pins) { Object.assign(this.state, { pins, follow: false, key: null, painted: null }); this.keepPins = run.isPicture; }
    this.state.head = this.chosenHead = typeof head === "number" ? Math.min(head, this.map.heads - 1) : head;
    if (run.isPicture) this.stageOf(run).update(run, this.map);
    this.heads.update(run, this.map);
    this.drawHeads();
    this.refresh();
    this.settled();
    this.askMaps();
  },

  // The same words in a map of another kind.
  turnTo(words) {
    const rows = words.map((word) => this.run.rowOf(word)).filter((row) => row >= 0 && row < this.map.queries);
    Object.assign(this.state, { pins: rows.length ? rows : this.firstPins(), key: null, over: null, reverse: false, painted: null });
  },

  // ---- what is looked at now ----

  topOf(row) {
    if (!row) return 1;
    if (!this.state.relative) return 1;
    let top = 0;
    for (let k = this.state.aside ? 1 : 0; k < row.length; k++) if (row[k] > top) top = row[k];
    return top || 1;
  },

  // The next head of the layer, the same head of the next layer.
  stepHead(by) {
    if (!this.map || (this.run.isPicture && !this.run.isPainting)) return;
    const { heads } = this.map;
    const at = typeof this.state.head === "number" ? this.state.head : by > 0 ? -1 : 0;
    this.setHead((at + by + heads) % heads);
  },

  stepLayer(by) {
    if (!this.map || this.run.order.length < 2) return;
    const order = byKind(this.run.order).flat();
    this.setLayer(order[(order.indexOf(this.map) + by + order.length) % order.length].id);
  },

  // One row of the map that is shown, under the head that is shown; rolled out it belongs to all layers at once.
  rowAt(position) {
    const { state, run, map } = this;
    if (state.head !== "rollout") return map.row(state.head, position);
    const drawn = `${run.id}:${map.version}`;
    if (this.rolledFor !== drawn) { this.rolledFor = drawn; this.rolled.clear(); }
    if (!this.rolled.has(position)) this.rolled.set(position, rollout(run.stack, position));
    return this.rolled.get(position);
  },

  mean(rows) {
    const found = rows.map((row) => this.rowAt(row)).filter(Boolean);
    if (found.length === 1) return found[0];
    const out = new Float32Array(Math.max(0, ...found.map((row) => row.length)));
    out.rest = 0;
    for (const row of found) {
      for (let k = 0; k < row.length; k++) out[k] += row[k] / found.length;
      out.rest += row.rest / found.length;
    }
    return out;
  },

  see() {
    const { run, map, state } = this;
    if (!map || !state.pins.length) return null;
    if (run.isPainting) return this.seePainting();
    const over = state.over;
    const grid = Boolean(map.keyAxis?.grid);
    const told = run.isTelling && over?.word !== undefined; // a word that is pointed at always shows where it looked
    const wanted = over ? Boolean(over.key || state.alt || (state.reverse && !told)) : state.reverse;
    const asks = grid || !over || over.row >= 0, asked = grid || !over || run.keyOf(over.word) >= 0;
    const reverse = asked && (wanted || !asks) && state.head !== "rollout";
    const rows = over && asks && !over.key && !(reverse && grid) ? [Math.min(over.row, map.queries - 1)] : state.pins;
    const exact = rows.length === 1 ? this.detailOf(rows[0]) : null;
    const row = exact ? Object.assign(Float32Array.from(mixHeads(exact.weights, state.head), (weight) => weight || 0), { rest: 0 }) : this.mean(rows);
    const look = { rows, row, reverse, over: asks || reverse ? over : null, key: grid ? null : (state.lit ?? state.key), keyGrid: grid ? map.keyAxis.grid : null, used: rows.some((each) => map.used(state.head, each)), stood: null, arcs: [], boxed: [] };
    look.listed = topShares(row, LISTED).filter((key) => !(state.aside && key === 0));
    look.best = look.listed.filter((key) => key !== OTHERS);
    if (reverse) this.seeReverse(look, grid); else this.seeForward(look, grid);
    return look;
  },

  // Cells that look at words, and from where a word is looked at, both at once and on one scale; or cells that look at cells.
  seePainting() {
    const { map, state } = this, { over } = state;
    map.moment = this.momentNow;
    const keyGrid = map.keyAxis?.grid ?? null, asks = over?.cell !== undefined;
    const rows = (asks ? [over.cell] : state.pins).map((row) => Math.min(row, map.queries - 1));
    const exact = rows.length === 1 ? this.detailOf(rows[0]) : null;
    const row = exact ? Object.assign(Float32Array.from(mixHeads(exact.weights, state.head), (weight) => weight || 0), { rest: 0 }) : this.mean(rows);
    const word = keyGrid ? null : over?.named ? over.key : state.key;
    const top = keyGrid ? this.topOf(row) : state.relative ? map.top(state.head) : 1;
    const look = { rows, row, reverse: false, over, word, asks, key: state.key, keyGrid, top, weights: row, boxed: rows, stood: null, arcs: [], used: rows.some((each) => map.used(state.head, each)) };
    look.listed = look.best = topKeys(row, LISTED);
    if (word !== null) look.column = map.column(state.head, word);
    look.seen = !asks && word !== null; // the sentence is about the word
    return look;
  },

  seeForward(look, grid) {
    const { state, run } = this;
    look.top = this.topOf(look.row);
    look.boxed = grid ? look.rows : look.over ? [look.over.word] : look.rows.map((row) => run.wordOf(row));
    if (grid) { look.weights = look.row; return; }
    if (!run.paired && look.rows.length === 1 && look.boxed[0] !== look.rows[0]) look.stood = look.rows[0];
    look.weights = [];
    for (let k = state.aside ? 1 : 0; k < look.row.length; k++) {
      const word = look.row[k] > 0.0005 ? run.wordOfKey(k) : null;
      if (word !== null && !look.boxed.includes(word)) look.weights.push([word, look.row[k]]);
    }
    const drawn = run.paired ? look.best : look.best.slice(0, ARCS);
    look.arcs = drawn.filter((key) => look.row[key] > 0.02 && run.wordOfKey(key) !== null).map((key) => [run.wordOfKey(key), look.row[key]]);
    look.key = look.key === null ? null : run.wordOfKey(look.key);
  },

  // Over a key: who looked at it.
  seeReverse(look, grid) {
    const { state, run, map } = this;
    const own = grid ? this.keyOf(look) : run.keyOf(run.wordOf(state.pins[0]));
    const key = state.over ? (grid ? (state.over.key ? state.over.row : (state.key ?? 0)) : run.keyOf(state.over.word)) : (state.key ?? (own < 0 ? this.keyOf(look) : own));
    const word = grid ? key : run.wordOfKey(key);
    look.seen = key;
    look.boxed = word === null ? [] : [word];
    look.key = null;
    const column = new Float32Array(map.queries);
    for (let p = 0; p < map.queries; p++) { const row = map.row(state.head, p); if (row && key < row.length) column[p] = row[key]; }
    look.top = Math.max(...column) || 1;
    if (!state.relative) look.top = 1;
    if (grid) { look.weights = column; return; }
    const best = topKeys(column, LISTED);
    look.weights = [];
    column.forEach((weight, p) => { if (weight > 0.0005 && run.wordOf(p) !== word) look.weights.push([run.wordOf(p), weight]); });
    look.arcs = best.filter((p) => column[p] > 0.02).slice(0, run.paired ? LISTED : ARCS).map((p) => [run.wordOf(p), column[p]]);
    look.askers = best;
    look.column = column;
  },

  keyOf(look) { return look.best[0] ?? 0; },
};

// Cells of one grid as those of another that lie there.
function rescaled(pins, [rows, columns], [tall, wide]) {
  const to = (cell) => Math.floor(((Math.floor(cell / columns) + 0.5) * tall) / rows) * wide + Math.floor((((cell % columns) + 0.5) * wide) / columns);
  return [...new Set(pins.map(to))];
}
