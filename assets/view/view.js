// The view itself: takes messages, keeps what is pinned, and paints. `element`, `props`, `trigger`, `server` and `watch` are Gradio's.

const PACE = 45; // tokens painted a second at most, where many come at once
const KEPT = 12; // runs that can be shown again without the server

class View {
  constructor(root) {
    this.root = root;
    this.runs = new Map();
    this.run = null;
    this.map = null;
    this.look = null;
    this.state = { head: "mean", layer: null, pins: [], follow: true, over: null, reverse: false, alt: false, key: null, relative: true, aside: false, smooth: false, whole: false, painting: false, painted: null };
    this.wanted = readAddress();
    this.sizes = { map: 200, head: 46, strip: 300 };
    this.times = [];
    this.series = null;
    this.films = new Map();
    this.queue = Promise.resolve();
    this.lastTurn = 0;
    this.build();
    this.setState("empty");
    this.relang();
  }

  // ---- what is on the page ----

  build() {
    this.text = new TextStage(this);
    this.grid = new GridStage(this);
    this.mapPanel = new MapPanel(this);
    this.heads = new HeadPanel(this);
    this.components = new Components(this);
    this.legend = new Legend();
    this.change = new ChangePanel(this);
    this.candidates = new BarList("candidates", (row) => trigger("pick", { run: this.run.id, step: row.step, id: row.id }));
    this.keys = new BarList("keys", (row) => this.chooseKey(row.key));
    this.branches = h("div", { className: "av-branches", role: "group" });
    said(this.branches, "branches", {}, "aria-label");
    this.notes = h("p", { className: "av-notes" });
    this.hint = said(h("p", { className: "av-hint" }), "hint");
    this.side = h("details", { className: "av-side", open: !narrow.matches }, said(h("summary"), "details"), h("div", { className: "av-side-in" }, this.mapPanel.element, this.candidates.element, this.keys.element));
    this.stage = h("div", { className: "av-stage" }, this.text.element, this.side, this.grid.element);
    this.buildSteps();
    this.text.element.append(this.steps);
    this.sentence = h("p", { className: "av-sentence" });
    this.spoken = h("p", { className: "av-hidden", role: "status" });
    this.spoken.setAttribute("aria-live", "polite");
    this.anatomy = h("p", { className: "av-anatomy" });
    this.buildTools();
    this.banner = h("p", { className: "av-banner", role: "alert", hidden: true });
    this.empty = h("div", { className: "av-empty" }, said(h("p", { className: "av-invite" }), "empty_title"), said(h("p", {}), "empty"));
    this.band = h("div", { className: "av-band" }, this.heads.element, this.components.element);
    this.main = h("div", { className: "av-main" }, this.branches, this.stage,
      h("div", { className: "av-line" }, this.sentence, this.switches), h("div", { className: "av-small" }, this.notes, this.hint),
      h("div", { className: "av-line av-second" }, this.anatomy, this.legend.element), this.band, this.tools, this.change.element, this.more);
    this.root.classList.add("attention-view");
    this.root.setAttribute("lang", lang());
    this.root.replaceChildren(this.banner, this.empty, this.main, this.spoken);
    new ResizeObserver(() => this.resized()).observe(this.root);
    this.speak = debounce(500, () => { this.spoken.textContent = this.sentence.textContent; });
    this.writeAddress = debounce(250, () => this.mirror());
    this.askRow = debounce(120, () => this.fetchRow());
    this.drawHeads = throttle(300, () => this.run && this.map && this.heads.draw(this.run, this.map));
  }

  buildSteps() {
    this.slider = h("input", { type: "range", min: "0", max: "0", step: "1" });
    said(this.slider, "step", {}, "aria-label");
    this.slider.addEventListener("input", () => this.pinStep(Number(this.slider.value)));
    this.stepOut = h("output", { className: "av-note" });
    const turn = (by, name, sign) => said(h("button", { type: "button", className: "av-turn", onclick: () => this.turn(by) }, sign), name, {}, "aria-label");
    this.stepPart = h("div", { className: "av-step" }, turn(-1, "step_back", "‹"), this.slider, turn(1, "step_on", "›"), this.stepOut);
    this.learnSlider = h("input", { type: "range", min: "0", max: "0", step: "1" });
    said(this.learnSlider, "learned", {}, "aria-label");
    this.learnSlider.addEventListener("input", () => this.showLearned(Number(this.learnSlider.value)));
    this.learnOut = h("output", { className: "av-note" });
    this.learnButton = said(h("button", { type: "button", className: "av-link", onclick: () => this.openLearned() }), "learned_open");
    this.learnPart = h("div", { className: "av-learn" }, this.learnButton, h("span", { className: "av-learn-in", hidden: true }, this.learnSlider, this.learnOut, said(h("button", { type: "button", className: "av-link", onclick: () => this.closeLearned() }), "learned_close")));
    this.steps = h("div", { className: "av-steps" }, this.stepPart, this.learnPart);
  }

  buildTools() {
    const flip = (name, label, after) => {
      const button = said(h("button", { type: "button", className: "av-toggle", onclick: () => { this.state[name] = !this.state[name]; after && after(); this.refresh(); } }), label);
      button.flips = name;
      return button;
    };
    this.whoButton = flip("reverse", "who");
    this.png = said(h("button", { type: "button", className: "av-link", onclick: () => this.exportPng(true) }, "PNG"), "export_png", {}, "aria-label");
    this.svg = said(h("button", { type: "button", className: "av-link", onclick: () => this.exportSvg(true) }, "SVG"), "export_svg", {}, "aria-label");
    this.present = said(h("button", { type: "button", className: "av-link", onclick: () => togglePresent() }), "present");
    this.switches = h("div", { className: "av-switches" }, this.whoButton);
    const panel = (name, section) => {
      const button = said(h("button", { type: "button", className: "av-open", onclick: () => { section.hidden = !section.hidden; button.setAttribute("aria-expanded", String(!section.hidden)); } }), name);
      button.setAttribute("aria-expanded", "false");
      return button;
    };
    this.table = h("table", { className: "av-table" });
    this.asideNote = h("span", { className: "av-note" });
    this.flips = [flip("relative", "relative"), flip("aside", "aside"), flip("smooth", "smooth"), flip("whole", "whole")];
    this.more = h("div", { className: "av-panel av-more", hidden: true }, h("div", { className: "av-flips" }, ...this.flips, this.asideNote), this.table);
    this.changeButton = panel("change", this.change.element);
    this.tools = h("div", { className: "av-tools" }, this.changeButton, this.change.chips, h("span", { className: "av-gap" }), panel("more", this.more), this.png, this.svg, this.present);
  }

  resized() {
    const of = (element, least) => Math.max(least, Math.floor(element.clientWidth));
    this.sizes.strip = of(this.components.parts.weights.frame, 80);
    this.sizes.map = Math.max(120, Math.floor(this.mapPanel.frame.clientWidth));
    if (this.run) this.text.measure(0);
    this.refresh();
  }

  setState(name) {
    this.root.dataset.state = name;
    this.empty.hidden = this.run !== null;
    this.main.hidden = this.run === null;
  }

  relang() {
    this.root.setAttribute("lang", lang());
    for (const element of this.root.querySelectorAll("[data-said]")) resay(element);
    if (this.run) { this.describeRun(); this.drawHeads(); this.change.update(); this.showBranches(); }
    this.refresh();
  }

  // ---- messages ----

  receive(message) {
    this.queue = this.queue.then(() => this.take(message)).catch((error) => console.error(error));
    return this.queue;
  }

  async take(message) {
    if (typeof message === "string") message = message ? JSON.parse(message) : null;
    if (!message || typeof message !== "object") return;
    if (message.turn !== undefined) {
      if (message.turn < this.lastTurn) return; // the end of an answer that another has replaced
      this.lastTurn = message.turn;
    }
    if (message.error && !message.steps?.length) { this.fail(message.error); if (message.run !== this.run?.id) return; }
    if (!message.run) return;
    await unpack(message);
    let run = this.runs.get(message.run);
    if (!run) {
      if (message.first > 0 || !message.head) { if (!this.asking) await this.catchUp(message.run, 0); return; }
      run = this.start(message);
    } else if (message.head && run !== this.run && run !== this.pending) this.showRun(run.id);
    if (message.first > run.steps.length) { await this.catchUp(message.run, run.steps.length); return; }
    run.take(message);
    if (run === this.pending && run.steps.length) this.enter(run);
    if (message.error) this.fail(message.error);
    else if (run === this.run) this.banner.hidden = true;
    if (run === this.run) this.wake();
  }

  start(message) {
    const run = new Run(message.run);
    run.take({ ...message, steps: [], done: false });
    run.before = this.run;
    this.runs.delete(run.id);
    this.runs.set(run.id, run);
    for (const id of this.runs.keys()) if (this.runs.size > KEPT && id !== run.id && id !== this.run?.id) { this.runs.delete(id); break; }
    if (!message.steps.length && this.run?.shown) { // the earlier run stays on screen until there is something to see
      this.pending = run;
      this.root.dataset.state = "waiting";
    } else this.enter(run);
    return run;
  }

  // Steps that were missed (a hidden tab loses updates) are asked for.
  async catchUp(id, first) {
    if (!server.fetch) return;
    this.asking = true;
    try {
      const message = await server.fetch({ run: id, first });
      await this.take(message);
    } catch (error) {
      console.warn(error); // the run may have expired; what is shown stays
    } finally {
      this.asking = false;
    }
  }

  fail(error) {
    if (this.pending) this.runs.delete(this.pending.id);
    this.pending = null;
    this.banner.textContent = words(error);
    this.banner.words = error;
    this.banner.hidden = false;
    this.setState("error");
  }

  // ---- painting what has come ----

  enter(run) {
    this.run = run;
    this.map = this.pending = null;
    this.learned(false);
    if (this.keepPins) this.wanted.pin = this.state.pins; // the same place, to compare
    this.keepPins = run.isPicture && this.keepPins;
    Object.assign(this.state, { pins: [], follow: true, over: null, key: null, painting: false, painted: null });
    const { pin } = run.head;
    this.pinned = pin || { query: -1 };
    if (pin && this.chosenHead === undefined) this.state.head = pin.head ?? "mean";
    if (this.wanted.head !== undefined) { this.state.head = this.chosenHead = this.wanted.head; delete this.wanted.head; }
    this.setState(run.steps.length || run.shown ? "running" : "waiting");
    this.root.dataset.run = run.id;
    this.root.dataset.t = run.shown;
    this.root.dataset.done = "false";
    this.root.classList.toggle("av-is-picture", run.isPicture);
    (run.isPicture ? this.grid.top : this.text.element).append(this.steps);
    said(this.hint, touch.matches ? "hint_touch" : run.isPicture ? "hint_cells" : "hint");
    this.root.classList.toggle("av-plain", !run.head.attention);
    this.describeRun();
    this.showBranches();
    if (run.shown) { this.arrived(run, true); } else { this.text.update(run); this.grid.update(run, null); }
    this.wake();
  }

  get instant() { return document.hidden || still() || Boolean(this.run.head.stored) || this.run.isPicture || this.run.all; }

  wake() {
    if (this.walking) return;
    this.walking = true;
    this.last = performance.now();
    this.walk();
  }

  walk() {
    const { run } = this;
    const left = run.steps.length - run.shown;
    if (!left) {
      this.walking = false;
      if (run.done && run.shown) this.finish(run);
      return;
    }
    const now = performance.now();
    let count = this.instant ? left : run.shown === 0 ? 1 : Math.min(left, Math.floor(((now - this.last) * PACE) / 1000));
    if (count) this.last = now;
    const any = count > 0;
    while (count-- > 0) run.show();
    if (any) this.arrived(run, false);
    if (run.steps.length > run.shown) document.hidden ? setTimeout(() => this.walk(), 50) : requestAnimationFrame(() => this.walk());
    else this.walk();
  }

  // Steps became visible.
  arrived(run, again) {
    if (!this.map) this.chooseMap(run);
    if (this.state.follow && this.map) this.state.pins = this.firstPins();
    if (run.isPicture) this.grid.update(run, this.map).then(() => this.refresh()); else this.text.update(run);
    this.root.dataset.t = run.shown;
    if (run.shown < run.steps.length || !run.done) this.root.dataset.state = "running";
    if (this.map) this.heads.update(run, this.map);
    this.drawHeads();
    this.showNotes(run);
    this.render();
    if (!run.isPicture && this.state.follow && this.state.pins.length) this.text.reveal(run.done || again ? run.wordOf(this.state.pins[0]) : run.tokens.length - 1);
  }

  chooseMap(run) {
    const wanted = this.wanted.layer || this.state.layer;
    this.map = run.maps.get(wanted) || run.maps.get(`${this.pinned.kind}:${this.pinned.layer}`) || run.order[0] || null;
    delete this.wanted.layer;
    if (this.map && typeof this.state.head === "number" && this.state.head >= this.map.heads) this.state.head = this.map.heads > 1 ? "mean" : 0;
    if (this.map && this.map.heads === 1) this.state.head = 0;
  }

  firstPins() {
    const { run, map } = this;
    if (this.wanted.pin) {
      const inside = this.wanted.pin.filter((row) => row < map.queries);
      if (inside.length === this.wanted.pin.length) { this.state.follow = false; delete this.wanted.pin; return inside; }
    }
    const { query } = this.pinned;
    if (query >= 0 && query < map.queries && (run.isPicture || run.done)) return [query];
    if (run.isPicture) return [Math.floor(map.queries / 2)];
    return [map.queries - 1];
  }

  finish(run) {
    if (this.root.dataset.done === "true") return;
    this.root.dataset.done = "true";
    if (this.root.dataset.state !== "error") this.root.dataset.state = "done";
    if (this.state.follow && this.map) this.state.pins = this.firstPins();
    this.state.follow = false;
    this.showPinned();
    if (this.map) this.heads.draw(run, this.map);
    this.showBranches();
    this.render();
    this.speak();
    this.askRow();
    if (run.isPicture) this.askFilm(run);
  }

  pictureReady() {
    this.refresh();
    this.drawHeads();
  }

  // ---- hover, pin, key, head ----

  // Several pinned places stay averaged while the pointer is among them.
  among(row) { return this.state.pins.length > 1 && this.state.pins.includes(row); }

  hover(word, alt = false) {
    const row = word === null ? -1 : this.run.rowOf(word);
    const over = word === null || (this.among(row) && !alt && !this.state.reverse) ? null : { word, row };
    if (this.state.over?.word === over?.word && this.state.alt === alt) return;
    Object.assign(this.state, { over, alt: over ? alt : false });
    this.refresh();
  }

  hoverRow(row) {
    const over = row === null ? null : { row, word: this.run.wordOf(row) };
    if (this.state.over?.row === over?.row) return;
    this.state.over = over;
    this.refresh();
  }

  hoverCell(cell, key = false) {
    const over = cell === null || (!key && this.among(cell)) ? null : { row: cell, cell, key };
    if (this.state.over?.cell === over?.cell && this.state.over?.key === over?.key) return;
    this.state.over = over;
    this.refresh();
  }

  pinWord(word, more = false) {
    const row = Math.min(this.run.rowOf(word), (this.map ? this.map.queries : this.run.tokens.length) - 1);
    const pins = more ? (this.state.pins.includes(row) ? this.state.pins.filter((each) => each !== row) : [...this.state.pins, row]) : [row];
    this.pinRows(pins.length ? pins : [row]);
  }

  pinWords(a, b) {
    const [from, to] = [Math.min(a, b), Math.max(a, b)].map((word) => this.run.rowOf(word));
    this.pinRows(Array.from({ length: to - from + 1 }, (_, i) => from + i));
  }

  pinRows(rows) {
    Object.assign(this.state, { pins: rows.sort((a, b) => a - b), follow: false, key: null, painted: null });
    if (!this.run.isPicture) this.state.over = null;
    this.refresh();
    this.settled();
    this.showPinned();
    this.keepPins = this.run.isPicture;
  }

  showPinned() {
    if (this.run && !this.run.isPicture && this.state.pins.length) this.text.reveal(this.run.wordOf(this.state.pins[0]));
  }

  settled() {
    this.speak();
    this.writeAddress();
    this.askRow();
    trigger("state", { pin: this.state.pins, layer: this.map?.id ?? null, head: this.state.head });
  }

  pinStep(row) { if (this.map && row < this.map.queries) this.pinRows([row]); }

  turn(by) {
    if (!this.map || !this.state.pins.length) return;
    this.pinRows([Math.max(0, Math.min(this.map.queries - 1, this.state.pins[0] + by))]);
  }

  chooseKey(key) {
    this.state.key = this.state.key === key ? null : key;
    this.refresh();
  }

  // The key that "hide" means: the chosen one, else the highest of the pinned row.
  keyShown() {
    if (this.state.key !== null) return this.state.key;
    const { look } = this;
    return look && look.best.length ? look.best[0] : null;
  }

  keyName(key) {
    if (this.map?.keyAxis?.grid) return this.grid.map ? this.grid.place(key, "key") : String(key);
    const labels = this.map?.keyAxis?.tokens || this.run.tokens;
    return bare(labels[key] ?? "");
  }

  setHead(head) {
    this.state.head = this.chosenHead = head;
    this.state.painted = null;
    this.heads.update(this.run, this.map);
    this.refresh();
    this.settled();
  }

  setLayer(id) {
    this.map = this.run.maps.get(id);
    this.state.layer = id;
    if (typeof this.state.head === "number") this.state.head = Math.min(this.state.head, this.map.heads - 1);
    this.heads.update(this.run, this.map);
    this.drawHeads();
    this.refresh();
    this.settled();
  }

  // ---- what is looked at now ----

  topOf(row) {
    if (!row) return 1;
    if (!this.state.relative) return 1;
    let top = 0;
    for (let k = this.state.aside ? 1 : 0; k < row.length; k++) if (row[k] > top) top = row[k];
    return top || 1;
  }

  mean(rows) {
    const { head } = this.state;
    if (rows.length === 1) return this.map.row(head, rows[0]) || new Float32Array(0);
    const found = rows.map((row) => this.map.row(head, row)).filter(Boolean);
    const out = new Float32Array(Math.max(0, ...found.map((row) => row.length)));
    for (const row of found) for (let k = 0; k < row.length; k++) out[k] += row[k] / found.length;
    return out;
  }

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
  }

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
  }

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
  }

  keyOf(look) { return look.best[0] ?? 0; }

  // ---- painting ----

  refresh() {
    if (this.dirty) return;
    this.dirty = true;
    requestAnimationFrame(() => { if (this.dirty) this.render(); });
  }

  render() {
    this.dirty = false;
    if (!this.run) return;
    const began = performance.now();
    if (readTheme()) this.drawHeads();
    const look = (this.look = this.see());
    const { run, state } = this;
    for (const button of [this.whoButton, ...this.flips]) button.setAttribute("aria-pressed", String(state[button.flips]));
    if (run.isPicture) { this.grid.paint(look); this.grid.showCrops(look); }
    else if (look) { this.text.paint(look); this.mapPanel.paint(this.map, look); this.text.press(look.reverse ? [] : state.pins.map((row) => run.wordOf(row))); }
    else this.paintPlain();
    this.root.dataset.pin = state.pins.join(",");
    if (look) {
      const detail = look.rows.length === 1 ? this.detailOf(look.rows[0]) : null;
      this.components.paint(look, detail);
      this.legend.paint(look, state.relative);
      if (!run.isPicture) this.showLists(look, detail);
      this.showTable(look, detail);
    }
    this.say(look);
    this.showStep(look);
    this.change.update();
    this.times.push(performance.now() - began);
    if (this.times.length > 500) this.times.shift();
  }

  // Without attention there is still a word to stand at, and others that could have come.
  paintPlain() {
    const { run, state } = this;
    const row = run.shown ? (state.over?.row ?? state.pins[0] ?? run.tokens.length - 2) : -1;
    this.text.paint({ weights: [], key: null, boxed: row >= 0 ? [run.wordOf(row)] : [], stood: null, arcs: [], reverse: false, top: 1 });
    this.showCandidates(row);
  }

  detailOf(row) {
    const found = this.run.details.get(row);
    return (found && found.find((each) => each.kind === this.map.kind && each.layer === this.map.layer)) || null;
  }

  showLists(look, detail) {
    const { state, run } = this;
    this.showCandidates(look.rows.length === 1 ? look.rows[0] : -1);
    const exact = detail ? mixHeads(detail.weights, state.head) : null;
    if (look.reverse) {
      said(this.keys.title, "askers", { key: bare(run.tokens[look.seen] ?? "") });
      this.keys.show(look.askers.slice(0, LISTED).map((row) => ({ label: run.tokens[run.wordOf(row)], share: look.column[row], marked: true, key: look.seen, name: t("key_share", { key: bare(run.tokens[run.wordOf(row)]), share: percent(look.column[row]) }) })), theme.query);
    } else {
      said(this.keys.title, "keys");
      this.keys.show(look.best.map((key) => {
        const share = exact ? exact[key] : look.row[key];
        return { label: run.tokens[key], key, share, exact: Boolean(exact), marked: true, name: t("key_share", { key: this.keyName(key), share: percent(share) }) };
      }), theme.key);
    }
    const first = look.row[0] || 0;
    this.asideNote.textContent = look.row.length > 1 ? t("aside_share", { key: this.keyName(0), share: percent(first) }) : "";
  }

  showCandidates(row) {
    const { run } = this;
    const at = row >= 0 ? run.choiceOf(row) : null;
    const step = at === null || at === undefined ? null : run.steps[at];
    const cand = step ? (step.cand || []).slice(0, LISTED) : [];
    if (step && step.chosen && !cand.some((each) => each[0] === step.chosen[0])) cand.splice(LISTED - 1, 1, step.chosen);
    said(this.candidates.title, "candidates");
    this.candidates.note.textContent = step ? (cand.length ? "" : t("no_candidates")) : t(row < 0 && this.state.pins.length > 1 ? "several_choose" : "chose_nothing");
    this.candidates.show(cand.map(([id, label, share]) => {
      const marked = id === step.chosen[0];
      return { id, label, share, marked, step: at, fixed: marked || Boolean(this.series), joined: false, name: t(marked ? "candidate_chosen" : "candidate", { word: bare(label), share: percent(share) }) };
    }), theme.query);
  }

  showTable(look, detail) {
    if (this.more.hidden) return;
    const exact = detail && !look.reverse ? mixHeads(detail.weights, this.state.head) : look.row;
    const rows = topKeys(exact, 12).map((key) => h("tr", {}, h("td", {}, String(key + 1)), h("td", {}, this.keyName(key)), h("td", {}, percent(exact[key], Boolean(detail)))));
    this.table.replaceChildren(h("caption", {}, t("table")), h("thead", {}, h("tr", {}, ...["table_place", "table_key", "table_share"].map((name) => h("th", { scope: "col" }, t(name))))), h("tbody", {}, ...rows));
  }

  // ---- words ----

  say(look) {
    const sentence = this.sentenceText(look);
    if (this.sentence.textContent !== sentence) this.sentence.textContent = sentence;
  }

  sentenceText(look = this.look) {
    const { run, state } = this;
    if (!run.shown) return t("waiting");
    if (!run.head.attention) return t("no_attention");
    if (!look) return t("no_map");
    if (run.isPicture) return this.sayCells(look);
    if (look.reverse) {
      const list = look.askers.slice(0, 3).map((row) => t("by", { share: percent(look.column[row]), word: bare(run.tokens[run.wordOf(row)]) })).join(t("comma"));
      return t(list ? "seen_by" : "seen_by_none", { key: bare(run.tokens[look.seen] ?? ""), list });
    }
    const list = look.best.slice(0, 3).map((key) => t("on", { share: percent(look.row[key]), key: this.keyName(key) })).join(t("comma"));
    const row = look.rows[0];
    if (look.rows.length > 1) return t("several", { n: look.rows.length, list });
    const chosen = row >= run.prompt - 1 && row + 1 < run.tokens.length ? row + 1 : null;
    const parts = { at: bare(run.tokens[row] ?? ""), word: chosen === null ? "" : bare(run.tokens[chosen]), list };
    const said_ = t(chosen === null ? "standing" : "choosing", parts);
    return look.used ? said_ : `${said_} ${t("unused_sentence")}`;
  }

  sayCells(look) {
    if (!this.grid.map) return t("no_map");
    if (look.reverse) {
      const best = topKeys(look.weights, 1)[0] ?? 0;
      return t("cell_seen", { place: this.grid.place(look.seen, "key"), share: percent(look.weights[best] || 0), other: this.grid.place(best, "query") });
    }
    const order = [...look.row].sort((a, b) => b - a);
    let sum = 0, half = 0;
    while (sum < 0.5 && half < order.length) sum += order[half++];
    const best = look.best[0] ?? 0;
    const parts = { n: look.rows.length, half, all: look.row.length, share: percent(look.row[best] || 0), other: this.grid.place(best, "key") };
    if (look.rows.length > 1) return t("cells", parts);
    return t("cell", { ...parts, place: this.grid.place(look.rows[0], "query") });
  }

  describeRun() {
    const { head } = this.run;
    this.anatomy.replaceChildren();
    (head.anatomy || []).forEach(([name, lit], i) => {
      if (i) this.anatomy.append(h("span", { className: "av-arrow", ariaHidden: "true" }, "→"));
      this.anatomy.append(h(lit ? "strong" : "span", {}, words(name)));
    });
    if (this.banner.words) this.banner.textContent = words(this.banner.words);
    this.learnPart.hidden = !server.learning || head.learned === false;
    this.notesShown = null;
    this.showNotes(this.run);
    if (this.run.isPicture) this.grid.showFacts(this.run);
  }

  showNotes(run) {
    const notes = run.steps.slice(0, run.shown).flatMap((step) => step.notes || []).map(words);
    const all = notes.join("\n");
    if (all === this.notesShown) return;
    this.notesShown = all;
    this.notes.textContent = notes.join(" ");
  }

  title() {
    const { head } = this.run;
    return [words(head.title), words(head.variant_title)].filter(Boolean).join(" · ") || head.generator;
  }

  provenance() {
    const { run, state, map } = this;
    const { request = {} } = run.head;
    const head = map ? (typeof state.head === "number" ? t("head", { n: state.head + 1 }) : t(state.head)) : "";
    const prompt = request.text ? t("from_prompt", { prompt: String(request.text).slice(0, 80) }) : "";
    return ["Attention Lab", `${run.head.generator}/${run.head.variant}`, prompt, t("from_seed", { seed: run.seed }), map ? t("layer", { kind: t(`kind_${map.kind}`), layer: map.layer + 1 }) : "", head, ...this.edits().map((edit) => this.change.describe(edit))].filter(Boolean).join(" · ");
  }

  showStep(look) {
    const { run } = this;
    const last = this.map ? this.map.queries - 1 : 0;
    this.stepPart.hidden = run.isPicture || !this.map;
    for (const button of this.flips) button.hidden = button.flips !== "relative" && (button.flips === "smooth") !== run.isPicture;
    this.asideNote.hidden = run.isPicture;
    this.slider.max = String(last);
    const row = look ? look.rows[0] : 0;
    if (document.activeElement !== this.slider || Number(this.slider.value) !== row) this.slider.value = String(row);
    const word = run.wordOf(row);
    this.slider.setAttribute("aria-valuetext", t("step_word", { n: word + 1, all: run.tokens.length, word: bare(run.tokens[word] ?? "") }));
    this.stepOut.textContent = t("step_of", { n: word + 1, all: run.tokens.length });
    this.steps.hidden = this.stepPart.hidden && this.learnPart.hidden;
  }

  // ---- exact numbers, other runs ----

  async fetchRow() {
    const { run, state } = this;
    if (!server.row || !run || !this.map || !run.head.attention || state.pins.length !== 1 || run.series || !run.done) return;
    const [query] = state.pins;
    if (run.details.has(query)) return;
    try {
      const sent = await server.row({ run: run.id, query });
      if (!sent || !sent.details) { run.silent = sent?.error ?? null; this.refresh(); return; }
      for (const detail of sent.details) run.details.set(detail.query, [...(run.details.get(detail.query) || []), detail]);
      this.refresh();
    } catch (error) {
      console.warn(error); // the strips stay as the wire's weights have them
    }
  }

  showRun(id) {
    const run = this.runs.get(id);
    if (!run || run === this.run) return;
    run.all = true;
    this.enter(run);
  }

  branchName(run) {
    const edits = run.head.request?.edits || [];
    const mark = edits.length ? "✎ " : "";
    if (run.isPicture) return mark + (run.head.request?.text?.trim().slice(0, 18) || t("branch_seed", { seed: run.seed }));
    const before = run.before?.tokens || [];
    const at = run.tokens.findIndex((token, i) => token !== before[i]);
    const words_ = at < run.prompt ? run.tokens : run.tokens.slice(at);
    return `${mark}${words_.slice(0, 8).join("").trim().replace(/\s+/g, " ").slice(0, 18)}` || t("branch");
  }

  showBranches() {
    const runs = [...this.runs.values()].filter((run) => run.shown || run === this.run);
    this.branches.hidden = runs.length < 2;
    if (runs.length < 2) return;
    this.branches.replaceChildren(said(h("span", { className: "av-note" }), "branches_title"), ...runs.map((run, i) => {
      const chip = h("button", { type: "button", className: "av-chip", onclick: () => this.showRun(run.id) }, `${i + 1} ${this.branchName(run)}${run.isPicture ? "" : " …"}`);
      chip.setAttribute("aria-pressed", String(run === this.run));
      return chip;
    }));
  }

  learned(on) {
    this.learnButton.hidden = on;
    this.learnSlider.parentElement.hidden = !on;
    if (!on) this.series = null;
  }

  async openLearned() {
    const { generator, variant } = this.run.head;
    const answer = await server.learning({ generator, variant }).catch(() => null);
    const series = answer && answer.series ? answer.series : [];
    if (!series.length) { said(this.learnButton, "learned_none"); this.learnButton.disabled = true; return; }
    const runs = [];
    for (const { step, message } of series) {
      await unpack(message);
      const run = new Run(message.run);
      run.take(message);
      while (run.shown < run.steps.length) run.show();
      Object.assign(run, { all: true, series: true, learnedAt: step, head: { ...this.run.head, ...run.head } });
      runs.push(run);
    }
    const from = this.run;
    this.learnSlider.max = String(runs.length - 1);
    this.learnSlider.value = this.learnSlider.max;
    this.keepSeries = { from, runs };
    this.showLearned(runs.length - 1);
  }

  showLearned(i) {
    const { runs } = this.keepSeries;
    const { pins } = this.state;
    const kept = this.run.series ? pins : [];
    this.enter(runs[i]);
    this.learned(true);
    this.series = this.keepSeries;
    if (kept.length && this.map && kept.every((row) => row < this.map.queries)) Object.assign(this.state, { pins: kept, follow: false });
    this.learnOut.textContent = t("learned_at", { n: runs[i].learnedAt });
    this.learnSlider.setAttribute("aria-valuetext", this.learnOut.textContent);
    this.refresh();
  }

  closeLearned() {
    const { from } = this.keepSeries;
    from.all = true;
    this.enter(from);
  }

  async askFilm(run) {
    if (!server.film) return;
    const { generator, variant, request } = run.head, { seed } = run;
    const asked = JSON.stringify([generator, variant, seed, request?.settings]);
    if (!this.films.has(asked)) {
      const answer = await server.film({ generator, variant, seed, settings: request?.settings ?? {} }).catch(() => null);
      this.films.set(asked, answer?.pictures ?? []);
      if (this.films.size > 24) this.films.delete(this.films.keys().next().value);
    }
    if (this.run === run) this.grid.showFilm(this.films.get(asked), seed);
  }

  face(seed) { trigger("face", { run: this.run.id, seed }); }

  // ---- edits ----

  edits() { return this.run?.head?.request?.edits || []; }

  sendEdits(edits) {
    this.root.dataset.state = "waiting";
    this.keepPins = !this.state.follow;
    trigger("edit", { run: this.run.id, edits });
  }

  togglePainting() {
    this.state.painting = !this.state.painting;
    this.state.painted = null;
    this.components.element.classList.toggle("av-painting", this.state.painting);
    this.refresh();
  }

  paintKey(key, share) {
    if (!this.look) return;
    const grid = Boolean(this.look.keyGrid);
    const painted = this.state.painted || (grid ? new Float32Array(this.look.row.length) : Float32Array.from(this.look.row));
    painted[key] = grid ? 1 : share * Math.max(...painted, 0.05);
    this.state.painted = painted;
    this.refresh();
  }

  paintDone() {
    const painted = this.state.painted;
    if (!painted || !this.state.pins.length) return;
    const sum = painted.reduce((a, b) => a + b, 0) || 1;
    const { heads } = this.change.place();
    const edit = { action: "paint", rows: [[Array.from(painted, (weight) => Number((weight / sum).toFixed(5)))]], queries: [...this.state.pins], ...(heads ? { heads } : {}), ...(this.run.order.length > 1 ? { layers: [this.map.layer], map: this.map.kind } : {}) };
    const kept = this.edits().filter((each) => each.action !== "paint" || JSON.stringify([each.queries, each.heads]) !== JSON.stringify([edit.queries, edit.heads]));
    this.sendEdits([...kept, edit]);
  }

  // ---- address, export ----

  mirror() {
    const here = new URL(window.location.href);
    const { pins, head } = this.state;
    if (pins.length && pins.length <= 16) here.searchParams.set("pin", pins.join(",")); else here.searchParams.delete("pin");
    here.searchParams.set("head", String(head));
    if (this.run && this.run.order.length > 1) here.searchParams.set("layer", this.map.id); else here.searchParams.delete("layer");
    history.replaceState(history.state, "", here);
  }

  exportSvg(download = false) {
    const svg = drawFigure(this);
    if (download) save(new Blob([svg], { type: "image/svg+xml" }), `${this.fileName()}.svg`);
    return svg;
  }

  async exportPng(download = false) {
    const blob = await rasterise(drawFigure(this));
    if (download) save(blob, `${this.fileName()}.png`);
    return blob;
  }

  fileName() { return `attention-${this.run?.head?.variant ?? "lab"}-${this.run?.seed ?? 0}`.replace(/[^\w-]/g, ""); }
}

function readAddress() {
  const given = new URLSearchParams(window.location.search);
  const wanted = {};
  const pin = (given.get("pin") || "").split(",").filter((part) => /^\d{1,6}$/.test(part)).map(Number).slice(0, 64);
  if (pin.length) wanted.pin = pin;
  const head = given.get("head");
  if (head === "mean" || head === "max") wanted.head = head; else if (/^\d{1,3}$/.test(head || "")) wanted.head = Number(head);
  if (/^(self|cross|encoder):\d{1,3}$/.test(given.get("layer") || "")) wanted.layer = given.get("layer");
  return wanted;
}

function throttle(wait, action) {
  let last = 0, timer = 0;
  return () => {
    const left = last + wait - performance.now();
    if (left <= 0) { last = performance.now(); action(); }
    else if (!timer) timer = setTimeout(() => { timer = 0; last = performance.now(); action(); }, left);
  };
}

function togglePresent() {
  document.body.classList.toggle("presenting");
  requestAnimationFrame(() => { view.resized(); view.showPinned(); });
}

function typing(event) {
  const at = event.target;
  return at instanceof HTMLElement && (at.isContentEditable || at.matches("textarea, select, input:not([type=range]):not([type=checkbox]):not([type=radio])"));
}

const touch = matchMedia("(hover: none)");
const narrow = matchMedia("(max-width: 760px)");
readTheme();
if (!document.getElementById("attention-view-style")) document.head.append(h("style", { id: "attention-view-style", textContent: STYLE }));
const view = new View(element.querySelector(".av-root") || element);

const shortcuts = (event) => {
  if (!element.isConnected) { document.removeEventListener("keydown", shortcuts); return; }
  if (typing(event) || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "[") view.turn(-1);
  else if (event.key === "]") view.turn(1);
  else if (event.key === "p" || event.key === "P") togglePresent();
  else if (event.key === "Escape" && document.body.classList.contains("presenting")) { event.preventDefault(); togglePresent(); }
};
document.addEventListener("keydown", shortcuts);
document.addEventListener("visibilitychange", () => { if (!document.hidden && view.run && !view.run.done && !view.run.series) view.catchUp(view.run.id, view.run.steps.length); });
narrow.addEventListener("change", () => { view.side.open = !narrow.matches; });
new MutationObserver(() => view.relang()).observe(document.documentElement, { attributes: true, attributeFilter: ["lang"] });
const themeChanged = () => { if (readTheme()) { view.drawHeads(); view.refresh(); } };
for (const host of [document.documentElement, document.body]) new MutationObserver(themeChanged).observe(host, { attributes: true, attributeFilter: ["class"] });

window.attentionLab = {
  state: () => ({ ...view.state, run: view.run?.id ?? null, shown: view.run?.shown ?? 0, tokens: view.run?.tokens ?? [], kept: [...view.runs.keys()], map: view.map?.id ?? null, words: view.sentence.textContent }),
  row: (position, head = view.state.head) => Array.from(view.map?.row(head, position) ?? []),
  times: () => [...view.times],
  exportSvg: () => view.exportSvg(),
  exportPng: () => view.exportPng(),
  receive: (message) => view.receive(message),
  view,
};
watch("value", () => view.receive(props.value));
if (props.value) view.receive(props.value);
