"""The WSGI application: `gunicorn salur.web.wsgi`, or `salur serve`."""

from __future__ import annotations

import salur.web

salur.web.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402

application = get_wsgi_application()
