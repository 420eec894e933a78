"""The WSGI application: `gunicorn salur.web.wsgi`, or `salur serve`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import salur.web

salur.web.setup()

from django.core.handlers.wsgi import WSGIHandler, WSGIRequest  # noqa: E402

from salur.web import requests, short  # noqa: E402


class Application(WSGIHandler):
    """Django's handler; what goes the short way is answered before it, and before its signals."""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # type: ignore[override]
        if environ["REQUEST_METHOD"] == "GET" and not environ.get("SCRIPT_NAME"):
            response = requests.briefly(WSGIRequest(environ))
            if response is not None:
                start_response(f"{response.status_code} {response.reason_phrase}", list(response.items()))
                return [response.content]
            environ[short.TRIED] = True
        return super().__call__(environ, start_response)


application = Application()
