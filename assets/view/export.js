// PNG and SVG of what is on screen, with title, axes, scale, generator and seed. Drawn here, from the numbers that are shown.

const xml = (text) => String(text).replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, "").replace(/[<>&"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
const MARGIN = 40;

class Figure {
  constructor(width) {
    this.width = width;
    this.y = MARGIN;
    this.parts = [];
  }

  put(part) { this.parts.push(part); }

  text(text, x, y, { size = 14, fill: colour = theme.ink, weight = 400, anchor = "start" } = {}) {
    this.put(`<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" font-size="${size}" fill="${colour}" font-weight="${weight}" text-anchor="${anchor}" xml:space="preserve">${xml(text)}</text>`);
  }

  rect(x, y, w, hh, colour, radius = 0, opacity = 1) {
    this.put(`<rect x="${x.toFixed(1)}" y="${y.toFixed(1)}" width="${Math.max(0, w).toFixed(1)}" height="${Math.max(0, hh).toFixed(1)}" rx="${radius}" fill="${colour}" opacity="${opacity}"/>`);
  }

  canvas(canvas, x, y, w, hh) {
    if (canvas.width > 1) this.put(`<image x="${x}" y="${y}" width="${w}" height="${hh}" href="${canvas.toDataURL("image/png")}"/>`);
  }

  // Text broken into lines by its measured width; Chinese may break anywhere.
  paragraph(text, { size = 16, fill: colour = theme.ink, weight = 400, x = MARGIN, width = this.width - 2 * MARGIN } = {}) {
    const pen = scratch.getContext("2d");
    pen.font = `${weight} ${size}px ${SYSTEM}`;
    let line = "";
    const flush = () => { this.y += size * 1.45; this.text(line.trim(), x, this.y, { size, fill: colour, weight }); line = ""; };
    for (const piece of text.match(/[\u3000-\u9fff\uff00-\uffef]|[^\s\u3000-\u9fff\uff00-\uffef]+\s*|\s+/g) || []) {
      if (line && pen.measureText(line + piece).width > width) flush();
      line += piece;
    }
    if (line) flush();
  }

  svg() {
    const height = Math.ceil(this.y + MARGIN);
    return `<svg xmlns="http://www.w3.org/2000/svg" width="${this.width}" height="${height}" viewBox="0 0 ${this.width} ${height}" font-family="${xml(SYSTEM)}">`
      + `<rect width="100%" height="100%" fill="${theme.ground}"/>${this.parts.join("")}</svg>`;
  }
}

function drawFigure(view) {
  const { run, state, look } = view;
  const text = run && !run.isPicture;
  const figure = new Figure(Math.max(960, Math.round((text ? view.text.width : 880) + 2 * MARGIN)));
  if (!run) return figure.svg();
  figure.paragraph(view.title(), { size: 20, weight: 600 });
  figure.y += 18;
  if (run.isPainting) drawPainting(figure, view);
  else if (run.isTelling) drawTelling(figure, view);
  else if (text) drawText(figure, view);
  else drawPictures(figure, view);
  figure.y += 10;
  if (look) {
    figure.paragraph(view.sentenceText(), { size: 16 });
    figure.y += 24;
    drawComponents(figure, view);
    drawScale(figure, view);
  }
  figure.paragraph(view.provenance(), { size: 12, fill: theme.soft });
  return figure.svg();
}

function drawText(figure, view) {
  const { text: stage, look, run } = view;
  const style = getComputedStyle(stage.strips ? stage.strips[0] : stage.flow);
  const size = parseFloat(style.fontSize);
  const [x0, y0] = [MARGIN, figure.y];
  const shares = new Map(look ? look.weights : []);
  const { tints, inks, strong } = inksOf(look);
  let bottom = 0;
  const labels = [];
  run.tokens.slice(0, stage.boxes.length).forEach((label, word) => {
    const boxed = look && look.boxed.includes(word);
    const share = shares.has(word) ? level(shares.get(word), look.top) : 0;
    for (const box of stage.boxes[word]) {
      bottom = Math.max(bottom, box.y + box.h);
      const [x, y] = [x0 + box.x, y0 + box.y];
      if (boxed) figure.rect(x - 3, y, box.w + 6, box.h, look.reverse ? theme.key : theme.query, 5);
      else if (share >= 0.03) {
        figure.rect(x - 2, y, box.w + 4, box.h, tints[Math.round(LEVELS * share * 0.92)], 4);
        figure.rect(x - 1, y + box.h + 0.5, box.w + 2, Math.max(0.75, 4.5 * share), strong);
      }
    }
    const [box] = stage.boxes[word];
    const colour = boxed ? theme.onQuery : inks[Math.round(LEVELS * share * 0.92)] ?? (word < run.prompt && !run.paired && share < 0.25 ? theme.soft : theme.ink);
    const own = isMark(label) ? Math.min(size, box ? box.h * 0.75 : size) : size; // marks are written small, as on the page
    if (box && label.trim()) labels.push(() => figure.text(label.trim(), x0 + box.x, y0 + box.y + box.h * 0.77, { size: own, fill: colour }));
  });
  if (look) {
    const from = (stage.boxes[look.boxed[0]] || [])[0];
    for (const [word, weight] of from ? look.arcs : []) {
      const to = (stage.boxes[word] || [])[0];
      if (!to || word === look.boxed[0]) continue;
      const c = stage.between(look.boxed[0], word, { x: x0, y: y0 });
      const points = [[c.x1, c.y1], c.c1, c.c2, [c.x2, c.y2]].map((point) => point.map((n) => n.toFixed(1)).join(" "));
      figure.put(`<path d="M${points[0]} C${points.slice(1).join(", ")}" fill="none" stroke="${strong}" stroke-width="${(1 + 2 * level(weight, look.top)).toFixed(2)}" opacity="${(0.3 + 0.55 * level(weight, look.top)).toFixed(2)}"/>`);
    }
  }
  for (const label of labels) label();
  figure.y = y0 + bottom + 16;
}

function drawPictures(figure, view) {
  const panes = view.grid.panes.filter((pane) => !pane.element.hidden), gap = 24, top = figure.y;
  const side = Math.min(320, (figure.width - 2 * MARGIN - (panes.length - 1) * gap) / panes.length);
  const feet = panes.map((pane, i) => {
    const x = MARGIN + i * (side + gap);
    figure.canvas(pane.canvas, x, top, side, side);
    figure.y = top + side;
    figure.paragraph(pane.caption.textContent, { size: 13, fill: theme.soft, x, width: side });
    return figure.y;
  });
  figure.y = Math.max(...feet) + 10;
}

// Words of a picture as keys, tinted; returns nothing, the figure stands below them.
function drawKeys(figure, { run, look }) {
  const pen = scratch.getContext("2d"), { tints, inks } = inksOf(null);
  pen.font = `20px ${SYSTEM}`;
  let x = MARGIN;
  run.tokens.forEach((token, word) => {
    const label = bare(token), weight = look && !look.keyGrid ? look.row[word] || 0 : 0, share = weight ? level(weight, look.top) : 0, tint = Math.round(LEVELS * share * 0.92);
    const told = weight ? percent(weight) : "", wide = pen.measureText(label).width + (told ? 58 : 20);
    if (x + wide > figure.width - MARGIN) { x = MARGIN; figure.y += 42; }
    figure.rect(x, figure.y, wide, 34, share >= 0.03 ? tints[tint] : theme.ground, 7);
    figure.rect(x, figure.y + 31, wide * share, 3, theme.key);
    figure.text(label, x + 10, figure.y + 23, { size: 20, fill: inks[tint] ?? theme.ink });
    figure.text(told, x + wide - 8, figure.y + 22, { size: 12, fill: inks[tint] ?? theme.ink, anchor: "end" });
    x += wide + 8;
  });
  figure.y += 48;
}

function drawPainting(figure, view) {
  const { painting: stage } = view, top = (drawKeys(figure, view), figure.y), side = 300;
  let x = MARGIN;
  for (const pane of [stage.before, stage.now].filter((each) => !each.element.hidden)) {
    figure.canvas(pane.canvas, x, top, side, side);
    figure.text(pane.caption.textContent, x, top + side + 18, { size: 13, fill: theme.soft });
    x += side + 24;
  }
  const size = 92, left = x;
  let y = top;
  for (const tile of stage.right.hidden ? [] : stage.tiles.children) {
    if (x + size > figure.width - MARGIN) { x = left; y += size + 28; }
    figure.canvas(tile.firstChild, x, y, size, size);
    figure.text(tile.textContent.slice(0, 15), x, y + size + 15, { size: 12, fill: theme.soft });
    x += size + 10;
  }
  figure.y = Math.max(top + side + 24, y + size + 28);
  figure.paragraph(stage.moments.slider.getAttribute("aria-valuetext") ?? "", { size: 13, fill: theme.soft });
}

function drawTelling(figure, view) {
  const { telling: stage } = view, top = figure.y, side = 300, size = 100, left = MARGIN + side + 28;
  figure.canvas(stage.pane.canvas, MARGIN, top, side, side);
  figure.text(stage.pane.caption.textContent, MARGIN, top + side + 18, { size: 13, fill: theme.soft });
  let x = left, y = top;
  for (const frame of stage.frames) {
    if (x + size > figure.width - MARGIN) { x = left; y += size + 50; }
    figure.text(frame.firstChild.textContent, x, y + 14, { size: 15, weight: frame.classList.contains("av-shown") ? 600 : 400 });
    figure.canvas(frame.children[1], x, y + 20, size, size);
    figure.text(frame.children[2]?.textContent ?? "", x, y + size + 35, { size: 12, fill: theme.soft });
    x += size + 14;
  }
  figure.y = Math.max(top + side + 24, y + size + 46);
}

function drawComponents(figure, view) {
  const { components, mapPanel, sizes, run } = view;
  const y = figure.y;
  let x = MARGIN;
  if (run.paired && !run.isTelling) { // its axes are named
    figure.canvas(mapPanel.base, x, y, sizes.map, sizes.map);
    figure.canvas(mapPanel.over, x, y, sizes.map, sizes.map);
    x += sizes.map + 24;
  } else if (run.stage === "text") {
    figure.text(t("axis_keys"), x + 14, y + 8, { size: 12, fill: theme.soft });
    figure.put(`<text transform="translate(${x + 8} ${y + 150}) rotate(-90)" font-size="12" fill="${theme.soft}">${xml(t("axis_queries"))}</text>`);
    figure.canvas(mapPanel.base, x + 14, y + 14, 140, 140);
    figure.canvas(mapPanel.over, x + 14, y + 14, 140, 140);
    x += 174;
  }
  const wide = (figure.width - MARGIN - x - 32) / 3;
  for (const name of ["scores", "weights", "context"]) {
    const part = components.parts[name];
    figure.text(`${t(name)}`, x, y + 8, { size: 13, weight: 600 });
    const tall = Math.min(112, (sizes.tall * wide) / sizes.strip);
    figure.canvas(part.canvas, x, y + 22, (tall * sizes.strip) / sizes.tall, tall);
    figure.text(part.stat.textContent, x, y + 40 + tall, { size: 12, fill: theme.soft });
    x += wide + 16;
  }
  figure.y = y + (run.paired && !run.isTelling ? Math.max(168, sizes.map + 16) : 168);
}

function drawScale(figure, view) {
  const { look, state: { relative } } = view;
  const top = relative ? look.top : 1, wide = 220, y = figure.y + 8;
  const { tints } = inksOf(look);
  figure.put(`<linearGradient id="scale">${tints.filter((_, i) => i % 8 === 0).map((colour, i, all) => `<stop offset="${i / (all.length - 1)}" stop-color="${colour}"/>`).join("")}</linearGradient>`);
  figure.rect(MARGIN, y, wide, 10, "url(#scale)");
  let last = Infinity;
  for (const share of ticksBelow(top).reverse()) {
    const x = MARGIN + wide * level(share, top);
    if (last - x < 36) continue;
    last = x;
    figure.text(tick(share), x, y + 25, { size: 12, fill: theme.soft, anchor: "middle" });
  }
  figure.text(t(!relative ? "scale_absolute" : view.run.isPainting && !look.keyGrid ? "scale_common" : "scale_relative", { top: percent(top) }), MARGIN + wide + 30, y + 10, { size: 12, fill: theme.soft });
  figure.y = y + 36;
}

async function rasterise(svg, scale = 2) {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  await image.decode();
  const canvas = h("canvas", { width: image.naturalWidth * scale, height: image.naturalHeight * scale });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

function save(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = h("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
