/* The address: all that repeats what is on the screen, but a picture of the visitor's own. */

const OURS = ["lang", "generator", "variant", "prompt", "seed", "settings", "edits", "forced", "without", "example", "source", "hidden", "code", "picture", "compare"];
const ASKS = ["prompt", "seed", "settings", "edits", "forced", "without", "source", "hidden", "code", "compare"]; // any of them asks for a run
const LONGEST_PROMPT = 4000; // characters that an address carries, from the end as generators read them
const LONGEST_LIST = 400; // chosen tokens that it carries
const LONGEST_EDITS = 8000; // characters of the edits that it carries

function query() {
  const params = new URLSearchParams({ lang: lab.language, generator: state.choice.generator, variant: state.choice.variant });
  if (state.example) {
    params.set("example", state.example.split("/").pop());
    return params;
  }
  const asked = request();
  if (asked.prompt) params.set("prompt", asked.prompt.slice(-LONGEST_PROMPT));
  if (!seeded() && takes("text")) params.set("seed", asked.seed || "0");
  const settings = unusual(state.choice, asked.settings);
  if (Object.keys(settings).length) params.set("settings", JSON.stringify(settings));
  const edits = JSON.stringify(asked.edits);
  if (asked.edits.length && edits.length <= LONGEST_EDITS) params.set("edits", edits);
  if (asked.forced.length && asked.forced.length <= LONGEST_LIST) params.set("forced", asked.forced.join(","));
  if (asked.without) params.set("without", "1");
  if (asked.source) params.set("source", JSON.stringify(asked.source));
  else if (asked.picture) params.set("picture", "own");
  if (asked.hidden?.length) params.set("hidden", spans(asked.hidden));
  if (Object.keys(asked.code ?? {}).length) params.set("code", JSON.stringify(asked.code));
  const compare = JSON.stringify(state.beside);
  if (state.beside && compare.length <= LONGEST_EDITS) params.set("compare", compare);
  return params;
}

/* Settings that are not at their defaults. */
function unusual(choice, settings) {
  const changed = choice.settings.filter(({ name, default: usual }) => (settings?.[name] ?? usual) !== usual);
  return Object.fromEntries(changed.map(({ name }) => [name, settings[name]]));
}

/* Numbers in order as "34-38,50": and back; null where they cannot be read. */
function spans(numbers) {
  const found = [];
  for (const number of numbers) {
    const last = found.at(-1);
    if (last && last[1] === number - 1) last[1] = number;
    else found.push([number, number]);
  }
  return found.map(([first, last]) => (first === last ? first : `${first}-${last}`)).join(",");
}

function unspan(written) {
  const found = [];
  for (const part of written.split(",").filter(Boolean)) {
    const [, first, last = first] = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(part) ?? [];
    if (first === undefined) return null;
    for (let number = Number(first); number <= Number(last); number++) found.push(number);
  }
  return found;
}

function address() {
  const before = new URLSearchParams(location.search);
  const params = query();
  const stays = OURS.every((name) => name === "lang" || before.get(name) === params.get(name));
  for (const [name, value] of before) {
    if (!OURS.includes(name) && (stays || name.startsWith("__") || name === "view")) params.set(name, value);
  }
  try {
    history.replaceState(history.state, "", `?${params}${location.hash}`);
  } catch { /* an address that is too long stays as it was */ }
}

function link() {
  const params = new URLSearchParams(location.search);
  const ours = query();
  for (const name of OURS) params.delete(name);
  for (const [name, value] of ours) params.set(name, value);
  const framed = window.self !== window.top && space;
  return `${framed ? `https://huggingface.co/spaces/${space}` : location.origin + location.pathname}?${params}`;
}

async function copy() {
  const url = link();
  const copied = () => (state.picture?.own ? text("copied_without_picture") : text("copied"));
  try {
    await navigator.clipboard.writeText(url);
    hint(copied);
  } catch {
    const field = document.createElement("textarea");
    field.value = url;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    hint(() => (done ? copied() : `${text("copy_by_hand")} ${url}`));
  }
}

/* A part that cannot be read is left out. */
function restore() {
  const params = new URLSearchParams(location.search);
  const wanted = ["generator", "variant"].map((name) => params.get(name));
  const found = choices.find((each) => (!wanted[0] || each.generator === wanted[0]) && (!wanted[1] || each.variant === wanted[1]));
  let broken = false;
  const read = (name, usual, right) => {
    if (!params.has(name)) return usual;
    try {
      const value = JSON.parse(params.get(name));
      if (right(value)) return value;
    } catch { /* said below */ }
    broken = true;
    return usual;
  };
  const named = (value) => value && typeof value === "object" && !Array.isArray(value);
  const forced = (params.get("forced") ?? "").split(",").filter(Boolean).map(Number);
  const hidden = unspan(params.get("hidden") ?? "");
  const given = {
    prompt: params.get("prompt") ?? "",
    seed: params.get("seed") ?? "",
    settings: read("settings", {}, named),
    edits: read("edits", [], Array.isArray),
    forced: forced.every(Number.isSafeInteger) ? forced : [],
    without: params.get("without") === "1",
    source: read("source", null, named),
    hidden: hidden ?? [],
    code: read("code", {}, named),
    compare: read("compare", null, readBeside),
  };
  broken ||= given.forced.length !== forced.length || !hidden;
  select(found ?? choices[0]);
  const stayed = params.get("picture") === "own" && takes("picture");
  hint(found ? (broken ? () => text("broken_link") : stayed ? () => text("picture_stayed") : null) : () => text("unknown_link"));
  const example = state.choice.examples.find(({ id }) => id.split("/").pop() === params.get("example"));
  const asks = found && ASKS.some((name) => params.has(name)) && (given.source || !needsPicture());
  if (asks && !example) {
    fill(given);
    generate();
  } else open(example);
}
