from django.apps import AppConfig

from salur.web.words import later


class CitizensConfig(AppConfig):
    name = "salur.citizens"
    navigation = ((20, "citizens:ask", later("Why this decision?")),)
