// The view itself: takes messages, keeps what is pinned, and paints. `element`, `props`, `trigger`, `server` and `watch` are Gradio's.

const NARROW = 712, WIDE = 1133; // pixels of its width: as on a phone, as on a desk

class View {
  // seat: where it stands, and what it is as wide as. pane: "a", or "b" where another stands before it.
  constructor(seat, pane = "a") {
    Object.assign(this, { seat, pane, link: null, echo: null, echoed: null }); // echoes: cells of the other that are pinned, pointed at
    this.root = h("div");
    seat.append(this.root);
    this.width = seat.clientWidth || window.innerWidth;
    this.runs = new Map();
    this.run = null;
    this.map = null;
    this.look = null;
    this.state = { head: "mean", layer: null, pins: [], follow: true, over: null, reverse: false, alt: false, key: null, moment: "last", outlines: false, soft: true, relative: true, aside: false, smooth: false, whole: false, painting: false, painted: null };
    this.wanted = readAddress();
    this.sizes = { map: 200, head: 46, cell: 34, tiny: 24, strip: 300, tall: 108 };
    this.times = [];
    this.series = null;
    this.films = new Map();
    this.scoring = new Map(); // generator → how its scores are made: "scores" (a dot product) or "additive"
    this.rolled = new Map(); // query → its row rolled out through all layers
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
    this.painting = new PaintingStage(this);
    this.telling = new TellingStage(this);
    this.mapPanel = new MapPanel(this);
    this.heads = new HeadPanel(this);
    this.components = new Components(this);
    this.legend = new Legend();
    this.change = new ChangePanel(this);
    this.leaving = new Leaving(this);
    this.inside = new Inside(this);
    this.candidates = new BarList("candidates", (row) => this.report("pick", { run: this.run.id, step: row.step, id: row.id }));
    this.keys = new BarList("keys", (row) => this.chooseKey(row.key));
    this.beams = new BarList("beams", () => {});
    this.curves = new Curves();
    this.figures = new Figures();
    this.card = new RunCard();
    this.gallery = new Gallery(this);
    this.branches = h("div", { className: "av-branches", role: "group" });
    said(this.branches, "branches", {}, "aria-label");
    this.notes = h("p", { className: "av-notes" });
    this.hint = said(h("p", { className: "av-hint" }), "hint");
    this.side = h("details", { className: "av-side", open: !this.narrow }, said(h("summary"), "details"), h("div", { className: "av-side-in" }, this.mapPanel.element, this.candidates.element, this.keys.element, this.beams.element));
    this.stage = h("div", { className: "av-stage" }, this.text.element, this.grid.element, this.painting.element, this.telling.element, this.side);
    this.buildSteps();
    this.text.element.append(this.steps);
    this.sentence = h("p", { className: "av-sentence" });
    this.spoken = h("p", { className: "av-hidden", role: "status" });
    this.spoken.setAttribute("aria-live", "polite");
    this.anatomy = h("p", { className: "av-anatomy" });
    this.buildTools();
    this.banner = h("p", { className: "av-banner", role: "alert", hidden: true });
    this.empty = h("div", { className: "av-empty" }, said(h("p", { className: "av-invite" }), "empty_title"), said(h("p", {}), "empty"));
    this.band = h("div", { className: "av-band" }, h("div", { className: "av-band-side" }, this.heads.element, this.curves.element), this.components.element, this.curves.claim);
    this.second = h("div", { className: "av-line av-second" }, this.anatomy, this.legend.element);
    this.main = h("div", { className: "av-main" }, this.branches, this.stage,
      h("div", { className: "av-line" }, this.sentence, this.switches), this.card.element, this.telling.truth.element, h("div", { className: "av-small" }, this.figures.element, this.notes, this.hint),
      this.second, this.band, this.tools, ...this.folds);
    this.root.classList.add("attention-view");
    this.root.setAttribute("lang", lang());
    this.root.replaceChildren(this.banner, this.empty, this.main, this.gallery.element, this.spoken);
    this.speak = debounce(500, () => { this.spoken.textContent = this.sentence.textContent; });
    this.writeAddress = debounce(250, () => this.mirror());
    this.askRow = debounce(120, () => this.fetchRow());
    this.askMaps = debounce(160, () => this.fetchMaps());
    this.drawHeads = throttle(300, () => this.run && this.map && this.heads.draw(this.run, this.map));
    new ResizeObserver(() => this.resized()).observe(this.root);
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
    this.present = said(h("button", { type: "button", className: "av-link", onclick: () => panes.present() }), "present");
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
    this.tools = h("div", { className: "av-tools" }, this.changeButton, this.inside.button, this.leaving.button, this.change.chips, h("span", { className: "av-gap" }), panel("more", this.more), this.png, this.svg, this.present);
  }

  // What stands folded up below, and may be open.
  get folds() { return [this.change.element, this.inside.element, this.leaving.element, this.more]; }

  // Whether it is as on a phone; whether there is room to spare. As the style has it.
  get narrow() { return this.width <= NARROW; }
  get roomy() { return this.width >= WIDE && window.innerHeight > 860; }

  resized() {
    const { narrow } = this;
    this.width = this.seat.clientWidth || this.width;
    if (narrow !== this.narrow) this.side.open = !this.narrow;
    const of = (element, least) => Math.max(least, Math.floor(element.clientWidth));
    this.sizes.strip = of(this.components.parts.weights.frame, 80);
    this.sizes.tall = this.components.parts.weights.frame.clientHeight || 108;
    this.sizes.head = this.roomy ? 56 : 46;
    this.sizes.cell = this.run?.isPainting ? (this.roomy ? 30 : 26) : this.roomy ? 40 : 33;
    this.root.style.setProperty("--cell", `${this.sizes.cell}px`);
    this.drawHeads();
    this.fit();
    this.sizes.map = Math.max(120, Math.floor(this.mapPanel.frame.clientWidth));
    if (this.run) this.text.measure(0);
    this.refresh();
  }

  // The part of the page that shows a run.
  stageOf(run) { return this[run.stage]; }

  fit() { if (this.run) this.stageOf(this.run).fit?.(); }

  setState(name) {
    this.root.dataset.state = name;
    this.empty.hidden = this.run !== null;
    this.main.hidden = this.run === null || this.gallery.isOpen;
  }

  relang() {
    this.root.setAttribute("lang", lang());
    for (const element of this.root.querySelectorAll("[data-said]")) resay(element);
    if (this.run && this.map) this.heads.update(this.run, this.map);
    if (this.run) { this.describeRun(); this.drawHeads(); this.change.update(); this.showBranches(); this.curves.paint(); this.figures.show(this.run); this.stageOf(this.run).offer?.(); if (this.run.stage === "grid") this.grid.memory.paint(); if (this.run.isPainting) this.painting.update(this.run, this.map); }
    if (this.gallery.isOpen) this.gallery.load(this.gallery.first);
    this.refresh();
  }

  rethemed() {
    this.drawHeads();
    this.curves.paint();
    this.grid.memory.paint();
    this.refresh();
  }

  // What the visitor does here, for the server.
  report(event, given) { trigger(event, this.link ? { ...given, pane: this.pane } : given); }

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
    if (readTheme()) panes.rethemed();
    const look = (this.look = this.see());
    const { run, state } = this;
    for (const button of [this.whoButton, ...this.flips]) button.setAttribute("aria-pressed", String(state[button.flips]));
    if (run.isPainting) this.painting.paint(look);
    else if (run.isPicture) { this.grid.paint(look); this.grid.showCrops(look); }
    else if (run.isTelling) this.paintTelling(look);
    else if (look) { this.text.paint(look); this.mapPanel.paint(this.map, look); this.text.press(!look.reverse ? state.pins.map((row) => run.wordOf(row)) : run.paired ? look.boxed : []); }
    else this.paintPlain();
    this.root.dataset.pin = state.pins.join(",");
    if (look) {
      const detail = look.rows.length === 1 ? this.detailOf(look.rows[0]) : null;
      this.components.paint(look, detail);
      this.legend.paint(look, state.relative);
      if (run.stage === "text") this.showLists(look, detail);
      this.showTable(look, detail);
    }
    this.say(look);
    this.showStep(look);
    this.change.update();
    this.inside.update();
    this.leaving.update();
    this.times.push(performance.now() - began);
    if (this.times.length > 500) this.times.shift();
  }

  // Without attention there is still a word to stand at, and others that could have come.
  paintPlain() {
    const { run, state } = this;
    const rows = run.tokens.length - (run.paired ? run.prompt : 1);
    const row = run.shown ? ((state.over?.row >= 0 ? state.over.row : null) ?? state.pins[0] ?? (run.done ? lastWord(run, rows) : rows - 1)) : -1;
    this.text.paint({ weights: [], key: null, boxed: row >= 0 ? [run.wordOf(row)] : [], stood: null, arcs: [], reverse: false, top: 1 });
    this.showCandidates(row);
    this.showBeams(row);
  }

  // The words of a picture; without attention just the words.
  paintTelling(look) {
    const { run, state } = this, row = !run.shown ? -1 : look ? (look.reverse ? -1 : look.rows.length === 1 ? look.rows[0] : -1) : ((state.over?.row >= 0 ? state.over.row : null) ?? state.pins[0] ?? lastWord(run, run.tokens.length));
    this.telling.paint(look);
    this.showCandidates(row);
    this.showBeams(row);
  }

  detailOf(row) {
    const found = this.state.head === "rollout" ? null : this.run.details.get(this.run.detailName(row, this.momentNow));
    return (found && found.find((each) => each.kind === this.map.kind && each.layer === this.map.layer)) || null;
  }

  showLists(look, detail) {
    const { state, run } = this;
    const one = look.rows.length === 1 ? look.rows[0] : -1;
    this.showCandidates(one);
    this.showBeams(one);
    if (look.reverse) {
      said(this.keys.title, "askers", { key: this.keyName(look.seen) });
      this.keys.show(look.askers.slice(0, LISTED).map((row) => ({ label: run.tokens[run.wordOf(row)], share: look.column[row], marked: true, key: look.seen, name: t("key_share", { key: bare(run.tokens[run.wordOf(row)]), share: percent(look.column[row]) }) })), theme.query);
    } else {
      said(this.keys.title, "keys");
      this.keys.show(look.listed.map((key) => {
        const share = shareOf(look.row, key);
        return { label: this.keyName(key), key, share, exact: Boolean(detail), marked: key !== OTHERS, fixed: key === OTHERS, name: t("key_share", { key: this.keyName(key), share: percent(share) }) };
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

  // What the search kept at this word: what all hypotheses begin with is left out where they are many words long.
  showBeams(row) {
    const at = row >= 0 ? this.run.choiceOf(row) : null;
    const beams = (at !== null && this.run.steps[at].beams) || [];
    this.root.classList.toggle("av-beamed", this.run.steps.some((step) => step.beams));
    said(this.beams.title, "beams");
    this.beams.note.textContent = beams.length ? t("beams_note") : "";
    const same = sameBeginning(beams.map(([text]) => text));
    this.beams.show(beams.map(([text, score, chosen, ended]) => {
      const short = same > 12 ? `… ${text.slice(same).trim()}` : text.trim();
      return { label: ended ? `${short} ∎` : short, share: Math.exp(score - beams[0][1]), shown: score.toFixed(2).replace("-", "−"), marked: Boolean(chosen), fixed: true,
        name: t(chosen ? "beam_chosen" : ended ? "beam_ended" : "beam", { text: bare(text), score: score.toFixed(2) }) };
    }), theme.query);
  }

  showTable(look, detail) {
    if (this.more.hidden) return;
    const rows = topShares(look.row, 12).map((key) => h("tr", {}, h("td", {}, key === OTHERS ? "" : String(key + 1)), h("td", {}, this.keyName(key)), h("td", {}, percent(shareOf(look.row, key), Boolean(detail)))));
    this.table.replaceChildren(h("caption", {}, t("table")), h("thead", {}, h("tr", {}, ...["table_place", "table_key", "table_share"].map((name) => h("th", { scope: "col" }, t(name))))), h("tbody", {}, ...rows));
  }
}

for (const part of [arriving, looking, saying, keeping]) Object.defineProperties(View.prototype, Object.getOwnPropertyDescriptors(part));

function readAddress() {
  const given = new URLSearchParams(window.location.search);
  const wanted = {};
  const pin = (given.get("pin") || "").split(",").filter((part) => /^\d{1,6}$/.test(part)).map(Number).slice(0, 64);
  if (pin.length) wanted.pin = pin;
  const head = given.get("head");
  if (["mean", "max", "rollout"].includes(head)) wanted.head = head; else if (/^\d{1,3}$/.test(head || "")) wanted.head = Number(head);
  if (/^\d{1,3}$/.test(given.get("step") || "")) wanted.step = Number(given.get("step")); else if (given.get("step") === "mean") wanted.step = "mean";
  if (/^\d{1,3}$/.test(given.get("word") || "")) wanted.word = Number(given.get("word"));
  if (/^(self|cross|encoder):\d{1,3}$/.test(given.get("layer") || "")) wanted.layer = given.get("layer");
  return wanted;
}

// Not more often than every `wait` ms, and never before what is on its way to the screen.
function throttle(wait, action) {
  let last = 0, coming = false;
  const act = () => { coming = false; last = performance.now(); action(); };
  return () => {
    if (coming) return;
    coming = true;
    setTimeout(() => idle(act), Math.max(0, last + wait - performance.now()));
  };
}

// How many characters all texts begin with, up to the last space before they part.
function sameBeginning(texts) {
  if (texts.length < 2) return 0;
  let at = 0;
  while (at < texts[0].length && texts.every((text) => text[at] === texts[0][at])) at++;
  const space = texts[0].lastIndexOf(" ", at - 1);
  return /\s/.test(texts[0]) ? Math.max(0, space) : at;
}
