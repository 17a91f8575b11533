// Inside one step: the model's own numbers of one head, from the query to the weighted sum, a strip each, lit one after the other.

const TALLS = { q: 40, keys: 72, tanh: 72, direction: 40, products: 60, scores: 60, changed: 60, mask: 16, weights: 66, painted: 66, values: 72, context: 40, moved: 40, after: 40 };
const WIDEST_BAR = 26; // pixels of one number or key
const NAME_BAND = 20; // pixels of the names of keys below their weights
const PARTS_OF = {
  q: [["b", "q"]],
  keys: [["b", "k"], ["sub", "i"]],
  tanh: ["tanh(", ["b", "q"], " + ", ["b", "k"], ["sub", "i"], ")"],
  direction: [["b", "v"]],
  products: [["b", "q"], " · ", ["b", "k"], ["sub", "i"]],
  additive: [["b", "v"], " · tanh(", ["b", "q"], " + ", ["b", "k"], ["sub", "i"], ")"],
  scores: [["i", "s"], ["sub", "i"], " = ", ["b", "q"], " · ", ["b", "k"], ["sub", "i"], " ∕ √", ["i", "d"]],
  changed: [["i", "s"], ["sub", "i"], " → ", ["i", "s"], "′", ["sub", "i"]],
  mask: [["i", "s"], ["sub", "i"], " = −∞"],
  weights: [["i", "w"], ["sub", "i"], " = e", ["sup", "sᵢ"], " ∕ Σ e", ["sup", "sⱼ"]],
  painted: [["i", "w"], ["sub", "i"], " → ", ["i", "w"], "′", ["sub", "i"]],
  values: [["i", "w"], ["sub", "i"], " ", ["b", "v"], ["sub", "i"]],
  context: [["b", "c"], " = Σ ", ["i", "w"], ["sub", "i"], " ", ["b", "v"], ["sub", "i"]],
  moved: [["b", "c"], " → ", ["b", "c"], "′"],
  gamma: [["i", "γ"], " · ", ["b", "c"]],
  gate: [["i", "β"], " · ", ["b", "c"]],
};

const floats = (base64) => new Float32Array(Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0)).buffer);
const numeric = (values) => Float32Array.from(values, (value) => value ?? NaN);

// The numbers of one head as `page.inside.numbers_message` sends them: k (K, D) and v (K, V) row by row.
function numbersOf(message) {
  const lists = ["q", "products", "scores", "weights", "context", "direction", "plain", "total"].filter((name) => message[name]);
  return { ...message, ...Object.fromEntries(lists.map((name) => [name, numeric(message[name])])), k: floats(message.k), v: floats(message.v), contexts: message.contexts.map(numeric) };
}

// The names of the parts that there are, in order.
function partsOf({ direction, changed, plain, total, after, scale }) {
  const has = (name) => changed.includes(name);
  return [
    "q", "keys", ...(direction ? ["tanh", "direction"] : []), "products", ...(direction || scale === 1 ? [] : ["scores"]), ...(has("scores") ? ["changed"] : []),
    "mask", "weights", ...(plain ? ["painted"] : []), "values", "context", ...(total ? ["moved"] : []), ...after.map(() => "after"),
  ];
}

class Inside {
  constructor(view) {
    Object.assign(this, { view, at: 0, key: null, over: null, numbers: null, asked: "", error: null, names: [] });
    const act = (name, action, className = "av-button") => said(h("button", { type: "button", className, onclick: action }), name);
    this.button = act("inside", () => this.toggle(), "av-open");
    this.button.setAttribute("aria-expanded", "false");
    this.title = said(h("h3", { className: "av-title", tabIndex: -1 }), "inside");
    this.how = h("p", { className: "av-note" });
    this.hint = said(h("p", { className: "av-note av-inside-hint" }), "inside_hint");
    this.back = h("button", { type: "button", className: "av-button av-arrow", onclick: () => this.walk(-1) }, "‹");
    this.next = h("button", { type: "button", className: "av-button av-arrow", onclick: () => this.walk(1) }, "›");
    said(this.back, "inside_back", {}, "aria-label");
    said(this.next, "inside_next", {}, "aria-label");
    this.count = h("span", { className: "av-note av-inside-count" });
    this.sheets = h("span", { className: "av-inside-sheets" }, said(h("span", { className: "av-note" }), "sheet"), act("sheet_html", () => this.saveSheet("html"), "av-link"), act("sheet_md", () => this.saveSheet("md"), "av-link"));
    this.list = h("ol", { className: "av-inside-parts" });
    this.spoken = h("p", { className: "av-hidden", ariaLive: "polite" });
    this.element = h("section", { className: "av-inside", hidden: true, onkeydown: (event) => this.press(event) },
      h("header", { className: "av-inside-head" }, this.title, this.how, this.hint, h("span", { className: "av-gap" }), this.sheets, h("span", { className: "av-inside-walk" }, this.back, this.count, this.next)), this.list, this.spoken);
    new ResizeObserver(() => this.paint()).observe(this.element);
  }

  // ---- open and shut ----

  get offered() {
    const { run, map } = this.view;
    return Boolean(server.inside && map && run?.head.attention && !run.series);
  }

  toggle(open = this.element.hidden) {
    if (open && !this.offered) return;
    this.element.hidden = !open;
    this.button.setAttribute("aria-expanded", String(open));
    if (!open) { this.light(null); return; }
    this.at = 0;
    if (this.error) this.asked = ""; // what failed is asked again
    this.update();
    this.title.focus({ preventScroll: true }); // the arrow keys walk from here
    this.element.scrollIntoView({ block: "nearest", behavior: still() ? "auto" : "smooth" });
  }

  // ---- asking ----

  // Why there is nothing to show, as the name of a sentence; null: there is.
  get obstacle() {
    const { run, state } = this.view;
    if (state.pins.length !== 1) return "inside_one";
    return run.isPainting && this.view.momentNow === "mean" ? "leaving_moment" : null;
  }

  get question() {
    const { run, map, state } = this.view;
    if (this.obstacle) return null;
    return { run: run.id, query: state.pins[0], ...(run.isPainting ? { step: this.view.momentNow } : {}), kind: map.kind, layer: map.layer, head: typeof state.head === "number" ? state.head : 0 };
  }

  // Called whenever the view paints: another query may be pinned, another head be shown.
  update() {
    this.button.hidden = !this.offered;
    if (this.button.hidden && !this.element.hidden) this.toggle(false);
    if (this.element.hidden) return;
    const { question } = this, asked = question ? JSON.stringify(question) : "";
    if (asked !== this.asked) { this.asked = asked; this.ask(question); }
    this.paint();
  }

  async ask(question) {
    const { asked } = this, known = (this.view.run.insides ||= new Map());
    this.error = null;
    if (!question) { this.take(null); return; }
    if (!known.has(asked)) {
      this.list.classList.add("av-inside-waits");
      const answer = await server.inside(question).catch(() => null);
      if (!answer || answer.error !== undefined) {
        if (this.asked === asked) { this.error = answer?.error || { en: STRINGS.en.leaving_failed, zh: STRINGS.zh.leaving_failed }; this.take(null); }
        return;
      }
      known.set(asked, numbersOf(answer));
    }
    if (this.asked === asked) this.take(known.get(asked));
  }

  take(numbers) {
    this.list.classList.remove("av-inside-waits");
    this.numbers = numbers;
    this.key = numbers ? numbers.weights.indexOf(Math.max(...numbers.weights)) : null;
    this.over = null;
    const names = numbers ? partsOf(numbers) : [];
    if (names.join() !== this.names.join()) this.build(names);
    this.at = Math.min(this.at, Math.max(0, names.length - 1));
    this.element.dataset.of = numbers ? this.asked : "";
    this.paint();
  }

  // ---- the parts ----

  build(names) {
    this.names = names;
    this.parts = names.map((name, i) => {
      const canvas = h("canvas", { ariaHidden: "true" }), strip = h("div", { className: "av-inside-strip" }, canvas);
      const formula = h("span", { className: "av-formula", role: "img" }), title = h("span", { className: "av-inside-name" });
      const head = h("button", { type: "button", className: "av-inside-of", onclick: () => this.go(i) }, h("span", { className: "av-number", ariaHidden: "true" }, String(i + 1)), title, formula);
      const text = h("p", { className: "av-inside-text" });
      const item = h("li", { className: `av-inside-part av-inside-${name}` }, head, strip, text);
      const part = { name, item, head, title, formula, canvas, strip, text, keyAt: null };
      strip.addEventListener("pointermove", (event) => this.light(part.keyAt?.(event.clientX - strip.getBoundingClientRect().x) ?? null));
      strip.addEventListener("pointerleave", () => this.light(null));
      strip.addEventListener("click", () => { if (this.over !== null) this.key = this.over; this.go(i); });
      return part;
    });
    this.list.replaceChildren(...this.parts.map(({ item }) => item));
  }

  walk(by) { if (this.numbers) this.go(Math.max(0, Math.min(this.names.length - 1, this.at + by)), true); }

  go(at, focus = false) {
    this.at = at;
    this.paint();
    const part = this.parts[at];
    this.spoken.textContent = `${part.title.textContent}: ${part.text.textContent}`;
    if (focus && this.element.contains(document.activeElement)) part.head.focus({ preventScroll: true });
    part.item.scrollIntoView({ block: "nearest", behavior: still() ? "auto" : "smooth" });
  }

  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.numbers) return;
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key], key = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by === undefined && key === undefined) return;
    event.preventDefault();
    if (by !== undefined) this.walk(by);
    else { this.key = Math.max(0, Math.min(this.numbers.weights.length - 1, this.key + key)); this.light(null); this.paint(); this.spoken.textContent = this.parts[this.at].text.textContent; }
  }

  // The key under the pointer, here and on the stage.
  light(key) {
    if (key === this.over) return;
    this.over = key;
    const { view } = this;
    if (view.map && !view.map.keyAxis?.grid && !view.run.isPainting) { view.state.lit = key; view.refresh(); }
    this.paint();
  }

  get shown() { return this.over ?? this.key; }

  // ---- painting ----

  paint() {
    if (this.element.hidden || !this.view.run) return;
    const { numbers, obstacle, view } = this;
    this.how.classList.toggle("av-inside-obstacle", Boolean(obstacle || this.error));
    if (this.error) this.how.textContent = words(this.error);
    else if (obstacle || !numbers) this.how.textContent = t(obstacle ?? "inside_waits");
    else this.how.textContent = t(typeof view.state.head === "number" ? "inside_of" : "inside_of_first", { query: this.queryName(), layer: numbers.layer + 1, head: numbers.head + 1, keys: numbers.weights.length, d: numbers.q.length });
    this.hint.hidden = this.sheets.hidden = this.list.hidden = !numbers;
    this.back.parentElement.hidden = !numbers;
    if (!numbers) return;
    this.count.textContent = `${this.at + 1} / ${this.names.length}`;
    this.back.disabled = this.at === 0;
    this.next.disabled = this.at === this.names.length - 1;
    this.parts.forEach((part, i) => this.paintPart(part, i));
  }

  paintPart(part, i) {
    const { numbers } = this, { name, item, strip, canvas } = part;
    item.classList.toggle("av-lit", i === this.at);
    item.classList.toggle("av-ahead", i > this.at);
    if (i === this.at) part.head.setAttribute("aria-current", "step"); else part.head.removeAttribute("aria-current");
    const fact = name === "after" ? numbers.after[i - (this.names.length - numbers.after.length)] : null;
    const formula = fact ? fact.name : name === "products" && numbers.direction ? "additive" : name;
    part.title.textContent = t(fact ? `inside_${fact.name}` : this.componentOf(name) ?? `inside_${name}`);
    if (part.written !== formula) {
      part.written = formula;
      part.formula.replaceChildren(...PARTS_OF[formula].map((piece) => (typeof piece === "string" ? piece : h(piece[0], {}, piece[1]))));
      part.formula.setAttribute("aria-label", part.formula.textContent);
    }
    part.text.textContent = this.tell(name, fact);
    const wide = strip.clientWidth;
    if (wide < 40) return;
    const tall = TALLS[name] * (document.body.classList.contains("presenting") ? 1.5 : 1), band = name === "weights" ? NAME_BAND : 0;
    const pen = fresh(canvas, wide, tall + band);
    part.keyAt = this.draw(pen, name, fact, wide, tall);
  }

  // Which of the article's three a part is; where the scores are not divided, the products are the first.
  componentOf(name) { return name === "products" && !this.names.includes("scores") ? "scores" : ["scores", "weights", "context"].includes(name) ? name : null; }

  draw(pen, name, fact, wide, tall) {
    const { numbers } = this, { q, k, v, products, scores, weights, context, direction, scale } = numbers, count = weights.length;
    const [d, dv] = [q.length, context.length], most = (values) => values.reduce((top, value) => (Math.abs(value) > top ? Math.abs(value) : top), 1e-9);
    if (name === "q") return this.bars(pen, q, wide, tall, { colour: theme.query, signed: true });
    if (name === "direction") return this.bars(pen, direction, wide, tall, { colour: theme.soft, signed: true });
    if (name === "context") return this.bars(pen, numbers.total ?? context, wide, tall, { colour: theme.ink, signed: true });
    if (name === "moved") return this.bars(pen, context, wide, tall, { colour: theme.ink, signed: true });
    if (name === "after") return this.bars(pen, context.map((value) => value * fact.value), wide, tall, { colour: theme.ink, signed: true, top: most(context) * Math.max(1, Math.abs(fact.value)) });
    if (name === "keys") return this.matrix(pen, k, count, d, () => 1, wide, tall);
    if (name === "tanh") return this.matrix(pen, k.map((value, at) => Math.tanh(value + q[at % d])), count, d, () => 1, wide, tall);
    if (name === "values") return this.matrix(pen, v, count, dv, (key) => weights[key], wide, tall);
    if (name === "products") return this.bars(pen, products, wide, tall, { colour: theme.soft, signed: true, keyed: true });
    if (name === "scores") return this.bars(pen, products.map((value) => value * scale), wide, tall, { colour: theme.soft, signed: true, keyed: true, top: most(products) });
    if (name === "changed") return this.bars(pen, scores, wide, tall, { colour: theme.query, signed: true, keyed: true });
    if (name === "mask") return this.bars(pen, scores.map((value) => (Number.isNaN(value) ? 1 : 0)), wide, tall, { colour: theme.ink, keyed: true });
    const shares = name === "weights" ? numbers.plain ?? weights : weights;
    const keyAt = this.bars(pen, shares, wide, tall, { colour: name === "weights" ? theme.key : theme.query, keyed: true });
    if (name === "weights") this.nameKeys(pen, shares, wide, tall);
    return keyAt;
  }

  unitOf(count, wide) { return Math.min(WIDEST_BAR, wide / count); }

  // A bar each; keyed: one for a key, the same place in every strip.
  bars(pen, values, wide, tall, { colour, signed = false, keyed = false, top = null }) {
    const unit = this.unitOf(values.length, wide), gap = unit > 5 ? Math.min(3, unit * 0.2) : 0;
    let low = 0, high = 0;
    for (const value of values) { if (value < low) low = value; if (value > high) high = value; }
    const most = top ?? Math.max(high, -low, 1e-9), foot = !signed ? tall : low < 0 && high > 0 ? tall / 2 : low < 0 ? 0 : tall, room = foot === tall / 2 ? tall / 2 : tall;
    if (keyed) this.column(pen, unit, tall);
    pen.fillStyle = theme.line;
    pen.fillRect(0, Math.min(tall - 1, Math.round(foot)), unit * values.length, 1);
    values.forEach((value, i) => {
      if (!Number.isFinite(value)) return;
      const long = (Math.abs(value) / most) * (room - 1);
      pen.fillStyle = keyed && i === this.shown ? theme.ink : colour;
      pen.fillRect(i * unit + gap / 2, value > 0 ? foot - long : foot, Math.max(0.8, unit - gap), Math.max(value === 0 ? 0 : 0.6, long));
    });
    return keyed ? (x) => this.keyAtX(x, unit, values.length) : null;
  }

  keyAtX(x, unit, count) { const key = Math.floor(x / unit); return key >= 0 && key < count ? key : null; }

  column(pen, unit, tall) {
    if (this.shown === null) return;
    pen.fillStyle = theme.line;
    pen.fillRect(this.shown * unit, 0, Math.max(1, unit), tall);
  }

  // A column of numbers for each key: above nought in the colour of keys, below it in that of queries. shareOf(key): what they are multiplied by.
  matrix(pen, values, count, deep, shareOf, wide, tall) {
    const unit = this.unitOf(count, wide), image = new ImageData(count, deep), [ground, above, below] = [theme.ground, theme.key, theme.query].map(channels);
    let most = 1e-9;
    for (let key = 0; key < count; key++) { const share = shareOf(key); for (let i = 0; i < deep; i++) { const size = Math.abs(values[key * deep + i] * share); if (size > most) most = size; } }
    for (let key = 0; key < count; key++) {
      const share = shareOf(key);
      for (let i = 0; i < deep; i++) {
        const value = (values[key * deep + i] * share) / most, tint = Math.sqrt(Math.abs(value)), to = value > 0 ? above : below, at = 4 * (i * count + key);
        for (let c = 0; c < 3; c++) image.data[at + c] = ground[c] + (to[c] - ground[c]) * tint;
        image.data[at + 3] = 255;
      }
    }
    Object.assign(scratch, { width: count, height: deep });
    scratch.getContext("2d").putImageData(image, 0, 0);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(scratch, 0, 0, unit * count, tall);
    if (this.shown !== null) { pen.strokeStyle = theme.ink; pen.lineWidth = 1; pen.strokeRect(this.shown * unit + 0.5, 0.5, Math.max(1, unit - 1), tall - 1); }
    return (x) => this.keyAtX(x, unit, count);
  }

  // Below the weights the keys that weigh most: words, or cells of the picture that was looked at.
  nameKeys(pen, weights, wide, tall) {
    const unit = this.unitOf(weights.length, wide), grid = this.view.map?.keyAxis?.grid, image = grid ? this.view.leaving.image : null, taken = [];
    const order = [...(this.shown === null ? [] : [this.shown]), ...topKeys(weights, 10)];
    pen.font = `12px ${SYSTEM}`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    for (const key of order) {
      const name = grid ? "" : this.keyName(key).slice(0, 14), half = grid ? NAME_BAND / 2 : pen.measureText(name).width / 2;
      const x = Math.max(half, Math.min(wide - half, (key + 0.5) * unit));
      if (taken.some(([from, to]) => x + half + 5 > from && x - half - 5 < to)) continue;
      taken.push([x - half, x + half]);
      pen.fillStyle = theme.ink;
      if (!grid) pen.fillText(name, x, tall + NAME_BAND / 2 + 1);
      else if (image) this.crop(pen, image, grid, key, x - half, tall + 2, NAME_BAND - 2);
    }
  }

  crop(pen, image, [rows, columns], cell, x, y, size) {
    const [wide, tall] = [image.naturalWidth || image.width, image.naturalHeight || image.height].map((side, i) => side / [columns, rows][i]);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(image, (cell % columns) * wide, Math.floor(cell / columns) * tall, wide, tall, x, y, size, size);
    pen.strokeStyle = cell === this.shown ? theme.ink : theme.line;
    pen.strokeRect(x + 0.5, y + 0.5, size - 1, size - 1);
  }

  // ---- in words ----

  keyName(key) { return bare(this.view.keyName(key)); }

  queryName() {
    const { view } = this, [row] = view.state.pins;
    return view.map.queryAxis?.grid ? placeOn(view.map.queryAxis.grid, row) : bare(view.run.tokens[view.run.paired ? view.run.wordOf(row) : row] ?? "");
  }

  tell(name, fact) {
    const { numbers, shown } = this, { q, products, scores, weights, context, scale, changed, edited, hidden, total } = numbers, count = weights.length;
    const key = shown === null ? "" : this.keyName(shown), at = (values) => (Number.isFinite(values[shown]) ? exact(values[shown]) : "−∞");
    const sorts = { changed: "scores", painted: "weights", moved: "context" }[name];
    if (sorts && changed.includes(sorts)) return t(`inside_${name}_${edited ? "edit" : "own"}`, { key, value: name === "moved" ? "" : name === "painted" ? percent(weights[shown], true) : at(scores) });
    const none = [...scores].filter(Number.isNaN).length;
    if (name === "mask" && !none) return t(this.view.map.kind === "self" && !this.view.map.keyAxis?.grid ? "inside_mask_later" : "inside_mask_none", { n: count });
    if (name === "mask" && hidden.length) return t("inside_mask_hidden", { hidden: none, n: count, own: hidden.length });
    const start = (values, from = 0) => `${[...values.slice(from, from + 3)].map(exact).join(", ")}${values.length - from > 3 ? ", …" : ""}`;
    return t(fact ? `inside_${fact.name}_is` : `inside_${name}${numbers.direction && name === "products" ? "_additive" : ""}_is`, {
      key,
      query: this.queryName(),
      d: name === "context" || name === "values" ? context.length : q.length,
      n: count,
      root: exact(Math.sqrt(q.length)),
      value: fact ? exact(fact.value) : name === "products" ? at(products) : name === "scores" ? exact(products[shown] * scale) : name === "weights" ? percent((numbers.plain ?? weights)[shown], true) : "",
      power: exact(scores[shown]),
      times: exact(scale),
      weight: percent(weights[shown], true),
      list: name === "q" ? start(q) : name === "keys" ? start(numbers.k.slice(shown * q.length, (shown + 1) * q.length)) : name === "values" ? start(numbers.v.slice(shown * context.length, (shown + 1) * context.length)) : start(total ?? context),
      hidden: none,
    });
  }

  // ---- to take along ----

  saveSheet(kind) {
    const { view } = this, sheet = worksheetOf(this.numbers, (key) => this.keyName(key), { title: view.title(), sentence: this.how.textContent });
    const text = kind === "html" ? sheetHtml(sheet) : sheetMarkdown(sheet);
    save(new Blob([text], { type: `${kind === "html" ? "text/html" : "text/markdown"};charset=utf-8` }), `${view.fileName()}-worksheet.${kind}`);
  }
}

// Two digits behind the point, more of what is small.
const exact = (value) => (Math.abs(value) >= 0.095 || value === 0 ? value.toFixed(2) : Number(value.toPrecision(2)).toString()).replace("-", "−");
