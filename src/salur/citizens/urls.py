from django.urls import path

from salur.citizens import views

app_name = "citizens"
urlpatterns = [
    path("mengapa/", views.ask, name="ask"),
    path("keputusan/", views.decisions, name="decisions"),
    path("keputusan/dilihat/", views.reads, name="reads"),
    path("keputusan/keluar/", views.leave, name="leave"),
    path("keputusan/<slug:programme>/<slug:period>/", views.decision, name="decision"),
]
