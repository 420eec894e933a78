from django.urls import path

from salur.public import views

app_name = "public"
urlpatterns = [
    path("", views.home, name="home"),
    path("program/", views.programmes, name="programmes"),
    path("program/<slug:programme>/", views.programme, name="programme"),
    path("program/<slug:programme>/angka.csv", views.figures, name="figures"),
]
