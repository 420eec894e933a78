"""A site of one page, with every component on it, for the tests of the frame; run in a process of its own.

    python -m tests.web.gallery PORT

It is the real application (settings, middleware, frame) with other addresses.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import salur.web

salur.web.setup()

from django.conf import settings  # noqa: E402
from django.conf.urls.i18n import i18n_patterns  # noqa: E402
from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.shortcuts import render  # noqa: E402
from django.urls import path  # noqa: E402
from django.views.decorators.http import require_POST  # noqa: E402

from salur.core.faults import InputError  # noqa: E402
from salur.web import urls as root  # noqa: E402
from salur.web import views  # noqa: E402
from salur.web.pages import charts  # noqa: E402

PARTS = [
    ("outcome-eligible", 612),
    ("outcome-needs_data", 120),
    ("outcome-waiting", 40),
    ("outcome-not_eligible", 228),
]


def gallery(request: HttpRequest, number: int = 0) -> HttpResponse:
    bar = charts.stacked_bar("bar", "Keputusan PKH", "1.000 keluarga", PARTS)
    return render(
        request,
        "gallery.html",
        {
            "bar": bar,
            "today": date(2026, 11, 3),
            "now": datetime(2026, 11, 3, 2, 15, tzinfo=UTC),
            "sent": request.POST.dict(),
        },
    )


@views.published(60)
def kept(request: HttpRequest) -> HttpResponse:
    return render(
        request, "gallery.html", {"bar": "", "today": date(2026, 1, 1), "now": datetime.now(UTC), "sent": {}}
    )


@views.with_script
def scripted(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("NIK 3510011503909001")


def refused(request: HttpRequest) -> HttpResponse:
    from salur.access.policy import Actor, require

    require(Actor("officer:1"), "journal.record")
    return HttpResponse("never")


def cannot(request: HttpRequest) -> HttpResponse:
    raise InputError.of("Stopped. Run the same command again to go on.")


@require_POST
def posted(request: HttpRequest) -> HttpResponse:
    return HttpResponse("kept")


def throttled(request: HttpRequest) -> HttpResponse:
    return views.too_many(request, retry_after_seconds=1500)


urlpatterns: list[Any] = [
    *root.urlpatterns,
    *i18n_patterns(
        path("gallery/", gallery, name="gallery"),
        path("gallery/kept/", kept, name="kept"),
        path("gallery/scripted/", scripted, name="scripted"),
        path("gallery/broken/", broken, name="broken"),
        path("gallery/refused/", refused, name="refused"),
        path("gallery/cannot/", cannot, name="cannot"),
        path("gallery/posted/", posted, name="posted"),
        path("gallery/throttled/", throttled, name="throttled"),
        path("gallery/<int:number>/", gallery, name="gallery"),
        prefix_default_language=False,
    ),
]
handler400, handler403, handler404, handler500 = (
    views.bad_request, views.forbidden, views.not_found, views.failed
)  # fmt: skip


def open_doors() -> None:
    """The pages of the gallery have no entry in `access.toml`: everyone may see them here."""
    from salur.access import policy

    actions = policy.policy().actions
    names = ("gallery", "kept", "scripted", "broken", "refused", "cannot", "posted", "throttled")
    actions |= {
        f"web.{name}": policy.Action(f"web.{name}", frozenset({policy.ANYONE}), "none") for name in names
    }


def use() -> None:
    """Put this site behind Django, whichever process this is."""
    settings.ROOT_URLCONF = __name__
    here = Path(__file__).parent / "templates"
    if here not in settings.TEMPLATES[0]["DIRS"]:
        settings.TEMPLATES[0]["DIRS"].append(here)


if __name__ == "__main__":
    sys.modules["tests.web.gallery"] = sys.modules["__main__"]
    use()
    open_doors()
    settings.ROOT_URLCONF = "tests.web.gallery"
    from salur.web.serve import serve

    serve(port=int(sys.argv[1]), workers=1)
    os._exit(0)
