// In what two runs differ: what each is called beside the other, the sentence about it, and which of their words are not the same.

const SHORTEST = 26; // characters of a prompt as a name
const LONGEST_TEXT = 600; // words up to which two texts are compared word by word

// What two runs are called beside each other, and why they differ: {names: [a, b], kind, parts}. views: for the names of keys in edits.
function differenceOf(views) {
  const heads = views.map((view) => view.run.head), requests = heads.map((head) => head.request ?? {});
  const differ = (read) => JSON.stringify(read(heads[0], 0)) !== JSON.stringify(read(heads[1], 1));
  const off = requests.map((request) => (request.edits ?? []).some((edit) => edit.action === "off"));
  const found = [];
  const add = (kind, names, parts = {}) => found.push({ kind, names, parts });
  if (differ((head) => head.generator)) add(isOf(views) ? "of" : requests[0].text?.trim() && !differ((head) => head.request?.text) ? "prompted" : "generators", namesOf(heads));
  else if (differ((head) => head.variant)) add("variants", heads.map((head) => words(head.variant_title)));
  if (differ((head) => Boolean(head.attention))) add(off.some(Boolean) ? "off_twin" : "twin", heads.map((head, i) => t(head.attention ? (off[i] ? "attention_off_now" : "attention_with") : "attention_never")));
  else if (differ((head) => head.request?.edits ?? [])) add(off[0] !== off[1] ? "off" : "edits", views.map((view, i) => editName(view, off[i])));
  for (const [name, label] of settingsOf(heads)) {
    if (!requests.every((request) => name in (request.settings ?? {})) && differ((head) => head.generator)) continue; // one has no such setting
    if (!differ((head) => head.request?.settings?.[name])) continue;
    add("settings", requests.map((request) => `${label} ${valueOf(request.settings?.[name])}`), { setting: label });
  }
  if (differ((head) => head.request?.code ?? {})) add("code", [t("slider_one"), t("slider_other")]);
  const comparable = !found.length || !["generators", "prompted", "of", "variants"].includes(found[0].kind);
  const texts = requests.map((request) => (/^\s*\d*\s*$/.test(request.text ?? "") ? "" : request.text)); // a number is a seed
  if (comparable && texts[0] !== texts[1]) add("prompts", texts.map((text) => (text ? `“${clipped(text, SHORTEST)}”` : "–")));
  if (comparable && differ((head) => head.request?.seed ?? 0)) add("seeds", views.map((view) => t("branch_seed", { seed: view.run.seed })));
  if (!found.length) return { names: heads.map((_, i) => t("run_of", { n: i + 1 })), kind: "same", parts: {} };
  const [first] = found, names = [0, 1].map((i) => found.slice(0, 2).map((each) => each.names[i]).join(" · "));
  return { names, kind: first.kind, parts: { ...first.parts, a: first.names[0], b: first.names[1] } };
}

// Whether the second puts into words, or goes on from, what the first has made.
function isOf([a, b]) { return a.run.head.produces === "picture" && b.run.isTelling; }

// Two networks by their names, two of one kind by what they do.
function namesOf(heads) {
  const networks = heads.map((head) => words(head.network ?? head.title));
  return networks[0] === networks[1] ? heads.map((head) => words(head.title)) : networks;
}

function editName(view, off) {
  const edits = view.run.head.request?.edits ?? [];
  if (off) return t("attention_off_now");
  return edits.length ? edits.map((edit) => view.change.describe(edit)).join(", ") : t("attention_on");
}

// [[name, label]] of all settings that either was asked with.
function settingsOf(heads) {
  const names = new Set(heads.flatMap((head) => Object.keys(head.request?.settings ?? {})));
  return [...names].map((name) => [name, words(heads[0].labels?.[name] ?? heads[1].labels?.[name] ?? name)]);
}

const valueOf = (value) => (typeof value === "number" ? String(Number(value.toPrecision(4))) : value === true ? "✓" : value === false ? "✗" : String(value ?? "–"));
const clipped = (text, most) => { const all = [...text.trim().replace(/\s+/g, " ")]; return all.length > most ? `${all.slice(0, most - 1).join("").trim()} …` : all.join(""); };

// ---- words ----

// The words of a run: [{text, tokens}], a character each where there are no spaces between them.
function wordsOf(run) {
  const all = run.tokens.map((label) => (isMark(label) ? " " : label)).join(""), starts = [];
  run.tokens.reduce((at, label) => { starts.push(at); return at + (isMark(label) ? 1 : label.length); }, 0);
  const found = [];
  let token = 0;
  for (const match of all.matchAll(/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]|[\p{L}\p{N}'’]+|[^\s\p{L}\p{N}]/gu)) {
    const end = match.index + match[0].length, tokens = [];
    while (token + 1 < starts.length && starts[token + 1] <= match.index) token++;
    for (let i = token; i < starts.length && starts[i] < end; i++) tokens.push(i);
    found.push({ text: match[0].toLowerCase(), tokens });
  }
  return found;
}

// What stands in one text only: tokens of each, how many written words both begin with, and the words where they part.
function partedTexts(one, other) {
  const [a, b] = [one, other].map(wordsOf), texts = [a, b].map((all) => all.map((each) => each.text));
  let begin = 0, end = 0;
  while (begin < Math.min(a.length, b.length) && texts[0][begin] === texts[1][begin]) begin++;
  while (end < Math.min(a.length, b.length) - begin && texts[0].at(-1 - end) === texts[1].at(-1 - end)) end++;
  const kept = inBoth(texts[0].slice(begin, a.length - end), texts[1].slice(begin, b.length - end));
  const changed = [a, b].map((all, i) => new Set(all.slice(begin, all.length - end).filter((_, at) => !kept[i].has(at)).flatMap((each) => each.tokens)));
  const written = begin - a.filter((each) => each.tokens[0] < one.prompt).length;
  return { changed, written, at: [a, b].map((all) => all[begin]?.text ?? ""), alike: begin === a.length && begin === b.length };
}

// The places of a longest common subsequence in each of two lists; none of very long ones.
function inBoth(a, b) {
  const kept = [new Set(), new Set()];
  if (!a.length || !b.length || Math.max(a.length, b.length) > LONGEST_TEXT) return kept;
  const wide = b.length + 1, best = new Uint16Array((a.length + 1) * wide);
  for (let i = a.length - 1; i >= 0; i--) for (let j = b.length - 1; j >= 0; j--) best[i * wide + j] = a[i] === b[j] ? 1 + best[(i + 1) * wide + j + 1] : Math.max(best[(i + 1) * wide + j], best[i * wide + j + 1]);
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    if (a[i] === b[j]) { kept[0].add(i++); kept[1].add(j++); } else if (best[(i + 1) * wide + j] >= best[i * wide + j + 1]) i++; else j++;
  }
  return kept;
}
