// How messages become what is on screen: runs begin, steps come in order, what was missed is asked for.

const PACE = 45; // tokens painted a second at most, where many come at once
const KEPT = 12; // runs that can be shown again without the server

const arriving = {
  // ---- messages ----

  receive(message) {
    this.queue = this.queue.then(() => this.take(message)).catch((error) => console.error(error));
    return this.queue;
  },

  async take(message) {
    if (typeof message === "string") message = message ? JSON.parse(message) : null;
    if (!message || typeof message !== "object") return;
    if (message.turn !== undefined) {
      if (message.turn < this.lastTurn) return; // the end of an answer that another has replaced
      this.lastTurn = message.turn;
    }
    if (message.error && !message.steps?.length) { this.fail(message.error); if (message.run !== this.run?.id) return; }
    if (!message.run) return;
    for (const { picture, source } of message.steps || []) for (const url of [picture, source]) if (url) imageOf(url);
    let run = this.runs.get(message.run);
    if (!run) {
      if (message.first > 0 || !message.head) { if (!this.asking) await this.catchUp(message.run, 0); return; }
      run = this.start(message);
    } else if (message.head && run !== this.run && run !== this.pending) this.showRun(run.id);
    if (message.first > run.steps.length) { await this.catchUp(message.run, run.steps.length); return; }
    const opening = run.open(message, run === this.run && this.map ? this.map.id : this.mapWanted(message.head || run.head));
    if (opening) await opening;
    run.take(message);
    run.parted ||= Boolean(message.apart);
    if (run === this.pending) { if (run.steps.length) this.enter(run); else this.showNotes(run); }
    if (message.error) this.fail(message.error);
    else if (run === this.run) this.banner.hidden = true;
    if (run === this.run) this.wake();
  },

  // The map that a run will be shown with: that which fills a hole, else the one that was looked at last, else the most telling.
  mapWanted({ pin, request }) {
    if (this.wanted.layer) return this.wanted.layer;
    if (request?.hidden?.length && (this.rubbed || !this.state.layer)) return "cross:0";
    return this.state.layer || `${pin?.kind}:${pin?.layer}`;
  },

  // What is not shown yet is unpacked while there is time.
  async unpackRest(run) {
    if (run.unpacking) return;
    run.unpacking = true;
    for (let map; run === this.run && (map = run.order.find((each) => each.places.some((place) => !place.part.bytes))); ) {
      await new Promise((done) => idle(done));
      await run.unpack([map]);
      map.version++;
      if (run === this.run) { this.drawHeads(); if (map === this.map) this.refresh(); }
    }
    run.unpacking = false;
  },

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
      this.showNotes(run);
    } else this.enter(run);
    return run;
  },

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
  },

  fail(error) {
    if (this.pending) this.runs.delete(this.pending.id);
    this.pending = null;
    this.root.classList.remove("av-previewing");
    this.grid.previewed = null;
    this.banner.textContent = words(error);
    this.banner.words = error;
    this.banner.hidden = false;
    this.setState("error");
  },

  // ---- painting what has come ----

  enter(run) {
    this.run = run;
    this.map = this.pending = this.echo = this.echoed = null;
    this.learned(false);
    if (this.keepPins) this.wanted.pin = this.state.pins; // the same place, to compare
    this.keepPins = run.isPicture && this.keepPins;
    Object.assign(this.state, { pins: [], follow: true, over: null, key: null, painting: false, painted: null });
    if (run.paired) this.state.reverse = false;
    const { pin } = run.head;
    this.pinned = pin || { query: -1 };
    if (pin && this.chosenHead === undefined) this.state.head = pin.head ?? "mean";
    if (this.wanted.head !== undefined) { this.state.head = this.chosenHead = this.wanted.head; delete this.wanted.head; }
    this.setState(run.steps.length || run.shown ? "running" : "waiting");
    this.root.dataset.run = run.id;
    this.root.dataset.t = run.shown;
    this.root.dataset.done = "false";
    this.root.classList.toggle("av-is-picture", run.isPicture);
    this.root.classList.toggle("av-paired", run.stage === "text" && run.paired);
    this.root.dataset.stage = run.stage;
    this.enterPainting(run);
    this.curves.show(run);
    this.figures.show(run);
    this.gallery.close(false);
    ({ grid: this.grid.top, text: this.text.element, painting: this.painting.told, telling: this.telling.foot })[run.stage].append(this.steps);
    (run.isPainting ? this.painting.head : this.second).append(this.legend.element);
    this.tellHint(run);
    this.root.classList.toggle("av-plain", !run.head.attention);
    this.describeRun();
    this.showBranches();
    if (run.shown) { this.arrived(run, true); } else for (const stage of [this.text, this.grid]) stage.update(run, null);
    this.wake();
  },

  // The step, and the word whose map is shown: as the address says, else the newest and none; the average stays what is looked at.
  enterPainting(run) {
    this.painting.moments.stop();
    if (!run.isPainting) return;
    this.state.moment = this.wanted.step ?? (this.state.moment === "mean" ? "mean" : "last");
    this.state.key = this.wanted.word ?? null;
    delete this.wanted.step;
    delete this.wanted.word;
  },

  tellHint(run) {
    const name = run.isPainting ? "hint_painting" : run.isTelling ? "hint_telling" : run.source ? (run.head.grid ? "hint_rub" : "hint_pictures") : run.isPicture ? "hint_cells" : run.paired ? "hint_paired" : "hint";
    said(this.hint, touch.matches && !run.source && !run.isPainting ? "hint_touch" : name);
  },

  get instant() { return document.hidden || still() || Boolean(this.run.head.stored) || this.run.isPicture || this.run.all; },

  wake() {
    if (this.walking) return;
    this.walking = true;
    this.last = performance.now();
    this.walk();
  },

  walk() {
    const { run } = this;
    const left = run.steps.length - run.shown;
    if (!left) {
      this.walking = false;
      if (run.done && run.shown) this.finish(run);
      return;
    }
    const now = performance.now();
    let count = this.instant || run.isTelling ? left : run.shown === 0 ? 1 : Math.min(left, Math.floor(((now - this.last) * PACE) / 1000));
    if (count) this.last = now;
    const any = count > 0;
    while (count-- > 0) run.show();
    if (any) this.arrived(run, false);
    if (run.steps.length > run.shown) document.hidden ? setTimeout(() => this.walk(), 50) : requestAnimationFrame(() => this.walk());
    else this.walk();
  },

  // Steps became visible.
  arrived(run, again) {
    if (!this.map) this.chooseMap(run);
    if (run.parted) this.unpackRest(run);
    if (run.source) this.tellHint(run);
    if (this.state.follow && this.map) this.state.pins = this.firstPins();
    this.stageOf(run).update(run, this.map);
    this.root.dataset.t = run.shown;
    if (run.shown < run.steps.length || !run.done) this.root.dataset.state = "running";
    if (this.map) this.heads.update(run, this.map);
    this.drawHeads();
    this.curves.follow();
    this.showNotes(run);
    panes.changed();
    if (run.stage === "text" && this.state.follow && this.state.pins.length) this.text.reveal(run.done || again ? run.wordOf(this.state.pins[0]) : run.tokens.length - 1);
    if (run.stage !== "grid") this.render(); // its pictures are on their way
  },

  chooseMap(run) {
    const pinned = `${this.pinned.kind}:${this.pinned.layer}`;
    this.map = run.maps.get(this.mapWanted(run.head)) || run.maps.get(this.state.layer) || run.maps.get(pinned) || run.order[0] || null;
    this.rubbed = false;
    if (this.map && this.map.id !== pinned && this.chosenHead === undefined) this.state.head = "mean";
    run.kind = this.map?.kind ?? null;
    delete this.wanted.layer;
    if (this.state.head === "rollout" && run.stack.length < 2) this.state.head = "mean";
    if (this.map && typeof this.state.head === "number" && this.state.head >= this.map.heads) this.state.head = this.map.heads > 1 ? "mean" : 0;
    if (this.map && this.map.heads === 1) this.state.head = 0;
  },

  firstPins() {
    const { run, map } = this;
    if (this.wanted.pin) {
      const inside = this.wanted.pin.filter((row) => row < map.queries);
      if (inside.length === this.wanted.pin.length) { this.state.follow = false; delete this.wanted.pin; return inside; }
    }
    if (run.isPainting && !(this.pinned.kind === map.kind && this.pinned.query >= 0)) return [firstCell(run, map)];
    if (run.isPicture && map.kind === "cross" && run.hidden.size) return [middle(run.hidden, map.queryAxis.grid[1])];
    const query = this.pinned.kind === map.kind ? this.pinned.query : -1;
    if (query >= 0 && query < map.queries && (run.isPicture || run.done)) return [query];
    if (run.isPicture) return [Math.floor(map.queries / 2)];
    return [run.done && run.shown === run.steps.length ? lastWord(run, map.queries) : map.queries - 1];
  },

  finish(run) {
    if (this.root.dataset.done === "true") return;
    const picture = run.isPainting && run.pictures.findLast(Boolean);
    if (picture && !picture.image) { decoded(picture).then(() => run === this.run && this.finish(run)); return; }
    this.root.dataset.done = "true";
    if (this.root.dataset.state !== "error") this.root.dataset.state = "done";
    if (this.state.follow && this.map) this.state.pins = this.firstPins();
    this.state.follow = false;
    this.showPinned();
    this.drawHeads();
    this.showBranches();
    if (run.stage === "grid") this.refresh(); else this.render();
    this.speak();
    this.askRow();
    panes.changed();
    if (run.stage === "grid" && !run.source) this.askFilm(run);
    this.askMaps();
    this.fit();
  },

  pictureReady() {
    this.render();
    this.drawHeads();
  },
};

// The cell that lies nearest to the middle of some.
function middle(found, columns) {
  const places = [...found].map((cell) => [Math.floor(cell / columns), cell % columns, cell]);
  const [row, column] = [0, 1].map((i) => places.reduce((sum, place) => sum + place[i], 0) / places.length);
  return places.reduce((best, each) => (Math.hypot(each[0] - row, each[1] - column) < Math.hypot(best[0] - row, best[1] - column) ? each : best))[2];
}

// The last row that chose a word: not a mark, a space or a full stop.
function lastWord(run, rows) {
  for (let row = rows - 1; row >= 0; row--) {
    const label = run.tokens[run.chosenBy(row)] ?? "";
    if (/[\p{L}\p{N}]/u.test(label) && !isMark(label)) return row;
  }
  return rows - 1;
}

// The cell of the first thing that is known to be in a picture that looks most at its words, else the middle of all.
function firstCell(run, map) {
  const [rows, columns] = map.queryAxis.grid, [thing] = run.regions;
  if (!thing) return Math.floor(rows / 2) * columns + Math.floor(columns / 2);
  const inside = [...thing.mask.keys()].filter((i) => thing.mask[i]);
  const told = (cell) => { const row = map.row("mean", cell); return thing.at.reduce((sum, key) => sum + (row[key] || 0), 0); };
  const cells = [...new Set(rescaled(inside, [thing.rows, thing.columns], [rows, columns]))];
  return cells.reduce((best, cell) => (told(cell) > told(best) ? cell : best), cells[0]);
}
