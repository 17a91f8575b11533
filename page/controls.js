/* The controls: they hold the request and send "run", "pair", "show", "stop" and "forget". The parts after this one (controls.*.js) are of the
   same script. Given by gradio: element, props {given, value}, trigger, watch, server. */

const PATIENCE = 2000; // ms after which a stopped run counts as over
const HIGHEST_DICE = 999999;
const FIRST_FACE = 1; // seed of the face that a generator without stored runs opens with
const { choices, strings, space } = JSON.parse(props.given);

const find = (selector) => element.querySelector(selector);
const findAll = (selector) => [...element.querySelectorAll(selector)];
const text = (name) => strings[lab.language][name];
const said = (words) => words[lab.language] ?? words.en ?? "";
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

const state = { choice: choices[0], seed: "", settings: {}, edits: [], forced: [], without: false, example: "", picture: null, hidden: [], code: {}, beside: null };
let running = false;
let newest = 0; // turn of the newest wish of the whole page that was told of
let since = 0; // what that was when ours began
let asking = null; // what a run of ours asks for, until a status of it has come
let shown = {}; // what the last status said
let hinted = null; // what the line under the controls says: () => string
let told = {}; // what is to be said of the run: its place in the line, words that are not known
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
    ...pictured(),
  };
}

function fill(given) {
  const prompt = given.prompt ?? given.text ?? "";
  state.seed = String(given.seed ?? "");
  state.settings = { ...given.settings };
  state.edits = given.edits ?? [];
  state.forced = given.forced ?? [];
  state.without = given.without ?? given.attention === false;
  state.hidden = given.hidden ?? [];
  state.code = { ...given.code };
  state.beside = readBeside(given.compare);
  if (given.source) state.picture = { source: given.source };
  else if (!needsPicture()) state.picture = null;
  find(".prompt").value = seeded() ? prompt || state.seed : prompt;
  told = {};
  draw();
}

function generate() {
  state.example = "";
  if (state.beside) begin("pair", { a: request(), b: besides() });
  else begin("run", request());
}

function show(example) {
  state.example = example.id;
  fill({ ...example.request, source: example.pictured && { example: example.id } });
  begin("show", { example: example.id });
}

function begin(event, asked) {
  running = event !== "show";
  since = newest;
  asking = event === "pair" ? asked.a : asked;
  if (event === "pair") besideAsked = busy.a = busy.b = true;
  trigger(event, asked);
  landed();
  drawGo();
  drawShelf();
  setTimeout(address); // takes as long as all of these, and nobody waits for it
}

function stop() {
  trigger("stop");
  const stopped = newest;
  setTimeout(() => {
    if (newest !== stopped) return;
    running = false;
    drawGo();
  }, PATIENCE);
}

/* Another run begins: with the prompt as it is, what was chosen by hand before does not count. */
function fresh() {
  state.forced = [];
  generate();
}

/* A seed that is a word stays one. */
const named = (seed) => Boolean(seed) && !/^\d+$/.test(seed);

function status(given) {
  if (given?.pair) return pairStatus(given);
  if (!given || given.turn < newest) return; // what was replaced may still have a last word
  if (!asking && given.turn > newest) state.beside = null; // the view asked for a run alone
  newest = given.turn;
  hear(given);
}

/* What is told of the run, or of the first of two. */
function hear(given) {
  const another = given.run && given.run !== shown.run;
  shown = given;
  const news = { place: given.place, unknown: given.unknown };
  if (another && !asking) { // the view asked: another token, another seed, another attention
    state.example = "";
    landed();
    fill({ ...given.request, compare: state.beside });
    recognised(given.request.picture);
    drawPicture();
    address();
  } else if (another) {
    if (!named(asking.seed)) state.seed = String(given.request.seed);
    if (state.example || same(asking.settings, state.settings)) state.settings = given.request.settings; // no slider was moved meanwhile
    drawSettings();
    if (!state.example) address();
  }
  if (asking && newest > since) {
    seen(given.request?.picture);
    asking = null;
  }
  if (!same(news, told)) { told = news; hint(hinted); }
  if (given.error) look();
  running = given.running && !state.example;
  drawRate();
  drawGo();
}

/* What is drawn. */

/* One sentence in the place of stored runs and suggestions, until it is taken away. */
function hint(sentence) {
  hinted = sentence;
  const telling = tell();
  const taken = telling || Boolean(sentence);
  find(".hint").textContent = sentence && !telling ? sentence() : "";
  find(".examples").hidden = taken || Boolean(state.beside) || !state.choice.examples.length;
  find(".tries").hidden = taken || Boolean(state.beside) || !state.choice.tries.length;
  find(".unhint").hidden = !taken;
}

/* What says something says it in the language of the page, where it can. */
function spoken({ settings }) {
  const setting = settings.find(({ name }) => name === "language");
  return setting && setting.default !== lab.language && lab.language in setting.choices ? { language: lab.language } : {};
}

function select(choice) {
  Object.assign(state, { choice, settings: spoken(choice), edits: [], forced: [], without: false, example: "", seed: "", picture: null, hidden: [], code: {}, beside: null });
  find(".prompt").value = "";
  Object.assign(writing, { before: [], last: "" });
  told = {};
  hint(null);
  draw();
  askPhrases();
}

/* A stored run, so that there is always something to look at. */
function open(example = state.choice.examples[0]) {
  if (example) return show(example);
  if (needsPicture()) state.picture = anyFace(FIRST_FACE);
  generate();
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
  drawPicture();
  drawSketch();
  drawPhrases();
  drawSettings();
  drawShelf();
  drawGo();
  drawRate();
  drawBeside();
  hint(hinted);
}

/* The variants of a generator stand together, behind the name of its network: where there is little room only if others are called the same. */
function drawChips() {
  const generators = [...new Set(choices.map(({ generator }) => generator))];
  const families = generators.map((name) => choices.filter(({ generator }) => generator === name));
  find(".chips").replaceChildren(...families.map((family) => {
    const name = piece("network", said(family[0].network));
    const group = document.createElement("span");
    group.className = "family";
    group.classList.toggle("on", family.includes(state.choice));
    group.classList.toggle("single", family.length === 1);
    group.classList.toggle("alike", families.some((other) => other !== family && other.some(({ title }) => family.some((each) => same(each.title, title)))));
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

/* Twins of generators that make faces of seeds are compared by whole sheets: one seed is another face to each. */
function drawTwin() {
  const { twin, gallery } = state.choice;
  find(".twin").hidden = !twin || (gallery && !state.without);
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
  find(".rate").hidden = state.choice.produces === "picture";
  find(".rate").textContent = shown.rate && !state.example ? `${shown.rate} ${text("token_rate")}` : "";
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
