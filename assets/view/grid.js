// The stage of cells that look at cells. A picture made from nothing stands twice: as it is, and dimmed where it was not looked at. One made
// from a picture stands between that and their difference, the map over whichever was looked at.

const CROP = 46; // pixels of a cell shown with its neighbours
const ENDS = { encoder: ["in", "in"], self: ["out", "out"], cross: ["out", "in"] }; // from where a kind looks, at what
const PLACES = ["in", "out", "difference"];
const ROOM = 14; // pixels left free under the view, the frame's own edge among them
const SLACK = 48; // pixels that may stay free besides: two lines of a sentence
const LEAST = 216; // pixels of a picture below which the rest stands closer

class GridStage {
  constructor(view) {
    this.view = view;
    Object.assign(this, { run: null, map: null, images: {}, filled: new Set(), previewed: null, previews: 0, last: {} });
    this.panes = PLACES.map(() => new Pane(this));
    this.panes[2].element.hidden = true; // until a picture was given
    this.brush = new Brush(this);
    this.reach = new Receptive(this);
    this.crops = h("ol", { className: "av-crops" });
    this.facts = h("dl", { className: "av-facts" });
    this.film = h("div", { className: "av-film" });
    said(this.film, "film", {}, "aria-label");
    this.film.setAttribute("role", "group");
    this.cropsTitle = h("h3", { className: "av-title" });
    this.many = said(h("button", { type: "button", className: "av-button", onclick: () => this.view.gallery.open() }), "gallery_open");
    this.takers = new Takers();
    this.memory = new Memory();
    this.top = h("div", { className: "av-grid-top" }, this.facts);
    const looked = h("section", { className: "av-looked" }, this.cropsTitle, this.crops);
    const filmed = h("section", { className: "av-film-part" }, h("div", { className: "av-line" }, said(h("h3", { className: "av-title" }), "film"), this.many), this.film);
    this.side = h("div", { className: "av-grid-side" }, this.top, h("div", { className: "av-grid-low" }, h("div", { className: "av-grid-lists" }, looked, filmed), this.memory.element));
    this.element = h("div", { className: "av-grid" }, h("div", { className: "av-panes" }, ...this.panes.map((pane) => pane.element)), this.side);
    this.observer = new ResizeObserver(() => this.view.refresh());
    this.observer.observe(this.panes[0].frame);
  }

  get sourced() { return Boolean(this.run?.source); }

  imageOf(place) { return place === "out" ? (this.previewed ?? this.images.out) : this.images[place]; }

  // Rows and columns over a pane: of the map that is shown, else of the one that a click would show.
  gridOf(pane) {
    if (pane.brushed) return this.brush.grid;
    if (this.reach.offered) return this.reach.grid;
    const map = pane.queries || pane.keys ? this.map : this.mapFrom(pane);
    return map ? (pane.queries || map !== this.map ? map.queryAxis : map.keyAxis).grid : null;
  }

  // ---- which map: a visitor just clicks any cell of any picture ----

  // The map whose queries are cells of that pane: of a cell that was filled in, what it drew on; else of the kind that was last shown there.
  mapFrom(pane, cell = null) {
    if (!this.sourced || !this.run) return null;
    const place = pane.of === "difference" ? "out" : pane.of;
    const maps = this.run.order.filter((map) => map.queryAxis?.grid);
    const fills = cell !== null && this.filled.has(cell) && maps.find((map) => map.kind === "cross");
    if (fills) return fills;
    const from = maps.filter((map) => ENDS[map.kind][0] === place);
    return from.find((map) => map.id === this.last[place]) || from[0] || null;
  }

  press(pane, cell, more) {
    const { view } = this;
    if (this.reach.offered) { view.pinRows([cell]); return; }
    if (!this.map) return;
    const filled = this.filled.has(cell) && pane.of === "in" && this.mapFrom(pane, cell);
    if (pane.queries && !filled) { view.pinRows(more ? [...new Set([...view.state.pins, cell])] : [cell]); return; }
    const other = more && pane.keys ? null : this.mapFrom(pane, cell);
    if (other && other !== this.map) view.setLayer(other.id, view.state.head, [cell]);
    else if (other) view.pinRows([cell]);
    else if (pane.keys) view.chooseKey(cell);
  }

  arrange() {
    const { map, sourced } = this, ends = map && ENDS[map.kind];
    this.panes.forEach((pane, i) => {
      pane.of = sourced ? PLACES[i] : "out";
      pane.queries = (this.reach.offered && i === 0) || Boolean(map) && (sourced ? (pane.of === "in" ? "in" : "out") === ends[0] : i === 0);
      pane.keys = Boolean(map) && (sourced ? pane.of === ends[1] : i === 1);
      const name = sourced ? pane.of : i ? "key" : "query", drawn = pane.of === "difference";
      said(pane.frame, `picture_${name}`, {}, "aria-label");
      pane.frame.tabIndex = drawn ? -1 : 0;
      pane.frame.setAttribute("role", drawn ? "img" : "application");
    });
    if (map && sourced) this.last[ends[0]] = map.id;
    const [first, second, third] = this.panes;
    third.element.hidden = !sourced;
    second.element.hidden = !sourced && !map && !this.reach.offered;
    if (this.brush.element.parentElement !== first.tools) first.tools.append(this.brush.element);
    (sourced ? second : first).tools.append(this.takers.element);
    this.element.classList.toggle("av-sourced", sourced);
  }

  // ---- what has come ----

  async update(run, map) {
    if (!run.shown) return; // the earlier pictures stay until there are others
    this.run = run;
    this.map = map && map.queryAxis?.grid && map.keyAxis?.grid ? map : null;
    this.arrange();
    this.showFacts(run);
    this.memory.show(run);
    this.many.hidden = !run.head.gallery || Boolean(run.series);
    this.element.classList.toggle("av-nofilm", !this.film.children.length && this.many.hidden);
    this.brush.follow(run);
    const picture = [...run.pictures].reverse().find(Boolean);
    await Promise.all([picture, run.source].map((each) => each && decoded(each)));
    if (run !== this.run) return;
    this.images = { in: run.source?.image, out: picture?.image, run: run.id };
    if (picture) { this.previews++; this.previewed = null; this.view.root.classList.remove("av-previewing"); }
    this.filled = run.source ? run.hidden : new Set();
    this.measured = this.images.in && this.images.out ? difference(this.images.in, this.images.out, run.hidden, run.head.grid) : null;
    this.offer();
    this.view.pictureReady();
  }

  // A picture that is on its way, before its run: only the newest is painted.
  async preview(url) {
    const turn = ++this.previews, picture = await decoded({ url });
    if (turn !== this.previews || !this.run) return;
    this.previewed = picture.image;
    this.view.root.classList.add("av-previewing");
    this.view.root.dataset.preview = String(turn);
    this.view.refresh();
  }

  // Mean colours of the cells that ask and that are looked at; null until the pictures are there.
  coloursOf(map) {
    if (!map.queryAxis?.grid || !map.keyAxis?.grid) return null;
    const ends = this.sourced ? ENDS[map.kind] : ["out", "out"];
    const [query, key] = [map.queryAxis.grid, map.keyAxis.grid].map((grid, i) => this.cellColours(this.images[ends[i]], grid));
    return query && key ? { query, key } : null;
  }

  cellColours(image, [rows, columns]) {
    if (!image) return null;
    const known = (image.cells ||= {}), name = `${rows}×${columns}`;
    if (!known[name]) {
      const { data } = pixelsOf(image, columns, rows);
      known[name] = Float32Array.from({ length: rows * columns * 3 }, (_, i) => data[4 * Math.floor(i / 3) + (i % 3)]);
    }
    return known[name];
  }

  offer() {
    if (this.run) this.takers.offer(this.run, [...this.run.pictures].reverse().find(Boolean), this.sourced);
  }

  showFacts(run) {
    const told = ([name, value]) => (value || name !== "hidden") && (run.head.attention || name !== "gamma"); // a twin has no attention to count
    const facts = Object.entries(run.facts).filter(told).map(([name, value]) => [words({ en: STRINGS.en[`fact_${name}`], zh: STRINGS.zh[`fact_${name}`] }) || name, short(value)]);
    if (this.map) {
      const [[rows, columns], [kr, kc]] = [this.map.queryAxis.grid, this.map.keyAxis.grid];
      facts.push([t("looks_at"), t("grids", { queries: `${rows}×${columns}`, keys: `${kr}×${kc}` })]);
    }
    this.facts.replaceChildren(...facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
  }

  fit() {
    const [pane] = this.panes;
    fitPictures(this.view, this.element, this.run, () => pane.element.offsetHeight - pane.frame.offsetHeight);
  }

  // ---- painting ----

  paint(look) {
    if (!this.run) return;
    if (this.reach.offered === this.panes[1].element.hidden && !this.map) this.arrange();
    for (const pane of this.panes) {
      if (pane.element.hidden) continue;
      pane.paint(look);
      said(pane.caption, this.captionOf(pane, look), this.measured ? { mean: short(this.measured.mean) } : {});
      pane.caption.title = pane.caption.textContent;
    }
    this.element.classList.toggle("av-nomap", !this.map && !this.reach.offered);
    const { root } = this.view;
    if (this.images.run === this.run.id && root.dataset.painted !== this.run.id) root.dataset.painted = this.run.id;
  }

  // What a pane shows, under it: which picture it is, and what of the map lies over it.
  captionOf(pane, look) {
    const reverse = Boolean(look?.reverse), name = `pane_${pane.of}`;
    if (pane.of === "difference") return this.measured ? name : `${name}_none`;
    if (this.reach.offered) return pane === this.panes[1] ? "pane_reach" : "pane_query";
    if (!this.sourced && (pane.queries || !this.map)) return reverse ? "pane_who" : "pane_query";
    if (!this.sourced) return reverse ? "pane_seen" : "pane_key";
    if (!look || this.previewed || !(pane.queries || pane.keys)) return name;
    if (pane.queries && pane.keys) return reverse ? `${name}_both_who` : `${name}_both`;
    if (reverse) return pane.queries ? `${name}_who` : `${name}_seen`;
    return pane.keys ? `${name}_lit` : `${name}_from`;
  }

  // |out − in| in one hue from ground to ink, relative to its highest.
  drawDifference(pen, size, smooth) {
    if (!this.measured) return;
    const { shares, wide, top } = this.measured;
    cells(pen, wide, wide, (r, c) => level(shares[r * wide + c], top), 0, 0, size, size, smooth, theme.greys);
  }

  showCrops(look) {
    const reverse = Boolean(look?.reverse), axis = reverse ? "queryAxis" : "keyAxis";
    said(this.cropsTitle, reverse ? "top_askers" : "top_cells");
    const image = this.map && this.imageOf(this.sourced ? ENDS[this.map.kind][reverse ? 0 : 1] : "out");
    const top = look && image ? topKeys(look.weights, 6) : [];
    this.crops.parentElement.hidden = !this.map && this.reach.offered;
    while (this.crops.children.length > top.length) this.crops.lastChild.remove();
    top.forEach((cell, i) => {
      if (!this.crops.children[i]) {
        const choose = () => (made.asks ? this.view.pinRows([made.cell]) : this.view.chooseKey(made.cell));
        const made = h("button", { type: "button", onclick: choose }, h("canvas", { ariaHidden: "true" }), h("span"));
        this.crops.append(h("li", {}, made));
      }
      const button = this.crops.children[i].firstChild, share = percent(look.weights[cell]);
      Object.assign(button, { cell, asks: reverse });
      button.lastChild.textContent = share;
      button.setAttribute("aria-label", t("cell_share", { place: this.place(cell, axis), share }));
      button.setAttribute("aria-pressed", String(!reverse && this.view.state.key === cell));
      this.drawCrop(button.firstChild, image, cell, this.map[axis].grid, reverse ? theme.query : theme.key);
    });
  }

  // A cell with those around it, so that one sees what it is part of.
  drawCrop(canvas, image, cell, [rows, columns], colour) {
    const pen = fresh(canvas, CROP, CROP), { naturalWidth: w, naturalHeight: tall } = image;
    pen.imageSmoothingEnabled = this.view.state.smooth;
    pen.drawImage(image, ((cell % columns) - 1) * (w / columns), (Math.floor(cell / columns) - 1) * (tall / rows), (3 * w) / columns, (3 * tall) / rows, 0, 0, CROP, CROP);
    frame(pen, [CROP / 3, CROP / 3, CROP / 3, CROP / 3], colour);
  }

  place(cell, axis = "keyAxis") { return placeOn(this.map[axis].grid, cell); }

  showFilm(pictures, current) {
    const nodes = pictures.slice(0, 7).map(({ seed, url }) => {
      const button = h("button", { type: "button", onclick: () => this.view.face(seed) }, h("img", { src: url, alt: "", draggable: false }));
      said(button, "face", { seed }, "aria-label");
      button.title = String(seed);
      if (String(seed) === String(current)) button.setAttribute("aria-current", "true");
      return button;
    });
    this.film.replaceChildren(...nodes);
    this.element.classList.toggle("av-nofilm", !nodes.length && this.many.hidden);
  }
}

// The pictures of a stage as large as lets all of the view be seen at once. around: pixels of the stage's height that are not theirs.
function fitPictures(view, element, run, around) {
  const open = view.folds.some((each) => !each.hidden);
  if (stillFits(view, run, open)) return;
  view.root.classList.remove("av-tight");
  if (!run || view.narrow || view.main.hidden || document.body.classList.contains("presenting")) { element.style.removeProperty("--most"); return; }
  let most = roomOf(view) - around();
  if (most < LEAST) { view.root.classList.add("av-tight"); most = roomOf(view) - around(); }
  element.style.setProperty("--most", `${Math.round(most)}px`);
  if (document.documentElement.scrollHeight > window.innerHeight && !open) view.root.classList.add("av-tight"); // what stands beside the pictures is taller
  view.fitted.tall = view.root.offsetHeight;
}

// Whether the pictures are as large as they were made for just this run and window. A little less text below makes them no larger: they
// would change with every word that is looked at, and all of the page with them.
function stillFits(view, run, open) {
  const { dataset, clientWidth: wide, offsetHeight: tall } = view.root, above = view.root.getBoundingClientRect().top + window.scrollY;
  const given = [run?.id, dataset.stage, wide, above, window.innerWidth, window.innerHeight, lang(), open, view.narrow, view.main.hidden, document.body.className].join();
  if (given === view.fitted?.given && tall <= view.fitted.tall && tall > view.fitted.tall - SLACK) return true;
  view.fitted = { given, tall };
  return false;
}

// Pixels that the stage may be tall, as all else stands now.
function roomOf(view) {
  const open = view.folds.reduce((sum, each) => sum + (each.hidden ? 0 : each.offsetHeight + 8), 0);
  const above = view.root.getBoundingClientRect().top + window.scrollY;
  return window.innerHeight - above - (view.root.offsetHeight - open - view.stage.offsetHeight) - ROOM;
}

const placeOn = ([, columns], cell) => t("place", { row: Math.floor(cell / columns) + 1, column: (cell % columns) + 1 });

// The cells of the rectangle between two, on a grid.
function rectangle([, columns], a, b) {
  const [rows, cols] = [[a, b].map((cell) => Math.floor(cell / columns)), [a, b].map((cell) => cell % columns)].map((pair) => pair.sort((x, y) => x - y));
  const found = [];
  for (let r = rows[0]; r <= rows[1]; r++) for (let c = cols[0]; c <= cols[1]; c++) found.push(r * columns + c);
  return found;
}

// A picture with its image, once that can be drawn.
async function decoded(picture) {
  picture.image ||= await imageOf(picture.url);
  return picture;
}

const IMAGES = 120; // on their way: of a picture that forms two a step
const coming = new Map(); // url → promise of its image

// Begins to read a picture: what is asked for as soon as its message is here is there when its maps are unpacked.
function imageOf(url) {
  const known = coming.get(url);
  if (known) return known;
  const image = new Image();
  image.src = url;
  const ready = image.decode().catch(() => {}).then(() => image);
  coming.set(url, ready);
  if (coming.size > IMAGES) coming.delete(coming.keys().next().value);
  return ready;
}

function pixelsOf(image, columns, rows) {
  const pen = h("canvas", { width: columns, height: rows }).getContext("2d", { willReadFrequently: true });
  pen.imageSmoothingQuality = "high";
  pen.drawImage(image, 0, 0, columns, rows);
  return pen.getImageData(0, 0, columns, rows);
}

// |out − in| by pixel in grey levels, the mean of the three colours; −1 where nothing was there to see.
function difference(from, to, hidden, side) {
  const wide = to.naturalWidth, [a, b] = [from, to].map((image) => pixelsOf(image, wide, wide).data);
  const shares = new Float32Array(wide * wide);
  let sum = 0, seen = 0, top = 16; // a difference of a few levels is not blown up
  for (let i = 0; i < shares.length; i++) {
    const cell = side ? Math.floor(((Math.floor(i / wide)) * side) / wide) * side + Math.floor(((i % wide) * side) / wide) : -1;
    if (hidden.has(cell)) { shares[i] = -1; continue; }
    shares[i] = (Math.abs(a[4 * i] - b[4 * i]) + Math.abs(a[4 * i + 1] - b[4 * i + 1]) + Math.abs(a[4 * i + 2] - b[4 * i + 2])) / 3;
    sum += shares[i];
    seen++;
    if (shares[i] > top) top = shares[i];
  }
  return { shares, wide, top, mean: seen ? sum / seen : 0 };
}
