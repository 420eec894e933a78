"""Where the platform meets its surroundings: settings, database, logs; later the pages' root.

Nothing outside needs Django to be set up unless it uses the database: the command line calls `setup` only for
the groups that do.
"""

from __future__ import annotations

import os


def setup() -> None:
    """Make the settings, the database and the logs ready. Safe to call more than once."""
    from django.apps import apps

    if apps.ready:
        return
    import django

    from salur.web import home

    home.prepare()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "salur.web.settings")
    django.setup()
