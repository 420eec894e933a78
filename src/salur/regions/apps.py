from django.apps import AppConfig


class RegionsConfig(AppConfig):
    name = "salur.regions"
    label = "regions"
