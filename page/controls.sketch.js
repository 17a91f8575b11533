/* A small square canvas to draw a picture on, with mouse, pen or finger. */

const COLOURS = ["#1c1b18", "#f2c9a1", "#a5673f", "#6b4226", "#e6b422", "#d9502e", "#e58fb1", "#8a5ab5", "#3f7fc1", "#4d9a5b"];
const THICK = [1 / 42, 1 / 18, 1 / 8]; // of the canvas
const UNDOS = 24;

const sketch = { canvas: find(".sketch canvas"), colour: COLOURS[0], thick: THICK[1], erases: false, before: [], from: null, drawn: false };
const pen = sketch.canvas.getContext("2d", { willReadFrequently: true });

function blank(again = false) {
  if (sketch.drawn && !again) return;
  const side = FINER * (state.choice.size || 64);
  if (again) remember();
  if (sketch.canvas.width !== side) {
    Object.assign(sketch.canvas, { width: side, height: side });
    sketch.before = [];
  }
  pen.fillStyle = PAPER;
  pen.fillRect(0, 0, side, side);
  sketch.drawn = false;
  drawSketch();
}

function remember() {
  sketch.before.push(pen.getImageData(0, 0, sketch.canvas.width, sketch.canvas.height));
  if (sketch.before.length > UNDOS) sketch.before.shift();
}

function undo() {
  const before = sketch.before.pop();
  if (before) pen.putImageData(before, 0, 0);
  sketch.drawn = Boolean(sketch.before.length);
  drawSketch();
}

/* The chosen picture, to draw on. */
async function trace() {
  if (!state.picture?.url) return;
  const image = Object.assign(new Image(), { src: state.picture.url });
  await image.decode();
  remember();
  pen.imageSmoothingQuality = "high";
  pen.drawImage(image, 0, 0, sketch.canvas.width, sketch.canvas.height);
  sketch.drawn = true;
  drawSketch();
}

function stroke(event) {
  const box = sketch.canvas.getBoundingClientRect();
  const { width } = sketch.canvas;
  const points = event.getCoalescedEvents?.() ?? [];
  for (const { clientX, clientY } of points.length ? points : [event]) {
    const to = [((clientX - box.x) / box.width) * width, ((clientY - box.y) / box.height) * width];
    pen.strokeStyle = sketch.erases ? PAPER : sketch.colour;
    pen.lineWidth = sketch.thick * width;
    pen.lineCap = pen.lineJoin = "round";
    pen.beginPath();
    pen.moveTo(...(sketch.from ?? to));
    pen.lineTo(...to);
    pen.stroke();
    sketch.from = to;
  }
}

sketch.canvas.addEventListener("pointerdown", (event) => {
  if (event.button) return;
  event.preventDefault();
  sketch.canvas.setPointerCapture(event.pointerId);
  remember();
  sketch.from = null;
  sketch.drawn = true;
  stroke(event);
  drawSketch();
});
sketch.canvas.addEventListener("pointermove", (event) => { if (sketch.canvas.hasPointerCapture(event.pointerId)) stroke(event); });

function drawSketch() {
  const { colour, thick, erases, drawn, before } = sketch;
  const choice = (on, label, action, className, style = "") => {
    const made = button("", () => { action(); drawSketch(); find(`.${className}[aria-checked=true]`)?.focus(); }, { className, ariaLabel: label, tabIndex: on ? 0 : -1, title: label });
    made.setAttribute("role", "radio");
    made.setAttribute("aria-checked", String(on));
    made.style.cssText = style;
    return made;
  };
  find(".colours").replaceChildren(
    ...COLOURS.map((each, at) => choice(!erases && each === colour, `${text("colour")} ${at + 1}`, () => Object.assign(sketch, { colour: each, erases: false }), "colour", `background: ${each}`)),
    choice(erases, text("eraser"), () => { sketch.erases = true; }, "colour", `background: ${PAPER}`),
  );
  find(".thicks").replaceChildren(...THICK.map((each, at) => choice(each === thick, `${text("brush")} ${at + 1}`, () => { sketch.thick = each; }, "thick", `--thick: ${6 + 6 * at}px`)));
  find("[data-do=undo]").disabled = !before.length;
  find("[data-do=clear]").disabled = find("[data-do=use]").disabled = !drawn;
  find("[data-do=trace]").hidden = !state.picture?.url;
}
