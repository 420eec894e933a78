"""The root of all addresses: each face brings its own."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("salur.access.urls")),
    path("admin/", admin.site.urls),
]
