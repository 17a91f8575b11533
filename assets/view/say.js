// What the view says in words: the sentence, the title, where a figure comes from.

const saying = {
  say(look) {
    const sentence = this.sentenceText(look);
    if (this.sentence.textContent === sentence) return;
    this.sentence.textContent = sentence;
    if (this.run.done) this.speak();
  },

  sentenceText(look = this.look) {
    const { run, state } = this;
    if (!run.shown) return t("waiting");
    if (!run.head.attention) return (run.isGrid && this.grid.reach.sentence) || t("no_attention");
    if (!look) return t("no_map");
    if (run.isPainting) return this.sayPainting(look);
    if (run.isPicture) return this.sayCells(look);
    if (run.isTelling) return this.sayTelling(look);
    if (look.reverse) {
      const list = look.askers.slice(0, 3).map((row) => t("by", { share: percent(look.column[row]), word: bare(run.tokens[run.wordOf(row)]) })).join(t("comma"));
      return t(list ? "seen_by" : "seen_by_none", { key: this.keyName(look.seen), list });
    }
    const list = look.listed.slice(0, 3).map((key) => t("on", { share: percent(shareOf(look.row, key)), key: this.keyName(key) })).join(t("comma"));
    const row = look.rows[0];
    if (look.rows.length > 1) return t("several", { n: look.rows.length, list });
    const chosen = run.chosenBy(row);
    const parts = { at: bare(run.tokens[run.paired ? run.wordOf(row) : row] ?? ""), word: chosen === null ? "" : bare(run.tokens[chosen]), list };
    const standing = t(run.paired ? (chosen === null ? "reading" : "drew") : chosen === null ? "standing" : "choosing", parts);
    return look.used ? standing : `${standing} ${t("unused_sentence")}`;
  },

  // From a cell at words; from where at a word; from a cell at cells.
  sayPainting(look) {
    const { queryAxis: { grid }, keyAxis } = this.map, { momentNow: moment } = this;
    const when = moment === "mean" ? t("when_mean") : moment === this.run.shown - 1 && this.run.done ? "" : t("when_step", { n: moment + 1 });
    const place = placeOn(grid, look.rows[0]), several = look.rows.length > 1;
    if (keyAxis?.grid) {
      const best = look.best[0] ?? 0;
      return when + t(several ? "cells" : "cell", { n: look.rows.length, place, ...halfOf(look.row), share: percent(look.row[best] || 0), other: placeOn(keyAxis.grid, best) });
    }
    if (look.seen) {
      const best = topKeys(look.column, 1)[0] ?? 0;
      return when + t("painting_word", { key: this.keyName(look.word), share: percent(look.column[best] || 0), place: placeOn(grid, best), ...halfOf(look.column) });
    }
    const list = look.listed.slice(0, 3).map((key) => t("on", { share: percent(look.row[key]), key: this.keyName(key) })).join(t("comma"));
    const sentence = when + t(several ? "painting_cells" : "painting_cell", { n: look.rows.length, place, list });
    return look.used ? sentence : `${sentence} ${t("unused_sentence")}`;
  },

  // From a word at cells; for which words a cell was looked at.
  sayTelling(look) {
    const { run } = this;
    if (look.reverse) {
      const list = topKeys(look.weights, 3).map((row) => t("on", { share: percent(look.weights[row]), key: bare(run.tokens[run.wordOf(row)] ?? "") })).join(t("comma"));
      return t("telling_cell", { place: placeOn(this.map.keyAxis.grid, look.seen), list });
    }
    const best = look.best[0] ?? 0, gate = look.rows.length === 1 ? run.steps[run.choiceOf(look.rows[0])]?.facts?.gate : undefined;
    const word = look.rows.map((row) => bare(run.tokens[run.wordOf(row)] ?? "")).join(lang() === "zh" ? "" : " ");
    const told = t("telling_word", { word, ...halfOf(look.row), share: percent(look.row[best] || 0), place: placeOn(this.map.keyAxis.grid, best) });
    const counted = gate === undefined ? told : `${told} ${t("telling_gate", { gate: gate.toFixed(2) })}`;
    return look.used ? counted : `${counted} ${t("unused_sentence")}`;
  },

  sayCells(look) {
    if (!this.grid.map) return t("no_map");
    const { run } = this, kind = run.source ? `_${this.map.kind}` : ""; // of what is read and made from it, which looks at which
    if (look.reverse) {
      const best = topKeys(look.weights, 1)[0] ?? 0;
      return t(`cell_seen${kind}`, { place: this.grid.place(look.seen), share: percent(look.weights[best] || 0), other: this.grid.place(best, "queryAxis") });
    }
    const { half } = halfOf(look.row);
    const best = look.best[0] ?? 0, unseen = kind && this.map.kind !== "self" ? run.hidden.size : 0;
    const parts = { n: look.rows.length, half, all: look.row.length - unseen, share: percent(look.row[best] || 0), other: this.grid.place(best) };
    const several = look.rows.length > 1, filled = this.map.kind === "cross" && look.rows.every((cell) => this.grid.filled.has(cell));
    const name = `${several ? "cells" : "cell"}${filled ? "_filled" : kind}`;
    const sentence = t(name, { ...parts, place: this.grid.place(look.rows[0], "queryAxis") });
    return look.used ? sentence : `${sentence} ${t("unused_sentence")}`;
  },

  describeRun() {
    const { head } = this.run;
    this.anatomy.replaceChildren();
    (head.anatomy || []).forEach(([name, lit], i) => {
      if (i) this.anatomy.append(h("span", { className: "av-arrow", ariaHidden: "true" }, "→"));
      this.anatomy.append(h(lit ? "strong" : "span", {}, words(name)));
    });
    if (this.banner.words) this.banner.textContent = words(this.banner.words);
    this.learnPart.hidden = !server.learning || head.learned === false;
    this.notesShown = null;
    this.showNotes(this.run);
    if (this.run.stage === "grid") this.grid.showFacts(this.run);
  },

  showNotes(run) {
    const notes = [...(run.head.notes || []), ...run.steps.slice(0, run.shown).flatMap((step) => step.notes || [])].map(words);
    const all = notes.join("\n");
    if (all === this.notesShown) return;
    this.notesShown = all;
    this.notes.textContent = notes.join(" ");
  },

  title() {
    const { head } = this.run;
    return [words(head.title), words(head.variant_title)].filter(Boolean).join(" · ") || head.generator;
  },

  // Of pictures the kinds say which looks at which.
  kindName(kind) { return this.run.isPainting ? `painting_${kind}` : this.run.source && this.run.isPicture ? `pictures_${kind}` : `kind_${kind}`; },

  provenance() {
    const { run, state, map } = this;
    const { request = {} } = run.head;
    const head = map ? (typeof state.head === "number" ? t("head", { n: state.head + 1 }) : t(state.head)) : "";
    const prompt = request.text ? t("from_prompt", { prompt: String(request.text).slice(0, 80) }) : "";
    return ["Attention Lab", `${run.head.generator}/${run.head.variant}`, prompt, run.source ? "" : t("from_seed", { seed: run.seed }), run.hidden.size ? t("branch_filled", { n: run.hidden.size }) : "", map ? t("layer", { kind: t(this.kindName(map.kind)), layer: map.layer + 1 }) : "", head, ...this.edits().map((edit) => this.change.describe(edit))].filter(Boolean).join(" · ");
  },

  showStep(look) {
    const { run } = this;
    const last = this.map ? this.map.queries - 1 : 0;
    const pictured = run.isPicture || run.isTelling;
    this.stepPart.hidden = run.isPicture || !this.map;
    this.whoButton.hidden = run.isPainting;
    for (const button of this.flips) button.hidden = button.flips !== "relative" && (button.flips === "smooth") !== pictured;
    this.asideNote.hidden = pictured;
    this.slider.max = String(last);
    const row = look ? look.rows[0] : 0;
    if (document.activeElement !== this.slider || Number(this.slider.value) !== row) this.slider.value = String(row);
    const word = run.wordOf(row);
    const parts = run.paired ? { n: row + 1, all: last + 1 } : { n: word + 1, all: run.tokens.length };
    this.slider.setAttribute("aria-valuetext", t("step_word", { ...parts, word: bare(run.tokens[word] ?? "") }));
    this.stepOut.textContent = t("step_of", parts);
    this.steps.hidden = this.stepPart.hidden && this.learnPart.hidden;
  },
};

// On how few cells half of a look rests.
function halfOf(row) {
  const order = Float32Array.from(row).sort().reverse(), all = row.length, enough = order.reduce((a, b) => a + b, 0) / 2;
  let sum = 0, half = 0;
  while (sum < enough && half < all) sum += order[half++];
  return { half, all };
}
