// The stage of tokens that look at tokens: the text itself, lit by the row of the word under the pointer; of a text made from another
// both, the source above, lines between them. Words are elements, so that they can be reached and read; tints, bars and lines are one
// canvas behind them.

const ARCS = 4;
const SIZES = [40, 36, 32, 28, 26, 24, 22, 20, 18, 16]; // pixels of the type of two texts: the largest that has room
const ONE_LINE = 22; // down to which both stay on a line of their own
const GAP = 36; // pixels between them at least
const THREAD = 0.25; // weight from which a word's highest key is tied to it by a thread

class TextStage {
  constructor(view) {
    this.view = view;
    this.canvas = h("canvas", { className: "av-under", ariaHidden: "true" });
    this.flow = h("div", { className: "av-flow", role: "group" });
    said(this.flow, "output", {}, "aria-label");
    this.scroll = h("div", { className: "av-scroll" }, this.flow);
    this.element = h("div", { className: "av-text" }, this.canvas, this.scroll);
    this.spans = [];
    this.boxes = []; // by token: rectangles in the coordinates of the flow
    this.lit = new Map(); // tokens whose look was changed → what it was changed to
    this.dragFrom = null;
    this.inset = { x: 0, y: 0 }; // of the flow in the element
    this.top = 0; // of the visible part; kept, as reading it while painting would lay the page out anew
    this.scroll.addEventListener("scroll", () => {
      const { scrollTop } = this.scroll;
      if (scrollTop === this.top) return;
      this.top = scrollTop;
      this.view.refresh();
    }, { passive: true });
    this.listen();
    this.observer = new ResizeObserver(() => { this.measure(0); this.view.refresh(); });
    this.observer.observe(this.scroll);
  }

  wordAt(event) {
    const span = event.target.closest && event.target.closest(".av-token");
    return span && this.flow.contains(span) ? span.word : null;
  }

  listen() {
    const { flow, view } = this;
    flow.addEventListener("pointerover", (event) => {
      if (event.pointerType === "touch") return;
      const word = this.wordAt(event);
      if (word === null) return;
      if (this.dragFrom !== null && event.buttons) { this.dragged = true; view.pinWords(this.dragFrom, word); }
      view.hover(word, event.altKey);
    });
    flow.addEventListener("pointerleave", () => view.hover(null));
    flow.addEventListener("pointerdown", (event) => { this.dragFrom = this.wordAt(event); this.dragged = false; });
    flow.addEventListener("click", (event) => {
      const word = this.wordAt(event);
      this.dragFrom = null;
      if (word === null || this.dragged) return;
      view.pinWord(word, event.shiftKey);
    });
    flow.addEventListener("focusin", (event) => { if (event.target.matches(":focus-visible")) view.hover(this.wordAt(event)); });
    flow.addEventListener("focusout", () => view.hover(null));
    flow.addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    const word = this.wordAt(event);
    if (word === null || event.ctrlKey || event.metaKey) return;
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); this.view.pinWord(word, event.shiftKey); return; }
    const to = { ArrowRight: this.beside(word, 1), ArrowLeft: this.beside(word, -1), ArrowDown: this.below(word, 1), ArrowUp: this.below(word, -1),
      Home: this.beside(-1, 1), End: this.beside(this.spans.length, -1) }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    if (to !== null) this.focus(to);
  }

  beside(word, step) {
    for (let at = word + step; at >= 0 && at < this.spans.length; at += step) if (!this.spans[at].hidden) return at;
    return null;
  }

  below(word, direction) {
    const from = (this.boxes[word] || [])[0];
    if (!from) return null;
    let best = null, least = Infinity;
    this.boxes.forEach((boxes, at) => {
      for (const box of boxes) {
        const down = (box.y + box.h / 2 - from.y - from.h / 2) * direction;
        if (down < from.h / 2) continue;
        const cost = down * 50 + Math.abs(box.x + box.w / 2 - from.x - from.w / 2);
        if (cost < least) { least = cost; best = at; }
      }
    });
    return best;
  }

  focus(word) {
    this.rove(word);
    this.spans[word].focus({ preventScroll: false });
  }

  rove(word) {
    if (this.stop !== undefined && this.spans[this.stop]) this.spans[this.stop].tabIndex = -1;
    this.stop = word;
    if (this.spans[word]) this.spans[word].tabIndex = 0;
  }

  reset() {
    this.strips = null;
    this.flow.replaceChildren();
    if (this.run?.paired) {
      this.strips = ["source", "written"].map((name) => said(h("div", { className: `av-strip-of av-${name}`, role: "group" }), `strip_${name}`, {}, "aria-label"));
      this.flow.append(...this.strips);
    }
    this.spans = [];
    this.boxes = [];
    this.lit.clear();
    this.stop = undefined;
    this.scroll.scrollTop = this.top = 0;
  }

  // Brings the page to the run's tokens: appends what is new.
  update(run) {
    if (this.run !== run || this.spans.length > run.tokens.length) { this.run = run; this.reset(); }
    const from = this.spans.length;
    const shows = !this.view.instant; // each word comes into sight by itself
    for (let word = from; word < run.tokens.length; word++) this.append(run.tokens[word], word, word < run.prompt, shows);
    if (run.tokens.length === from) return false;
    const all = run.tokens.filter((label) => !isMark(label)).join("");
    const dense = (all.match(/[\u3040-\u30ff\u3400-\u9fff]/g) || []).length;
    this.element.classList.toggle("av-poem", !run.paired && dense * 2 > all.replace(/\s/g, "").length);
    if (run.paired) this.setType(run);
    if (this.stop === undefined) this.rove(this.beside(-1, 1) ?? 0);
    this.measure(Math.max(0, from - 24));
    return true;
  }

  // Sets the type of two texts as large as they have room for; the written one is taken for as long as the source until it is longer.
  setType(run) {
    const [source, written] = [run.tokens.slice(0, run.prompt), run.tokens.slice(run.prompt)].map((part) => part.filter((label) => !isMark(label)));
    const single = source.every((label) => [...label.trim()].length <= 1);
    this.element.classList.toggle("av-spelled", single);
    const pen = scratch.getContext("2d");
    pen.font = `100px ${SYSTEM}`;
    const wide = (part) => pen.measureText(part.join("").trim()).width / 100 + (single ? 0.22 * part.length : 0);
    const [above, below] = [wide(source), Math.max(wide(source), wide(written))];
    const scale = parseFloat(getComputedStyle(this.element).getPropertyValue("--scale")) || 1;
    const across = (this.scroll.clientWidth - 24) / scale, room = (this.view.narrow ? 320 : this.scroll.clientHeight) / scale - GAP;
    const lines = (size) => Math.ceil((above * size) / across) + Math.ceil((below * size) / across);
    const fits = (size) => lines(size) * size * 1.5 <= room && (size <= 28 || !this.view.narrow);
    const size = SIZES.find((each) => each >= ONE_LINE && lines(each) === 2 && fits(each)) || SIZES.find((each) => each <= 28 && fits(each)) || SIZES.at(-1);
    this.element.style.setProperty("--pair", `${size}px`);
  }

  append(label, word, given, shows) {
    const strip = this.strips ? this.strips[given ? 0 : 1] : this.flow;
    const [, lead, body, tail] = label.match(/^([ \t]*)([^]*?)([ \t]*)$/);
    const span = h("span", { className: `av-token${given ? " av-given" : ""}`, tabIndex: -1, role: "button" });
    span.word = word;
    span.setAttribute("aria-pressed", "false");
    const before = word ? this.run.tokens[word - 1] : "";
    if (!this.strips && isMark(before) && !isMark(label)) strip.append(h("br")); // marks keep a line of their own
    span.classList.toggle("av-mark", isMark(label));
    if (!label) span.hidden = true;
    else if (body.trim()) {
      if (lead && strip.childNodes.length) strip.append(lead);
      span.textContent = body;
    } else {
      span.classList.add("av-blank");
      span.append(h("i", { ariaHidden: "true" }, bare(label).slice(0, 2)), body);
      span.setAttribute("aria-label", t(label.includes("\n") ? "line_break" : "space"));
    }
    strip.append(span);
    if (shows && !given) span.animate([{ opacity: 0 }, { opacity: 1 }], 160);
    if (body.trim() && tail) strip.append(tail);
    this.spans[word] = span;
  }

  measure(from) {
    const origin = this.flow.getBoundingClientRect();
    for (let word = from; word < this.spans.length; word++) {
      const boxes = [];
      for (const r of this.spans[word].getClientRects()) if (r.width > 0.5) boxes.push({ x: r.x - origin.x, y: r.y - origin.y, w: r.width, h: r.height });
      this.boxes[word] = boxes;
    }
    this.top = this.scroll.scrollTop;
    this.width = this.element.clientWidth;
    this.height = this.scroll.clientHeight;
    this.inset = { x: origin.x - this.element.getBoundingClientRect().x, y: origin.y + this.scroll.scrollTop - this.element.getBoundingClientRect().y };
    this.line = parseFloat(getComputedStyle(this.flow).lineHeight) || 32;
  }

  reveal(word) {
    const box = (this.boxes[word] || [])[0];
    if (!box) return;
    const { scrollTop, clientHeight } = this.scroll;
    const lines = Math.max(1, Math.floor(clientHeight / this.line)), at = Math.floor(box.y / this.line), first = Math.round(scrollTop / this.line);
    if (at < first) this.scroll.scrollTop = Math.max(0, at - 1) * this.line;
    else if (at >= first + lines) this.scroll.scrollTop = (at - lines + 1) * this.line;
    this.top = this.scroll.scrollTop;
  }

  // What of each token is lit: [{word, weight}], the boxed words, the token stood at, and whether keys or queries are tinted.
  paint(look) {
    const { pen, placed } = this.begin();
    const { tints, inks, strong } = inksOf(look);
    const now = new Map();
    pen.save();
    pen.beginPath();
    pen.rect(0, this.inset.y + 2, this.width, this.height + 1);
    pen.clip();
    if (this.strips && look.row) this.threads(pen);
    const [first, last] = this.inSight();
    for (const [word, weight] of look.weights) {
      if (word < first || word > last) continue;
      const share = level(weight, look.top);
      if (share < 0.03) continue;
      for (const box of this.boxes[word] || []) {
        const y = placed(box);
        if (y === null) continue;
        pen.fillStyle = tints[Math.round(LEVELS * share * 0.92)];
        pen.beginPath();
        pen.roundRect(box.x + this.inset.x - 2, y, box.w + 4, box.h, 4);
        pen.fill();
        const thick = Math.max(0.75, (this.strips ? 6 : 4.5) * share);
        pen.fillStyle = strong;
        pen.fillRect(box.x + this.inset.x - 1, y + box.h + 0.5, box.w + 2, thick);
      }
      if (inks[Math.round(LEVELS * share * 0.92)]) now.set(word, `tint ${Math.round(LEVELS * share * 0.92)}`);
      else if (share > 0.25) now.set(word, "ink");
    }
    for (const box of (look.key !== null && this.boxes[look.key]) || []) {
      const y = placed(box);
      if (y === null) continue;
      pen.strokeStyle = theme.ink;
      pen.lineWidth = 1.5;
      pen.setLineDash([3, 2]);
      pen.strokeRect(box.x + this.inset.x - 2, y, box.w + 4, box.h);
      pen.setLineDash([]);
    }
    pen.restore();
    for (const word of look.boxed) now.set(word, look.reverse ? "key" : "query");
    if (look.stood !== null && !now.has(look.stood)) now.set(look.stood, "stood");
    else if (look.stood !== null) now.set(look.stood, `${now.get(look.stood)} stood`);
    if (look.arcs.length) this.arcs(pen, look, strong);
    this.light(now, tints, inks);
  }

  // The first and the last word that can be seen: of a long text only those are dressed.
  inSight() {
    const { top, boxes } = this, bottom = top + this.height;
    let first = Infinity, last = -1;
    boxes.forEach((parts, word) => {
      if (!parts.length || parts.at(-1).y + parts.at(-1).h < top - 8 || parts[0].y > bottom + 8) return;
      if (first === Infinity) first = word;
      last = word;
    });
    return [first, last];
  }

  begin() {
    const pen = fresh(this.canvas, this.width || 1, (this.height || 1) + this.inset.y + 8);
    const { top } = this, bottom = top + this.height;
    return { pen, placed: (box) => (box.y + box.h < top - 8 || box.y > bottom + 8 ? null : box.y - top + this.inset.y) };
  }

  // What every written word looked at most, thin: how the two texts run along each other.
  threads(pen) {
    const { view } = this, { run } = view;
    pen.strokeStyle = theme.line;
    pen.lineWidth = 1.25;
    for (let row = 0; row < view.map.queries; row++) {
      const weights = view.map.row(view.state.head, row), [key] = weights ? topKeys(weights, 1) : [];
      if (key === undefined || weights[key] < THREAD || run.wordOfKey(key) === null) continue;
      this.draw(pen, this.between(run.wordOf(row), run.wordOfKey(key)));
    }
  }

  // The line between two words, the flow beginning at `origin`: an arc in one text, from edge to edge between two; null where one is not.
  between(word, other, origin = { x: this.inset.x, y: this.inset.y - this.top }) {
    const from = (this.boxes[word] || [])[0], to = (this.boxes[other] || [])[0];
    if (!from || !to || word === other) return null;
    const x = (box) => box.x + box.w / 2 + origin.x, y = (box) => box.y + origin.y;
    const apart = this.strips && (word < this.run.prompt) !== (other < this.run.prompt);
    if (!apart) return arc(x(from), y(from) + 1, x(to), y(to) + 1, this.line);
    const down = from.y < to.y;
    return link(x(from), y(from) + (down ? from.h + 5 : -1), x(to), y(to) + (down ? -1 : to.h + 5));
  }

  draw(pen, curve) {
    if (!curve) return;
    pen.beginPath();
    pen.moveTo(curve.x1, curve.y1);
    pen.bezierCurveTo(...curve.c1, ...curve.c2, curve.x2, curve.y2);
    pen.stroke();
  }

  arcs(pen, look, colour) {
    const from = (this.boxes[look.boxed[0]] || [])[0];
    if (!from) return;
    const { top } = this;
    pen.save();
    pen.beginPath();
    pen.rect(0, 0, this.width, this.height + this.inset.y);
    pen.clip();
    pen.strokeStyle = colour;
    pen.lineCap = "round";
    for (const [word, weight] of look.arcs) {
      const to = (this.boxes[word] || [])[0];
      if (!to || word === look.boxed[0] || to.y < top - 4 || to.y > top + this.height) continue;
      pen.globalAlpha = 0.3 + 0.55 * level(weight, look.top);
      pen.lineWidth = 1 + 2 * level(weight, look.top);
      this.draw(pen, this.between(look.boxed[0], word));
    }
    pen.restore();
  }

  // Changes the look of only those words whose look is another than before.
  light(now, tints, inks) {
    if (tints !== this.tints) this.lit.forEach((look, word) => this.dress(word, null, tints, inks));
    const before = tints === this.tints ? this.lit : new Map();
    for (const [word, look] of before) if (now.get(word) !== look) this.dress(word, null, tints, inks);
    for (const [word, look] of now) if (before.get(word) !== look) this.dress(word, look, tints, inks);
    this.lit = now;
    this.tints = tints;
  }

  dress(word, look, tints, inks) {
    const span = this.spans[word];
    if (!span) return;
    const parts = look ? look.split(" ") : [];
    span.classList.toggle("av-query", parts[0] === "query");
    span.classList.toggle("av-key", parts[0] === "key");
    span.classList.toggle("av-ink", parts[0] === "ink");
    span.classList.toggle("av-stood", parts.includes("stood"));
    const tinted = parts[0] === "tint";
    span.style.backgroundColor = tinted ? tints[parts[1]] : "";
    span.style.color = tinted ? inks[parts[1]] : "";
  }

  press(words) {
    for (const word of this.pressed || []) if (this.spans[word]) this.spans[word].setAttribute("aria-pressed", "false");
    for (const word of words) if (this.spans[word]) this.spans[word].setAttribute("aria-pressed", "true");
    this.pressed = words;
  }
}
