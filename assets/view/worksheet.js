// A small case from the screen to do by hand, as HTML to print and as Markdown: three keys, three numbers of each, rounded; the solution
// goes on from what is rounded, so that pencil and paper come to the same figures.

const SHEET_KEYS = 3, SHEET_NUMBERS = 3, SHEET_VALUES = 2;
const SPREAD = [0.5, 4]; // between the highest and the lowest score: so that the weights are neither equal nor all or nothing

const tenth = (value) => Math.round(value * 10) / 10 || 0;
const hundredth = (value) => (Math.sign(value) * Math.round(Math.abs(value) * 100 + 1e-7)) / 100 || 0; // halves away from nought, as by hand
const signedText = (value, digits) => value.toFixed(digits).replace("-", "−");

// numbers: of `numbersOf`; nameOf(key): what a key is called; about: {title, sentence}.
function worksheetOf(numbers, nameOf, about) {
  const { q, k, v, context, direction, weights } = numbers, [d, dv] = [q.length, context.length];
  const keys = topKeys(weights, SHEET_KEYS).sort((a, b) => a - b), additive = Boolean(direction);
  const root = additive ? 1 : hundredth(Math.sqrt(Math.min(SHEET_NUMBERS, d)));
  const made = (places) => {
    const rounded = { q: places.map((i) => tenth(q[i])), k: keys.map((key) => places.map((i) => tenth(k[key * d + i]))), direction: additive ? places.map((i) => tenth(direction[i])) : null };
    const parts = rounded.k.map((row) => row.map((value, i) => hundredth(additive ? rounded.direction[i] * hundredth(Math.tanh(rounded.q[i] + value)) : rounded.q[i] * value)));
    const products = parts.map((row) => hundredth(row.reduce((a, b) => a + b, 0)));
    return { ...rounded, products, scores: products.map((value) => hundredth(value / root)) };
  };
  const order = [...q.keys()].sort((a, b) => Math.abs(q[b]) - Math.abs(q[a]));
  const cases = order.slice(0, Math.max(1, d - SHEET_NUMBERS + 1)).map((_, at) => made(order.slice(at, at + SHEET_NUMBERS)));
  const spread = ({ scores }) => Math.max(...scores) - Math.min(...scores), off = (each) => Math.max(SPREAD[0] - spread(each), spread(each) - SPREAD[1], 0);
  const best = cases.reduce((found, each) => (off(each) < off(found) ? each : found));
  const powers = best.scores.map((score) => hundredth(Math.exp(score))), sum = hundredth(powers.reduce((a, b) => a + b, 0));
  const shares = powers.map((power) => hundredth(power / sum)), doubled = best.scores.map((score) => Math.exp(2 * (score - Math.max(...best.scores))));
  const loudest = [...Array(dv).keys()].sort((a, b) => keys.reduce((most, key) => most + Math.abs(v[key * dv + b]) - Math.abs(v[key * dv + a]), 0)).slice(0, SHEET_VALUES);
  const values = keys.map((key) => loudest.map((i) => tenth(v[key * dv + i])));
  const weighted = values.map((row, at) => row.map((value) => hundredth(shares[at] * value)));
  const total = loudest.map((_, i) => hundredth(weighted.reduce((all, row) => all + row[i], 0)));
  return { ...about, ...best, additive, root, names: keys.map(nameOf), powers, sum, shares, values, weighted, total, of: { keys: weights.length, numbers: d }, model: keys.map((key) => weights[key]), sharper: 1 / doubled.reduce((a, b) => a + b, 0) };
}

// What stands on it, for both kinds: {heading, paragraph, list, table, page}.
function sheetBlocks(sheet) {
  const { q, k, direction, additive, root, names, products, scores, powers, sum, shares, values, weighted, total } = sheet;
  const one = (value) => signedText(value, 1), two = (value) => signedText(value, 2), name = (i) => `${i + 1}: ${names[i]}`;
  const given = [
    [t("sheet_query"), ...q.map(one), ...values[0].map(() => "")],
    ...(direction ? [[t("sheet_direction"), ...direction.map(one), ...values[0].map(() => "")]] : []),
    ...names.map((_, i) => [t("sheet_key", { name: name(i) }), ...k[i].map(one), ...values[i].map(one)]),
  ];
  const head = ["", ...q.map((_, i) => t("sheet_number", { n: i + 1 })), ...values[0].map((_, i) => t("sheet_value", { n: i + 1 }))];
  const columns = ["", t(additive ? "sheet_score_additive" : "sheet_product"), ...(additive ? [] : [t("sheet_score", { root: two(root) })]), t("sheet_power"), t("sheet_weight"), ...values[0].map((_, i) => t("sheet_weighted", { n: i + 1 }))];
  const filled = names.map((_, i) => [name(i), two(products[i]), ...(additive ? [] : [two(scores[i])]), two(powers[i]), two(shares[i]), ...weighted[i].map(two)]);
  const feet = (solved) => [t("sheet_sum"), ...Array(additive ? 1 : 2).fill(""), solved ? two(sum) : "", solved ? two(shares.reduce((a, b) => a + b, 0)) : "", ...total.map((value) => (solved ? two(value) : ""))];
  const blank = filled.map(([first, ...rest]) => [first, ...rest.map(() => "")]);
  const best = shares.indexOf(Math.max(...shares));
  return [
    { heading: t("sheet_title") },
    { paragraph: `${sheet.title}. ${sheet.sentence}` },
    { paragraph: t("sheet_given", { keys: names.length, of_keys: sheet.of.keys, numbers: q.length, of_numbers: sheet.of.numbers }) },
    { table: [head, ...given] },
    { list: [t(additive ? "sheet_task_additive" : "sheet_task_scores", { root: two(root), d: q.length }), t("sheet_task_weights"), t("sheet_task_sum"), t("sheet_task_think")] },
    { table: [columns, ...blank, feet(false)], blank: true },
    { page: true },
    { heading: t("sheet_solution") },
    { table: [columns, ...filled, feet(true)] },
    { paragraph: t("sheet_answer", { name: names[best], share: percent(shares[best]), doubled: percent(sheet.sharper) }) },
    { paragraph: t("sheet_model", { list: names.map((each, i) => `${each} ${percent(sheet.model[i], true)}`).join(t("comma")), of_keys: sheet.of.keys, of_numbers: sheet.of.numbers }) },
  ];
}

const SHEET_STYLE = "body{font:16px/1.5 system-ui,sans-serif;max-width:46em;margin:2em auto;padding:0 1em;color:#17181a}table{border-collapse:collapse;margin:1em 0;width:100%}"
  + "th,td{border:1px solid #999;padding:.35em .6em;text-align:right}th:first-child,td:first-child{text-align:left}.blank td{height:2.2em}.page{break-before:page;margin-top:4em;border-top:1px dashed #999}li{margin:.4em 0}@media print{.page{border:0;margin:0}}";

function sheetHtml(sheet) {
  const cell = (tag) => (text) => `<${tag}>${xml(text)}</${tag}>`;
  const block = ({ heading, paragraph, list, table, page, blank }) => (page ? '<div class="page"></div>' : heading ? `<h1>${xml(heading)}</h1>` : paragraph ? `<p>${xml(paragraph)}</p>`
    : list ? `<ol>${list.map(cell("li")).join("")}</ol>` : `<table${blank ? ' class="blank"' : ""}><thead><tr>${table[0].map(cell("th")).join("")}</tr></thead><tbody>${table.slice(1).map((row) => `<tr>${row.map(cell("td")).join("")}</tr>`).join("")}</tbody></table>`);
  return `<!doctype html>\n<html lang="${lang()}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${xml(t("sheet_title"))}</title><style>${SHEET_STYLE}</style></head>\n<body>\n${sheetBlocks(sheet).map(block).join("\n")}\n</body></html>\n`;
}

// Signs that Markdown reads as its own are written out.
const plainMarkdown = (text) => String(text).replace(/[\\`*_{}[\]<>#|~$&!]/g, (sign) => `&#${sign.charCodeAt(0)};`).replace(/\s+/g, " ");

function sheetMarkdown(sheet) {
  const row = (cells) => `| ${cells.map(plainMarkdown).join(" | ")} |`;
  const block = ({ heading, paragraph, list, table, page }) => (page ? "---" : heading ? `# ${plainMarkdown(heading)}` : paragraph ? plainMarkdown(paragraph)
    : list ? list.map((text, i) => `${i + 1}. ${plainMarkdown(text)}`).join("\n") : [row(table[0]), `|${table[0].map((_, i) => (i ? " ---: |" : " :--- |")).join("")}`, ...table.slice(1).map(row)].join("\n"));
  return `${sheetBlocks(sheet).map(block).join("\n\n")}\n`;
}
