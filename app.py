"""Starts the page: settings from the environment, launch.

PORT or GRADIO_SERVER_PORT, GRADIO_SERVER_NAME, LAB_THREADS (of torch), LAB_MODELS_DIR (the visitor's own models).
"""

from __future__ import annotations

import os
import threading

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import generators
from page import page, theme
from page.desk import Desk
from page.guard import guarded


def main() -> None:
    """Serve until interrupted; the models load behind the page's back."""
    desk = Desk()
    port = os.environ.get("PORT") or os.environ.get("GRADIO_SERVER_PORT")
    demo = page(desk)
    demo.launch(
        server_name=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"),
        server_port=int(port) if port else None,
        ssr_mode=False,
        enable_monitoring=False,
        run_history=False,
        footer_links=[],
        theme=theme.theme(),
        head=theme.head(),
        app_kwargs={"middleware": guarded()},
        prevent_thread_lock=True,
    )
    threading.Thread(target=warm, args=(desk,), daemon=True).start()
    demo.block_thread()


def warm(desk: Desk) -> None:
    """Load every model, so that the first visitor need not wait, and find out which cannot be."""
    import torch

    torch.set_num_threads(int(os.environ.get("LAB_THREADS") or max(1, (os.cpu_count() or 2) // 2)))
    for card in generators.cards():
        for variant in card.variants:
            desk.runs.warm(card.name, variant.name)


if __name__ == "__main__":
    main()
