// Is the map true here? Each key of the pinned query is hidden in turn, of a picture each region: how far the output moves, beside how much
// was looked there. The order of both is compared (Jain and Wallace 2019); what that shows and what not: Wiegreffe and Pinter 2019.

const FEWEST = 5; // keys below which no number is told
const BEYOND_CHANCE = 1.96; // standard deviations, of 1/√(n − 1) where two orders have nothing to do with each other
const HIGH = 0.6, LOW = 0.3; // of a correlation, in words
const SLIGHT = { share: 0.01, levels: 1 }; // a change that hardly anybody would notice
const STEPS = { share: TICKS, levels: [0.2, 1, 5, 20, 80] }; // where the scale of changes is labelled
const NAMED = 13; // pixels that a name on its side needs
const BAND = 62; // pixels of the names between the two rows of bars
const SOURCES = [["leaving_source_not", "https://aclanthology.org/N19-1357/"], ["leaving_source_not_not", "https://aclanthology.org/D19-1002/"]];

class Leaving {
  constructor(view) {
    Object.assign(this, { view, found: null, at: null, place: "here", turn: 0, asked: "" });
    const act = (name, action, className = "av-button") => said(h("button", { type: "button", className, onclick: action }), name);
    this.button = act("leaving", () => this.toggle(), "av-open");
    this.button.setAttribute("aria-expanded", "false");
    this.start = act("leaving_start", () => this.measure());
    this.stop = act("leaving_stop", () => this.halt());
    this.bar = h("progress", { max: 1, value: 0 });
    said(this.bar, "leaving_progress", {}, "aria-label");
    this.count = h("span", { className: "av-note" });
    this.how = h("p", { className: "av-note" });
    this.places = this.choice(["here", "whole"]);
    this.running = h("span", { className: "av-leaving-running" }, this.bar, this.count, this.stop);
    this.chart = this.canvas("av-leaving-bars", 0);
    this.weightMap = this.canvas("av-leaving-map", 0);
    this.changeMap = this.canvas("av-leaving-map", -1);
    this.maps = h("div", { className: "av-leaving-maps" }, ...[["weight", this.weightMap], ["change", this.changeMap]].map(([name, { frame }]) => h("figure", {}, frame, said(h("figcaption"), `leaving_map_${name}`))));
    this.pointed = h("p", { className: "av-note av-leaving-pointed" });
    this.cloud = this.canvas("av-leaving-cloud", -1);
    this.rho = h("p", { className: "av-rho" });
    this.told = h("p", { className: "av-leaving-told" });
    this.most = h("p", { className: "av-note" });
    const sources = SOURCES.map(([name, href]) => said(h("a", { href, target: "_blank", rel: "noopener" }), name));
    this.texts = h("div", { className: "av-leaving-texts" }, this.rho, this.told, this.most, said(h("p", { className: "av-note" }), "leaving_caveat"),
      h("p", { className: "av-note av-leaving-sources" }, ...sources));
    this.table = h("table", { className: "av-hidden" });
    this.body = h("div", { className: "av-leaving-body" }, h("div", { className: "av-leaving-drawn" }, this.chart.frame, this.maps, this.pointed), this.cloud.frame, this.texts, this.table);
    this.title = said(h("h3", { className: "av-title", tabIndex: -1 }), "leaving");
    this.element = h("section", { className: "av-leaving", hidden: true },
      h("header", { className: "av-leaving-head" }, this.title, this.how, h("span", { className: "av-gap" }), this.places.element, this.running, this.start), this.body);
    new ResizeObserver(() => this.paint()).observe(this.element);
    this.listen();
  }

  canvas(className, tabIndex) {
    const canvas = h("canvas", { ariaHidden: "true" }), frame = h("div", { className, ...(tabIndex < 0 ? {} : { tabIndex, role: "slider" }) }, canvas);
    return { canvas, frame, keyAt: () => null };
  }

  // Which change of a picture: at the mark, or all over.
  choice(names) {
    const element = h("span", { className: "av-switch", role: "radiogroup" });
    said(element, "leaving_place", {}, "aria-label");
    const choose = (item) => { this.place = item.place; this.paint(); };
    const items = names.map((place) => Object.assign(said(h("button", { type: "button", role: "radio", onclick: (event) => choose(event.currentTarget) }), `leaving_${place}`), { place }));
    element.append(...items);
    rovingRadios(element, choose);
    return { element, items };
  }

  listen() {
    for (const part of [this.chart, this.weightMap, this.changeMap, this.cloud]) {
      part.frame.addEventListener("pointermove", (event) => {
        const box = part.frame.getBoundingClientRect();
        this.point(part.keyAt(event.clientX - box.x, event.clientY - box.y));
      });
      part.frame.addEventListener("pointerleave", () => this.point(null));
    }
    for (const { frame } of [this.chart, this.weightMap]) {
      frame.addEventListener("focus", () => { if (frame.matches(":focus-visible")) this.point(this.at ?? this.heaviest); });
      frame.addEventListener("blur", () => this.point(null));
      frame.addEventListener("keydown", (event) => this.walk(event));
    }
  }

  walk(event) {
    const { parts, regions } = this.found ?? {};
    if (!parts || event.ctrlKey || event.metaKey) return;
    const at = this.at ?? 0, across = regions ? regions[1] : 1;
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowUp: at - across, ArrowDown: at + across, Home: 0, End: parts.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    if (to >= 0 && to < parts.length) this.point(to);
  }

  // ---- open and shut ----

  // A run that looked somewhere, as it was made.
  get offered() {
    const { run, map } = this.view;
    return Boolean(server.leave_out && map && run.head.attention && !run.series);
  }

  toggle(open = this.element.hidden) {
    if (open && !this.offered) return;
    this.element.hidden = !open;
    this.button.setAttribute("aria-expanded", String(open));
    if (!open) { this.halt(); this.point(null); return; }
    this.update();
    if (this.question) this.measure();
    this.element.scrollIntoView({ block: "nearest", behavior: still() ? "auto" : "smooth" });
  }

  // ---- asking ----

  // Why there is nothing to ask here, as the name of a sentence; null: there is.
  get obstacle() {
    const { run, map, state } = this.view;
    if (!run.done) return "leaving_wait";
    if (state.pins.length !== 1) return "leaving_one";
    if (run.isPainting && this.view.momentNow === "mean") return "leaving_moment";
    return run.stage === "text" && run.chosenBy(state.pins[0]) === null && map ? "leaving_unchosen" : null;
  }

  get question() {
    const { run, map, state } = this.view;
    if (this.obstacle) return null;
    const place = run.isPicture ? { layer: map.layer, ...(run.isPainting ? { step: this.view.momentNow } : {}) } : {};
    return { run: run.id, query: state.pins[0], kind: map.kind, ...place };
  }

  // What is known of that question; a layer whose cells are as large has the same answer.
  knownOf(question) {
    const { run, map } = this.view, grid = map.queryAxis?.grid?.join("×");
    const name = question && JSON.stringify({ ...question, layer: grid });
    const known = (run.leavings ||= new Map());
    if (name && !known.has(name)) known.set(name, { name, changes: [], whole: [], total: null, parts: null, error: null });
    return name ? known.get(name) : null;
  }

  halt() { this.turn++; this.going = null; this.paint(); }

  async measure() {
    const { question } = this, found = this.knownOf(question), turn = ++this.turn;
    if (!found) return;
    Object.assign(this, { found, going: found });
    found.error = null;
    this.paint();
    while (this.turn === turn && found.changes.length !== found.total) {
      const answer = await server.leave_out({ ...question, from: found.changes.length }).catch(() => ({ error: null }));
      if (!answer || answer.error !== undefined || !this.take(found, answer)) { found.error = answer?.error || { en: STRINGS.en.leaving_failed, zh: STRINGS.zh.leaving_failed }; break; }
      if (this.turn === turn) this.paint();
    }
    if (this.turn !== turn) return;
    this.going = null;
    this.paint();
    this.view.spoken.textContent = `${this.rho.textContent} ${this.told.textContent}`;
  }

  // The next changes; false where the answer brings none.
  take(found, { first, count, total, unit, changes, whole, ...rest }) {
    if (first !== found.changes.length || (!count && first !== total)) return false;
    Object.assign(found, { total, unit }, first ? {} : rest);
    found.changes.push(...changes);
    if (whole) found.whole.push(...whole);
    return true;
  }

  // ---- what is compared ----

  // The weights of the parts under the head and layer that are shown.
  get weights() {
    const { view, found } = this, [query] = view.state.pins, exact = view.detailOf(query);
    const row = exact ? mixHeads(exact.weights, view.state.head) : view.rowAt(query);
    if (!row || !found.regions) return found.parts.map((place) => row?.[place] || 0);
    const [tall, wide] = view.map.keyAxis.grid, [rows, columns] = found.regions, sums = new Float64Array(rows * columns);
    for (let cell = 0; cell < tall * wide; cell++) sums[Math.floor((Math.floor(cell / wide) * rows) / tall) * columns + Math.floor(((cell % wide) * columns) / wide)] += row[cell] || 0;
    return found.parts.map((place) => sums[place]);
  }

  get changes() { return this.found.unit === "levels" && this.place === "whole" ? this.found.whole : this.found.changes; }

  get heaviest() { return this.weights.reduce((best, weight, i, all) => (weight > all[best] ? i : best), 0); }

  nameOf(i) {
    const { found, view } = this;
    return found.regions ? squareOf(found.regions, found.parts[i]) : bare(view.keyName(found.parts[i]));
  }

  sayChange(change) { return change === null ? t("leaving_kept") : this.found.unit === "share" ? percent(change) : t("leaving_levels", { n: short(Number(change.toFixed(2))) }); }

  // ---- the same key here and on the stage ----

  // By the pointer or the keys, here; the stage lights it too.
  point(at) {
    if (at === this.at) return;
    this.at = at;
    const { state, run } = this.view, place = at === null || !this.found?.parts ? null : this.found.parts[at];
    if (run?.isPainting && !this.found?.regions) this.view.hoverKey(place);
    state.lit = place;
    this.view.refresh();
  }

  // The part that is lit: here, else on the stage.
  get lit() {
    const { found, view } = this, { over } = view.state;
    if (this.at !== null || !over || !found?.parts) return this.at;
    const grid = view.map.keyAxis?.grid;
    const key = found.regions ? (over.key && over.cell !== undefined ? regionOf(over.cell, grid, found.regions) : null) : over.named ? over.key : over.word === undefined ? null : view.run.keyOf(over.word);
    const at = key === null ? -1 : found.parts.indexOf(key);
    return at < 0 ? null : at;
  }

  // The frame of the lit region on a picture so large; null where none is.
  boxOn(size) {
    const { lit } = this.view.state, { regions } = this.found ?? {};
    if (this.element.hidden || lit === null || lit === undefined || !regions) return null;
    return boxOf(lit, regions, size);
  }

  // ---- painting ----

  // Called whenever the view paints: another query may be pinned, another head be shown.
  update() {
    this.button.hidden = !this.offered;
    if (this.button.hidden && !this.element.hidden) this.toggle(false);
    if (this.element.hidden) return;
    const found = this.knownOf(this.question);
    if (this.going && this.going !== found) { this.turn++; this.going = null; }
    if (found !== this.found) { this.found = found; this.at = null; this.view.state.lit = null; }
    this.paint();
  }

  paint() {
    if (this.element.hidden || !this.view.run) return;
    const { found, view } = this, { run, map } = view, going = Boolean(this.going), any = Boolean(found?.parts && found.changes.length);
    const cellsSeen = Boolean(map?.keyAxis?.grid), levels = run.isPicture;
    said(this.how, this.obstacle ?? `leaving_how_${cellsSeen ? "regions" : "words"}_${levels ? "picture" : "chances"}`);
    this.how.classList.toggle("av-leaving-obstacle", Boolean(this.obstacle));
    this.running.hidden = !going;
    if (found?.total) { this.bar.value = found.changes.length / found.total; this.count.textContent = `${found.changes.length} / ${found.total}`; }
    else { this.bar.removeAttribute("value"); this.count.textContent = ""; }
    this.start.hidden = going || !found || found.changes.length === found.total;
    said(this.start, found?.changes.length ? "leaving_on" : "leaving_start");
    this.places.element.hidden = !any || found.unit !== "levels";
    for (const item of this.places.items) { item.setAttribute("aria-checked", String(item.place === this.place)); item.tabIndex = item.place === this.place ? 0 : -1; }
    this.body.hidden = !any && !found?.error;
    this.body.classList.toggle("av-leaving-failed", !any);
    if (this.body.hidden) return;
    if (!any) { this.rho.textContent = this.most.textContent = ""; this.told.textContent = words(found.error); return; }
    const { weights: all, changes } = this, weights = all.slice(0, changes.length);
    this.chart.frame.hidden = Boolean(found.regions);
    this.maps.hidden = !found.regions;
    if (found.regions) this.drawMaps(all, changes); else this.drawBars(all, changes);
    this.drawCloud(weights, changes);
    this.tell(weights, changes, going);
  }

  // ---- in words ----

  tell(weights, changes, going) {
    const { found, lit } = this, kept = changes.map((change, i) => i).filter((i) => changes[i] !== null), n = kept.length;
    const parts = t(found.regions ? "leaving_regions" : "leaving_words"), one = t(found.regions ? "leaving_one_region" : "leaving_one_word");
    const rho = spearman(kept.map((i) => weights[i]), kept.map((i) => changes[i]));
    const reading = readingOf(rho, n, changes);
    this.rho.hidden = rho === null || n < FEWEST;
    this.rho.replaceChildren(...(this.rho.hidden ? [] : [h("b", {}, `ρ = ${signed(rho)}`), " ", t(n < found.all ? "leaving_over_some" : "leaving_over", { n, all: found.all, parts })]));
    this.told.textContent = found.error ? words(found.error) : going ? t("leaving_going") : t(`leaving_${reading}`, { n, parts, one });
    const highest = (values) => kept.reduce((top, i) => (values[i] > values[top] ? i : top), kept[0]), seen = highest(weights), best = highest(changes);
    const most = changes[best] < SLIGHT[found.unit] ? "leaving_slight" : seen === best ? "leaving_same" : "leaving_other";
    this.most.textContent = n && changes[best] ? t(most, { seen: this.nameOf(seen), key: this.nameOf(best), change: this.sayChange(changes[best]) }) : "";
    const describe = (i) => t("leaving_pointed", { key: this.nameOf(i), weight: percent(weights[i]), change: this.sayChange(changes[i]) });
    this.pointed.textContent = lit !== null && lit < changes.length ? describe(lit) : t("leaving_point", { one });
    for (const { frame } of [this.chart, this.weightMap]) {
      frame.setAttribute("aria-label", t("leaving_walk", { parts }));
      frame.setAttribute("aria-valuemin", "0");
      frame.setAttribute("aria-valuemax", String(changes.length - 1));
      frame.setAttribute("aria-valuenow", String(lit ?? 0));
      frame.setAttribute("aria-valuetext", describe(Math.min(lit ?? 0, changes.length - 1)));
    }
    if (!going) this.fill(weights, changes, parts);
  }

  fill(weights, changes, parts) {
    const name = [this.found.name, changes.length, this.place, this.view.map.id, this.view.state.head, lang()].join();
    if (this.filled === name) return;
    this.filled = name;
    const rows = weights.map((weight, i) => h("tr", {}, h("th", { scope: "row" }, this.nameOf(i)), h("td", {}, percent(weight)), h("td", {}, this.sayChange(changes[i]))));
    this.table.replaceChildren(h("caption", {}, t("leaving")), h("thead", {}, h("tr", {}, ...[parts, t("leaving_weight"), t("leaving_change")].map((text) => h("th", { scope: "col" }, text)))), h("tbody", {}, ...rows));
  }

  // ---- bars: weights above the names, changes below ----

  drawBars(weights, changes) {
    const { found, lit } = this, { frame, canvas } = this.chart, wide = frame.clientWidth, tall = frame.clientHeight;
    if (wide < 60 || tall < 120) return;
    const pen = fresh(canvas, wide, tall), count = found.parts.length, left = 52;
    const unit = Math.min(64, (wide - left) / count), x0 = left, names = found.parts.map((_, i) => this.nameOf(i));
    pen.font = `13px ${SYSTEM}`;
    const upright = unit >= 15 && names.every((name) => pen.measureText(name).width <= unit - 2), band = upright ? 26 : BAND;
    const room = (tall - band) / 2 - 8, above = room + 6, below = tall - room - 6;
    const tops = { weight: Math.max(...weights) || 1, change: Math.max(SLIGHT[found.unit], ...changes) };
    const scales = [
      { name: "weight", top: tops.weight, colour: theme.key, foot: above, sign: -1, ticks: TICKS, write: tick },
      { name: "change", top: tops.change, colour: theme.query, foot: below, sign: 1, ticks: STEPS[found.unit], write: found.unit === "share" ? tick : String },
    ];
    if (lit !== null) { pen.fillStyle = theme.line; pen.fillRect(x0 + lit * unit, 2, unit, tall - 4); }
    for (const { name, top, colour, foot, sign, ticks, write } of scales) {
      pen.font = `12px ${SYSTEM}`;
      let last = -Infinity;
      for (const value of ticks.filter((each) => each <= top * 1.001)) {
        const y = foot + sign * room * Math.sqrt(value / top);
        pen.fillStyle = theme.line;
        pen.fillRect(x0, Math.round(y), unit * count, 1);
        if (Math.abs(y - last) < 14 || y < 20 || y > tall - 20) continue;
        last = y;
        pen.fillStyle = theme.soft;
        pen.textAlign = "right";
        pen.textBaseline = "middle";
        pen.fillText(write(value), left - 6, y);
      }
      pen.font = `600 12px ${SYSTEM}`;
      pen.fillStyle = colour;
      pen.textAlign = "left";
      pen.textBaseline = sign < 0 ? "top" : "bottom";
      pen.fillText(t(`leaving_${name}`), 0, sign < 0 ? 2 : tall - 2);
    }
    const bar = Math.max(1.5, Math.min(unit - 2, 22));
    found.parts.forEach((_, i) => {
      const x = x0 + (i + 0.5) * unit - bar / 2;
      for (const { name, top, colour, foot, sign } of scales) {
        const value = name === "weight" ? weights[i] : changes[i];
        if (value === undefined) continue;
        pen.fillStyle = colour;
        if (value === null) { pen.fillStyle = theme.soft; pen.fillRect(x, foot + 3, bar, 1.5); continue; }
        const high = Math.max(value > 0 ? 1 : 0, room * Math.sqrt(value / top));
        pen.fillRect(x, sign < 0 ? foot - high : foot, bar, high);
      }
    });
    pen.fillStyle = theme.soft;
    for (const { foot, sign } of scales) pen.fillRect(x0, sign < 0 ? foot : foot - 1, unit * count, 1);
    this.nameKeys(pen, names, { x0, unit, middle: (above + below) / 2, band, upright, weights, changes });
    this.chart.keyAt = (x) => { const at = Math.floor((x - x0) / unit); return at >= 0 && at < changes.length ? at : null; };
  }

  // Names stand where they have room, the most telling first; the lit one always.
  nameKeys(pen, names, { x0, unit, middle, band, upright, weights, changes }) {
    const { lit } = this, rank = (values) => { const order = ranks(Array.from(values, (value) => value ?? 0)); return (i) => order[i] ?? 0; };
    const [byWeight, byChange] = [rank(weights), rank(changes)], order = names.map((_, i) => i).sort((a, b) => Math.max(byWeight(b), byChange(b)) - Math.max(byWeight(a), byChange(a)));
    if (lit !== null) order.unshift(lit);
    const taken = [];
    pen.textBaseline = "middle";
    for (const i of order) {
      const x = x0 + (i + 0.5) * unit;
      if (!upright && taken.some((other) => Math.abs(other - x) < NAMED)) continue;
      if (i === lit && taken.includes(x)) continue;
      taken.push(x);
      pen.font = `${i === lit ? 600 : 400} 13px ${SYSTEM}`;
      pen.fillStyle = i === lit ? theme.ink : theme.soft;
      pen.textAlign = "center";
      let name = names[i];
      while ([...name].length > 1 && pen.measureText(name).width > (upright ? unit : band - 6)) name = `${[...name].slice(0, -2).join("")}…`;
      pen.save();
      pen.translate(x, middle);
      if (!upright && !(/^.$/u.test(name))) pen.rotate(-Math.PI / 2);
      pen.fillText(name, 0, 0);
      pen.restore();
    }
  }

  // ---- two small maps: how much of the weight lies in a region, how much changes without it ----

  // The picture that was looked at.
  get image() {
    const { view } = this, { run, map } = view;
    if (run.isTelling) return view.telling.imageOf();
    if (run.isPainting) return view.painting.imageAt(run, view.momentNow);
    return view.grid.imageOf(run.source ? ENDS[map.kind][1] : "out");
  }

  drawMaps(weights, changes) {
    const { found, lit, image } = this, { regions } = found, size = this.weightMap.frame.clientWidth;
    if (size < 40) return;
    for (const [{ frame: box, canvas }, values, least] of [[this.weightMap, weights, 1e-6], [this.changeMap, changes, 1e-6]]) {
      const pen = fresh(canvas, size, size), shares = new Float64Array(regions[0] * regions[1]);
      values.forEach((value, i) => { shares[found.parts[i]] = value ?? 0; });
      pen.imageSmoothingEnabled = false;
      if (image) pen.drawImage(image, 0, 0, size, size);
      shade(pen, shares, regions, Math.max(least, ...shares), size);
      this.board(pen, size);
      if (box === this.changeMap.frame) this.crossOut(pen, size);
      this.markQuery(pen, size);
      if (lit !== null) frame(pen, boxOf(found.parts[lit], regions, size), theme.key);
    }
    const keyAt = (x, y) => {
      const [rows, columns] = regions, place = Math.floor((y / size) * rows) * columns + Math.floor((x / size) * columns), at = found.parts.indexOf(place);
      return x < 0 || y < 0 || x >= size || y >= size || at < 0 || at >= changes.length ? null : at;
    };
    this.weightMap.keyAt = this.changeMap.keyAt = keyAt;
  }

  // The lines between the regions; letters across, numbers down.
  board(pen, size) {
    const [rows, columns] = this.found.regions;
    pen.fillStyle = "rgba(255,255,255,.22)";
    for (let row = 1; row < rows; row++) pen.fillRect(0, Math.round((row * size) / rows), size, 1);
    for (let column = 1; column < columns; column++) pen.fillRect(Math.round((column * size) / columns), 0, 1, size);
    pen.font = `600 12px ${SYSTEM}`;
    pen.lineWidth = 3;
    pen.strokeStyle = "rgba(13,15,18,.6)";
    pen.fillStyle = "#FFFFFF";
    const write = (text, x, y) => { pen.strokeText(text, x, y); pen.fillText(text, x, y); };
    pen.textAlign = "right";
    pen.textBaseline = "top";
    for (let column = 0; column < columns; column++) write(squareOf(this.found.regions, column)[0], ((column + 1) * size) / columns - 4, 3);
    pen.textAlign = "left";
    pen.textBaseline = "bottom";
    for (let row = 0; row < rows; row++) write(String(row + 1), 4, ((row + 1) * size) / rows - 2);
  }

  // What was not left out: not yet, or as nothing else would be left to look at.
  crossOut(pen, size) {
    const { found } = this, { regions, parts } = found, measured = new Set(parts.filter((_, i) => i < found.changes.length && found.changes[i] !== null));
    pen.strokeStyle = "rgba(255,255,255,.35)";
    pen.lineWidth = 1;
    for (let place = 0; place < regions[0] * regions[1]; place++) {
      if (measured.has(place)) continue;
      const [x, y, w, tall] = boxOf(place, regions, size);
      pen.beginPath();
      pen.moveTo(x + 0.35 * w, y + tall / 2);
      pen.lineTo(x + 0.65 * w, y + tall / 2);
      pen.stroke();
    }
  }

  // Where the query is, if it is of the same picture.
  markQuery(pen, size) {
    const { run, map, state } = this.view, grid = map.queryAxis?.grid;
    if (!grid || run.isTelling || (run.source && !run.isPainting && ENDS[map.kind][0] !== ENDS[map.kind][1])) return;
    cross(pen, boxOf(state.pins[0], grid, size), theme.query, false);
  }

  // ---- weight across, change upwards ----

  drawCloud(weights, changes) {
    const { found, lit } = this, { canvas, frame: box } = this.cloud, wide = box.clientWidth, tall = box.clientHeight;
    if (wide < 60 || tall < 60) return;
    const pen = fresh(canvas, wide, tall), left = 40, foot = tall - 34, right = wide - 10, top = 22;
    const most = { weight: Math.max(...weights) || 1, change: Math.max(SLIGHT[found.unit], ...changes) };
    const x = (weight) => left + (right - left) * Math.sqrt(weight / most.weight), y = (change) => foot - (foot - top) * Math.sqrt(change / most.change);
    pen.font = `12px ${SYSTEM}`;
    pen.fillStyle = theme.line;
    pen.fillRect(left, foot, right - left, 1);
    pen.fillRect(left, top, 1, foot - top);
    const axis = (values, at, write, across) => {
      let last = Infinity;
      for (const value of [...values].reverse()) {
        const place = at(value);
        if (Math.abs(last - place) < (across ? 40 : 16)) continue;
        last = place;
        pen.fillStyle = theme.line;
        if (across) pen.fillRect(place, top, 1, foot - top); else pen.fillRect(left, place, right - left, 1);
        pen.fillStyle = theme.soft;
        pen.textAlign = across ? "center" : "right";
        pen.textBaseline = across ? "top" : "middle";
        pen.fillText(write(value), across ? Math.min(place, wide - 14) : left - 6, across ? foot + 4 : place);
      }
    };
    axis(TICKS.filter((share) => share <= most.weight), x, tick, true);
    axis(STEPS[found.unit].filter((value) => value <= most.change), y, found.unit === "share" ? tick : String, false);
    pen.font = `600 12px ${SYSTEM}`;
    pen.textBaseline = "bottom";
    pen.textAlign = "right";
    pen.fillStyle = theme.key;
    pen.fillText(`${t("leaving_weight")} →`, right, tall);
    pen.textAlign = "left";
    pen.textBaseline = "top";
    pen.fillStyle = theme.query;
    pen.fillText(`↑ ${t("leaving_change")}`, 0, 0);
    const dots = changes.map((change, i) => (change === null ? null : [x(weights[i]), y(change), i])).filter(Boolean);
    pen.fillStyle = theme.ink;
    pen.globalAlpha = 0.5;
    for (const [cx, cy] of dots) { pen.beginPath(); pen.arc(cx, cy, 3.2, 0, 7); pen.fill(); }
    pen.globalAlpha = 1;
    const shown = dots.find(([, , i]) => i === lit);
    if (shown) this.nameDot(pen, shown, wide);
    this.cloud.keyAt = (px, py) => {
      const near = dots.map(([cx, cy, i]) => [Math.hypot(cx - px, cy - py), i]).sort((a, b) => a[0] - b[0])[0];
      return near && near[0] < 18 ? near[1] : null;
    };
  }

  nameDot(pen, [cx, cy, i], wide) {
    pen.fillStyle = theme.key;
    pen.beginPath();
    pen.arc(cx, cy, 5.5, 0, 7);
    pen.fill();
    pen.font = `600 12px ${SYSTEM}`;
    pen.textBaseline = "middle";
    const name = this.nameOf(i), room = pen.measureText(name).width + 10, after = cx + room + 10 < wide, x = after ? cx + 9 : Math.max(0, cx - room - 9);
    pen.fillStyle = theme.ground;
    pen.globalAlpha = 0.9;
    pen.fillRect(x, cy - 10, room, 20);
    pen.globalAlpha = 1;
    pen.fillStyle = theme.ink;
    pen.textAlign = "left";
    pen.fillText(name, x + 5, cy);
  }
}

// Spearman's rank correlation of two lists, ties at their mean rank; null where one of them has no order.
function spearman(a, b) {
  const [x, y] = [ranks(a), ranks(b)], middle = (a.length + 1) / 2;
  let both = 0, one = 0, other = 0;
  for (let i = 0; i < a.length; i++) { const [dx, dy] = [x[i] - middle, y[i] - middle]; both += dx * dy; one += dx * dx; other += dy * dy; }
  return one && other ? both / Math.sqrt(one * other) : null;
}

// From 1 for the lowest; equal ones share the mean of theirs.
function ranks(values) {
  const order = values.map((_, i) => i).sort((a, b) => values[a] - values[b]), out = new Array(values.length);
  for (let from = 0, to; from < order.length; from = to) {
    to = from + 1;
    while (to < order.length && values[order[to]] === values[order[from]]) to++;
    for (let i = from; i < to; i++) out[order[i]] = (from + to + 1) / 2;
  }
  return out;
}

// What may be said of a correlation over so many keys: no more than chance leaves room for.
function readingOf(rho, n, changes) {
  if (n < FEWEST) return "few";
  if (rho === null) return changes.some((change) => change !== null && change !== changes[0]) ? "even" : "flat";
  if (Math.abs(rho) < BEYOND_CHANCE / Math.sqrt(n - 1)) return Math.abs(rho) < LOW ? "none" : "chance";
  return rho < 0 ? "negative" : rho >= HIGH ? "high" : "middling";
}

// As on a chess board, but from the top: A1 is the region in the corner.
const squareOf = ([, columns], place) => `${String.fromCharCode(65 + (place % columns))}${Math.floor(place / columns) + 1}`;
const signed = (value) => value.toFixed(2).replace("-", "−");
const boxOf = (cell, [rows, columns], size) => [((cell % columns) * size) / columns, (Math.floor(cell / columns) * size) / rows, size / columns, size / rows];
const regionOf = (cell, [tall, wide], [rows, columns]) => Math.floor((Math.floor(cell / wide) * rows) / tall) * columns + Math.floor(((cell % wide) * columns) / wide);
