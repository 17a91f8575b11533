// What a model cost and how good it is, in one line of figures under its run; of two beside each other the better one is marked.

const ALIKE = 0.003; // of a figure: two that are no further apart are as good as each other

class RunCard {
  constructor() {
    this.element = h("div", { className: "av-card", hidden: true });
  }

  // run, and the run beside it; neither: no card.
  show(run, beside) {
    this.element.hidden = !run || !this.rows(run, beside).length;
    this.element.replaceChildren(...(this.element.hidden ? [] : [h("dl", {}, ...this.rows(run, beside)), ...this.note(run)]));
  }

  rows(run, beside) {
    const { card = {} } = run.head, rows = [];
    const row = (name, value, aside = "", verdict = "") => rows.push(h("div", { className: `av-card-of${verdict ? ` av-is-${verdict}` : ""}` },
      h("dt", {}, name, ...(aside ? [" ", h("span", { className: "av-card-aside" }, aside)] : [])),
      h("dd", {}, value, ...(verdict ? [" ", h("span", { className: "av-verdict" }, t(`card_${verdict}`))] : []))));
    if (card.parameters) row(t("card_parameters"), large(card.parameters));
    if (card.minutes) row(t("card_trained"), duration(card.minutes));
    if (card.cost) row(t(card.cost.per === "token" ? "card_token" : "card_picture"), t("card_cost", { sums: large(card.cost.multiply_adds), ms: short(Number(card.cost.milliseconds.toPrecision(2))) }));
    for (const figure of figuresOf(run)) {
      const name = STRINGS.en[`metric_${figure.name}`] ? t(`metric_${figure.name}`) : figure.name;
      const aside = [figure.better === "lower" ? "↓" : "↑", figure.n ? t("card_n", { n: figure.n.toLocaleString(lang()) }) : ""].filter(Boolean).join(" ");
      row(name, figureText(figure), aside, beside ? verdictOf(figure, run, beside) : "");
    }
    return rows;
  }

  note(run) {
    return run.head.attention && run.head.request?.edits?.length ? [said(h("p", { className: "av-note" }), "card_unedited")] : [];
  }
}

// The figures of the side that is shown, of a card or as the heading has both.
function figuresOf({ head }) {
  const side = head.attention ? "with" : "without";
  return (head.card?.figures ?? (head.figures ?? []).map((each) => ({ ...each, value: each[side] }))).filter((each) => typeof each.value === "number");
}

function figureText({ value, unit }) {
  if (unit === "share") return percent(value, true);
  return `${Number(value.toPrecision(3))}${UNITS.includes(unit) ? `\u202f${unit}` : ""}`;
}

// "better", "even" or nothing: against the same figure of the other run. Between twins the seeds' spread decides, as the card says.
function verdictOf(figure, run, beside) {
  const other = figuresOf(beside).find((each) => each.name === figure.name), [one, two] = [run.head, beside.head];
  if (!other || one.variant !== two.variant || (one.generator === two.generator && Boolean(one.attention) === Boolean(two.attention))) return "";
  const known = one.generator === two.generator && (figure.verdict || (one.figures ?? []).find((each) => each.name === figure.name)?.verdict);
  if (known === "undecided" || (!known && Math.abs(figure.value - other.value) <= ALIKE * Math.max(Math.abs(figure.value), Math.abs(other.value)))) return "even";
  const better = known ? (known === "better") === Boolean(one.attention) : (figure.value < other.value) === (figure.better === "lower");
  return better ? "better" : "";
}

// 1.49 million, in the language's own units.
function large(number) {
  return new Intl.NumberFormat(lang() === "zh" ? "zh-CN" : "en", { notation: "compact", maximumSignificantDigits: 3 }).format(number);
}

const duration = (minutes) => (minutes < 100 ? t("card_minutes", { n: Math.max(1, Math.round(minutes)) }) : t("card_hours", { n: Number((minutes / 60).toPrecision(2)) }));
