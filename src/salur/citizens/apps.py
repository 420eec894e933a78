from django.apps import AppConfig


class CitizensConfig(AppConfig):
    name = "salur.citizens"
