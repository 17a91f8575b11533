// What the view knows of the runs: messages in, rows of weights out. Touches no DOM.
// Letters: H heads, Q queries, K keys. A weight p travels as u = round(255·√p).

const SQUARE = Float32Array.from({ length: 256 }, (_, u) => (u / 255) ** 2);

function bytesOf(base64) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
  const raw = atob(base64);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Bytes as they came, unpacked when they are needed: load() returns a promise of that, null where there is nothing to wait for.
class Block {
  constructor({ data, packed }) { Object.assign(this, { data, packed, bytes: null }); }

  load() {
    if (!this.bytes && this.packed === undefined) this.bytes = bytesOf(this.data || "");
    if (this.bytes) return null;
    return (this.loading ||= inflate(bytesOf(this.packed)).then((bytes) => { this.bytes = bytes; this.packed = ""; }));
  }
}

// Fills in what a message leaves out: steps are numbered, choices found, maps named by those of the step before and given their bytes.
function complete(message, before, prompt) {
  if (!message.steps?.length) return message;
  const apart = message.apart && message.apart.map((each) => new Block(each)), all = new Block(message);
  let at = 0, count = 0;
  message.steps.forEach((step, place) => {
    step.i = message.first + place;
    if (typeof step.chosen === "number") step.chosen = step.cand[step.chosen - 1];
    if (typeof step.maps === "number") step.maps = before.maps.map((_, as) => ({ as, first: step.maps }));
    for (const map of step.maps || []) {
      if (map.as !== undefined) { const { kind, layer, h } = before.maps[map.as]; Object.assign(map, { kind, layer, h }); }
      map.q ??= 1;
      map.k ??= map.kind === "self" ? map.first + map.q : prompt;
      map.part = apart ? new Part(map, apart[count++], 0) : new Part(map, all, at);
      at += map.part.size;
    }
    before = step;
  });
  return message;
}

// The rows that one step brought to one map, where they stand in the bytes of their message.
class Part {
  constructor({ h: heads, mean, q, k, first, ragged, top, used }, block, at) {
    const h = mean ? 1 : heads;
    Object.assign(this, { block, at, h, q, top, keys: k, used: used ? bytesOf(used) : null });
    this.lengths = Array.from({ length: q }, (_, row) => (ragged ? Math.min(first + row + 1, k) : k));
    this.starts = [];
    this.total = 0; // bytes of one head
    for (const length of this.lengths) { this.starts.push(this.total); this.total += top === undefined ? length : top + 1; }
    this.size = h * this.total + (top === undefined ? 0 : 2 * h * q * top);
  }

  get bytes() { return this.block.bytes; }

  // Calls with each key of a row and the byte of its weight; returns the byte of all others.
  each(head, row, call) {
    const { bytes } = this, start = this.at + head * this.total + this.starts[row];
    if (this.top === undefined) {
      const length = this.lengths[row];
      for (let k = 0; k < length; k++) call(k, bytes[start + k]);
      return 0;
    }
    const low = this.at + this.h * this.total + (head * this.q + row) * this.top, high = low + this.h * this.q * this.top;
    for (let i = 0, place = 0; i < this.top; i++) { // the strongest keys in order, each by its distance from the one before
      place += bytes[low + i] + 256 * bytes[high + i];
      call(place, bytes[start + i]);
    }
    return bytes[start + this.top];
  }

  // Adds a row's weights to `out`, or raises them to it; returns the weight of all others.
  into(out, head, row, highest) {
    const { bytes } = this;
    const start = this.at + head * this.total + this.starts[row];
    if (this.top === undefined) {
      const length = this.lengths[row];
      if (highest) for (let k = 0; k < length; k++) { const weight = SQUARE[bytes[start + k]]; if (weight > out[k]) out[k] = weight; }
      else for (let k = 0; k < length; k++) out[k] += SQUARE[bytes[start + k]];
      return 0;
    }
    return SQUARE[this.each(head, row, (k, byte) => { out[k] = highest ? Math.max(out[k], SQUARE[byte]) : out[k] + SQUARE[byte]; })];
  }
}

const HEADS_KEPT = 8; // heads of a map whose rows stay unpacked

// All rows of one kind and layer, gathered from the steps. A row is a Float32Array of weights by key; `rest`: the sum of those that
// were not kept, 0 where all were.
class WeightMap {
  constructor(kind, layer, heads) {
    Object.assign(this, { kind, layer, heads, id: `${kind}:${layer}`, queryAxis: null, keyAxis: null, keys: 0, version: 0 });
    this.places = []; // by query position: { part, row }
    this.cache = new Map(); // head → rows
  }

  get queries() { return this.places.length; }

  add(sent) {
    const { h, q, k, first, part } = sent;
    this.name(sent);
    this.keys = Math.max(this.keys, k);
    for (let row = 0; row < q; row++) {
      this.places[first + row] = { part, row };
      for (const rows of this.cache.values()) delete rows[first + row];
    }
    this.heads = h;
    this.version++;
  }

  name({ query, key }) {
    if (query && !query.same) this.queryAxis = query;
    if (key && !key.same) this.keyAxis = key;
  }

  get parts() { return this.places.map((place) => place.part); }

  // Weights of one query under one head, the mean ("mean") or the highest ("max") of all; null if there is no such row.
  row(head, position) {
    let rows = this.cache.get(head);
    if (!rows) {
      if (this.cache.size >= HEADS_KEPT) this.cache.delete(this.cache.keys().next().value);
      this.cache.set(head, (rows = []));
    }
    return rows[position] || (rows[position] = this.read(head, position));
  }

  read(head, position) {
    const place = this.places[position];
    if (!place || !place.part.bytes) return null;
    const { part, row } = place;
    const out = new Float32Array(part.lengths[row]);
    out.rest = 0;
    if (typeof head === "number") { out.rest = part.into(out, head, row, false); return out; }
    const highest = head === "max";
    for (let h = 0; h < this.heads; h++) {
      const rest = part.into(out, h, row, highest);
      out.rest = highest ? Math.max(out.rest, rest) : out.rest + rest;
    }
    if (highest) return out;
    for (let k = 0; k < out.length; k++) out[k] /= this.heads;
    out.rest /= this.heads;
    return out;
  }

  // The last rows of a head as size × size bytes, each the highest of the cells it stands for and relative to its row; causal cells that
  // are not there are 0. Reads the bytes as they came: of many heads and long rows only this is drawn.
  small(head, size, window) {
    const rows = Math.min(window, this.queries), from = this.queries - rows, columns = Math.min(this.keys, Math.max(rows, 1));
    const first = this.keys > this.queries ? 0 : from; // keys of another axis are shown from the start
    const spread = this.keys > this.queries ? this.keys : columns;
    const out = new Uint8Array(size * size);
    const line = new Uint8Array(size);
    for (let r = 0; r < size; r++) {
      const position = from + Math.min(rows - 1, Math.floor(((r + 0.5) * rows) / size)), place = this.places[position];
      if (!place?.part.bytes) continue;
      line.fill(0);
      let top = 1;
      place.part.each(head, place.row, (k, byte) => {
        if (k < first) return;
        const column = Math.floor(((k - first) * size) / spread);
        if (column < size && byte > line[column]) { line[column] = byte; if (byte > top) top = byte; }
      });
      for (let c = 0; c < size; c++) out[r * size + c] = (255 * line[c]) / top;
    }
    return out;
  }

  // Whether the weighted sum of this query was used (an edit may have switched it off).
  used(head, position) {
    const place = this.places[position];
    if (!place || !place.part.used) return true;
    const at = (h) => { const bit = h * place.part.q + place.row; return (place.part.used[bit >> 3] >> (7 - (bit & 7))) & 1; };
    if (typeof head === "number") return at(head) === 1;
    for (let h = 0; h < this.heads; h++) if (at(h)) return true;
    return false;
  }
}

// Attention rolled out from one query through all layers to the tokens: in each layer half stays where it is, half follows the mean of
// the heads; what is not known of a long row goes to the rest (Abnar and Zuidema 2020, section 3).
function rollout(layers, position) {
  let row = new Float32Array(position + 1);
  row[position] = 1;
  let rest = 0;
  for (let i = layers.length - 1; i >= 0; i--) {
    const next = new Float32Array(position + 1);
    for (let q = 0; q <= position; q++) {
      const share = row[q] / 2;
      if (share < 1e-7) continue;
      const looked = layers[i].row("mean", q);
      if (!looked) continue;
      next[q] += share;
      const length = Math.min(looked.length, position + 1);
      for (let k = 0; k < length; k++) next[k] += share * looked[k];
      rest += share * looked.rest;
    }
    row = next;
  }
  row.rest = rest;
  return row;
}

function loaded(parts) {
  const waiting = [...new Set(parts.map((part) => part.block))].map((block) => block.load()).filter(Boolean);
  return waiting.length ? Promise.all(waiting) : null;
}

// One run: what has come of it, and how much of that is painted.
class Run {
  constructor(id) {
    Object.assign(this, { id, head: null, steps: [], tokens: [], prompt: 0, maps: new Map(), done: false, shown: 0, kind: null });
    this.stepOf = []; // by chosen token: its step
    this.pictures = []; // by step: { url, image }
    this.source = null; // the picture that it was made from: { url, image }
    this.sources = []; // by step, of a picture that forms: what the step was given
    this.regions = []; // where the things are that its words name
    this.unknown = []; // [text, offers] of what it does not know
    this.facts = {};
    this.details = new Map(); // query, of a picture that forms "step@query" → details
  }

  // Which stage shows it: what looks at what.
  get stage() {
    const { produces, accepts = [], prompt = [], request } = this.head ?? {};
    const worded = prompt.length > 0 || request?.settings?.steps !== undefined; // its words are keys; before the first step: it has steps
    if (produces === "picture") return accepts.includes("text") && worded ? "painting" : "grid";
    return produces === "text" && accepts.includes("picture") ? "telling" : "text";
  }

  get order() { return [...this.maps.values()]; }
  get seed() { return this.facts.seed ?? this.head?.seed ?? 0; }
  get hidden() { return new Set(this.head?.request?.hidden || []); } // cells of the source that were rubbed out
  get isPainting() { return this.stage === "painting"; }
  get isTelling() { return this.stage === "telling"; }
  get isGrid() { return this.stage === "grid"; }
  get isPictured() { return this.stage !== "text"; } // a picture stands on its stage
  get isPicture() { return this.head ? this.head.produces === "picture" : this.pictures.length > 0; }
  // Whether it reads one text and writes another: its stage has two axes.
  get paired() { return !this.isPicture && (this.head?.pin?.kind === "cross" || this.maps.has("cross:0")); }
  // Layers whose maps can be rolled out: all of them map one axis to itself.
  get stack() {
    const maps = this.order;
    return !this.paired && !this.isPicture && maps.length > 1 && maps.every((map) => map.kind === "self") ? maps.sort((a, b) => a.layer - b.layer) : [];
  }

  // Reads a message, and unpacks of it what the map of that id needs, or the first; a promise where that takes its time.
  open(message, id) {
    if (message.head) this.head = { ...(this.head || {}), ...message.head };
    complete(message, this.steps[message.first - 1], this.head?.prompt?.length ?? 0);
    const maps = message.steps.flatMap((step) => step.maps || []);
    const wanted = maps.filter((map) => this.isPainting || `${map.kind}:${map.layer}` === id);
    return loaded((wanted.length || !maps.length ? wanted : [maps[0]]).map((map) => map.part));
  }

  // Unpacks all rows of these maps; null where they are.
  unpack(maps) { return loaded(maps.flatMap((map) => map.parts)); }

  // Takes maps of one step, or averaged over all (null), with all their heads; they say their axes themselves.
  async join({ step, maps, ...bytes }) {
    const block = new Block(bytes.apart ? {} : bytes), apart = bytes.apart?.map((each) => new Block(each));
    let at = 0;
    const parts = maps.map((sent, i) => {
      sent.q ??= 1;
      sent.k ??= sent.first + sent.q;
      const part = new Part(sent, apart ? apart[i] : block, apart ? 0 : at);
      at += part.size;
      return part;
    });
    await loaded(parts);
    maps.forEach((sent, i) => this.mapOf(sent).add({ ...sent, part: parts[i] }, step ?? "mean"));
  }

  mapOf({ kind, layer, h }) {
    const id = `${kind}:${layer}`;
    if (!this.maps.has(id)) this.maps.set(id, new (this.isPainting ? StepMap : WeightMap)(kind, layer, h));
    return this.maps.get(id);
  }

  take(message) {
    if (message.head) this.head = { ...(this.head || {}), ...message.head };
    for (const step of message.steps) if (step.i === this.steps.length) this.steps.push(step);
    if (message.done && message.first + message.steps.length <= this.steps.length) this.done = true;
  }

  // Makes the next step visible: its tokens, rows and picture become part of what is painted.
  show() {
    const step = this.steps[this.shown];
    if (this.shown === 0) {
      this.tokens = [...(this.head.prompt || [])];
      this.prompt = this.tokens.length;
    }
    for (const sent of step.maps || []) this.mapOf(sent).add(sent, this.shown);
    if (step.chosen) { this.tokens.push(step.chosen[1]); this.stepOf.push(this.shown); }
    if (step.source && this.isPainting) this.sources[this.shown] = { url: step.source };
    else if (step.source) this.source = { url: step.source };
    if (step.regions) this.regions = step.regions.map((region) => new Silhouette(region));
    if (step.unknown) this.unknown = step.unknown;
    if (step.picture) this.pictures[this.shown] = { url: step.picture };
    if (step.facts) Object.assign(this.facts, step.facts);
    this.keep(step.detail || [], this.shown);
    this.shown++;
  }

  keep(details, step) {
    for (const detail of details) {
      const name = this.detailName(detail.query, step);
      this.details.set(name, [...(this.details.get(name) || []), detail]);
    }
  }

  detailName(query, step) { return this.isPainting ? `${step}@${query}` : query; }

  // ---- how the rows and keys of the map that is shown (`kind`) stand to the words: a word is a position in `tokens` ----

  // Of one text the row that chose a word is that of the word before; rows of the prompt chose nothing. Of two texts "cross" rows belong to
  // the word they chose and look at the source, "encoder" rows and keys are the source's, and "self" looks back over what was written,
  // from a mark of the start on.
  rowOf(word) {
    if (!this.paired) return word < this.prompt || word === 0 ? word : word - 1;
    if (this.kind === "encoder") return word < this.prompt ? word : -1;
    return word < this.prompt ? -1 : word - this.prompt;
  }

  wordOf(row) {
    if (!this.paired) return row >= this.prompt - 1 && row + 1 < this.tokens.length ? row + 1 : row;
    return this.kind === "encoder" ? row : this.prompt + row;
  }

  keyOf(word) {
    if (!this.paired) return word;
    if (this.kind === "self") return word < this.prompt ? -1 : word - this.prompt + 1;
    return word < this.prompt ? word : -1;
  }

  wordOfKey(key) {
    if (!this.paired || this.kind !== "self") return key;
    return key === 0 ? null : this.prompt + key - 1;
  }

  // The word that a row chose; null for rows that only read.
  chosenBy(row) {
    if (this.paired && this.kind === "encoder") return null;
    const word = this.paired ? this.prompt + row : row >= this.prompt - 1 ? row + 1 : -1;
    return word >= 0 && word < this.tokens.length ? word : null;
  }

  choiceOf(row) {
    const word = this.chosenBy(row);
    return word === null ? null : this.stepOf[word - this.prompt] ?? null;
  }
}

// What a head measurably does over the rows of a run on one axis of tokens: shares of its weight.
function habitsOfTokens(map, head, rowAt = (position) => map.row(head, position)) {
  let before = 0, first = 0, itself = 0, distance = 0, counted = 0;
  const stride = Math.max(1, Math.floor(map.queries / 256)); // of a very long run some rows tell enough
  for (let p = 2; p < map.queries; p += stride) {
    const row = rowAt(p);
    if (!row || row.length !== p + 1) continue;
    counted++;
    before += row[p - 1];
    first += row[0];
    itself += row[p];
    let far = 0, sum = 0;
    for (let k = 0; k < row.length; k++) { far += row[k] * (p - k); sum += row[k]; }
    distance += sum ? far / sum : 0;
  }
  if (!counted) return null;
  const shares = [["before", before / counted], ["first", first / counted], ["itself", itself / counted]].sort((a, b) => b[1] - a[1]);
  return { name: shares[0][0], share: shares[0][1], distance: distance / counted, shares };
}

// The same for cells that look at cells: mean distance in widths of the picture, weight on keys of the query's own colour;
// and what both would be if all keys counted alike.
function habitsOfCells(map, head, colours) {
  const [qh, qw] = map.queryAxis.grid, [kh, kw] = map.keyAxis.grid;
  let distance = 0, far = 0, alike = 0, chance = 0, sum = 0;
  const stride = Math.max(1, Math.floor(map.queries / 256));
  for (let q = 0; q < map.queries; q += stride) {
    const row = map.row(head, q);
    if (!row) continue;
    const y = (Math.floor(q / qw) + 0.5) / qh, x = ((q % qw) + 0.5) / qw;
    let near = 0;
    for (let k = 0; k < row.length; k++) {
      const ky = (Math.floor(k / kw) + 0.5) / kh, kx = ((k % kw) + 0.5) / kw;
      const away = Math.sqrt((y - ky) ** 2 + (x - kx) ** 2); // a tenth of the time of Math.hypot, as below
      distance += row[k] * away;
      far += away / row.length;
      sum += row[k];
      if (colours && colourDistance(colours.query, q, colours.key, k) < 40) { alike += row[k]; near++; }
    }
    chance += near / row.length;
  }
  if (!sum) return null;
  const rows = Math.ceil(map.queries / stride);
  return { distance: distance / sum, far: far / rows, alike: colours ? alike / sum : null, chance: colours ? chance / rows : null };
}

function colourDistance(a, i, b, k) {
  return Math.sqrt((a[3 * i] - b[3 * k]) ** 2 + (a[3 * i + 1] - b[3 * k + 1]) ** 2 + (a[3 * i + 2] - b[3 * k + 2]) ** 2);
}

// Maps by kind, layers in order.
function byKind(maps) {
  const kinds = new Map();
  for (const map of maps) kinds.set(map.kind, [...(kinds.get(map.kind) || []), map].sort((a, b) => a.layer - b.layer));
  return [...kinds.values()];
}

// All that was not kept of a long row, as one key.
const OTHERS = -1;
const shareOf = (row, key) => (key === OTHERS ? row.rest : row[key]);

// Positions of the highest weights, highest first, the others of a long row among them.
function topShares(row, count) {
  const best = topKeys(row, count);
  if (!row.rest) return best;
  const at = best.findIndex((key) => row[key] < row.rest);
  best.splice(at < 0 ? best.length : at, 0, OTHERS);
  return best.slice(0, count);
}

// Positions of the highest weights, highest first.
function topKeys(weights, count) {
  const best = [];
  for (let k = 0; k < weights.length; k++) {
    const weight = weights[k];
    if (best.length === count && weight <= weights[best[count - 1]]) continue;
    let at = best.length;
    while (at > 0 && weights[best[at - 1]] < weight) at--;
    best.splice(at, 0, k);
    if (best.length > count) best.pop();
  }
  return best.filter((k) => weights[k] > 0);
}
