// What the view knows of the runs: messages in, rows of weights out. Touches no DOM.
// Letters: H heads, Q queries, K keys. A weight p travels as u = round(255·√p).

const SQUARE = Float32Array.from({ length: 256 }, (_, u) => (u / 255) ** 2);

function bytesOf(base64) {
  const raw = atob(base64);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

async function inflate(base64) {
  const stream = new Blob([bytesOf(base64)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Fills in what a message leaves out; steps are numbered, choices found, maps named by those of the step before.
function complete(message, before) {
  (message.steps || []).forEach((step, at) => {
    step.i = message.first + at;
    if (typeof step.chosen === "number") step.chosen = step.cand[step.chosen - 1];
    for (const map of step.maps || []) {
      if (map.as !== undefined) { const { kind, layer, h } = before.maps[map.as]; Object.assign(map, { kind, layer, h }); }
      map.q ??= 1;
      map.k ??= map.first + map.q;
    }
    before = step;
  });
  return message;
}

// Unpacks the deflated maps of a message in place; returns null at once where there are none.
function unpack(message) {
  const packed = (message.steps || []).flatMap((step) => step.maps || []).filter((map) => map.packed);
  if (!packed.length) return null;
  return Promise.all(packed.map(async (map) => { map.bytes = await inflate(map.packed); delete map.packed; }));
}

// All rows of one kind and layer, gathered from the steps.
class WeightMap {
  constructor(kind, layer, heads) {
    Object.assign(this, { kind, layer, heads, id: `${kind}:${layer}`, queryAxis: null, keyAxis: null, keys: 0, version: 0 });
    this.places = []; // by query position: { part, row }
    this.cache = new Map(); // head → rows
  }

  get queries() { return this.places.length; }

  add(sent) {
    const { h, q, k, first } = sent;
    const bytes = sent.bytes || bytesOf(sent.data || "");
    const lengths = Array.from({ length: q }, (_, row) => (sent.ragged ? Math.min(first + row + 1, k) : k));
    const starts = [];
    let total = 0;
    for (const length of lengths) { starts.push(total); total += length; }
    const used = sent.used ? bytesOf(sent.used) : null;
    const part = { bytes, lengths, starts, total, used, q };
    if (sent.query) this.queryAxis = sent.query;
    if (sent.key && !sent.key.same) this.keyAxis = sent.key;
    this.keys = Math.max(this.keys, k);
    for (let row = 0; row < q; row++) {
      this.places[first + row] = { part, row };
      for (const rows of this.cache.values()) delete rows[first + row];
    }
    this.heads = h;
    this.version++;
  }

  // Weights of one query under one head, the mean ("mean") or the highest ("max") of all; null if there is no such row.
  row(head, position) {
    let rows = this.cache.get(head);
    if (!rows) this.cache.set(head, (rows = []));
    return rows[position] || (rows[position] = this.read(head, position));
  }

  read(head, position) {
    const place = this.places[position];
    if (!place) return null;
    const { bytes, lengths, starts, total } = place.part;
    const length = lengths[place.row];
    const out = new Float32Array(length);
    const mixed = head === "mean" || head === "max";
    for (let h = mixed ? 0 : head; h < (mixed ? this.heads : head + 1); h++) {
      const start = h * total + starts[place.row];
      for (let k = 0; k < length; k++) {
        const weight = SQUARE[bytes[start + k]];
        if (head === "max") { if (weight > out[k]) out[k] = weight; } else out[k] += weight;
      }
    }
    if (head === "mean") for (let k = 0; k < length; k++) out[k] /= this.heads;
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

// One run: what has come of it, and how much of that is painted.
class Run {
  constructor(id) {
    Object.assign(this, { id, head: null, steps: [], tokens: [], prompt: 0, maps: new Map(), done: false, shown: 0 });
    this.stepOf = []; // by chosen token: its step
    this.pictures = []; // by step: { url, image }
    this.facts = {};
    this.details = new Map(); // query → details
  }

  get order() { return [...this.maps.values()]; }
  get seed() { return this.facts.seed ?? this.head?.seed ?? 0; }
  get isPicture() { return this.head ? this.head.produces === "picture" : this.pictures.length > 0; }

  take(message) {
    if (message.head) this.head = { ...(this.head || {}), ...message.head };
    complete(message, this.steps[message.first - 1]);
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
    for (const sent of step.maps || []) {
      const id = `${sent.kind}:${sent.layer}`;
      if (!this.maps.has(id)) this.maps.set(id, new WeightMap(sent.kind, sent.layer, sent.h));
      this.maps.get(id).add(sent);
    }
    if (step.chosen) { this.tokens.push(step.chosen[1]); this.stepOf.push(this.shown); }
    if (step.picture) this.pictures[this.shown] = { url: step.picture };
    if (step.facts) Object.assign(this.facts, step.facts);
    for (const detail of step.detail || []) {
      const kept = this.details.get(detail.query) || [];
      this.details.set(detail.query, [...kept, detail]);
    }
    this.shown++;
  }

  // A word is a position in `tokens`; the row that chose it is that of the token before. Rows of the prompt chose nothing.
  rowOf(word) { return word < this.prompt || word === 0 ? word : word - 1; }
  wordOf(row) { return row >= this.prompt - 1 && row + 1 < this.tokens.length ? row + 1 : row; }
  choiceOf(row) { const chosen = row + 1 - this.prompt; return chosen >= 0 && chosen < this.stepOf.length ? this.stepOf[chosen] : null; }
}

// What a head measurably does over the rows of a run on one axis of tokens: shares of its weight.
function habitsOfTokens(map, head) {
  let before = 0, first = 0, itself = 0, distance = 0, counted = 0;
  for (let p = 2; p < map.queries; p++) {
    const row = map.row(head, p);
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
  return { name: shares[0][0], share: shares[0][1], distance: distance / counted };
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
      const away = Math.hypot(y - ky, x - kx);
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
  return Math.hypot(a[3 * i] - b[3 * k], a[3 * i + 1] - b[3 * k + 1], a[3 * i + 2] - b[3 * k + 2]);
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
