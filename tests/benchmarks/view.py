"""How long the view takes for the largest model that it is made for: its script, layout and paint, in a real Chromium.

The message is handed to the view on the page itself, so that nothing but the view is measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from playwright.sync_api import Page

from tests.benchmarks import Row
from tests.benchmarks.made_up import made_up, message
from tests.benchmarks.painting import done, open_page
from tests.benchmarks.serving import browsing, percentile, serving

LAYERS, HEADS, TOKENS = 12, 12, 512
STEPS = 12
PAINT_BAR = 400.0  # milliseconds
STEP_BAR = 50.0

RECEIVE = """async (message) => {
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
  await new Promise((rested) => setTimeout(rested, 400));
  const began = performance.now();
  attentionLab.receive(message);
  return await painted - began;
}"""


def measure() -> Iterator[Row]:
    """First paint: a prompt of 512 tokens with all its maps, until it is on the screen. One step: all that the browser's main thread
    does for one more row of every head, the frames that follow it included."""
    trace = made_up(LAYERS, HEADS, TOKENS, STEPS + 2)
    size = f"{LAYERS} × {HEADS} × {TOKENS} tokens in the view"
    with serving() as server, browsing() as page:
        open_page(page, server.url, generator="gpt")
        done(page)
        paints = [float(page.evaluate(RECEIVE, message(trace, f"paint{number}", 0, 1))) for number in range(5)]
        paint = percentile(paints, 0.5)
        yield Row(
            f"{size}: first paint", f"{paint:.0f} ms (worst of {len(paints)}: {max(paints):.0f})", f"≤ {PAINT_BAR:g} ms", paint <= PAINT_BAR
        )
        run = f"paint{len(paints) - 1}"
        page.evaluate(RECEIVE, message(trace, run, 1, 1))
        steps = [busy(page, lambda at=at: page.evaluate(RECEIVE, message(trace, run, at, 1))) for at in range(2, STEPS + 2)]
    step = percentile(steps, 0.5)
    worst = f"worst of {len(steps)}: {max(steps):.0f}"
    yield Row(f"{size}: one step", f"{step:.0f} ms ({worst})", f"≤ {STEP_BAR:g} ms", step <= STEP_BAR)


def busy(page: Page, action: Any) -> float:
    """Milliseconds that the page's main thread worked until the action and what it set off were over."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")

    def worked() -> float:
        metrics = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
        return float(metrics["TaskDuration"]) * 1000

    before = worked()
    action()
    page.wait_for_timeout(400)  # thumbnails are drawn a little later
    after = worked()
    session.detach()
    return after - before
