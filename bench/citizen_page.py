"""The busiest page, in process: CPU of "why this decision?" beside that of an empty page of the frame.

    SALUR_HOME=… python -m bench.citizen_page

reads the database of that home. Each measured page is of another family and is asked for the first time, so nothing
that was kept of the same page helps; pages of other families were asked before, as on any busy day. Both pages pass
all middleware; the ratio is the figure to trust.
"""

from __future__ import annotations

import gc
import json
import random
import sys
import time
from statistics import mean, median, quantiles
from typing import Any

WARM, MEASURED, SEED = 500, 1500, 20261101


def measured() -> dict[str, Any]:
    """CPU in milliseconds of the page (median, mean, 9th decile) and of an empty one, their ratio, and bytes."""
    from django.core.handlers.wsgi import WSGIHandler
    from django.db import connection
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
    handler = WSGIHandler()

    def ask(where: str, cookie: str = "") -> tuple[float, int]:
        said: list[str] = []
        environ = {
            "REQUEST_METHOD": "GET", "PATH_INFO": where, "SERVER_NAME": "localhost", "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_HOST": "localhost", "HTTP_COOKIE": cookie,
            "wsgi.input": sys.stdin.buffer, "wsgi.url_scheme": "http", "REMOTE_ADDR": "127.0.0.1",
        }  # fmt: skip
        began = time.process_time_ns()
        body = b"".join(handler(environ, lambda status, _headers: said.append(status)))
        taken = (time.process_time_ns() - began) / 1e6
        if said != ["200 OK"]:
            raise RuntimeError(f"{where}: {said}")
        return taken, len(body)

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT family_id, d.programme, d.period FROM programmes_decision d JOIN programmes_cycle c "
            "ON c.id = d.cycle_id WHERE c.state IN ('decreed', 'closed') ORDER BY 1, 2, 3 LIMIT 100000"
        )
        units = cursor.fetchall()
    random.Random(SEED).shuffle(units)
    pages, empties, sizes = [], [], []
    for number, (family_id, programme, period) in enumerate(units[: WARM + MEASURED]):
        answer = HttpResponse()
        claim.begin(answer, family_id)
        cookie = f"{claim.NAME}={answer.cookies[claim.NAME].coded_value}"
        address = reverse("citizens:decision", kwargs={"programme": programme, "period": period})
        if number == WARM:
            gc.collect()
            gc.freeze()  # as `salur serve` does for what its workers share
        for kept, (taken, size) in ((pages, ask(address, cookie)), (empties, ask("/bench/"))):
            if number >= WARM:
                kept.append(taken)
                if kept is pages:
                    sizes.append(size)
    return {
        "pages": len(pages), "page_ms": median(pages), "page_mean_ms": mean(pages),
        "page_9th_decile_ms": quantiles(pages, n=10)[-1], "empty_ms": median(empties),
        "ratio": median(pages) / median(empties), "bytes": median(sizes),
    }  # fmt: skip


if __name__ == "__main__":
    import salur.web

    salur.web.setup()
    print(json.dumps(measured()))
