"""The busiest page, in process: CPU of "why this decision?" beside that of an empty page of the frame.

    python -m bench.citizen_page POPULATION FOLDER

decides and decrees PKH on the empty database that SALUR_DATABASE_URL names, then asks for the pages. Each measured
page is of another family and is asked for the first time, so nothing that was kept of the same page helps; pages of
all other families were asked before, as on any busy day. Both pages pass the same middleware (that of pages without
a session); the ratio is the figure to trust.
"""

from __future__ import annotations

import gc
import gzip
import json
import random
import re
import sys
import time
from pathlib import Path
from statistics import mean, median, quantiles
from typing import Any

from bench.cycle import office_of

MEASURED, BATCH, SEED = 1500, 50, 20261101


def decreed(population: str, folder: str) -> None:
    """A decreed cycle, so that families can read why."""
    office = office_of(population, folder)
    from tests.citizens.town import officers
    from tests.programmes.test_cycle import prepare, sign

    officers()
    cycle = office.decided("pkh")
    prepare(office, cycle)
    sign(office, cycle)


def measured() -> dict[str, Any]:
    """CPU in milliseconds of the page (median, mean, 9th decile, and of the quickest batch), of one page asked again
    and again, and of an empty one, their ratio; bytes and requests of a first visit, files compressed as served."""
    from django.contrib.staticfiles import finders
    from django.db import connection
    from django.http import HttpRequest, HttpResponse
    from django.shortcuts import render
    from django.urls import include, path, reverse

    from salur.access.policy import ANYONE, Action, policy
    from salur.citizens import claim
    from salur.web import urls
    from salur.web.views import unsigned
    from salur.web.wsgi import application

    def empty(request: HttpRequest) -> HttpResponse:
        return render(request, "layout.html")

    urls.urlpatterns.insert(0, path("bench/", include(([path("", unsigned(empty), name="empty")], "bench"))))
    policy().actions["bench.empty"] = Action("bench.empty", frozenset({ANYONE}), "none")

    def ask(where: str, cookie: str = "") -> tuple[float, bytes]:
        said: list[str] = []
        environ = {
            "REQUEST_METHOD": "GET", "PATH_INFO": where, "SERVER_NAME": "localhost", "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_HOST": "localhost", "HTTP_COOKIE": cookie,
            "wsgi.input": sys.stdin.buffer, "wsgi.url_scheme": "http", "REMOTE_ADDR": "127.0.0.1",
        }  # fmt: skip
        began = time.process_time_ns()
        answer = application(environ, lambda status, _headers: said.append(status))
        body = b"".join(answer)
        getattr(answer, "close", lambda: None)()
        taken = (time.process_time_ns() - began) / 1e6
        if said != ["200 OK"]:
            raise RuntimeError(f"{where}: {said}")
        return taken, body

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT family_id, d.programme, d.period FROM programmes_decision d JOIN programmes_cycle c "
            "ON c.id = d.cycle_id WHERE c.state IN ('decreed', 'closed') ORDER BY 1, 2, 3 LIMIT 100000"
        )
        units = cursor.fetchall()
    connection.close()  # a request of the web opens its own
    random.Random(SEED).shuffle(units)
    pages, sizes = [], []
    before = max(len(units) - MEASURED, len(units) // 2)
    for number, (family_id, programme, period) in enumerate(units):
        answer = HttpResponse()
        claim.begin(answer, family_id)
        cookie = f"{claim.NAME}={answer.cookies[claim.NAME].coded_value}"
        address = reverse("citizens:decision", kwargs={"programme": programme, "period": period})
        if number == before:
            gc.collect()
            gc.freeze()  # as `salur serve` does for what its workers share
        taken, body = ask(address, cookie)
        if number >= before:
            pages.append(taken)
            sizes.append(len(body))
    again = [ask(address, cookie)[0] for _ in pages]  # the last page, over and over
    empties = [ask("/bench/")[0] for _ in pages]
    files = set(re.findall(rb'(?:href|src)="/static/([^"]+)"', body))
    found = [finders.find(re.sub(r"\.[0-9a-f]{12}(?=\.)", "", name.decode())) for name in files]
    return {
        "pages": len(pages), "page_ms": median(pages), "page_mean_ms": mean(pages),
        "page_9th_decile_ms": quantiles(pages, n=10)[-1], "page_least_ms": _least(pages),
        "again_ms": median(again), "again_least_ms": _least(again),
        "empty_ms": median(empties), "empty_least_ms": _least(empties), "ratio": median(pages) / median(empties),
        "bytes": median(sizes) + sum(len(gzip.compress(Path(file).read_bytes())) for file in found),
        "requests": 1 + len(found),
    }  # fmt: skip


def _least(each: list[float]) -> float:
    """The mean of the quickest batch: what the work costs while nothing else is in the way."""
    return min(mean(each[start : start + BATCH]) for start in range(0, len(each), BATCH))


if __name__ == "__main__":
    decreed(sys.argv[1], sys.argv[2])
    print(json.dumps(measured()))
