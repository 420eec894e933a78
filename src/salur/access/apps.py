from django.apps import AppConfig
from django.contrib.admin import apps as admin


class AccessConfig(AppConfig):
    name = "salur.access"

    def ready(self) -> None:
        from salur.access import signals

        signals.connect()


class OperatorConfig(admin.AdminConfig):
    """Stands in INSTALLED_APPS instead of `django.contrib.admin`."""

    default = False
    default_site = "salur.access.operators.OperatorSite"
