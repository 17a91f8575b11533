// The heads to choose from: a list, or a row for each layer, each with its thumbnail and what it measurably does.

const MIXES = ["mean", "max", "rollout"];
const DOES = ["before", "first", "same", "after_same"]; // what heads were measured to do, over a fixed sample
const TELLING = 0.15; // share from which a habit is worth its name
const SPELLED = 6; // heads of a layer up to which each has its habit beside it

class HeadPanel {
  constructor(view) {
    this.view = view;
    this.group = h("div", { className: "av-heads" });
    this.mixes = h("div", { className: "av-mixes" });
    this.layers = h("div", { className: "av-layers", role: "radiogroup" });
    said(this.layers, "layers", {}, "aria-label");
    this.title = said(h("h3", { className: "av-title" }), "heads");
    this.told = h("p", { className: "av-note av-does" });
    this.radios = h("div", { className: "av-radios", role: "radiogroup" }, h("div", { className: "av-line" }, this.title, this.mixes), this.group);
    said(this.radios, "heads", {}, "aria-label");
    this.element = h("section", { className: "av-head-part" }, this.layers, this.radios, this.told);
    this.items = [];
    this.built = "";
    rovingRadios(this.layers, (item) => (item.layer ? view.setLayer(item.layer) : view.openCells()));
    this.radios.addEventListener("keydown", (event) => this.key(event));
    this.group.addEventListener("scroll", () => this.paintSoon(), { passive: true });
  }

  // A row a layer where a kind has several; single layers have a list.
  get isStack() { return this.layerMaps.length > 1; }
  get byKinds() { return this.isStack || this.view.run.isPicture; } // a chip for each kind, not for each layer

  update(run, map) {
    this.layerMaps = byKind(run.order).find((maps) => maps.includes(map)) || [map];
    const built = `${run.id}|${run.order.map((each) => each.id).join()}|${map.heads}|${this.byKinds && map.kind}|${lang()}`;
    if (built !== this.built) { this.built = built; this.build(run, map); }
    const { head } = this.view.state;
    for (const item of this.layers.children) this.check(item, item.layer === map.id || (this.byKinds && item.kind === map.kind));
    for (const item of this.items) this.check(item, item.head === head && (!this.isStack || typeof head !== "number" || item.map === map.id));
    for (const label of this.group.querySelectorAll(".av-row-name")) label.classList.toggle("av-on", label.map === map.id && head !== "rollout");
    this.tell(run, map, head);
    this.element.classList.toggle("av-pointing", run.isPainting && map.kind === "cross");
    this.element.hidden = run.paired && run.order.length < 2 && map.heads < 2; // nothing to choose
    this.view.band.classList.toggle("av-alone", this.element.hidden && this.view.curves.element.hidden);
  }

  check(item, on) {
    if (item.getAttribute("aria-checked") === String(on)) return;
    item.setAttribute("aria-checked", String(on));
    item.tabIndex = on ? 0 : -1;
  }

  build(run, map) {
    this.element.classList.toggle("av-stacked", this.isStack);
    this.element.classList.toggle("av-kinds", this.byKinds && byKind(run.order).length > 1);
    this.view.band.classList.toggle("av-many", this.isStack);
    const kinds = byKind(run.order);
    this.layers.hidden = this.byKinds ? kinds.length < 2 : run.order.length < 2;
    this.layers.replaceChildren(...(this.byKinds ? kinds.map((maps) => maps[0]) : run.order).map((each) => {
      const item = h("button", { type: "button", role: "radio", className: "av-chip", onclick: () => this.view.setLayer(each.id) });
      Object.assign(item, { layer: each.id, kind: each.kind });
      const name = this.view.kindName(each.kind);
      if (run.source && run.isPicture) item.title = t(`${name}_long`);
      return this.byKinds ? said(item, name) : said(item, "layer", () => ({ kind: t(`kind_${each.kind}`), layer: each.layer + 1 }));
    }));
    if (run.isPainting) this.offerCells(run);
    this.mixes.replaceChildren();
    if (this.isStack) this.buildStack(run); else this.buildList(map);
    this.items = [...this.radios.querySelectorAll('[role="radio"]')];
    this.title.title = this.isStack ? t("heads_keys") : "";
  }

  // How cells look at one another is not known before it is asked for.
  offerCells(run) {
    if (!server.maps || run.series || run.order.some((map) => map.kind === "self")) return;
    const item = said(h("button", { type: "button", role: "radio", className: "av-chip", disabled: Boolean(run.cellsUnknown), onclick: () => this.view.openCells() }), "painting_self");
    Object.assign(item, { kind: "self", tabIndex: -1, title: t("painting_self_long") });
    item.setAttribute("aria-checked", "false");
    this.layers.hidden = false;
    this.element.classList.add("av-kinds");
    this.layers.append(item);
  }

  buildList(map) {
    const heads = [...Array(map.heads).keys(), ...(map.heads > 1 ? ["mean", "max"] : [])];
    this.group.replaceChildren(...heads.map((head) => {
      const name = said(h("b"), typeof head === "number" ? "head" : head, { n: head + 1 });
      const item = h("button", { type: "button", role: "radio", className: "av-head", onclick: () => this.view.setHead(head) }, h("canvas", { ariaHidden: "true" }), h("span", {}, name, h("small")));
      item.head = head;
      return item;
    }));
  }

  buildStack(run) {
    const { view } = this;
    const mixes = MIXES.filter((name) => name !== "rollout" || run.stack.length > 1).map((name) => {
      const item = said(h("button", { type: "button", role: "radio", className: "av-chip", onclick: () => view.setHead(name) }), name);
      Object.assign(item, { head: name, title: t(`${name}_title`) });
      return item;
    });
    const spelled = Math.max(...this.layerMaps.map((map) => map.heads)) <= SPELLED;
    const rows = this.layerMaps.map((map) => h("div", { className: "av-layer-row" },
      Object.assign(said(h("span", { className: "av-row-name", ariaHidden: "true" }), "layer_short", { n: map.layer + 1 }), { map: map.id }),
      ...Array.from({ length: map.heads }, (_, head) => {
        const item = h("button", { type: "button", role: "radio", className: "av-cell", onclick: () => this.choose(map.id, head) }, h("canvas", { ariaHidden: "true", width: 1, height: 1 }), ...(spelled ? [h("span", {}, h("b"), h("small"))] : []));
        Object.assign(item, { head, map: map.id });
        this.name(item, run, map);
        return item;
      })));
    this.mixes.replaceChildren(...mixes);
    this.group.replaceChildren(h("div", { className: `av-stack${spelled ? " av-told" : ""}` }, ...rows));
  }

  choose(id, head) {
    if (id !== this.view.map.id) this.view.setLayer(id, head); else this.view.setHead(head);
  }

  // Arrows walk over a list one by one, over a stack by head and by layer.
  key(event) {
    const at = this.items.indexOf(document.activeElement);
    const moves = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 1, ArrowUp: -1 };
    if (at < 0 || !(event.key in moves || event.key === "Home" || event.key === "End")) return;
    event.preventDefault();
    const cells = this.items.filter((item) => item.map), mixes = this.items.length - cells.length;
    const wide = this.isStack && /Up|Down/.test(event.key) && at >= mixes ? this.layerMaps[0].heads : 1;
    const to = event.key === "Home" ? 0 : event.key === "End" ? this.items.length - 1 : at + moves[event.key] * wide;
    const next = wide > 1 ? this.items[to < mixes ? 0 : Math.min(to, this.items.length - 1)] : this.items[(to + this.items.length) % this.items.length];
    if (next.map) this.choose(next.map, next.head); else this.view.setHead(next.head);
    next.focus();
  }

  // What a head of a stack does, by its own measure; said beside it where there is room, else by its name.
  name(item, run, map) {
    const habit = this.measured(run, map, item.head), [best] = habit;
    const told = best && best[1] >= TELLING ? best : null;
    if (item.children[1]) {
      const [share, does] = item.children[1].children;
      share.textContent = told ? percent(told[1]) : t("head", { n: item.head + 1 });
      does.textContent = told ? t(`short_${told[0]}`) : "";
    }
    const name = t("head_of", { layer: map.layer + 1, head: item.head + 1 });
    item.setAttribute("aria-label", told ? `${name}: ${t("does", { share: percent(told[1]), what: t(`does_${told[0]}`) })}` : name);
    item.title = [name, ...habit.map(([what, share]) => t("does", { share: percent(share), what: t(`does_${what}`) }))].join("\n");
  }

  // [[habit, share]], the strongest first, as the card has them; else over the rows of this run, once it is done.
  measured(run, map, head) {
    const shares = run.head.heads?.[map.kind]?.[map.layer]?.[head];
    if (shares) return DOES.filter((name) => name in shares).map((name) => [name, shares[name]]).sort((a, b) => b[1] - a[1]);
    if (run.isPainting && map.kind === "cross") {
      const { truth } = run.head, steps = truth?.pointing?.[map.layer]?.[head];
      const share = steps?.[this.view.momentNow === "mean" ? truth.steps : scaled(this.view.momentNow, run.steps.length, truth.steps)];
      return share === undefined ? [] : [["points", share]];
    }
    if (run.isPicture) return this.measuredCells(run, map, head);
    const known = (map.habits ||= new Map()), drawn = `${head}:${map.version}`;
    if (!run.done || run.shown < run.steps.length || map.kind !== "self" || run.paired) return [];
    if (!known.has(drawn)) {
      const found = habitsOfTokens(map, head, (position) => map.read(head, position));
      known.set(drawn, found ? found.shares.filter(([name]) => name !== "itself") : []);
    }
    return known.get(drawn);
  }

  measuredCells(run, map, head) {
    const colours = run.isPainting ? null : this.view.grid.coloursOf(map), known = (map.habits ||= new Map()), drawn = `${head}:${map.version}:${map.moment ?? ""}`;
    if (!colours && !run.isPainting) return [];
    if (!known.has(drawn)) known.set(drawn, habitsOfCells(map, head, colours));
    const found = known.get(drawn);
    if (!found) { known.delete(drawn); return []; }
    return isAlike(found) ? [["alike", found.alike]] : [["far", found.distance]];
  }

  describe(run, map, head) {
    if (head === "rollout") return t("rollout_told", { n: run.stack.length });
    const points = run.isPainting && run.head.truth && map.kind === "cross" ? ` · ${t("heads_points")}` : "";
    if (typeof head !== "number") return t(`${head}_told`, { layer: map.layer + 1, n: map.heads }) + points;
    const list = this.measured(run, map, head).filter(([, share]) => share >= 0.005).map(([what, share]) => t("does", { share: percent(share), what: t(`does_${what}`) }));
    return [t("head_of", { layer: map.layer + 1, head: head + 1 }), list.join(t("comma"))].filter(Boolean).join(t("colon"));
  }

  // Thumbnails and what each head does: dear, so called now and then only, and of a stack only what is seen, while there is time.
  draw(run, map) {
    if (this.isStack) { this.paintSoon(); return; }
    const size = this.view.sizes.head;
    for (const item of this.items) {
      const { head } = item;
      const pen = fresh(item.querySelector("canvas"), size, size);
      const habit = item.querySelector("small");
      if (map.queryAxis?.grid || map.keyAxis?.grid) this.drawGrid(pen, map, head, size);
      else {
        const n = Math.min(map.queries, 64), from = Math.max(0, map.queries - n);
        cells(pen, n, n, (r, c) => {
          const row = map.row(head, from + r), k = from + c;
          return !row || k >= row.length ? -1 : level(row[k], this.view.topOf(row));
        }, 0, 0, size, size);
      }
      const [name, shares] = typeof head === "number" ? this.habit(run, map, head) : [`${head}_of`, { n: map.heads }];
      habit.textContent = name ? t(name, shares) : "";
      item.title = name && shares.chance ? t(`${name}_long`, shares) : "";
    }
  }

  paintSoon() {
    if (this.painting || !this.isStack) return;
    this.painting = true;
    idle((left) => {
      this.painting = false;
      if (!this.paintStack(left)) this.paintSoon();
    });
  }

  // Draws cells that are in sight and not as the run stands; returns whether that were all.
  paintStack(left) {
    const { run, sizes } = this.view;
    if (!run || !this.view.map || !this.isStack) return true;
    const { scrollTop, clientHeight, scrollHeight } = this.group, tall = scrollHeight / this.layerMaps.length;
    let worked = 0;
    for (const item of this.items) {
      const map = item.map && run.maps.get(item.map);
      if (!map) continue;
      const painted = run.isPainting ? `${this.view.momentNow} ${this.wordShown(map)}` : "";
      const drawn = [painted, run.id, map.version, theme.dark, sizes.cell, run.done && run.shown === run.steps.length, lang()].join();
      if (item.drawn === drawn) continue;
      const top = this.layerMaps.indexOf(map) * tall;
      if (top > scrollTop + clientHeight || top + tall < scrollTop) continue;
      if (worked++ && left() < 3) return false;
      item.drawn = drawn;
      const size = item.children[1] ? sizes.cell : sizes.tiny, dots = Math.min(size, Math.max(2, map.queries));
      const pen = fresh(item.firstChild, size, size);
      if (map.keyAxis?.grid || run.isPainting) this.drawGrid(pen, map, item.head, size);
      else { const small = map.small(item.head, dots, 3 * size); cells(pen, dots, dots, (r, c) => small[r * dots + c] / 255 || -1, 0, 0, size, size); }
      this.name(item, run, map);
    }
    this.tell(run, this.view.map, this.view.state.head);
    return true;
  }

  tell(run, map, head) {
    this.told.textContent = this.told.title = this.isStack ? this.describe(run, map, head) : "";
  }

  // The word whose map the heads of a picture that forms are shown by: the chosen one, else one that names a thing, else the pinned cell's.
  wordShown(map) {
    const { state, run } = this.view, [thing] = run.regions;
    if (map.keyAxis?.grid) return null;
    return state.key ?? thing?.at[0] ?? topKeys(map.row("mean", Math.min(state.pins[0] ?? 0, map.queries - 1)) ?? [], 1)[0] ?? 0;
  }

  // By cell, what a head's thumbnail shows; null where that is not here yet.
  cellsOf(map, head) {
    const { run, state, momentNow } = this.view, pin = Math.min(state.pins[0] ?? 0, map.queries - 1);
    if (run.isPainting) {
      map.moment = momentNow;
      if (!map.has(head)) return null;
      if (!map.keyAxis?.grid) return map.column(head, this.wordShown(map));
    }
    if (run.isTelling) return map.row(head, pin);
    const total = new Float32Array(map.keyAxis.grid[0] * map.keyAxis.grid[1]), stride = Math.max(1, Math.floor(map.queries / 256));
    for (let q = 0; q < map.queries; q += stride) { const row = map.row(head, q); if (row) for (let k = 0; k < total.length; k++) total[k] += row[k]; }
    return total;
  }

  drawGrid(pen, map, head, size) {
    const [rows, columns] = (map.keyAxis?.grid ? map.keyAxis : map.queryAxis).grid, weights = this.cellsOf(map, head);
    if (!weights) return;
    const top = Math.max(...weights) || 1;
    cells(pen, rows, columns, (r, c) => level(weights[r * columns + c], top), 0, 0, size, size);
  }

  // The sentence that says it and its numbers; `chance`: what it would be if all keys counted alike.
  habit(run, map, head) {
    if (run.isPainting || run.isTelling) {
      const [best] = run.isPainting ? this.measured(run, map, head) : [];
      return best ? ["does", { share: percent(best[1]), what: t(`does_${best[0]}`) }] : [];
    }
    if (map.queryAxis && map.queryAxis.grid && map.keyAxis && map.keyAxis.grid) {
      const found = habitsOfCells(map, head, this.view.grid.coloursOf(map));
      if (!found) return [];
      if (isAlike(found)) return ["habit_alike", { share: percent(found.alike), chance: percent(found.chance) }];
      return ["habit_far", { share: percent(found.distance), chance: percent(found.far) }];
    }
    const found = run.paired ? null : habitsOfTokens(map, head);
    if (!found) return [];
    return found.share >= 0.2 ? [`habit_${found.name}`, { share: percent(found.share) }] : ["habit_back", { n: found.distance.toFixed(found.distance < 10 ? 1 : 0) }];
  }
}

// Whether a head looks at colours like the query's more than equal weights would.
const isAlike = (found) => found.alike !== null && found.alike > 1.25 * found.chance && found.alike > 0.2;
