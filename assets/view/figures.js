// The figures of a card under what was made, in one line: with attention, without, how far seeds spread, and who is better.

const UNITS = ["%", "dB"]; // that are read with the number

class Figures {
  constructor() {
    this.element = h("div", { className: "av-figures", hidden: true });
  }

  show(run) {
    const given = run.head.figures || [];
    this.element.hidden = !given.length;
    this.element.replaceChildren(...given.map((each, i) => this.figure(each, i)));
  }

  figure(given, i) {
    const number = (value) => `${Number(value.toPrecision(3))}${UNITS.includes(given.unit) ? `\u202f${given.unit}` : ""}`;
    const named = (prefix) => (STRINGS.en[`${prefix}_${given.name}`] ? t(`${prefix}_${given.name}`) : "");
    const next = i ? "_next" : ""; // the first says in full what the others say in short
    const spread = given.seeds > 1 ? t(`figure_spread${next}`, { spread: Number(given.spread.toPrecision(1)), seeds: given.seeds }) : "";
    const parts = { name: named("metric") || given.name, with: number(given.with), without: given.without === undefined ? "" : number(given.without), spread };
    const tip = h("span", { className: "av-tip", role: "tooltip", id: `av-figure-${i}` }, this.told(given, number, named("help")));
    const line = h("button", { type: "button", className: "av-figure" }, h("span", {}, t(parts.without ? `figure_both${next}` : "figure_one", parts)));
    if (given.verdict) line.append(t("colon"), h("strong", { className: `av-${given.verdict}` }, t(`verdict_${given.verdict}`)));
    line.setAttribute("aria-describedby", tip.id);
    line.addEventListener("keydown", (event) => { if (event.key === "Escape") line.blur(); });
    return h("span", { className: "av-figure-of" }, line, tip);
  }

  // What the figure means, what real pictures reach, and what small models from other seeds had.
  told(given, number, help) {
    const told = [help, t(given.better === "lower" ? "figure_lower" : "figure_higher")];
    if (given.floor !== undefined) told.push(t("figure_floor", { floor: number(given.floor) }));
    if (given.means) told.push(t("figure_seeds", { n: given.seeds, with: number(given.means.with), without: number(given.means.without) }));
    return told.filter(Boolean).join(lang() === "zh" ? "" : " ");
  }
}
