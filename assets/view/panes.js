// What stands in the component: one view, and what it is asked from outside it. `element`, `props` and `watch` are Gradio's.

class Panes {
  constructor(root) {
    this.root = root;
    this.seats = h("div", { className: "av-seats" }, h("div", { className: "av-seat" }));
    root.replaceChildren(this.seats);
    this.views = [new View(this.seats.firstChild)];
    this.listen();
  }

  get first() { return this.views[0]; }

  receive(message) { return this.first.receive(message); }

  // The view that the keyboard means.
  get active() { return this.first; }

  rethemed() { for (const view of this.views) view.rethemed(); }

  listen() {
    const shortcuts = (event) => { if (element.isConnected) this.key(event); else document.removeEventListener("keydown", shortcuts); };
    document.addEventListener("keydown", shortcuts);
    const each = (action) => () => this.views.forEach(action);
    document.addEventListener("visibilitychange", each((view) => { if (!document.hidden && view.run && !view.run.done && !view.run.series) view.catchUp(view.run.id, view.run.steps.length); }));
    window.addEventListener("resize", each((view) => view.fit()));
    new ResizeObserver(each((view) => view.fit())).observe(document.body); // what stands above may grow
    new MutationObserver(each((view) => view.relang())).observe(document.documentElement, { attributes: true, attributeFilter: ["lang"] });
    const themed = () => { if (readTheme()) this.rethemed(); };
    for (const host of [document.documentElement, document.body]) new MutationObserver(themed).observe(host, { attributes: true, attributeFilter: ["class"] });
  }

  key(event) {
    const view = this.active;
    if (typing(event) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && view.gallery.isOpen) { event.preventDefault(); view.gallery.close(); return; }
    if (event.key === "[") view.turn(-1);
    else if (event.key === "]") view.turn(1);
    else if (event.key === "p" || event.key === "P") this.present();
    else if (event.key === "h" || event.key === "H") view.run && view.stepHead(event.shiftKey ? -1 : 1);
    else if (event.key === "l" || event.key === "L") view.run && view.stepLayer(event.shiftKey ? -1 : 1);
    else if (event.key === "Escape" && document.body.classList.contains("presenting")) { event.preventDefault(); this.present(); }
  }

  // Type larger, controls away; or as before.
  present() {
    document.body.classList.toggle("presenting");
    requestAnimationFrame(() => { for (const view of this.views) { view.resized(); view.showPinned(); } });
  }
}

function typing(event) {
  const at = event.target;
  return at instanceof HTMLElement && (at.isContentEditable || at.matches("textarea, select, input:not([type=range]):not([type=checkbox]):not([type=radio])"));
}

// What one view tells of itself, and can be asked to do.
const askable = (view) => ({
  state: () => ({ ...view.state, run: view.run?.id ?? null, shown: view.run?.shown ?? 0, tokens: view.run?.tokens ?? [], kept: [...view.runs.keys()], map: view.map?.id ?? null, words: view.sentence.textContent }),
  row: (position, head = view.state.head) => Array.from(view.map?.row(head, position) ?? []),
  rolled: (position) => rollout(view.run.stack, position),
  times: () => [...view.times],
  exportSvg: () => view.exportSvg(),
  exportPng: () => view.exportPng(),
});

const touch = matchMedia("(hover: none)");
readTheme();
if (!document.getElementById("attention-view-style")) document.head.append(h("style", { id: "attention-view-style", textContent: STYLE }));
const panes = new Panes(element.querySelector(".av-root") || element);

// The controls put theirs beside it: takers(generator/variant) and send(picture, target, request).
Object.assign((window.attentionLab ??= {}), {
  ...askable(panes.first),
  preview: (url) => panes.first.run?.stage === "grid" && panes.first.grid.preview(url),
  refresh: () => panes.first.run && panes.first.stageOf(panes.first.run).offer?.(),
  compare: () => panes.first.run?.head.gallery && panes.first.root.dataset.state !== "waiting" && panes.first.gallery.open(true),
  receive: (message) => panes.receive(message),
});
watch("value", () => panes.receive(props.value));
if (props.value) panes.receive(props.value);
