// The steps in which a picture forms, on one slider: played, walked over, or averaged.

const TURN = 110; // ms between two steps that are played

class Moments {
  constructor(view) {
    this.view = view;
    this.play = h("button", { type: "button", className: "av-play", onclick: () => this.toggle() });
    this.slider = h("input", { type: "range", min: "0", max: "0", step: "1" });
    said(this.slider, "moment", {}, "aria-label");
    this.slider.addEventListener("input", () => { this.stop(); view.setMoment(Number(this.slider.value)); });
    this.out = h("output", { className: "av-note" });
    this.modes = h("span", { className: "av-switch", role: "radiogroup" }, ...["one", "mean"].map((mode) => Object.assign(
      said(h("button", { type: "button", role: "radio", onclick: () => this.choose(mode) }), `moment_${mode}`), { mode })));
    said(this.modes, "moments", {}, "aria-label");
    rovingRadios(this.modes, (item) => this.choose(item.mode));
    this.element = h("div", { className: "av-moments" }, this.play, this.slider, this.out);
  }

  choose(mode) {
    this.stop();
    this.view.setMoment(mode === "mean" ? "mean" : this.view.run.shown - 1);
  }

  toggle() {
    if (this.timer) { this.stop(); this.view.refresh(); return; }
    const { view } = this, { run } = view, at = view.momentNow;
    let step = at === "mean" || at >= run.shown - 1 ? -1 : at;
    const turn = () => {
      if (run !== view.run || ++step >= run.shown) { this.stop(); view.refresh(); return; }
      view.setMoment(step, false);
      if (step === run.shown - 1) { this.stop(); view.settled(); }
    };
    this.timer = setInterval(turn, TURN);
    turn();
  }

  stop() {
    clearInterval(this.timer);
    this.timer = 0;
  }

  paint() {
    const { view } = this, { run, momentNow: now } = view, last = run.shown - 1, mean = now === "mean", all = this.expected(run);
    this.element.hidden = last < 0;
    this.play.textContent = this.timer ? "❚❚" : "▶";
    said(this.play, this.timer ? "moment_pause" : "moment_play", {}, "aria-label");
    this.play.disabled = last < 1;
    this.slider.max = String(Math.max(last, run.done ? last : all - 1));
    const at = mean ? last : now, time = run.steps[at]?.facts?.time;
    if (Number(this.slider.value) !== at) this.slider.value = String(at);
    const told = mean ? t("moment_told_mean", { n: last + 1 }) : t(time === undefined ? "moment_told" : "moment_told_time", { n: at + 1, all: run.done ? last + 1 : all, time: Number(time ?? 0).toFixed(2) });
    this.out.textContent = mean ? told : t(time === undefined ? "moment_short" : "moment_short_time", { n: at + 1, all: run.done ? last + 1 : all, time: Number(time ?? 0).toFixed(2) });
    this.slider.setAttribute("aria-valuetext", told);
    this.element.classList.toggle("av-averaged", mean);
    this.modes.hidden = view.map?.kind !== "cross";
    for (const item of this.modes.children) {
      const on = (item.mode === "mean") === mean;
      item.setAttribute("aria-checked", String(on));
      item.tabIndex = on ? 0 : -1;
    }
  }

  // How many steps there will be: as many as the request says.
  expected(run) { return Math.max(run.steps.length, Number(run.head.request?.settings?.steps) || 0); }
}
