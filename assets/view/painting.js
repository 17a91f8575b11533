// The stage of cells that look at words: the prompt above, the picture as it forms, and a tile for each word with its map over the picture.

const GAP_OF_TILES = 10;
const NAME_OF_TILE = 19; // pixels
const ROOMY = 620, TRUTH = 270; // pixels from which on the truth stands beside the tiles, and what it takes

// The picture with the map of one word over it. Before a word was swapped it stands beside what came of it.
class PaintedPane extends Pane {
  get queries() { return Boolean(this.stage.map); }
  set queries(_) { /* cells always ask */ }

  paint(look) {
    const { stage } = this, { view } = stage, size = this.frame.clientWidth, shown = this.shown(look);
    const pen = fresh(this.canvas, size, size);
    if (!shown.image || !size) return;
    pen.imageSmoothingEnabled = view.state.soft;
    pen.imageSmoothingQuality = "high";
    pen.drawImage(shown.image, 0, 0, size, size);
    if (shown.weights) shade(pen, shown.weights, shown.grid, shown.top, size, view.state.smooth);
    if (view.state.outlines) stage.outline(pen, size, shown, 2.5);
    if (!look) return;
    const boxes = look.boxed.map((cell) => this.box(cell, size, stage.map.queryAxis.grid));
    const [x, y] = [0, 1].map((i) => Math.min(...boxes.map((box) => box[i])));
    const [right, foot] = [0, 1].map((i) => Math.max(...boxes.map((box) => box[i] + box[i + 2])));
    cross(pen, [x, y, right - x, foot - y], theme.query, boxes.length === 1);
    if (this.cursor !== null && this.frame.matches(":focus-visible")) frame(pen, this.box(this.cursor, size), theme.ink);
  }
}

class PaintingStage {
  constructor(view) {
    this.view = view;
    Object.assign(this, { run: null, map: null, swap: null, sourced: false, previewed: null, drawn: "", brush: { on: false, at: null, leave() {}, end() {} } });
    this.words = new WordKeys(this);
    this.moments = new Moments(view);
    this.truth = new Truth(view);
    this.takers = new Takers();
    this.now = new PaintedPane(this);
    this.now.shown = (look) => this.shownNow(look);
    this.before = new PaintedPane(this);
    this.before.shown = (look) => this.shownBefore(look);
    said(this.now.frame, "picture_painting", {}, "aria-label");
    said(this.before.frame, "picture_before", {}, "aria-label");
    this.close = h("button", { type: "button", className: "av-link", onclick: () => { this.closed = this.run.id; this.compare(); view.resized(); } }, "✕");
    said(this.close, "swap_close", {}, "aria-label");
    this.before.tools.append(this.close);
    this.soft = h("span", { className: "av-switch av-soft", role: "radiogroup" }, ...["crisp", "soft"].map((name) => Object.assign(said(h("button", { type: "button", role: "radio", onclick: () => this.soften(name) }), `picture_${name}`), { soft: name })));
    said(this.soft, "picture_look", {}, "aria-label");
    rovingRadios(this.soft, (item) => this.soften(item.soft));
    this.noise = h("canvas", { ariaHidden: "true" });
    this.noiseTold = said(h("figcaption"), "noise");
    this.given = h("figure", { className: "av-given-picture" }, this.noise, this.noiseTold);
    this.aside = h("div", { className: "av-beside" }, this.given, this.soft, this.takers.element);
    this.tiles = h("div", { className: "av-tiles", ariaHidden: "true" });
    const panes = h("div", { className: "av-panes" }, this.before.element, this.now.element);
    this.left = h("div", { className: "av-painted" }, panes, this.aside, this.moments.element);
    this.head = h("div", { className: "av-tiles-head" }, said(h("h3", { className: "av-title" }), "tiles"), this.moments.modes);
    this.told = h("div", { className: "av-truth-part" }, this.truth.element);
    this.right = h("div", { className: "av-words-part" }, this.head, this.tiles, this.told);
    this.element = h("div", { className: "av-painting-stage" }, this.words.element, h("div", { className: "av-easel" }, this.left, this.right));
    for (const each of [this.before.element, this.given, this.right, this.moments.element]) each.hidden = true; // until there is something
    this.tiles.addEventListener("pointerover", (event) => { if (event.pointerType !== "touch") view.hoverKey(this.tileAt(event)); });
    this.tiles.addEventListener("pointerleave", () => view.hoverKey(null));
    this.tiles.addEventListener("click", (event) => { const word = this.tileAt(event); if (word !== null) view.chooseWord(word); });
    for (const each of [this.now.frame, this.tiles]) new ResizeObserver(() => view.refresh()).observe(each);
  }

  get filled() { return new Set(); }

  gridOf() { return this.map?.queryAxis?.grid ?? null; }

  tileAt(event) { return event.target.closest?.(".av-tile")?.word ?? null; }

  press(_, cell, more) {
    const { view } = this;
    if (this.map) view.pinRows(more ? [...new Set([...view.state.pins, cell])] : [cell]);
  }

  soften(name) {
    this.view.state.soft = name === "soft";
    this.view.refresh();
  }

  // ---- what has come ----

  async update(run, map) {
    if (!run.shown) return; // the earlier picture stays until there is another
    const another = this.run !== run;
    this.run = run;
    this.map = map;
    this.words.update(run);
    if (another) { this.compare(); this.buildTiles(run); }
    const [picture, source] = [run.pictures, run.sources].map((all) => all.filter(Boolean));
    await Promise.all([picture.at(-1), source.at(-1)].map((each) => each && decoded(each)));
    if (run !== this.run) return;
    if (run.done) this.offer();
    this.view.pictureReady();
    for (const each of [...picture, ...source]) if (!each.image) await decoded(each); // the steps before it
  }

  offer() { if (this.run) this.takers.offer(this.run, [...this.run.pictures].reverse().find(Boolean)); }

  buildTiles(run) {
    this.tiles.replaceChildren(...run.tokens.map((label, word) => Object.assign(
      h("button", { type: "button", className: "av-tile", tabIndex: -1 }, h("canvas"), h("span", {}, bare(label))), { word })));
    this.drawn = "";
  }

  // The picture of a step, or the newest before it that can be drawn.
  imageAt(run, moment, all = run.pictures) {
    for (let step = moment === "mean" ? run.shown - 1 : Math.min(moment, run.shown - 1); step >= 0; step--) if (all[step]?.image) return all[step].image;
    return null;
  }

  // ---- one swapped word ----

  compare() {
    const { run } = this, other = run?.before;
    this.swap = run && other?.isPainting && other.shown && this.closed !== run.id ? swapOf(other, run) : null;
    this.before.element.hidden = !this.swap;
    this.element.classList.toggle("av-two", Boolean(this.swap));
    if (this.swap) for (const each of other.pictures) if (each && !each.image) decoded(each).then(() => this.view.refresh());
  }

  // ---- painting ----

  shownNow(look) {
    const { run, map, view } = this, { state } = view;
    const shown = { run, image: this.imageAt(run, view.momentNow), word: look?.word ?? null };
    if (look?.keyGrid) return { ...shown, weights: look.row, grid: look.keyGrid, top: look.top };
    return shown.word === null ? shown : { ...shown, weights: look.column, grid: map.queryAxis.grid, top: state.relative ? look.top : 1 };
  }

  // The same of the run before, at the same step and word.
  shownBefore(look) {
    const { swap, view } = this, { run } = swap, moment = view.momentNow;
    const word = look?.word === null || look?.word === undefined ? null : swap.wordBefore(look.word), map = run.maps.get(this.map?.id);
    const shown = { run, image: this.imageAt(run, moment), word };
    if (word === null || !map?.column || look.keyGrid) return shown;
    return { ...shown, weights: map.column(view.state.head, word, moment), grid: map.queryAxis.grid, top: look.top };
  }

  // Edges of the things: of the word that is shown in its colour, else of all.
  outline(pen, size, { run, word }, thick) {
    const own = word === null ? [] : run.regions.filter((region) => region.at.includes(word));
    for (const region of own.length || word !== null ? own : run.regions) region.draw(pen, size, theme.query, thick);
  }

  paint(look) {
    const { run, view } = this;
    if (!run) return;
    const { state, momentNow } = view;
    this.words.paint(look);
    this.now.paint(look);
    if (this.swap) this.before.paint(look);
    this.tell();
    this.moments.paint();
    this.paintNoise(momentNow);
    this.paintTiles(look);
    this.truth.paint(this.measured(look), look !== null && look.word !== null);
    for (const item of this.soft.children) {
      const on = (item.soft === "soft") === Boolean(state.soft);
      item.setAttribute("aria-checked", String(on));
      item.tabIndex = on ? 0 : -1;
    }
    const { root } = view;
    if (this.imageAt(run, momentNow) && root.dataset.painted !== run.id) root.dataset.painted = run.id;
    root.dataset.moment = String(momentNow);
  }

  tell() {
    const { swap, run, view } = this, last = view.momentNow === "mean" || view.momentNow === run.shown - 1;
    if (swap) {
      said(this.now.caption, "swap_now", { word: swap.to });
      said(this.before.caption, "swap_before", { word: swap.from });
    } else said(this.now.caption, last && run.done ? "painted" : "painted_so_far");
    this.before.caption.title = this.before.caption.textContent;
  }

  paintNoise(moment) {
    const image = this.imageAt(this.run, moment, this.run.sources);
    this.given.hidden = !image;
    const size = this.view.narrow ? 88 : this.given.clientWidth;
    if (!image || !size) return;
    const pen = fresh(this.noise, size, size);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(image, 0, 0, size, size);
  }

  // How the map that is shown lies to the things: of one word, else of all that have one.
  measured(look) {
    const { run, map } = this;
    if (!look || look.keyGrid || !run.regions.length) return [];
    const found = run.regions.filter((region) => look.word === null || region.at.includes(look.word));
    return found.map((region) => {
      const columns = region.at.map((word) => map.column(this.view.state.head, word)), sum = columns[0].map((_, i) => columns.reduce((all, each) => all + each[i], 0));
      return { label: region.label, area: region.area, ...region.measure(sum, map.queryAxis.grid) };
    });
  }

  // Tiles as large as all of them have room for.
  tileSize() {
    const count = this.tiles.children.length || 1, { clientWidth: all } = this.right;
    if (this.view.narrow) return Math.floor((all - 3 * GAP_OF_TILES) / 4);
    const beside = all >= ROOMY;
    this.right.classList.toggle("av-wide", beside);
    const wide = all - (beside ? TRUTH : 0), others = this.head.offsetHeight + 8 + (beside ? 0 : this.told.offsetHeight + 8);
    const tall = Math.max(120, this.left.offsetHeight - others);
    let best = 40, columns = count;
    for (let down = 1; down <= count; down++) {
      const across = Math.ceil(count / down), size = Math.min((wide - (across - 1) * GAP_OF_TILES) / across, (tall - (down - 1) * GAP_OF_TILES) / down - NAME_OF_TILE);
      if (size > best) [best, columns] = [size, across];
    }
    this.tiles.style.setProperty("--across", String(columns));
    return Math.floor(Math.min(best, 220));
  }

  paintTiles(look) {
    const { run, map, view } = this, { state, momentNow } = view, mapped = Boolean(look && !look.keyGrid);
    this.right.hidden = !mapped;
    if (!mapped) { this.drawn = ""; return; }
    const size = this.tileSize(), image = this.imageAt(run, momentNow), top = state.relative ? look.top : 1;
    for (const tile of this.tiles.children) tile.classList.toggle("av-shown", tile.word === look.word);
    const drawn = [run.id, run.shown, map.id, map.version, momentNow, state.head, size, top, image?.src.length, state.soft, state.smooth, state.outlines, run.regions.length, theme.dark].join();
    if (drawn === this.drawn || !image) return;
    this.drawn = drawn;
    this.tiles.style.setProperty("--tile", `${size}px`);
    for (const tile of this.tiles.children) {
      const pen = fresh(tile.firstChild, size, size);
      pen.imageSmoothingEnabled = state.soft;
      pen.imageSmoothingQuality = "high";
      pen.drawImage(image, 0, 0, size, size);
      shade(pen, map.column(state.head, tile.word), map.queryAxis.grid, top, size, state.smooth);
      if (state.outlines) for (const region of run.regions) if (region.at.includes(tile.word)) region.draw(pen, size, theme.query, 1.5);
    }
  }

  fit() {
    const { view } = this;
    this.words.fit();
    const foot = () => this.now.element.offsetHeight - this.now.frame.offsetHeight + this.moments.element.offsetHeight;
    fitPictures(view, this.element, this.run?.isPainting ? this.run : null, () => this.words.element.offsetHeight + foot() + 16);
  }
}

const ARTICLES = /^(a|an|the|some|一只|一个|有一个|只|个)$/i;

// Of two runs alike but for one word which that was, and which word of the one is which of the other; null where more is different.
function swapOf(before, now) {
  const name = (run) => run.tokens.map((label) => label.trim().toLowerCase());
  const [one, two] = [name(before), name(now)];
  let start = 0, end = 0;
  while (start < Math.min(one.length, two.length) && one[start] === two[start]) start++;
  while (end < Math.min(one.length, two.length) - start && one.at(-1 - end) === two.at(-1 - end)) end++;
  const [from, to] = [[one, before], [two, now]].map(([names, run]) => names.slice(start, names.length - end).map((each, i) => [each, run.tokens[start + i]]).filter(([each]) => !ARTICLES.test(each)));
  if (from.length !== 1 || to.length !== 1 || !alike(before, now, [from[0][0], to[0][0]])) return null;
  const wordBefore = (word) => (word < start ? word : word >= two.length - end ? word + one.length - two.length : one.indexOf(from[0][0], start));
  return { run: before, from: bare(from[0][1]), to: bare(to[0][1]), wordBefore };
}

// Whether two runs have one generator, seed, settings and edits; a setting that is one of the swapped words may differ.
function alike(before, now, swapped) {
  const plain = (text) => String(text).toLowerCase().replace(/[^\p{L}\p{N}]/gu, ""), values = swapped.map(plain);
  const same = ({ head, seed }) => {
    const { settings = {}, edits = [] } = head.request ?? {};
    const others = Object.entries(settings).filter(([, value]) => !values.includes(plain(value))).sort(([a], [b]) => (a < b ? -1 : 1));
    return JSON.stringify([head.generator, head.variant, head.attention, seed, others, edits]);
  };
  return same(before) === same(now);
}
