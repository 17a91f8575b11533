/* What happens. */

const actions = {
  about: () => about(true),
  brightness: () => lab.brighten(document.body.classList.contains("dark") ? "light" : "dark"),
  copy,
  dice: () => {
    if (needsPicture() && state.choice.produces === "text") return void chooseAny();
    const seed = Math.floor(Math.random() * HIGHEST_DICE);
    state.seed = String(seed);
    if (seeded()) find(".prompt").value = state.seed;
    state.picture = needsPicture() ? anyFace(seed) ?? state.picture : null;
    drawPicture();
    drawSettings();
    hint(null);
    fresh();
  },
  phrases: () => sheet(!element.classList.contains("sheeted")),
  compare: toggleKinds,
  apart: endComparison,
  unhint: () => { told = {}; hint(null); },
  picture: () => maker(find(".maker").hidden),
  unpicture,
  upload: () => find(".maker input[type=file]").click(),
  undo,
  clear: () => blank(true),
  trace,
  use: () => choose({ url: sketch.canvas.toDataURL("image/png"), own: true }),
  more: () => {
    const open = find(".settings").hidden;
    sheet(false);
    find(".settings").hidden = !open;
    element.classList.toggle("unfolded", open);
    find(".more").setAttribute("aria-expanded", String(open));
  },
};

element.addEventListener("click", (event) => {
  const pressed = event.target.closest("button");
  if (!pressed) return;
  actions[pressed.dataset.do]?.(pressed);
  if (pressed.dataset.language) speak(pressed.dataset.language);
  if (pressed.dataset.without !== undefined && Boolean(pressed.dataset.without) !== state.without) {
    state.without = !state.without;
    if (state.beside && "without" in state.beside) state.beside = { ...state.beside, without: !state.without };
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

/* A name is typed: it is not the picture that counts any more. */
find(".prompt").addEventListener("input", () => {
  if (!state.picture) return;
  if (state.picture.own) trigger("forget");
  Object.assign(state, { picture: null, hidden: [] });
  drawPicture();
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
  } else if (event.key === "Escape" && !find(".maker").hidden) {
    maker(false);
    find(".thumb").focus();
  } else if (event.key === "Escape" && document.body.classList.contains("about-open")) about(false);
  else if (event.key === "Escape" && element.classList.contains("sheeted")) {
    sheet(false);
    find(".tapper").focus();
  } else if (event.key === "Escape" && running) stop();
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
const opened = new URLSearchParams(location.search).get("read");
restore();
if (PAGES.includes(opened)) about(true, opened);
look();
