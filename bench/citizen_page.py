"""The busiest page, in process: CPU of the page of a decision beside that of an empty page of the frame.

    SALUR_HOME=… python -m bench.citizen_page FAMILY PROGRAMME PERIOD

reads the database of that home. Both pages pass all middleware; the ratio is the figure to trust.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

RUNS, ROUNDS, WARM = 60, 15, 20


def measured(family_id: int, programme: str, period: str) -> dict[str, Any]:
    """Median CPU in milliseconds of the page and of an empty one, their ratio, and the page's bytes."""
    from django.core.handlers.wsgi import WSGIHandler
    from django.http import HttpRequest, HttpResponse
    from django.shortcuts import render
    from django.urls import include, path, reverse

    from salur.access.policy import ANYONE, Action, policy
    from salur.citizens import claim
    from salur.web import urls

    def empty(request: HttpRequest) -> HttpResponse:
        return render(request, "layout.html")

    urls.urlpatterns.insert(0, path("bench/", include(([path("", empty, name="empty")], "bench"))))
    policy().actions["bench.empty"] = Action("bench.empty", frozenset({ANYONE}), "none")
    answer = HttpResponse()
    claim.begin(answer, family_id)
    cookie = f"{claim.NAME}={answer.cookies[claim.NAME].coded_value}"
    address = reverse("citizens:decision", kwargs={"programme": programme, "period": period})
    handler = WSGIHandler()

    def ask(where: str) -> Callable[[], bytes]:
        def once() -> bytes:
            said: list[str] = []
            environ = {
                "REQUEST_METHOD": "GET", "PATH_INFO": where, "SERVER_NAME": "localhost", "SERVER_PORT": "80",
                "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_HOST": "localhost", "HTTP_COOKIE": cookie,
                "wsgi.input": sys.stdin.buffer, "wsgi.url_scheme": "http", "REMOTE_ADDR": "127.0.0.1",
            }  # fmt: skip
            body = handler(environ, lambda status, _headers: said.append(status))
            made = b"".join(body)
            if said != ["200 OK"]:
                raise RuntimeError(f"{where}: {said}")
            return made

        return once

    pages = {"page": ask(address), "empty": ask("/bench/")}
    size = len(pages["page"]())
    cpu: dict[str, list[float]] = {name: [] for name in pages}
    for once in pages.values():
        for _ in range(WARM):
            once()
    gc.collect()
    gc.freeze()  # as `salur serve` does for what its workers share
    for _ in range(ROUNDS):
        for name, once in pages.items():
            each = []
            for _ in range(RUNS):
                began = time.process_time_ns()
                once()
                each.append((time.process_time_ns() - began) / 1e6)
            cpu[name].append(median(each))
    ratios = [page / empty for page, empty in zip(cpu["page"], cpu["empty"], strict=True)]
    return {
        "page_ms": median(cpu["page"]), "empty_ms": median(cpu["empty"]), "ratio": median(ratios), "bytes": size,
    }  # fmt: skip


if __name__ == "__main__":
    import salur.web

    salur.web.setup()
    print(json.dumps(measured(int(sys.argv[1]), sys.argv[2], sys.argv[3])))
