"""What the page's script does between the pointer reaching a word of a long text and the frame that shows its row."""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks import Row
from tests.benchmarks.made_up import made_up, message
from tests.benchmarks.painting import done, open_page
from tests.benchmarks.serving import browsing, percentile, serving

LAYERS, HEADS, TOKENS = 4, 4, 1024
HOVERS = 200
BAR = 16.0  # milliseconds

COUNT_FRAMES = """
  window.inFrames = 0;
  const request = window.requestAnimationFrame.bind(window);
  window.requestAnimationFrame = (callback) => request((time) => {
    const began = performance.now();
    try { callback(time); } finally { window.inFrames += performance.now() - began; }
  });
"""

HOVER = """async (hovers) => {
  const words = [...document.querySelectorAll(".av-token")].filter((word) => word.offsetParent);
  const frame = () => new Promise((done) => { const drawn = new MessageChannel(); drawn.port1.onmessage = done;
    requestAnimationFrame(() => drawn.port2.postMessage(0)); });
  const taken = [];
  for (let hover = 0; hover < hovers; hover++) {
    const word = words[(hover * 37) % words.length];
    const box = word.getBoundingClientRect();
    const where = { bubbles: true, pointerType: "mouse", clientX: box.x + box.width / 2, clientY: box.y + box.height / 2 };
    window.inFrames = 0;
    const began = performance.now();
    for (const name of ["pointerover", "pointermove"]) word.dispatchEvent(new PointerEvent(name, where));
    void document.body.offsetHeight;  // the layout that the change asks for
    const handled = performance.now() - began;
    await frame();
    const relaid = performance.now();
    void document.body.offsetHeight;
    taken.push(handled + window.inFrames + performance.now() - relaid);
  }
  return { taken, words: words.length };
}"""


def measure() -> Iterator[Row]:
    """Handlers, the layout they force and the callbacks of the next frame, over words all over the text."""
    whole = message(made_up(LAYERS, HEADS, TOKENS // 2, TOKENS // 2), "long", 0, TOKENS, stored=True)
    with serving() as server, browsing() as page:
        page.add_init_script(COUNT_FRAMES)
        open_page(page, server.url, generator="gpt")
        done(page)
        page.evaluate("(message) => attentionLab.receive(message)", whole)
        page.locator('[data-run=long][data-done="true"]').wait_for(state="attached")
        seen = page.evaluate(HOVER, HOVERS)
    slow = percentile(seen["taken"], 0.95)
    yield Row(
        f"hover → repaint at {seen['words']:,} tokens, script time p95",
        f"{slow:.1f} ms (median {percentile(seen['taken'], 0.5):.1f})",
        f"≤ {BAR:g} ms",
        slow <= BAR and seen["words"] >= TOKENS,
    )
