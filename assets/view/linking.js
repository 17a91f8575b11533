// Two views side by side: what is pointed at, pinned or walked to in one is shown in the other, where it has the same.

class Link {
  constructor(views) {
    this.views = views;
    this.told = false; // what the other is told it does not tell back
  }

  // Calls with the other view and both runs, where both show something.
  pass(from, action) {
    const to = this.views.find((view) => view !== from);
    if (this.told || !from.run?.shown || !to?.run?.shown) return;
    this.told = true;
    action(to, from.run, to.run);
    this.told = false;
  }

  hovered(from) { this.pass(from, (to, one, other) => this.point(from, to, one, other)); }

  point(from, to, one, other) {
    const { over, alt } = from.state;
    to.echoed = null;
    if (!over) { to.hover(null); to.refresh(); return; }
    if (over.cell !== undefined) this.pointCell(from, to, over);
    else if (other.isPainting) to.hoverKey(over.named && one.isPainting ? wordIn(one, other, over.key) : named(one, other, over.named ? over.key : over.word));
    else if (over.named) to.hover(named(one, other, over.key));
    else if (over.word !== undefined && !other.isGrid) to.hover(wordIn(one, other, over.word), alt);
  }

  pointCell(from, to, { cell, key }) {
    const grid = gridOf(from, key), asks = to.run.isTelling ? true : to.run.isPainting ? false : Boolean(key);
    if (!grid || !to.run.isPictured) return;
    const own = gridOf(to, asks);
    if (own) to.hoverCell(rescaled([cell], grid, own)[0], asks);
    else { to.echoed = { cells: [cell], grid }; to.refresh(); }
  }

  pinned(from) { this.pass(from, (to, one, other) => this.pin(from, to, one, other)); }

  pin(from, to, one, other) {
    const { pins, reverse, key } = from.state, wordly = (run) => run.stage === "text" || run.isTelling;
    if (wordly(one) && reverse && key !== null && !from.map?.keyAxis?.grid) {
      const word = one.wordOfKey(key), same = word === null ? null : wordIn(one, other, word);
      if (wordly(other) && same !== null && to.map) to.pinKey(other.keyOf(same));
    } else if (wordly(one) && wordly(other)) {
      const rows = pins.map((row) => other.rowOf(wordIn(one, other, one.wordOf(row), true))).filter((row) => row >= 0 && (!to.map || row < to.map.queries));
      if (rows.length) to.pinRows([...new Set(rows)]);
    } else if (wordly(one) && other.isPainting) {
      if (pins.length === 1 && !reverse) { to.state.key = named(one, other, one.wordOf(pins[0])); to.refresh(); to.drawHeads(); }
    } else if (!wordly(one) && other.isPictured && gridOf(from, false)) {
      const grid = gridOf(from, false), own = gridOf(to, other.isTelling);
      if (own && !other.isTelling) to.pinRows(rescaled(pins, grid, own));
      else if (!own) { to.echo = { cells: pins, grid }; to.state.pins = pins; to.refresh(); }
    }
  }

  // A word of a prompt whose map lies over the picture.
  chosen(from) {
    this.pass(from, (to, one, other) => {
      const { key } = from.state;
      if (!one.isPainting) return;
      if (other.isPainting) { to.state.key = key === null ? null : wordIn(one, other, key); to.refresh(); to.drawHeads(); }
      else if (other.isTelling && key !== null && named(one, other, key) !== null) to.pinWord(named(one, other, key));
    });
  }

  // A step of a picture that forms: the same, or as far along where there are more or fewer.
  moved(from) {
    this.pass(from, (to, one, other) => {
      if (!one.isPainting || !other.isPainting) return;
      const { moment } = from.state, last = [one, other].map((run) => run.steps.length - 1);
      to.setMoment(typeof moment !== "number" || last[0] === last[1] ? moment : Math.round((moment / Math.max(1, last[0])) * last[1]));
    });
  }
}

// The grid of the cells that ask in a view, or of those that are looked at; null where it has no map of cells.
function gridOf({ run, map, grid }, key) {
  if (!map) return !key && run.isGrid && grid.reach.offered ? grid.reach.grid : null;
  return (key || run.isTelling ? map.keyAxis : map.queryAxis)?.grid ?? null;
}

// Which word of another run stands where one stands in this: at the same place where the tokens are the same kind, else at the same
// character, in what was given and in what was written each. Null where there is none, or the last one before.
function wordIn(one, other, word, nearest = false) {
  const written = word >= one.prompt, partOf = (run) => (written ? [run.prompt, run.tokens.length] : [0, run.prompt]);
  const [start] = partOf(one), [from, end] = partOf(other);
  if (end === from) return null;
  const same = one.head.generator === other.head.generator && one.head.variant === other.head.variant || sameTokens(one, other);
  const to = same ? from + word - start : wordAt(other, from, end, offsetOf(one, start, word));
  return to !== null && to < end ? to : nearest ? end - 1 : null;
}

const sameTokens = (one, other) => one.prompt > 0 && one.prompt === other.prompt && one.tokens.slice(0, one.prompt).every((label, i) => label === other.tokens[i]);

// The character in the middle of a word, counted from the beginning of its part.
function offsetOf(run, start, word) {
  let offset = 0;
  for (let i = start; i < word; i++) offset += run.tokens[i].length;
  return offset + run.tokens[word].length / 2;
}

function wordAt(run, from, end, offset) {
  for (let word = from, at = 0; word < end; word++) {
    at += run.tokens[word].length;
    if (offset < at) return word;
  }
  return null;
}

// The word of another run that is called as this one: a picture's description and the prompt that it was painted from.
function named(one, other, word) {
  const plain = (label) => bare(label).toLowerCase().split(/\s+/).filter((part) => !ARTICLES.test(part)).join(" ");
  const name = word === null || word === undefined ? "" : plain(one.tokens[word] ?? "");
  const at = name && !isMark(name) ? other.tokens.findIndex((label) => plain(label) === name) : -1;
  return at < 0 ? null : at;
}
