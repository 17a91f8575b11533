// Maps that every step computes anew, of a picture that forms. Of each step the mean of its heads is known, of some all heads; `moment`
// is the step that is read, or "mean": averaged over all.

const MATRICES = 96; // kept unpacked

class StepMap extends WeightMap {
  constructor(kind, layer, heads) {
    super(kind, layer, heads);
    Object.assign(this, { means: [], wholes: new Map(), matrices: new Map(), moment: 0 });
  }

  get queries() { return this.queryAxis ? this.queryAxis.grid[0] * this.queryAxis.grid[1] : 0; }
  get parts() { return [...this.means.filter(Boolean), ...this.wholes.values()]; }
  get steps() { return [...new Set([...this.means.keys(), ...this.wholes.keys()])].filter((step) => step !== "mean" && (this.means[step] || this.wholes.has(step))); }

  add(sent, moment) {
    this.name(sent);
    Object.assign(this, { heads: sent.h, keys: sent.k });
    if (sent.mean) this.means[moment] = sent.part; else this.wholes.set(moment, sent.part);
    for (const name of [...this.matrices.keys()]) if (name.endsWith(`@${moment}`) || name.endsWith("@mean")) this.matrices.delete(name);
    this.version++;
  }

  // (Q, K) weights in one array, row by row; null where that head's are not here.
  matrix(head = "mean", moment = this.moment) {
    const name = `${head}@${moment}`;
    if (!this.matrices.has(name)) {
      const made = this.gather(head, moment);
      if (!made) return null;
      if (this.matrices.size >= MATRICES) this.matrices.delete(this.matrices.keys().next().value);
      this.matrices.set(name, made);
    }
    return this.matrices.get(name);
  }

  gather(head, moment) {
    const whole = this.wholes.get(moment);
    if (whole?.bytes) return this.unpacked(whole, typeof head === "number" ? [head] : [...Array(whole.h).keys()], head === "max");
    if (head !== "mean") return null;
    if (moment !== "mean") return this.means[moment]?.bytes ? this.unpacked(this.means[moment], [0]) : null;
    const steps = this.steps.map((step) => this.matrix("mean", step)).filter(Boolean);
    if (!steps.length) return null;
    const out = new Float32Array(steps[0].length);
    for (const each of steps) for (let i = 0; i < out.length; i++) out[i] += each[i] / steps.length;
    return out;
  }

  unpacked({ bytes, at, total }, heads, highest = false) {
    const out = new Float32Array(total);
    for (const head of heads) {
      const start = at + head * total;
      for (let i = 0; i < total; i++) {
        const weight = SQUARE[bytes[start + i]];
        if (!highest) out[i] += weight / heads.length;
        else if (weight > out[i]) out[i] = weight;
      }
    }
    return out;
  }

  // Whether the head can be read at this moment; until it has come the mean stands for it.
  has(head, moment = this.moment) { return this.matrix(head, moment) !== null; }

  read(head, position) {
    const matrix = this.matrix(head) || this.matrix("mean");
    if (!matrix || position >= this.queries) return null;
    const row = matrix.slice(position * this.keys, (position + 1) * this.keys);
    row.rest = 0;
    return row;
  }

  row(head, position) { return this.read(head, position); }

  // The weights of one key over all queries: where a word is looked at from.
  column(head, key) {
    const matrix = this.matrix(head) || this.matrix("mean"), out = new Float32Array(this.queries);
    if (matrix) for (let q = 0; q < out.length; q++) out[q] = matrix[q * this.keys + key];
    return out;
  }

  // The highest weight of all: one scale for all words.
  top(head) {
    const matrix = this.matrix(head) || this.matrix("mean");
    let top = 0;
    if (matrix) for (const weight of matrix) if (weight > top) top = weight;
    return top || 1;
  }

  used(head, position) {
    const part = this.wholes.get(this.moment) || this.means[this.moment];
    if (!part?.used) return true;
    const lit = (h) => { const bit = h * part.q + position; return ((part.used[bit >> 3] >> (7 - (bit & 7))) & 1) === 1; };
    return typeof head === "number" ? lit(head) : [...Array(this.heads).keys()].some(lit);
  }
}
