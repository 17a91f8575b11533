// Changing the attention: what can be done, for which heads and places, and what is changed already.

class ChangePanel {
  constructor(view) {
    this.view = view;
    const action = (name, act) => said(h("button", { type: "button", className: "av-button", onclick: act }), name);
    this.sharp = h("input", { type: "range", min: "0", max: "4", step: "0.25", value: "1" });
    said(this.sharp, "sharpness", {}, "aria-label");
    this.sharpOut = h("output", {}, "× 1");
    this.sharp.addEventListener("input", () => { this.sharpOut.textContent = `× ${this.sharp.value}`; });
    this.sharp.addEventListener("change", () => this.add({ action: "sharpness", value: Number(this.sharp.value) }));
    this.hide = action("hide_key", () => { const key = this.view.keyShown(); if (key !== null) this.add({ action: "hide", keys: [key] }); });
    this.off = action("off", () => this.add({ action: "off" }));
    this.uniform = action("uniform", () => this.add({ action: "uniform" }));
    this.shuffle = action("shuffle", () => this.add({ action: "shuffle", seed: Math.floor(Math.random() * 1e6) }));
    this.paintButton = action("paint", () => this.view.togglePainting());
    this.scopes = { heads: this.scope("heads", ["this_head", "all_heads"], "all_heads"), queries: this.scope("queries", ["this_query", "all_queries"], "all_queries") };
    this.chips = h("div", { className: "av-edits", role: "group" });
    said(this.chips, "edits", {}, "aria-label");
    this.element = h("div", { className: "av-panel av-change", hidden: true },
      h("label", { className: "av-sharp" }, said(h("span"), "sharpness"), this.sharp, this.sharpOut),
      this.hide, this.off, this.uniform, this.shuffle, this.paintButton,
      h("span", { className: "av-scopes" }, said(h("span", { className: "av-note" }), "scope"), this.scopes.heads.element, this.scopes.queries.element));
  }

  scope(name, options, chosen) {
    const scope = { chosen };
    scope.element = h("span", { className: "av-switch", role: "radiogroup" });
    said(scope.element, `scope_${name}`, {}, "aria-label");
    const choose = (item) => {
      scope.chosen = item.option;
      for (const each of scope.element.children) { each.setAttribute("aria-checked", String(each === item)); each.tabIndex = each === item ? 0 : -1; }
    };
    for (const option of options) {
      const item = said(h("button", { type: "button", role: "radio", onclick: () => choose(item) }), option);
      item.option = option;
      scope.element.append(item);
    }
    choose([...scope.element.children].find((item) => item.option === chosen));
    rovingRadios(scope.element, choose);
    return scope;
  }

  place() {
    const { state, run, map } = this.view;
    const scope = {};
    if (run.order.length > 1 && map) Object.assign(scope, { map: map.kind, layers: [map.layer] });
    if (this.scopes.heads.chosen === "this_head" && typeof state.head === "number") scope.heads = [state.head];
    if (this.scopes.queries.chosen === "this_query") scope.queries = [...state.pins];
    return scope;
  }

  add(edit) {
    const made = { ...edit, ...this.place() };
    const scopeOf = ({ action, heads, queries, layers, map }) => JSON.stringify([action, heads, queries, layers, map]);
    const kept = this.view.edits().filter((each) => each.action === "hide" || scopeOf(each) !== scopeOf(made));
    this.view.sendEdits(made.action === "sharpness" && made.value === 1 ? kept : [...kept, made]);
  }

  update() {
    const edits = this.view.edits();
    const key = this.view.keyShown();
    said(this.hide, "hide_key", { key: key === null ? "…" : this.view.keyName(key) });
    this.hide.disabled = key === null;
    this.paintButton.setAttribute("aria-pressed", String(Boolean(this.view.state.painting)));
    const drawn = JSON.stringify(edits) + lang() + this.view.run?.id;
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    const chips = edits.map((edit, i) => {
      const chip = h("button", { type: "button", className: "av-chip av-edit", onclick: () => this.view.sendEdits(edits.filter((_, at) => at !== i)) }, `${this.describe(edit)} ✕`);
      chip.setAttribute("aria-label", t("remove_edit", { edit: this.describe(edit) }));
      return chip;
    });
    if (chips.length) chips.push(said(h("button", { type: "button", className: "av-link", onclick: () => this.view.sendEdits([]) }), "reset"));
    this.chips.replaceChildren(...chips);
  }

  describe(edit) {
    const key = (edit.keys || []).map((k) => this.view.keyName(k)).join(", ");
    const parts = [t(`edit_${edit.action}`, { value: edit.value ?? 1, key })];
    if (edit.heads) parts.push(edit.heads.map((head) => t("head", { n: head + 1 })).join(", "));
    if (edit.queries) parts.push(t("edit_queries", { n: edit.queries.length }));
    return parts.join(" · ");
  }
}
