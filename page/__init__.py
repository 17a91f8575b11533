"""The page: a picture of the screen, then what happens on it."""

from __future__ import annotations

from typing import Any

import gradio as gr

from page.about import about
from page.api import endpoints
from page.controls import Controls
from page.desk import Desk
from page.guard import wipe
from page.view import AttentionView

NAME = "Attention Lab"


def page(desk: Desk | None = None) -> gr.Blocks:
    """The whole page, ready to be launched; `desk` answers it."""
    desk = desk or Desk()
    with gr.Blocks(title=NAME, fill_width=True, analytics_enabled=False) as demo:
        controls = Controls(ailing=desk.problems, made=desk.live, faces=desk.stored, phrases=desk.phrases)
        looks: dict[str, Any] = {"fetch": desk.fetch, "row": desk.row, "maps": desk.maps, "inside": desk.inside}
        looks |= {"leave_out": desk.leave_out, "reach": desk.reach}
        view = AttentionView(**looks, learning=desk.learning, film=desk.film, gallery=desk.gallery)
        about()

        streams = {
            "outputs": [view, controls],
            "show_progress": "hidden",
            "trigger_mode": "multiple",
            "concurrency_limit": None,
            "api_visibility": "private",
        }
        controls.run(desk.run, **streams)
        controls.pair(desk.pair, **streams)
        controls.show(desk.show, **streams)
        controls.stop(desk.stop, queue=False, show_progress="hidden", api_visibility="private")
        controls.forget(desk.forget, queue=False, show_progress="hidden", api_visibility="private")
        view.pick(desk.pick, **streams)
        view.edit(desk.edit, **streams)
        view.face(desk.face, **streams)
        view.rub(desk.rub, **streams)

        async def leave(request: gr.Request) -> None:
            await desk.leave(request)
            wipe(demo, request.session_hash)

        demo.unload(leave)
        endpoints(demo, desk)
    demo.queue(default_concurrency_limit=None)
    return demo
