from django.apps import AppConfig


class OfficersConfig(AppConfig):
    name = "salur.officers"
