/* A comparison: a second run beside the first. `state.beside` says in what it differs from what the controls say, null where there is
   none: {without}, {edits}, {seed}, {prompt}, {settings}, {source}, {forced}, {hidden}, {code}; {generator, variant} names another one,
   {of: "a"} lets that start from what the first makes. It is what an address carries as `compare`. */

const OFF = [{ action: "off" }]; // the attention of a model that learned with it, switched off
const BESIDE = { generator: isText, variant: isText, of: (part) => part === "a", prompt: isText, seed: (part) => isText(part) || Number.isFinite(part), settings: isNamed, source: isNamed, code: isNamed, edits: Array.isArray, forced: isNumbers, hidden: isNumbers, without: (part) => typeof part === "boolean" };
const SIDES = ["a", "b"];

const heard = {}; // side → turn of its newest status
const busy = {}; // side → whether its run goes on
const sides = {}; // side → the request of its run
let besideAsked = false; // what runs beside is what was asked for here, not in the view

function isText(part) { return typeof part === "string"; }
function isNamed(part) { return Boolean(part) && typeof part === "object" && !Array.isArray(part); }
function isNumbers(part) { return Array.isArray(part) && part.every(Number.isSafeInteger); }

const choiceOf = (given) => choices.find((each) => nameOf(each) === nameOf(given));
const besideChoice = () => (state.beside?.generator ? choiceOf(state.beside) : state.choice);

/* What an address or a suggestion gives, checked: null where it cannot be read. */
function readBeside(given) {
  if (!isNamed(given) || !Object.keys(given).length) return null;
  if (!Object.entries(given).every(([name, part]) => BESIDE[name]?.(part))) return null;
  if (!given.generator && (given.variant || given.of)) return null;
  const choice = !given.generator ? state.choice : choices.find((each) => each.generator === given.generator && each.variant === (given.variant ?? each.variant));
  if (!choice) return null;
  const { seed, ...rest } = given.generator ? { ...given, variant: choice.variant } : given;
  if (seed === undefined) return rest;
  return choice.takes.includes("seed") ? { prompt: String(seed), ...rest } : { ...rest, seed: String(seed) };
}

/* The request of the second run. */

function besides() {
  const { generator, variant, of, settings, ...changes } = state.beside;
  const choice = besideChoice();
  const asked = carried(choice);
  if (settings || ["prompt", "seed", "source"].some((part) => part in changes)) asked.forced = [];
  if (changes.without || (asked.without && !("without" in changes))) asked.edits = [];
  if ("source" in changes) delete asked.picture;
  if (of) for (const part of ["picture", "source", "hidden"]) delete asked[part];
  return { ...asked, ...changes, settings: { ...asked.settings, ...settings }, ...(of ? { of } : {}) };
}

/* What the controls ask for, asked of a generator that may be another one. */
function carried(choice) {
  const asked = request();
  if (choice === state.choice) return asked;
  const changed = unusual(state.choice, asked.settings);
  const { picture, source, hidden } = choice.takes.includes("picture") ? asked : {};
  return {
    generator: choice.generator,
    variant: choice.variant,
    prompt: choice.takes.includes("text") ? asked.prompt : "",
    seed: choice.takes.includes("seed") ? "" : asked.seed,
    settings: { ...spoken(choice), ...Object.fromEntries(choice.settings.map((each) => [each.name, fitted(each, changed[each.name])]).filter(([, value]) => value !== undefined)) },
    edits: [],
    forced: [],
    without: asked.without && choice.twin,
    ...(picture ? { picture } : source ? { source } : {}),
    ...(picture || source ? { hidden } : {}),
  };
}

/* A value of a setting of the same name, as this one takes it; undefined where it does not. */
function fitted({ kind, low, high, choices: offered }, value) {
  if (kind === "choice") return value in offered ? value : undefined;
  return kind === "word" || value === undefined ? value : Math.min(high, Math.max(low, value));
}

/* In what a request differs from what the controls ask for; null where in nothing. */
function differing(wanted) {
  const choice = choiceOf(wanted), base = carried(choice);
  const of = state.beside?.of && choice === besideChoice() ? { of: state.beside.of } : {};
  const parts = of.of ? ["edits", "forced", "without"] : ["prompt", "seed", "edits", "forced", "without", "hidden", "code", ..."source" in wanted ? ["source"] : []];
  const changed = parts.filter((part) => !same(plain(part, wanted[part]), plain(part, base[part])));
  const usual = (name) => base.settings[name] ?? choice.settings.find((each) => each.name === name)?.default;
  const settings = Object.entries(wanted.settings ?? {}).filter(([name, value]) => value !== usual(name));
  const found = {
    ...(choice === state.choice ? {} : { generator: choice.generator, variant: choice.variant, ...of }),
    ...Object.fromEntries(changed.map((part) => [part, wanted[part] ?? NOTHING[part]])),
    ...(settings.length ? { settings: Object.fromEntries(settings) } : {}),
  };
  return Object.keys(found).length ? found : null;
}

const NOTHING = { prompt: "", seed: "0", edits: [], forced: [], without: false, hidden: [], code: {} };

/* Nothing is always the same. */
function plain(part, value) {
  if (part === "seed") return String(value || "0");
  return !value || (typeof value === "object" && !Object.keys(value).length) ? null : value;
}

/* The request of a run that the server tells of, as the controls ask. */
function askedOf({ generator, request: { variant, text: written = "", seed, attention = true, picture, ...rest } }) {
  const fromSeed = choiceOf({ generator, variant }).takes.includes("seed");
  return { ...rest, generator, variant, prompt: fromSeed ? written || String(seed ?? "") : written, seed: fromSeed ? "" : String(seed ?? ""), without: !attention };
}

/* What is told of both. */

function pairStatus({ pair, turn }) {
  const whole = SIDES.every((side) => side in pair);
  if (turn < newest) return;
  if (whole) newest = turn;
  for (const side of SIDES) {
    const told = pair[side];
    if (!told || turn < (heard[side] ?? 0)) continue;
    heard[side] = turn;
    busy[side] = told.running;
    if (told.request) sides[side] = askedOf(told);
    if (side === "a") hear(told);
    else hearBeside(told);
  }
  running = Boolean(busy.a || busy.b);
  drawGo();
}

function hearBeside(told) {
  const another = told.run && told.run !== hearBeside.run;
  hearBeside.run = told.run;
  if (another && !besideAsked && state.beside) { // the view asked: another token, another attention
    state.beside = differing(askedOf(told)) ?? state.beside;
    drawBeside();
    address();
  }
  besideAsked = false;
  if (told.error) look();
}

/* What may stand beside the first: [{id, label, note, beside or act}]. */

/* What it starts from. */
const prompted = (choice, picture) => (picture && choice.takes.includes("picture") ? "picture" : choice.takes.includes("seed") ? "seed" : choice.takes.includes("text") ? "text" : "picture");

/* Another network for the same: it takes the same kind of prompt and makes the same kind of thing. */
function isAlike(other) {
  const { choice, picture } = state;
  if (other.generator === choice.generator || other.produces !== choice.produces) return false;
  const starts = prompted(choice, picture);
  if (!other.takes.includes(starts) || (starts === "text" && other.takes.includes("seed"))) return false;
  return other.produces === "picture" ? other.looks === choice.looks || starts === "picture" : other.language === choice.language && other.looks === choice.looks;
}

/* One that takes nothing but what this one makes: says what is in a picture, or paints what is said. */
function isFollower(other) {
  const { choice } = state;
  if (other.produces === choice.produces) return false;
  if (other.produces === "text") return needsPicture(other);
  return needsPicture() && prompted(other) === "text" && !other.takes.includes("picture");
}

function kinds() {
  const { choice, without, edits } = state;
  const found = [];
  const kind = (id, beside, label = text(`beside_${id}`), note = text(`beside_${id}_note`)) => found.push({ id, label, note, beside });
  if (choice.twin) kind(without ? "with" : "twin", () => ({ without: !without }));
  if (!without) kind("off", () => ({ edits: OFF }));
  if (edits.length && !without) kind("unedited", () => ({ edits: [] }));
  for (const other of choices.filter(isAlike)) kind(nameOf(other), () => called(other), titled(other), text("beside_other_note"));
  for (const other of choices.filter(isFollower)) kind(`of ${nameOf(other)}`, () => ({ ...called(other), of: "a" }), titled(other), text(other.produces === "text" ? "beside_describes" : "beside_paints"));
  if (choice.takes.includes("text")) kind("seed", anotherSeed);
  if (choice.takes.includes("text") && !seeded()) kind("prompt", () => ({ prompt: anotherPrompt() }));
  if (needsPicture()) kind("picture", anotherSource);
  if (choice.settings.length) kind("setting", () => ({ settings: anotherValue(choice.settings[0]) }));
  if (choice.gallery && choice.twin && !without) found.push({ id: "sheets", label: text("beside_sheets"), note: text("beside_sheets_note"), act: () => { apart(); window.attentionLab?.compare?.(); } });
  if (state.beside) found.push({ id: "end", label: text("end_comparison"), note: "", act: endComparison });
  return found;
}

const called = ({ generator, variant }) => ({ generator, variant });
const titled = (choice) => `${said(choice.network)} · ${said(choice.title)}`;

function kindOf(beside) {
  if (beside.generator) return `${beside.of ? "of " : ""}${nameOf(beside)}`;
  if ("without" in beside) return beside.without ? "twin" : "with";
  if ("edits" in beside) return same(beside.edits, OFF) ? "off" : beside.edits.length ? "edits" : "unedited";
  if ("settings" in beside) return "setting";
  if ("prompt" in beside) return seeded() ? "seed" : "prompt";
  return "seed" in beside ? "seed" : "source" in beside ? "picture" : "edits";
}

function labelOf(beside) {
  const id = kindOf(beside);
  return beside.generator ? titled(choiceOf(beside)) : text(`beside_${id}`);
}

function anotherSeed() {
  const given = seeded() ? find(".prompt").value : state.seed;
  const next = /^\d+$/.test(given.trim() || "0") ? Number(given) + 1 : Math.floor(Math.random() * HIGHEST_DICE);
  return seeded() ? { prompt: String(next) } : { seed: String(next) };
}

/* Of a stored run, where there is one with another prompt. */
function anotherPrompt() {
  const mine = find(".prompt").value;
  return state.choice.examples.map(({ request: { text: written } }) => written ?? "").find((each) => each && each !== mine) ?? mine;
}

async function anotherSource() {
  const { choice, picture, beside } = state;
  const others = (await offered(choice)).filter(({ source }) => !same(source, picture?.source) && !same(source, beside?.source));
  return others.length ? { source: others[Math.floor(Math.random() * others.length)].source } : null;
}

/* A second value of a setting: twice the first, else the middle, else an end; of a choice the next. */
function anotherValue(setting) {
  const { name, kind, low, high, step, choices: offered } = setting;
  const value = valueOf(setting);
  if (kind === "word") return { [name]: "" };
  if (kind === "choice") {
    const all = Object.keys(offered);
    return { [name]: all[(all.indexOf(String(value)) + 1) % all.length] };
  }
  const onStep = (number) => Number((low + Math.round((number - low) / step) * step).toFixed(6));
  const some = [2 * value, (low + high) / 2, high, low].map((each) => onStep(Math.min(high, Math.max(low, each))));
  return { [name]: some.find((each) => each !== value) ?? value };
}

/* It begins and ends. */

async function compareWith({ beside, act }) {
  closeKinds();
  if (act) return act();
  const { choice } = state;
  const given = await beside();
  if (!given || choice !== state.choice) return;
  state.beside = given;
  drawBeside();
  hint(null);
  fresh();
  find(".beside .parts :is(input, select)")?.focus({ preventScroll: true });
}

/* Without a run of its own. */
function apart() {
  if (!state.beside) return;
  state.beside = null;
  drawBeside();
  hint(hinted);
  address();
}

function endComparison() {
  const from = element.contains(document.activeElement);
  apart();
  generate();
  if (from) find(".compare").focus({ preventScroll: true });
}

/* What ran beside is what the controls say now. */
function adopt(asked) {
  const { picture } = state;
  const choice = choiceOf(asked);
  if (choice !== state.choice) select(choice);
  fill(asked);
  if (!asked.source && takes("picture") && asked.picture) state.picture = picture;
  drawPicture();
}

function keepOne(side) {
  if (side !== "b" || !state.beside) return state.beside && endComparison();
  const asked = besides(), { of } = state.beside;
  if (of && asked.prompt !== undefined && choiceOf(asked).takes.includes("text")) asked.prompt = sides.b?.prompt ?? "";
  const made = of && choiceOf(asked).takes.includes("picture") ? sourceOf({ ...request(), pictured: Boolean(state.picture) }) : null;
  adopt(made ? { ...asked, source: made } : asked);
  generate();
}

function swap() {
  const asked = request(), other = besides();
  adopt(other);
  state.beside = differing(asked);
  drawBeside();
  generate();
}

/* What is drawn: the menu of what may stand beside, and the row that says what does. */

function drawBeside() {
  const { beside } = state;
  const row = find(".beside");
  find(".compare").classList.toggle("on", Boolean(beside));
  element.classList.toggle("compares", Boolean(beside));
  row.hidden = !beside;
  if (!beside) return find(".beside .parts").replaceChildren();
  find(".beside .kind").textContent = labelOf(beside);
  const parts = find(".beside .parts");
  const made = `${kindOf(beside)} ${nameOf(state.choice)} ${lab.language} ${Object.keys(beside.settings ?? {})}`;
  if (parts.contains(document.activeElement) && parts.dataset.made === made) return; // somebody is at it
  parts.dataset.made = made;
  parts.replaceChildren(...besideParts());
}

function besideParts() {
  const { beside } = state;
  const choice = besideChoice();
  const found = [];
  if (beside.of) found.push(Object.assign(piece("note", text(choice.produces === "text" ? "beside_describes" : "beside_paints")), { ariaHidden: null }));
  if ("prompt" in beside) found.push(writtenIn("prompt", prompted(choice) === "seed" ? "seed_or_name" : "prompt", prompted(choice) === "seed" ? "short" : "long"));
  if ("seed" in beside) found.push(writtenIn("seed", "seed", "short"));
  if ("seed" in beside || ("prompt" in beside && prompted(choice) === "seed")) found.push(besideDice(choice));
  if ("settings" in beside) found.push(...besideSetting(choice));
  if (kindOf(beside) === "picture") found.push(button(text("another_picture"), async () => compareWith({ beside: anotherSource }), { className: "small" }));
  return found;
}

function alter(parts) {
  state.beside = { ...state.beside, ...parts };
}

function writtenIn(part, label, className) {
  const field = document.createElement("input");
  Object.assign(field, { type: "text", value: state.beside[part], className, spellcheck: false, ariaLabel: `${text("beside")}: ${text(label)}`, oninput: () => alter({ [part]: field.value }) });
  field.onkeydown = (event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    hint(null);
    fresh();
  };
  return field;
}

function besideDice(choice) {
  const part = prompted(choice) === "seed" ? "prompt" : "seed";
  const dice = button("", () => {
    alter({ [part]: String(Math.floor(Math.random() * HIGHEST_DICE)) });
    find(".beside .parts input").value = state.beside[part];
    fresh();
  }, { className: "sign", ariaLabel: `${text("beside")}: ${text("new_seed")}`, title: text("new_seed") });
  dice.append(find(".dice svg").cloneNode(true));
  return dice;
}

/* Which setting, and its second value. */
function besideSetting(choice) {
  const name = Object.keys(state.beside.settings)[0];
  const setting = choice.settings.find((each) => each.name === name) ?? choice.settings[0];
  const which = document.createElement("select");
  which.ariaLabel = text("beside_setting");
  for (const each of choice.settings) which.add(new Option(said(each.label), each.name, false, each === setting));
  which.onchange = () => { alter({ settings: anotherValue(choice.settings.find((each) => each.name === which.value)) }); drawBeside(); fresh(); };
  const value = state.beside.settings[setting.name] ?? setting.default;
  const turn = (next) => alter({ settings: { [setting.name]: next } });
  const label = `${text("beside")}: ${said(setting.label)}`;
  if (setting.kind === "word") {
    const field = document.createElement("input");
    return [which, Object.assign(field, { type: "text", value, className: "short", maxLength: 40, ariaLabel: label, onchange: () => { turn(field.value); fresh(); } })];
  }
  if (setting.kind === "choice") {
    const field = document.createElement("select");
    for (const [key, words] of Object.entries(setting.choices)) field.add(new Option(said(words), key, false, key === String(value)));
    return [which, Object.assign(field, { ariaLabel: label, onchange: () => { turn(field.value); fresh(); } })];
  }
  const range = document.createElement("input"), number = document.createElement("output");
  const show = () => { number.textContent = Number(range.value).toLocaleString("en", { maximumFractionDigits: 2 }); };
  Object.assign(range, { type: "range", min: setting.low, max: setting.high, step: setting.step, value, ariaLabel: label, oninput: () => { turn(Number(range.value)); show(); }, onchange: () => { hint(null); fresh(); } });
  show();
  return [which, range, number];
}

/* The menu, under the button that opened it. */

let opener = null;

function toggleKinds(pressed) {
  if (!find(".kinds").hidden) return closeKinds();
  opener = pressed;
  const menu = find(".kinds"), on = state.beside && kindOf(state.beside);
  menu.replaceChildren(...kinds().map((kind) => {
    const item = button("", () => compareWith(kind), { tabIndex: -1 });
    item.setAttribute("role", kind.act ? "menuitem" : "menuitemradio");
    if (!kind.act) item.setAttribute("aria-checked", String(kind.id === on));
    item.dataset.kind = kind.id;
    item.append(Object.assign(document.createElement("b"), { textContent: kind.label }), Object.assign(document.createElement("small"), { textContent: kind.note }));
    return item;
  }));
  menu.hidden = false;
  const home = menu.offsetParent?.getBoundingClientRect(), { left } = pressed.getBoundingClientRect();
  menu.style.left = narrow.matches || !home ? "" : `${Math.max(0, Math.min(left - home.left, home.width - menu.offsetWidth))}px`;
  for (const each of findAll("[data-do=compare]")) each.setAttribute("aria-expanded", String(each === pressed));
  (menu.querySelector("[aria-checked=true]") ?? menu.firstElementChild).focus({ preventScroll: true });
}

function closeKinds() {
  if (find(".kinds").hidden) return;
  const back = find(".kinds").contains(document.activeElement);
  find(".kinds").hidden = true;
  for (const each of findAll("[data-do=compare]")) each.setAttribute("aria-expanded", "false");
  if (back) opener?.focus({ preventScroll: true });
}

find(".kinds").addEventListener("keydown", (event) => {
  const items = [...find(".kinds").children], at = items.indexOf(document.activeElement);
  const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
  if (next !== undefined) items[(next + items.length) % items.length].focus();
  else if (event.key === "Escape" || event.key === "Tab") closeKinds();
  else return;
  if (event.key !== "Tab") event.preventDefault();
  event.stopPropagation();
});

document.addEventListener("pointerdown", (event) => {
  if (!event.target.closest?.("#controls .kinds, #controls [data-do=compare]")) closeKinds();
});

Object.assign(window.attentionLab, { apart: keepOne });
Object.defineProperty(window.attentionLab, "swapped", { configurable: true, get: () => (state.beside && !state.beside.of ? swap : undefined) });
