"""What a browser may do with the page: load nothing from elsewhere. A plain ASGI middleware, so that streams pass untouched.
And what Gradio may keep of a visit: nothing after it.
"""

from __future__ import annotations

import gradio as gr
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",  # gradio's templates are evaluated
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
    )
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
)


class Guard:
    """Adds HEADERS to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *HEADERS]}
            await send(message)

        await self.app(scope, receive, send_guarded if scope["type"] == "http" else send)


def guarded() -> list[Middleware]:
    """For FastAPI's `middleware`."""
    return [Middleware(Guard)]


def wipe(page: gr.Blocks, session: str | None) -> None:
    """Forget what Gradio remembers of a session, the last value of everything that went in and out: a picture may be among it."""
    holder = getattr(page, "state_holder", None)  # there once the page is served
    if holder is not None:
        holder.session_data.pop(session, None)
