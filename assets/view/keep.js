// What goes beyond the run on screen: exact numbers, earlier runs, the runs of its learning, next faces, edits, address, files.

const keeping = {
  // ---- exact numbers, other runs ----

  async fetchRow() {
    const { run, state } = this;
    if (!server.row || !run || !this.map || !run.head.attention || state.pins.length !== 1 || run.series || !run.done) return;
    const [query] = state.pins, step = this.momentNow;
    if (run.isPainting ? step === "mean" || this.detailOf(query) : run.details.has(query)) return;
    try {
      const sent = await server.row({ run: run.id, query, ...(run.isPainting ? { step } : {}) });
      if (!sent || !sent.details) { run.silent = sent?.error ?? null; this.refresh(); return; }
      run.keep(sent.details, step);
      this.refresh();
    } catch (error) {
      console.warn(error); // the strips stay as the wire's weights have them
    }
  },

  // All heads of a step, or averaged over all, of one kind: what the run's own messages leave out.
  async fetchMaps(kind = this.map?.kind) {
    const { run, momentNow: moment } = this;
    if (!server.maps || !run?.isPainting || run.series || !run.head.attention || !kind || (!run.done && this.state.head === "mean")) return;
    const maps = run.order.filter((map) => map.kind === kind), asked = `${kind}@${moment}`;
    if ((maps.length && maps.every((map) => map.wholes.has(moment))) || (run.asked ||= new Set()).has(asked)) return;
    run.asked.add(asked);
    this.root.dataset.fetching = asked;
    const answer = await server.maps({ run: run.id, step: moment === "mean" ? null : moment, kind }).catch(() => null);
    if (answer?.maps?.length) await run.join(answer);
    delete this.root.dataset.fetching;
    if (run !== this.run || !answer?.maps?.length) return;
    if (this.map) this.heads.update(run, this.map);
    this.drawHeads();
    this.refresh();
  },

  // How the cells of a picture that forms look at one another: that step is run again.
  async openCells() {
    const { run } = this;
    const cells = () => run.order.find((map) => map.kind === "self");
    if (!cells()) {
      if (this.momentNow === "mean") this.state.moment = "last";
      await this.fetchMaps("self");
    }
    if (run !== this.run) return;
    if (cells()) this.setLayer(cells().id); else { run.cellsUnknown = true; this.heads.built = ""; this.heads.update(run, this.map); }
  },

  showRun(id) {
    const run = this.runs.get(id);
    if (!run || run === this.run) return;
    run.all = true;
    this.enter(run);
  },

  branchName(run) {
    const edits = run.head.request?.edits || [];
    const mark = edits.length ? "✎ " : "";
    const hidden = run.hidden.size;
    if (run.source && run.isPicture) return mark + t(hidden ? "branch_filled" : "branch_picture", { n: hidden });
    if (run.isPicture) return mark + (run.head.request?.text?.trim().slice(0, 18) || t("branch_seed", { seed: run.seed }));
    const before = run.before?.tokens || [];
    const at = run.tokens.findIndex((token, i) => token !== before[i]);
    const own = (at < run.prompt ? run.tokens : run.tokens.slice(at)).filter((token) => !isMark(token));
    return `${mark}${own.slice(0, 8).join("").trim().replace(/\s+/g, " ").slice(0, 18)}` || t("branch");
  },

  showBranches() {
    const runs = [...this.runs.values()].filter((run) => run.shown || run === this.run);
    this.branches.hidden = runs.length < 2;
    if (runs.length < 2) return;
    this.branches.replaceChildren(said(h("span", { className: "av-note" }), "branches_title"), ...runs.map((run, i) => {
      const chip = h("button", { type: "button", className: "av-chip", onclick: () => this.showRun(run.id) }, run.isPicture ? `${i + 1} · ${this.branchName(run)}` : `${i + 1} ${this.branchName(run)} …`);
      chip.setAttribute("aria-pressed", String(run === this.run));
      return chip;
    }));
    const shown = this.branches.querySelector('[aria-pressed="true"]');
    if (shown) this.branches.scrollLeft = shown.offsetLeft + shown.offsetWidth - this.branches.clientWidth;
  },

  learned(on) {
    this.learnButton.hidden = on;
    this.learnSlider.parentElement.hidden = !on;
    if (!on) this.series = null;
  },

  async openLearned() {
    const { generator, variant } = this.run.head;
    const answer = await server.learning({ generator, variant }).catch(() => null);
    const series = answer && answer.series ? answer.series : [];
    if (!series.length) { said(this.learnButton, "learned_none"); this.learnButton.disabled = true; return; }
    const runs = [];
    for (const { step, message } of series) {
      const run = new Run(message.run);
      await run.open(message);
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
  },

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
  },

  closeLearned() {
    const { from } = this.keepSeries;
    from.all = true;
    this.enter(from);
  },

  async askFilm(run) {
    if (!server.film) return;
    const { generator, variant, request, attention } = run.head, { seed } = run;
    const asked = JSON.stringify([generator, variant, seed, request?.settings, request?.edits, request?.code, attention]);
    if (!this.films.has(asked)) {
      const answer = await server.film({ generator, variant, seed, settings: request?.settings ?? {}, edits: request?.edits ?? [], code: request?.code ?? {}, without: !attention }).catch(() => null);
      this.films.set(asked, answer?.pictures ?? []);
      if (this.films.size > 24) this.films.delete(this.films.keys().next().value);
    }
    if (this.run === run) this.grid.showFilm(this.films.get(asked), seed);
  },

  // Another seed, watched; from a sheet of one of the twins: by that one.
  face(seed, without) {
    this.gallery.close(false);
    this.report("face", { run: this.run.id, seed, ...(without === undefined ? {} : { without }) });
  },

  // The same picture with these cells rubbed out.
  sendHidden(hidden) {
    this.root.dataset.state = "waiting";
    this.keepPins = false;
    this.rubbed = true;
    this.report("rub", { run: this.run.id, hidden });
  },

  // ---- edits ----

  edits() { return this.run?.head?.request?.edits || []; },

  sendEdits(edits) {
    this.root.dataset.state = "waiting";
    this.keepPins = !this.state.follow;
    this.report("edit", { run: this.run.id, edits });
  },

  togglePainting() {
    this.state.painting = !this.state.painting;
    this.state.painted = null;
    this.components.element.classList.toggle("av-painting", this.state.painting);
    this.refresh();
  },

  paintKey(key, share) {
    if (!this.look || key === OTHERS) return;
    const grid = Boolean(this.look.keyGrid);
    const painted = this.state.painted || (grid ? new Float32Array(this.look.row.length) : Float32Array.from(this.look.row));
    painted[key] = grid ? 1 : share * Math.max(...painted, 0.05);
    this.state.painted = painted;
    this.refresh();
  },

  paintDone() {
    const painted = this.state.painted;
    if (!painted || !this.state.pins.length) return;
    const sum = painted.reduce((a, b) => a + b, 0) || 1;
    const { heads } = this.change.place();
    const edit = { action: "paint", rows: [[Array.from(painted, (weight) => Number((weight / sum).toFixed(5)))]], queries: [...this.state.pins], ...(heads ? { heads } : {}), ...(this.run.order.length > 1 ? { layers: [this.map.layer], map: this.map.kind } : {}) };
    const kept = this.edits().filter((each) => each.action !== "paint" || JSON.stringify([each.queries, each.heads]) !== JSON.stringify([edit.queries, edit.heads]));
    this.sendEdits([...kept, edit]);
  },

  // ---- address, export ----

  mirror() {
    if (this.pane !== "a") return; // the address has room for one
    const here = new URL(window.location.href);
    const { pins, head } = this.state;
    if (pins.length && pins.length <= 16) here.searchParams.set("pin", pins.join(",")); else here.searchParams.delete("pin");
    here.searchParams.set("head", String(head));
    const { moment, key } = this.state;
    if (this.run?.isPainting && moment !== "last") here.searchParams.set("step", String(moment)); else here.searchParams.delete("step");
    if (this.run?.isPainting && key !== null) here.searchParams.set("word", String(key)); else here.searchParams.delete("word");
    if (this.run && this.run.order.length > 1) here.searchParams.set("layer", this.map.id); else here.searchParams.delete("layer");
    history.replaceState(history.state, "", here);
  },

  exportSvg(download = false) {
    const svg = drawFigure(this);
    if (download) save(new Blob([svg], { type: "image/svg+xml" }), `${this.fileName()}.svg`);
    return svg;
  },

  async exportPng(download = false) {
    const blob = await rasterise(drawFigure(this));
    if (download) save(blob, `${this.fileName()}.png`);
    return blob;
  },

  fileName() { return `attention-${this.run?.head?.variant ?? "lab"}-${this.run?.seed ?? 0}`.replace(/[^\w-]/g, ""); },
};
