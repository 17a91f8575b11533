// The words of a prompt as keys of an old typewriter: each tinted by how much the cell that is pointed at looks at it.

const NOTHING = "∅"; // the key that stands for no word

const SIZES_OF_KEYS = [21, 20, 19, 18, 17, 16]; // pixels of their type

class WordKeys {
  constructor(stage) {
    this.stage = stage;
    this.group = h("div", { className: "av-keys", role: "group" });
    said(this.group, "words", {}, "aria-label");
    this.element = h("div", { className: "av-keys-part" }, this.group);
    this.items = [];
    const { view } = stage, wordAt = (event) => event.target.closest?.(".av-key-of")?.word ?? null;
    this.group.addEventListener("pointerover", (event) => { if (event.pointerType !== "touch") view.hoverKey(wordAt(event)); });
    this.group.addEventListener("pointerleave", () => view.hoverKey(null));
    this.group.addEventListener("focusin", (event) => { if (event.target.matches(":focus-visible")) view.hoverKey(wordAt(event)); });
    this.group.addEventListener("focusout", () => view.hoverKey(null));
    this.group.addEventListener("click", (event) => { const word = wordAt(event); if (word !== null) view.chooseWord(word); });
    this.group.addEventListener("keydown", (event) => this.key(event, wordAt(event)));
  }

  key(event, word) {
    if (word === null || event.ctrlKey || event.metaKey) return;
    const to = { ArrowRight: word + 1, ArrowDown: word + 1, ArrowLeft: word - 1, ArrowUp: word - 1, Home: 0, End: this.items.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = this.items[(to + this.items.length) % this.items.length];
    for (const item of this.items) item.tabIndex = item === next ? 0 : -1;
    next.focus();
  }

  update(run) {
    const built = [run.id, run.tokens.length, run.unknown.length, lang()].join();
    if (built === this.built) return;
    this.built = built;
    this.group.replaceChildren(...run.tokens.map((label, word) => {
      const role = this.roleOf(run, word);
      const item = h("button", { type: "button", className: `av-key-of${role ? " av-aside" : ""}`, tabIndex: word ? -1 : 0 },
        h("span", { className: "av-key-word" }, bare(label)), ...(role ? [h("span", { className: "av-key-role" }, role)] : []), h("span", { className: "av-key-share", ariaHidden: "true" }));
      item.classList.toggle("av-unknown", run.unknown.some(([text]) => text.trim() === label.trim()));
      return Object.assign(item, { word });
    }));
    this.items = [...this.group.children];
    this.fit();
  }

  // In type as large as keeps them on one line, if any does.
  fit() {
    const [first] = this.items, last = this.items.at(-1);
    for (const size of first && !this.stage.view.narrow ? SIZES_OF_KEYS : [17]) {
      this.group.style.setProperty("--word", `${size}px`);
      if (first && first.offsetTop === last.offsetTop) return;
    }
    if (!this.stage.view.narrow) this.group.style.setProperty("--word", "19px");
  }

  // What a key is that is no word of the prompt: the value of a setting, or padding.
  roleOf(run, word) {
    const label = run.tokens[word].trim(), plain = (text) => text.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");
    if (label === NOTHING) return t("word_none");
    const [setting] = Object.entries(run.head.request?.settings ?? {}).find(([, value]) => word === 0 && typeof value === "string" && plain(value) === plain(label)) ?? [];
    return setting ? (STRINGS.en[`word_${setting}`] ? t(`word_${setting}`) : setting) : "";
  }

  // look: weights of the words; chosen: the one whose map is shown. Without attention they stand as they are.
  paint(look) {
    const { tints, inks } = inksOf(null), { state } = this.stage.view;
    this.items.forEach((item, word) => {
      const weight = look && !look.keyGrid ? look.row[word] || 0 : null, share = weight === null ? 0 : level(weight, look.top), tint = Math.round(LEVELS * share * 0.92);
      item.style.backgroundColor = share >= 0.03 ? tints[tint] : "";
      item.style.color = share >= 0.03 ? inks[tint] ?? "" : "";
      item.style.setProperty("--share", `${(100 * share).toFixed(1)}%`);
      item.lastChild.textContent = weight === null || weight < 0.005 ? "" : percent(weight);
      item.classList.toggle("av-shown", look !== null && look.word === word);
      item.setAttribute("aria-pressed", String(state.key === word));
      item.setAttribute("aria-label", weight === null ? this.nameOf(word) : t("key_share", { key: this.nameOf(word), share: percent(weight) }));
    });
  }

  nameOf(word) {
    const [name, role] = [...this.items[word].children].slice(0, -1).map((each) => each.textContent);
    return role ? `${name}, ${role}` : name;
  }
}
