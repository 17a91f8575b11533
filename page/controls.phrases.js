/* Phrases: a prompt that is put together by tapping. What there is to tap, and the sentences it makes, come from the generator:
   {groups: [{name, title, phrases: [{id, glyph, en, zh, write?}]} or {name, title, setting}], templates: {en: ["{object} on {ground}", …]}}.

   A prompt that fits a template is read back: then a tap changes one phrase of it. Any other prompt is written anew, and can be got back. */

const INLINE = 8; // phrases of a group that stand side by side; more are chosen from a palette
const UNDONE = 50; // prompts that can be got back
const TOLD = 3; // words that are not known of which it is said
const narrow = matchMedia("(max-width: 700px)");

const wordings = new Map(); // "GENERATOR/VARIANT" → what there is to tap; null while it is asked for
const usual = {}; // "GENERATOR/VARIANT group" → the phrase that stands where none was chosen
const writing = { before: [], last: "", at: 0, patterns: new Map() }; // prompts before; the one that was written; the slot of the palette

const wording = () => wordings.get(nameOf(state.choice)) ?? null;
const groupOf = (name) => wording().groups.find((each) => each.name === name);
const written = (phrase, language) => phrase.write?.[language] ?? phrase[language];
const places = (template) => template.split(/\{(\w+)\}/).filter((_, at) => at % 2); // names of its groups, in order
const templates = (language = lab.language) => wording().templates[language] ?? wording().templates.en;
const longest = () => templates().reduce((most, each) => (places(each).length > places(most).length ? each : most));
const phrased = (setting) => Boolean(wording()?.groups.some((each) => each.setting === setting.name));

async function askPhrases() {
  const { choice } = state, name = nameOf(choice);
  if (!choice.phrased || wordings.has(name)) return;
  wordings.set(name, null);
  const answer = await server.worded({ generator: choice.generator, variant: choice.variant }).catch(() => null);
  if (!answer?.groups) return void wordings.delete(name);
  wordings.set(name, answer);
  if (choice === state.choice) { drawPhrases(); drawSettings(); }
}

/* From the prompt, and back. */

const literal = (part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/\s+/g, "\\s+");

function pattern(template, language) {
  const { patterns } = writing, name = `${nameOf(state.choice)} ${language} ${template}`;
  if (!patterns.has(name)) {
    const ways = (group) => [...new Set(groupOf(group).phrases.flatMap((each) => [written(each, language), each[language]]))].sort((a, b) => b.length - a.length).map(literal).join("|");
    const body = template.split(/\{(\w+)\}/).map((part, at) => (at % 2 ? `(${ways(part)})` : literal(part))).join("");
    patterns.set(name, new RegExp(`^\\s*${body}\\s*[.。]?\\s*$`, "iu"));
  }
  return patterns.get(name);
}

/* The phrases of a prompt that fits a template, in their order, as {group: [phrase, …]}; null where none fits. */
function parsed(prompt = find(".prompt").value) {
  const languages = [lab.language, ...Object.keys(wording().templates).filter((each) => each !== lab.language)];
  for (const language of languages) for (const template of templates(language)) {
    const found = pattern(template, language).exec(prompt)?.slice(1);
    if (!found) continue;
    const values = {};
    places(template).forEach((name, at) => {
      const said = found[at].replace(/\s+/g, " ").toLowerCase();
      const phrase = groupOf(name).phrases.find((each) => [written(each, language), each[language]].some((way) => way.toLowerCase() === said));
      (values[name] ??= []).push(phrase);
      usual[`${nameOf(state.choice)} ${name}`] = phrase;
    });
    return values;
  }
  return null;
}

const count = (template, name) => places(template).filter((each) => each === name).length;

/* The shortest sentence that holds all of these phrases; where it wants more, the usual ones. */
function composed(values) {
  const holds = (template) => Object.keys(values).every((name) => count(template, name) >= values[name].length);
  const template = templates().filter(holds).sort((a, b) => places(a).length - places(b).length)[0] ?? longest();
  const left = Object.fromEntries(Object.entries(values).map(([name, given]) => [name, [...given]]));
  const used = new Set(Object.values(values).flat());
  const next = (name) => {
    const remembered = usual[`${nameOf(state.choice)} ${name}`];
    const phrase = left[name]?.shift() ?? [remembered, ...groupOf(name).phrases].find((each) => each && !used.has(each)) ?? groupOf(name).phrases[0];
    used.add(phrase);
    return phrase;
  };
  return template.split(/\{(\w+)\}/).map((part, at) => (at % 2 ? written(next(part), lab.language) : part)).join("");
}

/* What stood in the prompt before can be got back. */
function write(prompt) {
  const field = find(".prompt");
  if (field.value.trim() && field.value !== prompt) writing.before.push(field.value);
  writing.before.splice(0, writing.before.length - UNDONE);
  field.value = writing.last = prompt;
  markPhrases();
}

function unwrite() {
  if (!writing.before.length) return;
  find(".prompt").value = writing.last = writing.before.pop();
  markPhrases();
}

/* A phrase was tapped: it takes the place of that number in its group. */
function put(group, at, phrase) {
  const values = parsed() ?? {};
  const list = [...(values[group.name] ?? [])];
  list[Math.min(at, list.length)] = phrase;
  write(composed({ ...values, [group.name]: list }));
}

/* One of several goes, and with it what the shorter sentence has no place for. */
function drop(group, at) {
  const values = parsed() ?? {};
  const list = (values[group.name] ?? []).filter((_, each) => each !== at);
  const shorter = templates().filter((each) => count(each, group.name) === list.length).sort((a, b) => places(b).length - places(a).length)[0];
  if (!shorter) return;
  const kept = { ...values, [group.name]: list };
  write(composed(Object.fromEntries(Object.entries(kept).map(([name, given]) => [name, given.slice(0, count(shorter, name))]))));
}

/* A piece of the prompt gives way to another, and that is run. */
function reword(from, to) {
  const { value } = find(".prompt"), piece = from.trim();
  if (!piece || !value.includes(piece)) return;
  write(value.replace(piece, () => to));
  hint(null);
  fresh();
}

/* What is drawn: built anew for another variant or language, else only marked. */

function drawPhrases() {
  const part = find(".phrases");
  const here = Boolean(wording());
  part.hidden = !state.choice.phrased;
  element.classList.toggle("phrased", here);
  const made = here ? `${nameOf(state.choice)}/${lab.language}` : "";
  if (part.dataset.made !== made) {
    part.dataset.made = made;
    palette(null);
    const slots = here ? sequence() : [];
    const drawn = slots.map(({ group, at }) => Object.assign((group.setting ? choiceSlot : group.phrases.length > INLINE ? objectSlot : rowSlot)(group, at), { group, at }));
    const chosen = drawn.filter(({ group }) => group.setting);
    find(".slots").replaceChildren(...drawn.slice(0, drawn.length - chosen.length), ...(here ? [undoer()] : []), ...chosen);
  }
  if (here) markPhrases();
}

/* Groups in the order of the longest sentence, as often as it names them; then those that are settings. */
function sequence() {
  const seen = {};
  const said = places(longest()).map((name) => ({ group: groupOf(name), at: (seen[name] = (seen[name] ?? -1) + 1) }));
  return [...said, ...wording().groups.filter((each) => each.setting && settingOf(each)).map((group) => ({ group, at: 0 }))];
}

const settingOf = (group) => state.choice.settings.find(({ name }) => name === group.setting);

function undoer() {
  const made = button("↶", unwrite, { className: "sign unwrite", title: text("unwrite"), ariaLabel: text("unwrite") });
  return Object.assign(made, { mark: () => { made.hidden = !writing.before.length; } });
}

/* One of many: a button that opens the palette. */
function objectSlot(group, at) {
  const slot = document.createElement("span");
  const open = button("", () => palette(writing.slot === slot ? null : slot), { className: "object" });
  const away = button("✕", () => { drop(group, at); palette(null); open.focus(); }, { className: "sign away" });
  open.setAttribute("aria-controls", "palette");
  open.setAttribute("aria-expanded", "false");
  slot.className = "slot";
  slot.append(open, away);
  return Object.assign(slot, { open, mark: (values) => {
    const phrase = values[group.name]?.[at];
    open.replaceChildren(...(phrase ? [piece("glyph", phrase.glyph ?? ""), phrase[lab.language]] : [piece("glyph", "＋"), text(at ? "phrase_more" : "phrase_first")]));
    open.classList.toggle("empty", !phrase);
    open.setAttribute("aria-label", `${said(group.title)} ${at + 1}: ${phrase ? phrase[lab.language] : text("phrase_none")}`);
    away.hidden = !phrase || !templates().some((each) => count(each, group.name) && count(each, group.name) < values[group.name].length);
    away.setAttribute("aria-label", `${text("phrase_away")}: ${phrase?.[lab.language] ?? ""}`);
  } });
}

/* One of a few, side by side. */
function radios(group, members, isOn, className) {
  const row = document.createElement("span");
  row.className = `slot ${className}`;
  row.setAttribute("role", "radiogroup");
  row.setAttribute("aria-label", said(group.title));
  const all = members.map(({ value, glyph, label, tap }) => {
    const made = button(glyph && !glyph.startsWith("#") ? glyph : glyph ? "" : label, tap, { className: glyph?.startsWith("#") ? "swatch" : "pill", title: label, ariaLabel: label, value });
    if (glyph?.startsWith("#")) made.style.background = glyph;
    made.setAttribute("role", "radio");
    row.append(made);
    return made;
  });
  row.mark = (values) => {
    const on = all.findIndex((each) => isOn(each.value, values));
    all.forEach((each, at) => {
      each.setAttribute("aria-checked", String(at === on));
      each.tabIndex = at === Math.max(0, on) ? 0 : -1;
    });
  };
  return row;
}

function rowSlot(group, at) {
  const members = group.phrases.map((phrase) => ({ value: phrase.id, glyph: phrase.glyph, label: phrase[lab.language], tap: () => put(group, at, phrase) }));
  return radios(group, members, (value, values) => values[group.name]?.[at]?.id === value, "few");
}

function choiceSlot(group) {
  const setting = settingOf(group);
  const set = (value) => { state.settings = { ...state.settings, [setting.name]: value }; markPhrases(); };
  const members = Object.entries(setting.choices).map(([value, words]) => ({ value, label: said(words), tap: () => set(value) }));
  return radios(group, members, (value) => String(valueOf(setting)) === value, "style");
}

function markPhrases() {
  if (!wording()) return;
  const values = parsed() ?? {};
  for (const slot of find(".slots").children) slot.mark(values);
  if (writing.slot) for (const each of findAll(".palette .phrase")) each.setAttribute("aria-pressed", String(each.value === values[writing.slot.group.name]?.[writing.slot.at]?.id));
}

/* The palette: all phrases of a group, found by typing; arrow keys walk over them. */

function palette(slot) {
  const panel = find(".palette");
  writing.slot?.open.setAttribute("aria-expanded", "false");
  writing.slot = slot;
  panel.hidden = !slot;
  if (!slot) return;
  slot.open.setAttribute("aria-expanded", "true");
  const sieve = find(".sieve");
  sieve.value = "";
  sieve.placeholder = text("sieve");
  sift();
  if (!narrow.matches) sieve.focus(); // a phone would unfold its keyboard over the half of it
  find(".palette .phrase[aria-pressed=true]")?.scrollIntoView({ block: "nearest" });
}

function sift() {
  const { group, at, open } = writing.slot;
  const asked = find(".sieve").value.trim().toLowerCase();
  const fits = ({ en, zh, id }) => [en, zh, id].some((each) => String(each).toLowerCase().includes(asked));
  const found = group.phrases.filter(fits);
  find(".palette .all").setAttribute("aria-label", said(group.title));
  find(".palette .all").replaceChildren(...found.map((phrase, number) => {
    const tap = () => { put(group, at, phrase); palette(null); open.focus(); };
    const made = button("", tap, { className: "phrase", value: phrase.id, tabIndex: number ? -1 : 0 });
    made.append(piece("glyph", phrase.glyph ?? ""), phrase[lab.language]);
    return made;
  }));
  find(".palette .none").textContent = found.length ? "" : text("phrase_unfound");
  markPhrases();
}

find(".sieve").addEventListener("input", sift);
find(".palette").addEventListener("keydown", (event) => {
  const all = findAll(".palette .phrase"), here = all.indexOf(event.target);
  if (event.key === "Escape") {
    event.preventDefault();
    event.stopPropagation();
    const { open } = writing.slot;
    palette(null);
    return open.focus();
  }
  if (event.target.matches(".sieve")) {
    if (event.key === "Enter" && !event.isComposing) { event.preventDefault(); all[0]?.click(); }
    if (event.key === "ArrowDown" && all.length) { event.preventDefault(); walk(all, 0); }
    return;
  }
  if (here < 0) return;
  const across = all.filter((each) => each.offsetTop === all[0].offsetTop).length;
  const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across, Home: -here, End: all.length - 1 - here }[event.key];
  if (by === undefined) return;
  event.preventDefault();
  if (here + by < 0) find(".sieve").focus();
  else if (here + by < all.length) walk(all, here + by);
});

function walk(all, at) {
  all.forEach((each, number) => { each.tabIndex = number === at ? 0 : -1; });
  all[at].focus();
}

/* On a phone all of it is a sheet that comes up from below. */
function sheet(open) {
  if (open && !find(".settings").hidden) actions.more(); // both lie over the stage
  element.classList.toggle("sheeted", open);
  find("[data-do=phrases]").setAttribute("aria-expanded", String(open));
  if (!open) palette(null);
}

document.addEventListener("pointerdown", ({ target }) => { if (writing.slot && !target.closest?.("#controls .phrases")) palette(null); });
find(".prompt").addEventListener("input", markPhrases);
find(".prompt").addEventListener("keydown", (event) => {
  const undoes = event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey) && !event.shiftKey;
  if (!undoes || !writing.before.length || event.target.value !== writing.last) return;
  event.preventDefault();
  unwrite();
});

/* The seed stands beside the prompt where words make a picture; on a phone in the sheet. */

const seedShown = () => takes("text") && !seeded() && state.choice.produces === "picture";

function drawSeed() {
  const part = find(".seed"), field = find(".seed input");
  part.hidden = !seedShown();
  const home = narrow.matches && state.choice.phrased ? find(".phrases") : find(".field");
  if (part.parentElement !== home) home.insertBefore(part, home.querySelector(".dice"));
  if (document.activeElement !== field) field.value = state.seed;
}

find(".seed input").addEventListener("input", ({ target }) => { state.seed = target.value; });
find(".seed input").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.isComposing) return;
  event.preventDefault();
  hint(null);
  fresh();
});
new ResizeObserver(([{ target }]) => document.documentElement.style.setProperty("--bar", `${target.offsetHeight}px`)).observe(find(".ask"));
narrow.addEventListener("change", () => { sheet(false); drawSeed(); });

/* What is said of a run in place of stored runs and suggestions: its place in the line, words that are not known. */
function tell() {
  const { place, unknown = [] } = told;
  const line = find(".told");
  const parts = place ? [text("in_line").replace("{n}", place)] : unknown.slice(0, TOLD).flatMap(([word, offers]) => {
    const near = offers.length;
    const sentence = text(near ? "unknown_word" : "unknown_word_alone").replace("{word}", () => word.trim());
    return [Object.assign(document.createElement("span"), { textContent: sentence }), ...offers.map((offer) => button(offer, () => reword(word, offer), { className: "small offer", ariaLabel: text("instead").replace("{word}", () => word.trim()).replace("{other}", () => offer) }))];
  });
  line.replaceChildren(...parts);
  return parts.length > 0;
}
