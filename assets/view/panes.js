// What stands in the component: one view; or two, linked, with what sets them apart above them. `element`, `props` and `watch` are Gradio's.

const PANES = ["a", "b"];
const THUMB = 34; // pixels of the difference of two pictures

class Panes {
  constructor(root) {
    Object.assign(this, { root, turn: 0, ended: -1, aligned: "" });
    this.seats = h("div", { className: "av-seats" });
    root.replaceChildren(this.seats);
    this.views = [];
    this.seat("a");
    this.renew = throttle(250, () => this.describe());
    this.listen();
  }

  get first() { return this.views[0]; }
  get paired() { return this.views.length > 1; }

  // The view that the keyboard means: the one that was used last.
  get active() { return this.paired && this.used === this.views[1] ? this.views[1] : this.first; }

  seat(pane) {
    const seat = h("div", { className: "av-seat" });
    this.seats.append(seat);
    const view = new View(seat, pane), use = () => { this.used = view; };
    for (const event of ["pointerenter", "focusin"]) seat.addEventListener(event, use);
    this.views.push(view);
    return view;
  }

  // ---- messages ----

  receive(message) {
    if (typeof message === "string") message = message ? JSON.parse(message) : null;
    if (!message || typeof message !== "object") return null;
    if (message.pair) return this.receivePair(message);
    if (message.run && !(message.turn < this.turn)) this.close(); // a run of its own ends a comparison
    return this.first.receive(message);
  }

  // What comes for the panes; after the end of a comparison what still comes for the one that stayed.
  receivePair({ pair, turn = 0 }) {
    const late = !this.paired && turn <= this.ended;
    if (!this.paired && !late) this.open();
    this.turn = Math.max(this.turn, turn);
    return Promise.all(this.views.map((view) => {
      const message = pair[late ? this.stayed : view.pane];
      if (message) return view.receive({ ...message, turn });
      if (message === null && turn > view.lastTurn) this.wait(view, turn);
      return null;
    }));
  }

  // A new comparison, and nothing yet to show here.
  wait(view, turn) {
    view.lastTurn = turn;
    view.root.dataset.state = "waiting";
  }

  // ---- two of them ----

  open() {
    this.first.gallery.close(false);
    this.seat("b");
    this.link = new Link(this.views);
    this.heads = this.views.map((view) => this.headOf(view));
    this.showBar();
    this.root.classList.add("av-both");
    for (const view of this.views) {
      view.link = this.link;
      view.seat.prepend(this.heads[PANES.indexOf(view.pane)].element);
      view.seat.setAttribute("role", "group");
      view.empty.replaceChildren(said(h("p", {}), "pane_waits"));
    }
    this.renew();
  }

  headOf(view) {
    const name = h("h2", { className: "av-seat-name" });
    const only = said(h("button", { type: "button", className: "av-link", onclick: () => this.part(view) }), "pair_only");
    const fold = said(h("button", { type: "button", className: "av-open av-unfold", onclick: () => { const open = view.seat.classList.toggle("av-unfolded"); fold.setAttribute("aria-expanded", String(open)); } }), "pair_unfold");
    fold.setAttribute("aria-expanded", "false");
    const element = h("header", { className: "av-seat-head" }, h("span", { className: "av-letter", ariaHidden: "true" }, view.pane.toUpperCase()), name, only);
    view.seat.append(fold);
    return { element, name, only, fold };
  }

  showBar() {
    this.unlike = h("p", { className: "av-unlike" });
    this.parting = h("p", { className: "av-parting" });
    this.thumb = h("canvas", { className: "av-thumb", ariaHidden: "true", hidden: true });
    const button = (name, act) => said(h("button", { type: "button", className: "av-button", onclick: act }), name);
    const swap = window.attentionLab.swapped ? [button("pair_swap", () => window.attentionLab.swapped())] : [];
    this.bar = h("div", { className: "av-bar-of-two" }, h("div", { className: "av-unlikes" }, this.unlike, this.thumb, this.parting), h("div", { className: "av-bar-tools" }, ...swap, button("pair_close", () => this.part(this.first))));
    this.root.prepend(this.bar);
  }

  // The visitor wants but one.
  part(view) {
    const { pane } = view;
    this.close(view);
    window.attentionLab.apart?.(pane);
  }

  close(kept = this.first) {
    if (!this.paired) return;
    Object.assign(this, { ended: this.turn, stayed: kept.pane, aligned: "" });
    for (const view of this.views) {
      const { element, fold } = this.heads[PANES.indexOf(view.pane)];
      for (const each of [element, fold]) each.remove();
      if (view !== kept) { view.painting.moments.stop(); view.seat.remove(); }
    }
    this.bar.remove();
    this.root.classList.remove("av-both");
    kept.seat.removeAttribute("role");
    kept.seat.removeAttribute("aria-label");
    Object.assign(kept, { pane: "a", link: null, echo: null, echoed: null });
    this.views = [kept];
    this.mark(kept, new Set());
    kept.card.show(null);
    kept.writeAddress();
    kept.resized();
  }

  // ---- what sets them apart ----

  // Something came, or is shown in another way.
  changed() { if (this.paired) this.renew(); }

  describe() {
    const { views } = this, runs = views.map((view) => view.run);
    if (!this.paired) return;
    const known = runs.every((run) => run?.head), { names, kind, parts } = known ? differenceOf(views) : { names: runs.map((run, i) => (run?.head ? views[i].title() : "…")) };
    views.forEach((view, i) => {
      const { name, only } = this.heads[i];
      if (name.textContent !== names[i]) name.textContent = names[i];
      view.seat.setAttribute("aria-label", `${view.pane.toUpperCase()}: ${names[i]}`);
      only.setAttribute("aria-label", t("pair_only_name", { name: names[i] }));
      view.card.show(runs[i], known ? runs[1 - i] : null);
    });
    this.unlike.textContent = known ? t(`pair_${kind}`, parts) : "";
    if (known && runs.every((run) => run.shown)) this.compare(...runs); else this.parting.textContent = "";
  }

  compare(one, other) {
    const { views } = this, worded = [one, other].every((run) => !run.isPicture) && one.stage === other.stage;
    const done = [one, other].every((run) => run.done && run.shown === run.steps.length);
    this.parting.textContent = worded ? this.tellTexts(partedTexts(one, other), done) : "";
    this.thumb.hidden = true;
    if (one.isPicture && other.isPicture) this.tellPictures(one, other);
    if (done) this.align(views, `${one.id} ${other.id}`);
  }

  tellTexts({ changed, written, at, alike }, done) {
    this.views.forEach((view, i) => this.mark(view, changed[i]));
    if (alike) return done ? t("texts_alike") : "";
    if (!at[0] || !at[1]) return done ? t("texts_longer") : "";
    return t(written > 0 ? "texts_part" : "texts_apart", { n: written, a: at[0], b: at[1] });
  }

  mark(view, changed) {
    const items = view.run?.isTelling ? view.telling.frames : view.text.spans;
    items.forEach((item, word) => item.classList.toggle("av-changed", changed.has(word)));
  }

  // Where two pictures of one model are not the same; those of two models are not, anywhere.
  tellPictures(one, other) {
    const [a, b] = [one, other].map((run) => run.pictures.findLast(Boolean)?.image), [x, y] = [one.head, other.head];
    if (!a || !b || x.generator !== y.generator || (Boolean(x.attention) !== Boolean(y.attention) && one.isGrid && !one.source)) return;
    const { shares, wide, top, mean } = (this.measured?.of === `${one.id} ${other.id} ${one.shown} ${other.shown}` ? this.measured : this.measured = { of: `${one.id} ${other.id} ${one.shown} ${other.shown}`, ...difference(a, b, new Set(), 0) });
    this.thumb.hidden = false;
    cells(fresh(this.thumb, THUMB, THUMB), wide, wide, (r, c) => level(shares[r * wide + c], top), 0, 0, THUMB, THUMB, true, theme.greys);
    this.parting.textContent = t("pictures_apart", { mean: short(mean) });
  }

  // Both have come: the second shows the place that the first is pinned at.
  align(views, runs) {
    if (this.aligned === runs) return;
    this.aligned = runs;
    this.link.pinned(views.find((view) => view.map) ?? views[0]);
  }

  // ---- the page around ----

  rethemed() {
    for (const view of this.views) view.rethemed();
    this.changed();
  }

  listen() {
    const shortcuts = (event) => { if (element.isConnected) this.key(event); else document.removeEventListener("keydown", shortcuts); };
    document.addEventListener("keydown", shortcuts);
    const each = (action) => () => this.views.forEach(action);
    document.addEventListener("visibilitychange", each((view) => { if (!document.hidden && view.run && !view.run.done && !view.run.series) view.catchUp(view.run.id, view.run.steps.length); }));
    window.addEventListener("resize", each((view) => view.fit()));
    new ResizeObserver(each((view) => view.fit())).observe(document.body); // what stands above may grow
    new MutationObserver(() => { this.views.forEach((view) => view.relang()); this.relang(); }).observe(document.documentElement, { attributes: true, attributeFilter: ["lang"] });
    const themed = () => { if (readTheme()) this.rethemed(); };
    for (const host of [document.documentElement, document.body]) new MutationObserver(themed).observe(host, { attributes: true, attributeFilter: ["class"] });
  }

  relang() {
    for (const item of this.root.querySelectorAll(".av-seat-head [data-said], .av-bar-of-two [data-said], .av-unfold")) resay(item);
    this.changed();
  }

  key(event) {
    const view = this.active;
    if (typing(event) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && view.gallery.isOpen) { event.preventDefault(); view.gallery.close(); return; }
    if (event.key === "[") view.turn(-1);
    else if (event.key === "]") view.turn(1);
    else if (event.key === "p" || event.key === "P") this.present();
    else if (event.key === "i" || event.key === "I") view.run && view.inside.toggle();
    else if (event.key === "t" || event.key === "T") view.run && view.leaving.toggle();
    else if (event.key === "h" || event.key === "H") view.run && view.stepHead(event.shiftKey ? -1 : 1);
    else if (event.key === "l" || event.key === "L") view.run && view.stepLayer(event.shiftKey ? -1 : 1);
    else if (event.key === "Escape" && document.body.classList.contains("presenting")) { event.preventDefault(); this.present(); }
  }

  // Type larger, controls away; or as before.
  present() {
    document.body.classList.toggle("presenting");
    requestAnimationFrame(() => { for (const view of this.views) { view.resized(); view.showPinned(); } });
  }
}

function typing(event) {
  const at = event.target;
  return at instanceof HTMLElement && (at.isContentEditable || at.matches("textarea, select, input:not([type=range]):not([type=checkbox]):not([type=radio])"));
}

// What a view tells of itself, and can be asked to do. of: the view at the moment.
const askable = (of) => ({
  state: () => { const view = of(), { run } = view; return { ...view.state, run: run?.id ?? null, shown: run?.shown ?? 0, tokens: run?.tokens ?? [], kept: [...view.runs.keys()], map: view.map?.id ?? null, words: view.sentence.textContent }; },
  row: (position, head = of().state.head) => Array.from(of().map?.row(head, position) ?? []),
  exact: (position, head = of().state.head) => of().detailOf(position)?.weights[head] ?? null,
  inside: () => Array.from(of().inside.numbers?.weights ?? []),
  rolled: (position) => rollout(of().run.stack, position),
  times: () => [...of().times],
  exportSvg: () => of().exportSvg(),
  exportPng: () => of().exportPng(),
});

const touch = matchMedia("(hover: none)");
readTheme();
if (!document.getElementById("attention-view-style")) document.head.append(h("style", { id: "attention-view-style", textContent: STYLE }));
const panes = new Panes(element.querySelector(".av-root") || element);

// The controls put theirs beside it: takers(generator/variant), send(picture, target, request), apart(pane), swapped().
Object.assign((window.attentionLab ??= {}), {
  ...askable(() => panes.first),
  preview: (url) => panes.first.run?.stage === "grid" && panes.first.grid.preview(url),
  refresh: () => { for (const view of panes.views) if (view.run) view.stageOf(view.run).offer?.(); },
  compare: () => panes.first.run?.head.gallery && panes.first.root.dataset.state !== "waiting" && panes.first.gallery.open(true),
  receive: (message) => panes.receive(message),
  paired: () => panes.paired,
  pane: (name) => (panes.views[PANES.indexOf(name)] ? askable(() => panes.views[PANES.indexOf(name)]) : null),
});
watch("value", () => panes.receive(props.value));
if (props.value) panes.receive(props.value);
