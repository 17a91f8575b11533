/* The picture that a generator starts from: a file, a sketch, a stored face, or what another generator made.

   A picture is {url: how it looks, source: the run that made it} or, of the visitor's own, {url, own: true}. Files are read here, cut to
   their middle square and made small, so that no photograph leaves the device whole. */

const MOST_BYTES = 20_000_000;
const MOST_PIXELS = 40_000_000;
const FINER = 4; // how many times the model's size a picture is sent at most
const PAPER = "#ffffff"; // behind what is transparent
const KNOWN = 24; // pictures whose source is remembered

const known = new Map(); // a picture as the model sees it (its data URL) → what is known of it
const faces = new Map(); // "GENERATOR/VARIANT" → stored pictures

const takes = (kind) => state.choice.takes.includes(kind);
const needsPicture = (choice = state.choice) => choice.takes.length === 1 && choice.takes[0] === "picture";
const nameOf = ({ generator, variant }) => `${generator}/${variant}`;

/* The part of a request that is about the picture. */
function pictured() {
  if (!takes("picture")) return state.choice.axes ? { code: state.code } : {};
  const { picture, hidden, code } = state;
  const given = !picture ? {} : picture.own ? { picture: picture.url } : { source: picture.source };
  return { ...given, hidden: picture ? hidden : [], code };
}

/* The server has told how the model sees it. */
function seen(url) {
  if (!url || !state.picture) return;
  state.picture = { ...state.picture, url };
  known.delete(url);
  known.set(url, state.picture);
  if (known.size > KNOWN) known.delete(known.keys().next().value);
  drawPicture();
}

/* The picture of a run that the view asked for. */
function recognised(url) {
  state.picture = url ? known.get(url) ?? { url, own: true } : null;
}

/* A picture is chosen: it is run at once. */
function choose(picture) {
  Object.assign(state, { picture, hidden: [] });
  find(".prompt").value = "";
  drawPicture();
  maker(false);
  hint(null);
  fresh();
}

function unpicture() {
  if (state.picture?.own) trigger("forget");
  Object.assign(state, { picture: null, hidden: [] });
  drawPicture();
  if (needsPicture()) maker(true);
  else { hint(null); fresh(); }
}

/* Any face of a generator that makes faces of seeds; null where there is none. */
function anyFace(seed) {
  const painter = choices.find((each) => each.gallery && each.takes.includes("seed"));
  return painter ? { source: { generator: painter.generator, variant: painter.variant, seed } } : null;
}

function drawPicture() {
  const { picture } = state;
  const here = takes("picture");
  element.classList.toggle("pictured", here && needsPicture());
  find(".picture").hidden = !here;
  find(".field").hidden = false;
  find(".prompt").hidden = here && needsPicture();
  find(".thumb img").hidden = !picture?.url;
  if (picture?.url) find(".thumb img").src = picture.url;
  find(".unpicture").hidden = !picture;
  find(".whence").textContent = !needsPicture() ? "" : !picture ? said(state.choice.placeholder) : picture.own ? text("picture_own") : text("picture_lab");
  const describes = needsPicture() && state.choice.produces === "text";
  find(".dice").title = find(".dice").ariaLabel = text(describes ? "another_picture" : "new_seed");
  if (!here) maker(false);
}

/* The panel where a picture is made or chosen. */
function maker(open) {
  const panel = find(".maker");
  if (panel.hidden === !open) return;
  panel.hidden = !open;
  find(".thumb").setAttribute("aria-expanded", String(open));
  complain("");
  if (!open) return;
  drawFaces();
  blank();
  find("[data-do=upload]").focus();
}

/* What is wrong with a picture, in a sentence: where one looks. */
function complain(sentence) {
  const closed = find(".maker").hidden;
  find(".wrong").textContent = closed ? "" : sentence;
  if (sentence && closed) hint(() => sentence);
}

/* Stored pictures that a generator may start from, asked for once. */
async function offered({ generator, variant }) {
  const name = nameOf({ generator, variant });
  if (!faces.has(name)) {
    const answer = await server.stored({ generator, variant }).catch(() => null);
    if (answer?.pictures) faces.set(name, answer.pictures);
  }
  return faces.get(name) ?? [];
}

/* One of them by chance, for who says what it sees. */
async function chooseAny() {
  const { choice, picture } = state;
  const others = (await offered(choice)).filter(({ source }) => !same(source, picture?.source));
  if (choice === state.choice && others.length) choose(others[Math.floor(Math.random() * others.length)]);
}

async function drawFaces() {
  const { choice } = state;
  find(".faces").replaceChildren();
  const pictures = await offered(choice);
  if (choice !== state.choice) return;
  find(".faces").replaceChildren(...pictures.map(({ source, url }, at) => {
    const face = button("", () => choose({ source, url }), { className: "face", ariaLabel: `${text("stored_face")} ${at + 1}` });
    face.append(Object.assign(document.createElement("img"), { src: url, alt: "" }));
    return face;
  }));
}

/* A file: read, cut, scaled; or a sentence. */
async function take(file) {
  if (!file || !takes("picture")) return;
  const { choice } = state;
  try {
    const url = await readPicture(file, FINER * choice.size);
    if (choice === state.choice) choose({ url, own: true });
  } catch (error) {
    complain(text(error.reason ?? "no_picture"));
  }
}

async function readPicture(file, most) {
  if (file.size > MOST_BYTES) throw { reason: "too_many_bytes" };
  const whole = await measured(file);
  if (whole.naturalWidth * whole.naturalHeight > MOST_PIXELS) throw { reason: "too_many_pixels" };
  const upright = await createImageBitmap(file, { imageOrientation: "from-image" });
  const { width, height } = upright;
  const side = Math.min(width, height), size = Math.max(1, Math.min(side, most));
  const canvas = Object.assign(document.createElement("canvas"), { width: size, height: size });
  const pen = canvas.getContext("2d");
  pen.fillStyle = PAPER;
  pen.fillRect(0, 0, size, size);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(upright, (width - side) / 2, (height - side) / 2, side, side, 0, 0, size, size);
  upright.close();
  return canvas.toDataURL("image/png");
}

/* Its size, without all its pixels. */
function measured(file) {
  const url = URL.createObjectURL(file);
  const image = new Image();
  return new Promise((resolve, reject) => {
    image.onload = () => resolve(image);
    image.onerror = () => reject({ reason: "no_picture" });
    image.src = url;
  }).finally(() => URL.revokeObjectURL(url));
}

find(".maker input[type=file]").addEventListener("change", ({ target }) => {
  take(target.files[0]);
  target.value = ""; // the same file may be chosen again
});

document.addEventListener("paste", (event) => {
  const file = [...(event.clipboardData?.files ?? [])][0];
  if (!element.isConnected || !file || !takes("picture")) return;
  event.preventDefault();
  take(file);
});

for (const name of ["dragover", "drop"]) document.addEventListener(name, (event) => {
  if (!element.isConnected || !takes("picture") || !event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  if (name === "drop") take(event.dataTransfer.files[0]);
});

/* What another generator made: the view offers it to those that take a picture. */

/* What a link needs to make that picture again; null where a picture of the visitor's own is in it. */
function sourceOf(given) {
  if (!given?.generator) return null;
  const choice = choices.find((each) => nameOf(each) === nameOf(given));
  if (!choice) return null;
  const before = state.choice === choice ? state.picture : null;
  if (given.pictured && !before?.source) return null;
  const prompt = given.prompt ?? given.text ?? "";
  const parts = {
    prompt: prompt || null,
    seed: prompt && choice.takes.includes("seed") ? null : given.seed,
    settings: unusual(choice, given.settings),
    edits: given.edits,
    hidden: given.hidden,
    code: given.code,
    without: given.without ?? given.attention === false ? true : null,
    source: given.pictured ? before.source : null,
  };
  const said = Object.entries(parts).filter(([, part]) => part !== null && part !== undefined && (typeof part !== "object" || Object.keys(part).length));
  return { generator: choice.generator, variant: choice.variant, ...Object.fromEntries(said) };
}

window.attentionLab = Object.assign(window.attentionLab ?? {}, {
  reword,
  takers: (source) => choices
    .filter((each) => each.takes.includes("picture") && nameOf(each) !== source)
    .sort((a, b) => (b.produces === "text") - (a.produces === "text")) // any picture can be described
    .map((each) => ({ target: nameOf(each), label: each.title, produces: each.produces })),
  send(url, target, given) {
    const choice = choices.find((each) => nameOf(each) === target);
    if (!choice?.takes.includes("picture")) return;
    const example = !given?.pictured && state.example === window.attentionLab.state?.().run && state.example;
    const source = example ? { example } : sourceOf(given);
    select(choice);
    choose(source ? { url, source } : { url, own: true });
  },
});
