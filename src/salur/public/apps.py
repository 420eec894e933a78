from django.apps import AppConfig

from salur.web.words import later


class PublicConfig(AppConfig):
    name = "salur.public"
    navigation = ((10, "public:programmes", later("Programmes")),)
