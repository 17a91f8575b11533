/* Settings: those that answer while they are dragged in a bank under the prompt, the others and the numbers of the code under More. */

const BUSY = 150; // ms until a server that is busy is asked again
const SETTLE = 250; // ms without another key until a slider moved by keys counts as left
const FURTHEST_AXIS = 4; // that a number of the code is moved by its slider

/* One picture is on its way at a time; of those asked for meanwhile only the newest is asked for after it. */
const dragging = { next: null, flying: false, round: 0, painted: 0 };

function preview() {
  if (needsPicture() && !state.picture) return;
  dragging.next = request();
  if (!dragging.flying) fly();
}

async function fly() {
  dragging.flying = true;
  while (dragging.next) {
    const { next, round } = dragging;
    dragging.next = null;
    const answer = await server.live(next).catch(() => null);
    if (answer?.busy) {
      await new Promise((later) => setTimeout(later, BUSY));
      if (round === dragging.round) dragging.next ??= next;
    } else if (answer?.picture && round === dragging.round) {
      window.attentionLab?.preview?.(answer.picture);
      element.dataset.live = String(++dragging.painted);
    }
  }
  dragging.flying = false;
}

/* A run has begun: what was asked for while dragging is not waited for. */
function landed() {
  dragging.next = null;
  dragging.round++;
}

/* The slider was left: a run of what it says. */
let settling = 0;

function settle(wait) {
  clearTimeout(settling);
  settling = setTimeout(() => { hint(null); fresh(); }, wait);
}

/* A slider with its name and value, that answers while it is dragged; a double click or its button takes it back to its default. */
function dial({ label, help, low, high, step, usual, value, turn }) {
  const dialled = document.createElement("div");
  const slider = document.createElement("input");
  const number = document.createElement("output");
  Object.assign(slider, { type: "range", min: low, max: high, step, value });
  const show = () => {
    number.textContent = Number(slider.value).toLocaleString("en", { maximumFractionDigits: 2 });
    dialled.classList.toggle("moved", Number(slider.value) !== usual);
  };
  let held = false;
  slider.onpointerdown = () => { held = true; };
  slider.onpointerup = slider.onpointercancel = () => { held = false; };
  slider.oninput = () => { show(); turn(Number(slider.value)); preview(); };
  slider.onchange = () => settle(held ? 0 : SETTLE);
  const reset = () => { slider.value = usual; show(); turn(usual); preview(); settle(0); };
  slider.ondblclick = reset;
  const back = button("↺", reset, { className: "back", title: text("to_default"), ariaLabel: `${label}: ${text("to_default")}` });
  dialled.className = "dial";
  dialled.append(labelled(label, help, slider, number), back);
  dialled.put = (next) => { if (document.activeElement !== slider || !held) { slider.value = next; show(); } };
  show();
  return dialled;
}

function word(setting) {
  const field = document.createElement("input");
  const asked = document.createElement("div");
  const set = () => { state.settings = { ...state.settings, [setting.name]: field.value }; };
  Object.assign(field, { value: valueOf(setting), maxLength: 40, spellcheck: false });
  field.oninput = () => { set(); if (setting.live) preview(); };
  field.onchange = () => { set(); if (setting.live) settle(0); };
  field.onkeydown = (event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault(); // it leaves the field, and would press Generate as well
    field.blur();
  };
  asked.className = "dial word";
  asked.append(labelled(said(setting.label), said(setting.help), field));
  asked.put = (next) => { if (document.activeElement !== field) field.value = next; };
  return asked;
}

/* A choice; of those that are live a run follows at once. */
function list(setting) {
  const field = document.createElement("select");
  for (const [name, words] of Object.entries(setting.choices)) field.add(new Option(said(words), name, false, name === String(valueOf(setting))));
  field.onchange = () => {
    state.settings = { ...state.settings, [setting.name]: field.value };
    if (setting.live) { preview(); settle(0); }
  };
  return field;
}

function pick(setting) {
  const field = list(setting);
  const asked = document.createElement("div");
  const mark = () => asked.classList.toggle("moved", field.value !== setting.default);
  field.addEventListener("change", mark);
  asked.className = "dial word";
  asked.append(labelled(said(setting.label), said(setting.help), field));
  asked.put = (next) => { field.value = next; mark(); };
  return asked;
}

const valueOf = (setting) => state.settings[setting.name] ?? setting.default;

/* The bank is made anew for another variant or language; else its sliders are only moved. One alone needs no row of its own. */
function drawBank() {
  const live = state.choice.settings.filter((each) => each.live);
  const bank = find(".bank");
  const made = `${state.choice.generator}/${state.choice.variant}/${lab.language}`;
  bank.hidden = !live.length;
  if (bank.dataset.made !== made) {
    bank.dataset.made = made;
    if (live.length === 1) find(".shelf").prepend(bank);
    else find(".shelf").before(bank);
    find(".dials").replaceChildren(...live.map((setting) => Object.assign(({ word, choice: pick }[setting.kind] ?? slider)(setting), { setting })));
  }
  for (const each of find(".dials").children) each.put(valueOf(each.setting));
}

function slider(setting) {
  const turn = (value) => { state.settings = { ...state.settings, [setting.name]: value }; };
  return dial({ ...setting, label: said(setting.label), help: said(setting.help), usual: setting.default, value: valueOf(setting), turn });
}

function axis(number) {
  const turn = (value) => {
    const { [number]: _, ...others } = state.code;
    state.code = value ? { ...others, [number]: value } : others;
  };
  const label = `${text("axis")} ${number + 1}`;
  return dial({ label, help: text("axis_help"), low: -FURTHEST_AXIS, high: FURTHEST_AXIS, step: 0.1, usual: 0, value: state.code[number] ?? 0, turn });
}

function drawSettings() {
  drawBank();
  drawSeed();
  markPhrases();
  const panel = find(".settings");
  if (panel.contains(document.activeElement)) return; // somebody is at it
  const seed = document.createElement("input");
  Object.assign(seed, { value: state.seed, placeholder: "0", oninput: () => { state.seed = seed.value; } });
  const rows = seeded() || !takes("text") || seedShown() ? [] : [labelled(text("seed"), text("seed_help"), seed)];
  rows.push(...state.choice.settings.filter((each) => !each.live && !phrased(each)).map(knob));
  const usual = button(text("defaults"), () => {
    Object.assign(state, { settings: {}, code: {} });
    usual.blur();
    drawSettings();
    if (state.choice.axes || !find(".bank").hidden) settle(0);
  }, { className: "plain" });
  panel.replaceChildren(...rows, usual);
  if (state.edits.length) {
    const undo = button(text("undo_edits"), () => { state.edits = []; undo.blur(); generate(); }, { className: "plain" });
    panel.append(undo);
  }
  if (!state.choice.axes) return;
  const axes = document.createElement("div");
  axes.className = "axes";
  axes.append(...Array.from({ length: state.choice.axes }, (_, number) => axis(number)));
  panel.append(axes);
}

function knob(setting) {
  if (setting.kind === "word") return word(setting);
  if (setting.kind === "choice") return labelled(said(setting.label), said(setting.help), list(setting));
  const value = valueOf(setting);
  const range = document.createElement("input");
  Object.assign(range, { type: "range", min: setting.low, max: setting.high, step: setting.step, value });
  const number = document.createElement("output");
  number.textContent = value;
  range.oninput = () => {
    number.textContent = range.value;
    state.settings = { ...state.settings, [setting.name]: Number(range.value) };
  };
  return labelled(said(setting.label), said(setting.help), range, number);
}

function labelled(name, help, ...parts) {
  const label = document.createElement("label");
  const words = document.createElement("span");
  words.textContent = name;
  label.title = help;
  label.append(words, ...parts);
  return label;
}
