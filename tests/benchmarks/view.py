"""How long the view takes for the largest model that it is made for: its script, layout and paint, in a real Chromium.

The message is handed to the view on the page itself, so that nothing but the view is measured.
"""

from __future__ import annotations

from collections.abc import Iterator

from playwright.sync_api import CDPSession, Page

from tests.benchmarks import Row
from tests.benchmarks.made_up import made_up, message
from tests.benchmarks.painting import done, open_page
from tests.benchmarks.serving import browsing, percentile, serving

LAYERS, HEADS, TOKENS = 12, 12, 512
PAINTS, STEPS = 5, 12
PAINT_BAR = 400.0  # milliseconds
STEP_BAR = 50.0

GIVE = "(message) => { window.given = message; return new Promise((rested) => setTimeout(rested, 500)); }"  # what came before is drawn
RECEIVE = """async () => {
  const view = document.querySelector(".attention-view");
  const before = `${view.dataset.run}:${view.dataset.t}`;
  const painted = new Promise((done) => {
    const seen = new MutationObserver(() => {
      if (`${view.dataset.run}:${view.dataset.t}` === before || !(Number(view.dataset.t) >= 1)) return;
      seen.disconnect();
      const frame = new MessageChannel();
      frame.port1.onmessage = () => done(performance.now());
      requestAnimationFrame(() => frame.port2.postMessage(0));
    });
    seen.observe(view, { attributeFilter: ["data-run", "data-t"] });
  });
  const began = performance.now();
  attentionLab.receive(window.given);
  return await painted - began;
}"""


def measure() -> Iterator[Row]:
    """First paint: a prompt of 512 tokens with all its maps, from its arrival until it is on the screen. One step: what the browser's
    main thread works until one more row of every head is on the screen; the view itself waits, so as to show words evenly."""
    trace = made_up(LAYERS, HEADS, TOKENS, STEPS + 2)
    size = f"{LAYERS} × {HEADS} × {TOKENS} tokens in the view"
    with serving() as server, browsing() as page:
        open_page(page, server.url, generator="gpt")
        done(page)
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable")
        paints = [receive(page, session, message(trace, f"paint{number}", 0, 1))[0] for number in range(PAINTS)]
        run = f"paint{PAINTS - 1}"
        steps = [receive(page, session, message(trace, run, step, 1))[1] for step in range(1, STEPS + 2)][1:]
    for what, taken, bar in (("first paint", paints, PAINT_BAR), ("one step", steps, STEP_BAR)):
        middle = percentile(taken, 0.5)
        yield Row(f"{size}: {what}", f"{middle:.0f} ms (worst of {len(taken)}: {max(taken):.0f})", f"≤ {bar:g} ms", middle <= bar)


def receive(page: Page, session: CDPSession, given: str) -> tuple[float, float]:
    """Milliseconds from a message's arrival to its paint, and how many of them the main thread worked."""
    page.evaluate(GIVE, given)
    before = worked(session)
    taken = float(page.evaluate(RECEIVE))
    return taken, worked(session) - before


def worked(session: CDPSession) -> float:
    """Milliseconds that the page's main thread has been at work."""
    metrics = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
    return float(metrics["TaskDuration"]) * 1000
