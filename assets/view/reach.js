// What a cell of a picture depends on where there is no attention: the receptive field, measured in the network itself (generators.reach).
// It lies over the second picture, where attention's map would lie.

const MIDDLE = 0.53; // of rows and columns: the cell that is asked about before one was chosen

class Receptive {
  constructor(stage) {
    Object.assign(this, { stage, grid: null, asking: null });
  }

  get view() { return this.stage.view; }

  // A picture from nothing, made by the twin.
  get offered() {
    const { run, map, sourced } = this.stage;
    return Boolean(server.reach && run && !map && !sourced && !run.head.attention && !run.series && run.done);
  }

  get known() { return (this.stage.run.reaches ||= new Map()); }

  // The cell that is pointed at, else pinned: here, or in the view beside this one.
  get cell() {
    const { state, echo, echoed } = this.view;
    const [rows, columns] = this.grid ?? [0, 0];
    return state.over?.cell ?? echoed?.cells[0] ?? state.pins[0] ?? echo?.cells[0] ?? Math.floor(rows * MIDDLE) * columns + Math.floor(columns * MIDDLE);
  }

  // The field of that cell; while it is on its way, that of the pinned one.
  get field() {
    if (!this.offered) return null;
    const { cell } = this;
    if (!this.known.has(cell)) this.ask(cell);
    return this.known.get(cell) ?? null;
  }

  async ask(cell) {
    if (this.asking !== null) return; // one at a time: the newest is asked when this one is there
    const { run } = this.stage, { known } = this;
    this.asking = cell;
    const answer = await server.reach({ run: run.id, query: cell }).catch(() => null);
    this.asking = null;
    const field = answer && answer.error === undefined ? { ...answer, cell, top: Math.max(...answer.shares) || 1 } : { cell, error: answer?.error ?? true };
    known.set(cell, field);
    if (field.grid) this.grid = field.grid;
    this.view.refresh();
  }

  // Dims what does not count, and frames what does.
  paint(pen, size, pane) {
    const { field } = this;
    if (!field?.shares) return;
    const [rows, columns] = field.grid, second = pane === this.stage.panes[1];
    if (second) shade(pen, field.shares, field.grid, field.top, size, this.view.state.smooth);
    const counting = field.shares.flatMap((share, cell) => (share > 0 ? [cell] : [])), ys = counting.map((cell) => Math.floor(cell / columns)), xs = counting.map((cell) => cell % columns);
    const [x, y] = [(Math.min(...xs) / columns) * size, (Math.min(...ys) / rows) * size];
    if (second) frame(pen, [x, y, ((Math.max(...xs) + 1) / columns) * size - x, ((Math.max(...ys) + 1) / rows) * size - y], theme.key);
    cross(pen, [((field.cell % columns) / columns) * size, (Math.floor(field.cell / columns) / rows) * size, second ? 0 : size / columns, second ? 0 : size / rows], theme.query, !second);
  }

  // In words; null where there is nothing to say.
  get sentence() {
    const { field } = this;
    if (!field) return null;
    if (!field.shares) return typeof field.error === "object" ? words(field.error) : null;
    const [tall, wide] = field.box;
    return t(field.cells >= field.shares.length ? "reach_all" : "reach", { place: placeOn(field.grid, field.cell), cells: field.cells, all: field.shares.length, tall, wide });
  }
}
