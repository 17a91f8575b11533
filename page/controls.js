/* The controls: they hold the request, keep it in the address, and send "run", "show" and "stop".
   Given by gradio: element, props {given, value}, trigger, watch, server. */

const OURS = ["lang", "generator", "variant", "prompt", "seed", "settings", "edits", "forced", "without", "example"];
const LONGEST_PROMPT = 4000; // characters that an address carries, from the end as generators read them
const LONGEST_LIST = 400; // chosen tokens that it carries
const LONGEST_EDITS = 8000; // characters of the edits that it carries
const PATIENCE = 2000; // ms after which a stopped run counts as over
const HIGHEST_DICE = 999999;
const { choices, strings, space } = JSON.parse(props.given);

const find = (selector) => element.querySelector(selector);
const findAll = (selector) => [...element.querySelectorAll(selector)];
const text = (name) => strings[lab.language][name];
const said = (words) => words[lab.language] ?? words.en ?? "";
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

const state = { choice: choices[0], seed: "", settings: {}, edits: [], forced: [], without: false, example: "" };
let running = false;
let asking = false; // a run of ours has begun, and no status of it has come
let shown = {}; // what the last status said
let hinted = null; // what the line under the controls says: () => string
let problems = {};

/* What is asked for. */

const seeded = () => state.choice.takes.includes("seed"); // the prompt is the seed, a word or a number

function request() {
  const { choice, settings, edits, forced, without } = state;
  return {
    generator: choice.generator,
    variant: choice.variant,
    prompt: find(".prompt").value,
    seed: seeded() ? "" : state.seed,
    settings,
    edits,
    forced,
    without,
  };
}

function fill(given) {
  const prompt = given.prompt ?? given.text ?? "";
  state.seed = String(given.seed ?? "");
  state.settings = { ...given.settings };
  state.edits = given.edits ?? [];
  state.forced = given.forced ?? [];
  state.without = given.without ?? given.attention === false;
  find(".prompt").value = seeded() ? prompt || state.seed : prompt;
  draw();
}

function generate() {
  state.example = "";
  begin("run", request());
}

function show(example) {
  state.example = example.id;
  fill(example.request);
  begin("show", { example: example.id });
}

function begin(event, asked) {
  running = event === "run";
  asking = true;
  address();
  drawGo();
  drawShelf();
  trigger(event, asked);
}

function stop() {
  trigger("stop");
  const stopped = shown.turn;
  setTimeout(() => {
    if (shown.turn !== stopped) return;
    running = false;
    drawGo();
  }, PATIENCE);
}

/* Another run begins: with the prompt as it is, what was chosen by hand before does not count. */
function fresh() {
  state.forced = [];
  generate();
}

function status(given) {
  if (!given || given.turn < shown.turn) return; // what was replaced may still have a last word
  const another = given.run && given.run !== shown.run;
  shown = given;
  if (another && !asking) { // the view asked: another token, another seed, another attention
    state.example = "";
    fill(given.request);
    address();
  } else if (another) {
    state.seed = String(given.request.seed);
    state.settings = given.request.settings;
    drawSettings();
    if (!state.example) address();
  }
  asking = false;
  if (given.error) look();
  running = given.running && !state.example;
  drawRate();
  drawGo();
}

/* The address. */

function query() {
  const params = new URLSearchParams({ lang: lab.language, generator: state.choice.generator, variant: state.choice.variant });
  if (state.example) {
    params.set("example", state.example.split("/").pop());
    return params;
  }
  const asked = request();
  if (asked.prompt) params.set("prompt", asked.prompt.slice(-LONGEST_PROMPT));
  if (!seeded()) params.set("seed", asked.seed || "0");
  const settings = state.choice.settings.filter(({ name, default: usual }) => (asked.settings[name] ?? usual) !== usual);
  if (settings.length) params.set("settings", JSON.stringify(Object.fromEntries(settings.map(({ name }) => [name, asked.settings[name]]))));
  const edits = JSON.stringify(asked.edits);
  if (asked.edits.length && edits.length <= LONGEST_EDITS) params.set("edits", edits);
  if (asked.forced.length && asked.forced.length <= LONGEST_LIST) params.set("forced", asked.forced.join(","));
  if (asked.without) params.set("without", "1");
  return params;
}

function address() {
  const before = new URLSearchParams(location.search);
  const params = query();
  const stays = OURS.every((name) => name === "lang" || before.get(name) === params.get(name));
  for (const [name, value] of before) {
    if (!OURS.includes(name) && (stays || name.startsWith("__") || name === "view")) params.set(name, value);
  }
  try {
    history.replaceState(history.state, "", `?${params}${location.hash}`);
  } catch { /* an address that is too long stays as it was */ }
}

function link() {
  const params = new URLSearchParams(location.search);
  const ours = query();
  for (const name of OURS) params.delete(name);
  for (const [name, value] of ours) params.set(name, value);
  const framed = window.self !== window.top && space;
  return `${framed ? `https://huggingface.co/spaces/${space}` : location.origin + location.pathname}?${params}`;
}

async function copy() {
  const url = link();
  try {
    await navigator.clipboard.writeText(url);
    hint(() => text("copied"));
  } catch {
    const field = document.createElement("textarea");
    field.value = url;
    document.body.append(field);
    field.select();
    const copied = document.execCommand("copy");
    field.remove();
    hint(() => (copied ? text("copied") : `${text("copy_by_hand")} ${url}`));
  }
}

/* A part that cannot be read is left out. */
function restore() {
  const params = new URLSearchParams(location.search);
  const wanted = ["generator", "variant"].map((name) => params.get(name));
  const found = choices.find((each) => (!wanted[0] || each.generator === wanted[0]) && (!wanted[1] || each.variant === wanted[1]));
  let broken = false;
  const read = (name, usual, right) => {
    if (!params.has(name)) return usual;
    try {
      const value = JSON.parse(params.get(name));
      if (right(value)) return value;
    } catch { /* said below */ }
    broken = true;
    return usual;
  };
  const forced = (params.get("forced") ?? "").split(",").filter(Boolean).map(Number);
  const given = {
    prompt: params.get("prompt") ?? "",
    seed: params.get("seed") ?? "",
    settings: read("settings", {}, (value) => value && typeof value === "object" && !Array.isArray(value)),
    edits: read("edits", [], Array.isArray),
    forced: forced.every(Number.isSafeInteger) ? forced : [],
    without: params.get("without") === "1",
  };
  broken ||= given.forced.length !== forced.length;
  select(found ?? choices[0]);
  hint(found ? (broken ? () => text("broken_link") : null) : () => text("unknown_link"));
  const named = state.choice.examples.find(({ id }) => id.split("/").pop() === params.get("example"));
  const asks = found && ["prompt", "seed", "settings", "edits", "forced", "without"].some((name) => params.has(name));
  if (asks && !named) {
    fill(given);
    generate();
  } else open(named);
}

/* What is drawn. */

/* One sentence in the place of stored runs and suggestions, until it is taken away. */
function hint(sentence) {
  hinted = sentence;
  find(".hint").textContent = sentence ? sentence() : "";
  find(".examples").hidden = sentence || !state.choice.examples.length;
  find(".tries").hidden = sentence || !state.choice.tries.length;
  find(".unhint").hidden = !sentence;
}

function select(choice) {
  Object.assign(state, { choice, settings: {}, edits: [], forced: [], without: false, example: "", seed: "" });
  find(".prompt").value = "";
  hint(null);
  draw();
}

/* A stored run, so that there is always something to look at. */
function open(example = state.choice.examples[0]) {
  if (example) show(example);
  else generate();
}

function button(label, action, more = {}) {
  const made = document.createElement("button");
  Object.assign(made, { type: "button", textContent: label, onclick: action, ...more });
  return made;
}

function draw() {
  const { choice } = state;
  for (const each of findAll("[data-text]")) each.textContent = text(each.dataset.text);
  for (const each of findAll("[data-label]")) {
    each.setAttribute("aria-label", text(each.dataset.label));
    if (each.matches("button")) each.title = text(each.dataset.label);
  }
  for (const each of findAll("[data-language]")) each.setAttribute("aria-pressed", String(each.dataset.language === lab.language));
  find(".name").textContent = text("name");
  find(".prompt").placeholder = said(choice.placeholder);
  find(".prompt").lang = seeded() ? lab.language : choice.language;
  drawChips();
  drawTwin();
  drawSettings();
  drawShelf();
  drawGo();
  drawRate();
  hint(hinted);
}

/* The variants of a generator stand together, behind the name of its network. */
function drawChips() {
  const generators = [...new Set(choices.map(({ generator }) => generator))];
  const families = generators.map((name) => choices.filter(({ generator }) => generator === name));
  find(".chips").replaceChildren(...families.map((family) => {
    const name = piece("network", said(family[0].network));
    const group = document.createElement("span");
    group.className = "family";
    group.classList.toggle("on", family.includes(state.choice));
    group.append(name, ...family.map(chip));
    return group;
  }));
  const on = find(".chip[aria-checked=true]");
  const row = find(".chips");
  if (on) row.scrollLeft = Math.max(0, Math.min(on.parentElement.offsetLeft - row.offsetLeft, on.offsetLeft + on.offsetWidth - row.offsetLeft - row.clientWidth / 2));
}

function chip(choice) {
  const on = choice === state.choice;
  const made = button("", () => on || (select(choice), open()), { className: "chip", tabIndex: on ? 0 : -1 });
  const problem = problems[`${choice.generator}/${choice.variant}`];
  made.setAttribute("role", "radio");
  made.setAttribute("aria-checked", String(on));
  made.setAttribute("aria-label", `${said(choice.title)}, ${said(choice.network)}${problem ? ` (${text("not_ready")})` : ""}`);
  made.dataset.variant = `${choice.generator}/${choice.variant}`;
  made.title = said(problem ?? choice.summary);
  made.append(piece("icon", choice.icon), said(choice.title));
  made.classList.toggle("broken", Boolean(problem));
  return made;
}

/* A part of a chip that is seen, not read. */
function piece(className, textContent) {
  const made = document.createElement("span");
  Object.assign(made, { className, textContent, ariaHidden: "true" });
  return made;
}

function drawTwin() {
  find(".twin").hidden = !state.choice.twin;
  for (const each of findAll("[data-without]")) {
    const on = Boolean(each.dataset.without) === state.without;
    each.setAttribute("aria-checked", String(on));
    each.tabIndex = on ? 0 : -1;
  }
}

function drawGo() {
  const go = find(".go");
  go.textContent = text(running ? "stop" : "generate");
  go.classList.toggle("stops", running);
  element.dataset.running = String(running);
}

function drawRate() {
  find(".rate").hidden = seeded();
  find(".rate").textContent = shown.rate && !state.example ? `${shown.rate} ${text("token_rate")}` : "";
}

function drawSettings() {
  const panel = find(".settings");
  if (panel.contains(document.activeElement)) return; // somebody is at it
  const seed = document.createElement("input");
  Object.assign(seed, { value: state.seed, placeholder: "0", oninput: () => { state.seed = seed.value; } });
  const rows = [...(seeded() ? [] : [labelled(text("seed"), text("seed_help"), seed)]), ...state.choice.settings.map(knob)];
  const usual = button(text("defaults"), () => { state.settings = {}; usual.blur(); drawSettings(); }, { className: "plain" });
  panel.replaceChildren(...rows, usual);
  if (state.edits.length) {
    const undo = button(text("undo_edits"), () => { state.edits = []; undo.blur(); generate(); }, { className: "plain" });
    panel.append(undo);
  }
}

function knob(setting) {
  const value = state.settings[setting.name] ?? setting.default;
  if (setting.kind === "choice") {
    const list = document.createElement("select");
    for (const [name, words] of Object.entries(setting.choices)) list.add(new Option(said(words), name, false, name === String(value)));
    list.onchange = () => { state.settings = { ...state.settings, [setting.name]: list.value }; };
    return labelled(said(setting.label), said(setting.help), list);
  }
  const slider = document.createElement("input");
  Object.assign(slider, { type: "range", min: setting.low, max: setting.high, step: setting.step, value });
  const number = document.createElement("output");
  number.textContent = value;
  slider.oninput = () => {
    number.textContent = slider.value;
    state.settings = { ...state.settings, [setting.name]: Number(slider.value) };
  };
  return labelled(said(setting.label), said(setting.help), slider, number);
}

function labelled(name, help, ...parts) {
  const label = document.createElement("label");
  const words = document.createElement("span");
  words.textContent = name;
  label.title = help;
  label.append(words, ...parts);
  return label;
}

function drawShelf() {
  const { examples, tries } = state.choice;
  const title = (name) => Object.assign(document.createElement("span"), { className: "title", textContent: text(name) });
  find(".examples").replaceChildren(title("examples"), ...examples.map((example) => {
    const chip = button(example.label, () => { hint(null); show(example); }, { className: "small" });
    chip.setAttribute("aria-pressed", String(example.id === state.example));
    return chip;
  }));
  find(".tries").replaceChildren(title("tries"), ...tries.map((each) => button(said(each.question), () => {
    fill(each.request);
    hint(() => `${said(each.question)} ${text("look_for")} ${said(each.look_for)}`);
    generate();
  }, { className: "small try", title: said(each.question) })));
}

async function look() {
  const found = await server.problems({}).catch(() => problems);
  if (!same(found, problems)) {
    problems = found;
    drawChips();
  }
}

/* About lies over the page. */

const panel = () => document.getElementById("about");

function about(open) {
  const dialog = panel();
  document.body.classList.toggle("about-open", open);
  for (const id of ["controls", "attention-view"]) document.getElementById(id)?.toggleAttribute("inert", open);
  dialog.setAttribute("role", "dialog");
  dialog.setAttribute("aria-modal", "true");
  dialog.setAttribute("aria-label", text("about"));
  dialog.querySelector(".close")?.remove();
  if (!open) return find("[data-do=about]").focus();
  const close = button("✕", () => about(false), { className: "close", ariaLabel: text("close") });
  dialog.prepend(close);
  close.focus();
  dialog.scrollTop = 0;
}

document.addEventListener("click", (event) => {
  const anchor = event.target.closest?.("#about a[href]");
  if (!anchor || new URL(anchor.href).origin !== location.origin || !new URL(anchor.href).search.includes("generator=")) return;
  event.preventDefault();
  event.stopPropagation();
  history.replaceState(history.state, "", new URL(anchor.href).search);
  about(false);
  restore();
}, true);

/* What happens. */

const actions = {
  about: () => about(true),
  brightness: () => lab.brighten(document.body.classList.contains("dark") ? "light" : "dark"),
  copy,
  dice: () => {
    state.seed = String(Math.floor(Math.random() * HIGHEST_DICE));
    if (seeded()) find(".prompt").value = state.seed;
    drawSettings();
    hint(null);
    fresh();
  },
  unhint: () => hint(null),
  more: () => {
    const open = find(".settings").hidden;
    find(".settings").hidden = !open;
    element.classList.toggle("unfolded", open);
    find(".more").setAttribute("aria-expanded", String(open));
  },
};

element.addEventListener("click", (event) => {
  const pressed = event.target.closest("button");
  if (!pressed) return;
  actions[pressed.dataset.do]?.();
  if (pressed.dataset.language) speak(pressed.dataset.language);
  if (pressed.dataset.without !== undefined && Boolean(pressed.dataset.without) !== state.without) {
    state.without = !state.without;
    drawTwin();
    fresh();
  }
});

element.addEventListener("submit", (event) => {
  event.preventDefault();
  if (running) return stop();
  hint(null);
  fresh();
});

find(".prompt").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  hint(null);
  fresh();
});

/* Arrow keys walk through a group of radio buttons. */
element.addEventListener("keydown", (event) => {
  const group = event.target.closest("[role=radiogroup]");
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!group || !step) return;
  event.preventDefault();
  event.stopPropagation();
  const all = [...group.querySelectorAll("[role=radio]")];
  const at = (all.indexOf(event.target) + step + all.length) % all.length;
  all[at].click();
  group.querySelectorAll("[role=radio]")[at].focus();
});

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || !element.isConnected) return;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    hint(null);
    fresh();
  } else if (event.key === "Escape" && document.body.classList.contains("about-open")) about(false);
  else if (event.key === "Escape" && running) stop();
});

async function speak(language) {
  await lab.speak(language);
  address();
  draw();
}

watch("value", () => status(props.value));
lab.applyBrightness();
draw();
lab.speak(lab.language);
restore();
look();
