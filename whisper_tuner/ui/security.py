"""Who may press the page's buttons from where: only the page itself.

Gradio checks the origin of a request only on localhost. On a Space the login cookie travels with
requests from any site, so a page elsewhere could start, push or delete in a visitor's name. This
guard stands before Gradio. It is plain ASGI: Gradio's event streams pass through as they come.
"""

import os
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HARMLESS_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})

# Gradio's pages that show one visitor's inputs, or everybody's use, to others. None has a switch
# that closes it everywhere.
CLOSED_PATHS = (
    "/gradio_api/deep_link",
    "/gradio_api/monitoring",
    "/gradio_api/runs",
    "/monitoring",
)

HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
# On a Space the page is shown inside a frame of huggingface.co, and of nobody else.
SPACE_HEADERS = {
    "Content-Security-Policy": "frame-ancestors 'self' https://huggingface.co https://*.hf.space"
}


def middleware() -> list[Middleware]:
    """What `launch(app_kwargs={"middleware": middleware()})` takes, for a Space or a computer."""
    return [Middleware(OriginGuard, space_host=os.environ.get("SPACE_HOST", ""))]


class OriginGuard:
    """Answers 403 to changes asked for by another site, and to Gradio's closed paths.

    `space_host`: the Space's names, comma-separated (a custom domain adds one); empty elsewhere.
    A request without Origin passes: browsers always send one with a change, other programs do not
    carry a visitor's cookie.
    """

    def __init__(self, app: ASGIApp, space_host: str = "") -> None:
        self.app = app
        names = [name.strip() for name in space_host.split(",")]
        self.space_origins = frozenset(f"https://{name}".lower() for name in names if name)
        self.headers = {**HEADERS, **(SPACE_HEADERS if self.space_origins else {})}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers.append(name, value)
            await send(message)

        app = self.app
        if _is_closed(scope):
            app = PlainTextResponse("This page is switched off.", status_code=403)
        elif scope["method"] not in HARMLESS_METHODS and not self._is_from_here(scope):
            app = PlainTextResponse("Refused: asked for by another site.", status_code=403)
        await app(scope, receive, send_with_headers)

    def _is_from_here(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        origins = headers.getlist("origin")
        if not origins:
            return True
        if len(origins) > 1:
            return False
        if self.space_origins:
            return origins[0].lower() in self.space_origins
        return _same_host(origins[0], headers.get("host", ""))


def _is_closed(scope: Scope) -> bool:
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    return path.startswith(CLOSED_PATHS)


def _same_host(origin: str, host: str) -> bool:
    """Whether an Origin names the host and port the request went to.

    "localhost" and "127.0.0.1" are one host. "null", a frame without origin, is none.
    """
    try:
        came_from, went_to = urlsplit(origin), urlsplit(f"{origin.partition(':')[0]}://{host}")
        ports = came_from.port, went_to.port
    except ValueError:
        return False
    names = {came_from.hostname, went_to.hostname}
    if came_from.scheme not in ("http", "https") or None in names:
        return False
    return ports[0] == ports[1] and (len(names) == 1 or names <= LOOPBACK_NAMES)
