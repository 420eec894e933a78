"""The root of all addresses: Indonesian at /, English at /en/. Each face brings its own `urls.py`."""

from __future__ import annotations

from importlib.util import find_spec

from django.conf.urls.i18n import i18n_patterns
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from salur.web import demo, views

FACES = ("citizens", "public", "officers")  # the busiest first: a page is found by asking in this order

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", views.health, name="health"),
    path("robots.txt", views.robots, name="robots"),
    *i18n_patterns(
        *(path("", include(f"salur.{face}.urls")) for face in FACES if find_spec(f"salur.{face}.urls")),
        path("", include("salur.access.urls")),
        path("demo/", demo.accounts, name="demo"),  # not found unless SALUR_DEMO=1
        prefix_default_language=False,
    ),
    path("admin/", admin.site.urls),
]

handler400 = views.bad_request
handler403 = views.forbidden
handler404 = views.not_found
handler500 = views.failed
