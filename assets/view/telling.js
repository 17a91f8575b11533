// The stage of words that look at cells: a strip of film, each word over the picture as it was looked at while the word was chosen; one large.

const MOST_FRAME = 148, LEAST_FRAME = 64; // pixels of a picture of the strip
const FOOT_GAP = 8; // pixels between the strip and what stands below it

class LookedPane extends Pane {
  // Every cell can be asked who looked at it.
  get keys() { return Boolean(this.stage.map); }
  set keys(_) { /* cells are always looked at */ }

  paint(look) {
    super.paint(look && { ...look, boxed: look.reverse ? look.boxed : [] });
    const { view } = this.stage, size = this.frame.clientWidth, pen = this.canvas.getContext("2d");
    if (view.state.outlines && look && !look.reverse) for (const region of this.stage.regionsOf(look.rows)) region.draw(pen, size, theme.query, 2.5);
  }
}

class TellingStage {
  constructor(view) {
    this.view = view;
    Object.assign(this, { run: null, map: null, image: null, sourced: true, previewed: null, filled: new Set(), brush: { on: false, at: null, hidden: new Set(), leave() {}, end() {} } });
    this.pane = new LookedPane(this);
    this.pane.of = "in";
    said(this.pane.frame, "picture_told", {}, "aria-label");
    this.truth = new Truth(view);
    this.film = h("div", { className: "av-told-film", role: "group" });
    said(this.film, "told", {}, "aria-label");
    this.gateTold = said(h("p", { className: "av-note av-gate-told", hidden: true }), "gate_told");
    this.strip = h("div", { className: "av-told-part" }, this.film, this.foot = h("div", { className: "av-told-foot" }, this.gateTold));
    this.element = h("div", { className: "av-telling-stage" }, h("div", { className: "av-panes" }, this.pane.element), this.strip);
    this.frames = [];
    this.listen();
    for (const each of [this.pane.frame, this.film]) new ResizeObserver(() => view.refresh()).observe(each);
  }

  listen() {
    const { film, view } = this, wordAt = (event) => event.target.closest?.(".av-told-word")?.word ?? null;
    film.addEventListener("pointerover", (event) => { if (event.pointerType !== "touch") view.hover(wordAt(event)); });
    film.addEventListener("pointerleave", () => view.hover(null));
    film.addEventListener("focusin", (event) => { if (event.target.matches(":focus-visible")) view.hover(wordAt(event)); });
    film.addEventListener("focusout", () => view.hover(null));
    film.addEventListener("click", (event) => { const word = wordAt(event); if (word !== null) view.pinWord(word, event.shiftKey); });
    film.addEventListener("keydown", (event) => {
      const word = wordAt(event);
      const to = { ArrowRight: word + 1, ArrowLeft: word - 1, Home: 0, End: this.frames.length - 1 }[event.key];
      if (word === null || to === undefined || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      const next = this.frames[(to + this.frames.length) % this.frames.length];
      for (const each of this.frames) each.tabIndex = each === next ? 0 : -1;
      next.focus();
    });
  }

  gridOf() { return this.map?.keyAxis?.grid ?? null; }
  imageOf() { return this.image; }
  regionsOf(rows) { return this.run.regions.filter((region) => rows.some((row) => region.at.includes(row))); }

  press(_, cell) {
    const { view } = this;
    if (view.state.reverse && view.state.key === cell) { Object.assign(view.state, { reverse: false, key: null }); view.refresh(); } else view.pinKey(cell);
  }

  // ---- what has come ----

  async update(run, map) {
    if (!run.shown) return;
    if (this.run !== run) { this.run = run; this.film.replaceChildren(); this.frames = []; this.image = null; }
    this.map = map;
    for (let word = this.frames.length; word < run.tokens.length; word++) this.append(run, word);
    this.gateTold.hidden = !run.steps.some((step) => step.facts?.gate !== undefined);
    if (!run.source) return;
    await decoded(run.source);
    if (run !== this.run) return;
    this.image = run.source.image;
    this.view.refresh();
  }

  append(run, word) {
    const label = run.tokens[word], gate = run.steps[run.stepOf[word - run.prompt]]?.facts?.gate;
    const frame = h("button", { type: "button", className: `av-told-word${isMark(label) ? " av-told-mark" : ""}`, tabIndex: word ? -1 : 0 },
      h("span", { className: "av-told-label" }, bare(label)), h("canvas", { ariaHidden: "true" }));
    if (gate !== undefined) {
      const bar = h("i", { style: `width: ${(100 * Math.max(0, Math.min(1, gate))).toFixed(1)}%` });
      frame.append(h("span", { className: "av-gate" }, h("span", { className: "av-gate-bar", ariaHidden: "true" }, bar), h("span", { className: "av-gate-value" }, `β ${gate.toFixed(2)}`)));
    }
    frame.style.setProperty("--longest", String(Math.max(...bare(label).split(/\s+/).map((each) => [...each].length))));
    frame.word = word;
    if (!this.view.instant) frame.animate([{ opacity: 0 }, { opacity: 1 }], 160);
    this.film.append(frame);
    this.frames.push(frame);
  }

  reveal() { /* the whole strip is in sight */ }
  measure() { /* nothing stands at a measured place */ }

  // ---- painting ----

  paint(look) {
    const { run, view } = this;
    if (!run) return;
    this.pane.paint(look);
    const rows = look && !look.reverse ? look.rows : [];
    said(this.pane.caption, look?.reverse ? "told_seen" : rows.length === 1 ? "told_lit" : "told_picture", { word: bare(run.tokens[run.wordOf(rows[0] ?? 0)] ?? "") });
    const { tints, inks } = inksOf(look?.reverse ? look : null);
    this.frames.forEach((frame, word) => {
      const row = run.rowOf(word), share = look?.reverse ? level(look.weights[row] || 0, look.top) : 0, tint = Math.round(LEVELS * share * 0.92), [label] = frame.children;
      frame.classList.toggle("av-shown", rows.includes(row));
      frame.setAttribute("aria-pressed", String(!view.state.reverse && view.state.pins.includes(row)));
      label.style.backgroundColor = share >= 0.03 ? tints[tint] : "";
      label.style.color = share >= 0.03 ? inks[tint] ?? "" : "";
    });
    this.paintFilm(look);
    this.truth.paint(this.measured(rows), true);
    if (run.shown && view.root.dataset.painted !== run.id) view.root.dataset.painted = run.id;
  }

  // Each picture relative to its own word, as the large one.
  paintFilm(look) {
    const { run, map, image, view } = this, { state } = view, size = this.frames[0]?.clientWidth ?? 0;
    if (!image || !size) return;
    for (const frame of this.frames) {
      const row = look && map?.keyAxis?.grid ? view.rowAt(run.rowOf(frame.word)) : null;
      const drawn = [size, Boolean(row), map?.id, state.head, state.smooth, state.relative, state.outlines && run.regions.length, theme.dark].join();
      if (drawn === frame.drawn) continue;
      frame.drawn = drawn;
      const pen = fresh(frame.children[1], size, size);
      pen.imageSmoothingEnabled = state.smooth;
      pen.drawImage(image, 0, 0, size, size);
      if (row) shade(pen, row, map.keyAxis.grid, view.topOf(row), size, state.smooth);
      if (state.outlines) for (const region of this.regionsOf([run.rowOf(frame.word)])) region.draw(pen, size, theme.query, 1.5);
    }
  }

  measured(rows) {
    if (!this.map?.keyAxis?.grid || rows.length !== 1) return [];
    const weights = this.view.rowAt(rows[0]);
    return this.regionsOf(rows).map((region) => ({ label: region.label, area: region.area, ...region.measure(weights, this.map.keyAxis.grid) }));
  }

  // The large picture as large as there is room, the strip beside it no taller than that.
  fit() {
    const { view, pane, film } = this, run = this.run?.isTelling ? this.run : null;
    fitPictures(view, this.element, run, () => pane.element.offsetHeight - pane.frame.offsetHeight);
    const room = !run || view.narrow ? 0 : Math.max(pane.element.offsetHeight, LEAST) - this.foot.offsetHeight - FOOT_GAP;
    const fitted = [run?.id, this.frames.length, room, film.clientWidth, lang()].join();
    if (fitted === this.fitted) return;
    this.fitted = fitted;
    if (!room) { film.style.removeProperty("--frame"); return; }
    const fits = (size) => { film.style.setProperty("--frame", `${size}px`); return film.offsetHeight <= room; };
    let least = LEAST_FRAME, most = MOST_FRAME; // every size that is tried is laid out anew
    while (least < most) { const size = Math.ceil((least + most) / 2); if (fits(size)) least = size; else most = size - 1; }
    fits(least);
  }
}
