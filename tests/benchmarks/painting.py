"""When something is on the screen: milliseconds from the input event to the paint that shows it, in the page's own clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Page

GENERATE = "[data-do=go]"
PROMPT = "textarea.prompt"
EXAMPLE = ".examples button"
DICE = "[data-do=dice]"
SLIDER = ".dials input[type=range]"
SOURCE = ".av-pane .av-frame"  # the first: the picture that was given
RUB = ".av-rub"
LIT = ".av-shown, [aria-pressed=true]"  # the words and cells that a view shows as chosen
SENTENCE = ".av-sentence"  # what it says of them
PATIENCE = 30_000  # milliseconds

ARM = """([event, changed]) => {
  const shown = () => document.querySelector("[data-run]");
  const places = (view) => [...view.querySelectorAll("*")].flatMap((each, place) => (each.matches("LIT") ? place : []));
  const lit = (view) => `${view.dataset.pin} ${places(view)} ${view.querySelector("SENTENCE").textContent}`;
  const before = { ...shown()?.dataset };
  const litBefore = changed === "look" ? lit(shown()) : "";
  const images = () => [...document.querySelectorAll(".av-face img")];
  const there = {
    run: (view) => view.dataset.run !== before.run && Number(view.dataset.t) >= 1
      && (!view.matches(".av-is-picture") || view.dataset.painted === view.dataset.run),
    whole: (view) => there.run(view) && view.dataset.done === "true",
    look: (view) => lit(view) !== litBefore,
    preview: (view) => view.dataset.preview !== before.preview,
    gallery: (view) => view.dataset.gallery === "open" && images().length,
  };
  let began = 0;
  addEventListener(event, (given) => { began = given.timeStamp; }, { capture: true, once: true });
  window.painted = new Promise((done, failed) => {
    setTimeout(() => failed(new Error("nothing was painted within PATIENCE ms")), PATIENCE);
    const painted = () => {  // the task after a frame's callbacks runs when that frame has been drawn
      const frame = new MessageChannel();
      frame.port1.onmessage = () => done(performance.now() - began);
      requestAnimationFrame(() => frame.port2.postMessage(0));
    };
    const seen = new MutationObserver(() => {
      const view = shown();
      if (!began || !view || !there[changed](view)) return;
      seen.disconnect();
      if (changed === "gallery") Promise.all(images().map((image) => image.decode())).then(painted, failed);
      else painted();
    });
    seen.observe(document.body, { subtree: true, childList: true,
      attributeFilter: ["data-run", "data-t", "data-painted", "data-done", "data-preview", "data-gallery",
        ...(changed === "look" ? ["data-pin", "class", "aria-pressed"] : [])] });
  });
}"""
for name, value in {"PATIENCE": str(PATIENCE), "LIT": LIT, "SENTENCE": SENTENCE}.items():
    ARM = ARM.replace(name, value)


def painted(page: Page, act: Callable[[], object], event: str = "click", changed: str = "run") -> float:
    """Milliseconds from the event that `act` makes to the paint that follows from it.

    changed: what is waited for. "run": the first paint of another run than the one shown; "whole": the last of it; "look": another word
    or cell that is shown as chosen; "preview": another picture while a slider is dragged; "gallery": all pictures of a sheet.
    """
    page.evaluate(ARM, [event, changed])
    act()
    return float(page.evaluate("() => window.painted"))


def open_page(page: Page, url: str, **state: Any) -> float:
    """Go to a state of the page; returns the milliseconds from the start of the navigation until Generate can be pressed."""
    page.goto(f"{url}/?{urlencode({'lang': 'en'} | state)}", wait_until="commit")
    ready = """(selector) => new Promise((done) => {
      const look = () => {
        const button = document.querySelector(selector);
        if (button && !button.disabled && button.textContent.trim()) done(performance.now());
        else requestAnimationFrame(look);
      };
      look();
    })"""
    return float(page.evaluate(ready, GENERATE))


def done(page: Page) -> None:
    """Wait until the run shown has ended, and the controls say so."""
    page.locator('[data-run][data-done="true"]').wait_for(state="attached", timeout=PATIENCE)
    page.locator('[data-running="false"]').wait_for(state="attached", timeout=PATIENCE)
