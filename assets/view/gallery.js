// Many seeds at one press, in place of the stage: a sheet of four by four; or one of each twin, side by side. Never face against face: twins
// have other weights, so that one seed is another face to each.

const SHEET = 16; // pictures
const ACROSS = 4;

class Gallery {
  constructor(view) {
    Object.assign(this, { view, first: 0, compare: false, turn: 0 });
    this.title = h("h3", { className: "av-title" });
    const step = (by, name) => said(h("button", { type: "button", className: "av-link", onclick: () => this.load(this.first + by * SHEET) }), name);
    this.before = step(-1, "gallery_before");
    const flip = () => { this.compare = !this.compare; this.load(this.first); };
    this.both = said(h("button", { type: "button", className: "av-toggle", onclick: flip }), "gallery_compare");
    const close = said(h("button", { type: "button", className: "av-button", onclick: () => this.close() }), "gallery_close");
    this.sheets = h("div", { className: "av-sheets" });
    this.note = h("p", { className: "av-note" });
    this.tools = h("div", { className: "av-tools" }, this.title, this.before, step(1, "gallery_next"), this.both, h("span", { className: "av-gap" }), close);
    this.element = h("section", { className: "av-gallery", hidden: true }, this.tools, this.sheets, this.note);
    said(this.element, "gallery", {}, "aria-label");
    this.element.addEventListener("keydown", (event) => this.key(event));
  }

  get isOpen() { return !this.element.hidden; }
  get twinned() { return Boolean(this.view.run.head.twin); }

  // Opens at the seed that is shown; with both twins where that is asked for.
  open(compare = this.compare) {
    const { run, main } = this.view;
    this.compare = compare && this.twinned;
    const first = this.isOpen ? this.first : run.seed;
    this.element.hidden = false;
    main.hidden = true;
    this.load(first);
  }

  close(focus = true) {
    if (!this.isOpen) return;
    this.turn++;
    this.element.hidden = true;
    this.view.main.hidden = false;
    delete this.view.root.dataset.gallery;
    this.view.resized();
    if (focus) this.view.grid.many.focus();
  }

  // Asks for the sheets from a seed on; what was asked for before does not count any more.
  async load(first) {
    const turn = ++this.turn, { head } = this.view.run, { request = {} } = head;
    this.first = Math.max(0, first);
    this.view.root.dataset.gallery = "waiting";
    const names = this.compare ? ["with", "without"] : [head.attention ? "with" : "without"];
    const focused = this.place();
    this.show(names, {});
    const { generator, variant } = head, { settings = {}, edits = [], code = {} } = request;
    const answer = await server.gallery({ generator, variant, seed: this.first, settings, edits, code, compare: this.compare, without: !head.attention }).catch(() => null);
    if (turn !== this.turn) return;
    this.show(names, answer?.sheets ?? {});
    if (!answer?.sheets) this.note.textContent = answer?.error ? words(answer.error) : t("gallery_none");
    this.view.root.dataset.gallery = "open";
    this.focus(focused);
  }

  show(names, sheets) {
    const { view } = this;
    this.title.textContent = t("gallery_title", { first: this.first, last: this.first + SHEET - 1 });
    this.before.disabled = this.first === 0;
    this.both.hidden = !this.twinned;
    this.both.setAttribute("aria-pressed", String(this.compare));
    this.note.textContent = t(this.compare ? "gallery_told_both" : "gallery_told");
    this.sheets.classList.toggle("av-two", names.length > 1);
    this.sheets.replaceChildren(...names.map((name) => {
      const faces = Array.from({ length: SHEET }, (_, i) => this.face(name, sheets[name]?.[i], i));
      const title = names.length > 1 || name === "without" ? h("figcaption", {}, t(`sheet_${name}`)) : "";
      return h("figure", { className: "av-sheet" }, title, h("div", { className: "av-faces", role: "group", ariaLabel: t(`sheet_${name}`) }, ...faces));
    }));
    this.element.style.setProperty("--above", `${Math.round(view.root.getBoundingClientRect().top + window.scrollY)}px`);
  }

  face(name, given, i) {
    const button = h("button", { type: "button", className: "av-face", tabIndex: i ? -1 : 0, disabled: !given });
    if (!given) return button;
    button.append(h("img", { src: given.url, alt: "", draggable: false }));
    button.title = String(given.seed);
    button.setAttribute("aria-label", t("face", { seed: given.seed }));
    if (given.seed === this.view.run.seed && (name === "with") === this.view.run.head.attention) button.setAttribute("aria-current", "true");
    button.addEventListener("click", () => this.view.face(given.seed, name === "without"));
    return button;
  }

  // ---- by keyboard: a sheet is one stop of the Tab key ----

  place() {
    const faces = document.activeElement?.closest?.(".av-faces");
    return faces ? [[...this.sheets.querySelectorAll(".av-faces")].indexOf(faces), [...faces.children].indexOf(document.activeElement)] : null;
  }

  focus(place) {
    const { activeElement } = document;
    if (this.tools.contains(activeElement) || !(activeElement === document.body || this.view.root.contains(activeElement))) return; // somebody is elsewhere
    const [sheet, at] = place ?? [0, 0], faces = this.sheets.querySelectorAll(".av-faces");
    const current = place ? null : this.sheets.querySelector("[aria-current]");
    this.rove(current ?? faces[Math.min(sheet, faces.length - 1)]?.children[at]);
  }

  rove(face) {
    if (!face) return;
    for (const each of face.parentElement.children) each.tabIndex = each === face ? 0 : -1;
    face.focus();
  }

  key(event) {
    if (event.key === "Escape") { event.preventDefault(); event.stopPropagation(); this.close(); return; }
    const place = this.place();
    const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: ACROSS, ArrowUp: -ACROSS, Home: -SHEET, End: SHEET }[event.key];
    if (!place || !by) return;
    event.preventDefault();
    const faces = document.activeElement.parentElement.children, to = place[1] + by;
    if (Math.abs(by) === SHEET) this.rove(faces[by < 0 ? 0 : SHEET - 1]);
    else if (to >= 0 && to < SHEET) this.rove(faces[to]);
  }
}
