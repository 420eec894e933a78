"""The one settings file of Django. Everything that differs between places comes from SALUR_* variables.

| variable | meaning | without it |
|---|---|---|
| SALUR_HOME | folder of our own files | `$XDG_DATA_HOME/salur`, else `~/.local/share/salur` |
| SALUR_DATABASE_URL | `postgresql://user:pass@host/name`, `sqlite:////path` | `salur.sqlite3` in SALUR_HOME |
| SALUR_SECRET_KEY | key for sessions and signatures of the web | a 0600 file in SALUR_HOME, made once |
| SALUR_KEYS_FILE | keys of protected numbers, mode 0600 | `keys.json` in SALUR_HOME, made by `salur people keys init` |
| SALUR_HOSTS | host names served, separated by commas | `localhost,127.0.0.1,[::1]` |
| SALUR_ORIGIN | the address that browsers show, without a path; passkeys belong to it | `http://localhost:8000` |
| SALUR_PROXIES | how many reverse proxies of ours stand before us and add X-Forwarded-For | 0 |
| SALUR_DEMO | 1: invented people; every page says so | |
| SALUR_LOG_LEVEL | DEBUG, INFO, WARNING or ERROR | WARNING |

Reading this file writes nothing; `salur.web.setup` prepares the folder and the key.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from csp.constants import NONE, SELF

from salur.web import database, home
from salur.web.words import WITH_PAGES

SECRET_KEY = home.secret_key()
DEBUG = False
ALLOWED_HOSTS = os.environ.get("SALUR_HOSTS", "localhost,127.0.0.1,[::1]").split(",")
SALUR_ORIGIN = os.environ.get("SALUR_ORIGIN", "http://localhost:8000").rstrip("/")
_SECURE = SALUR_ORIGIN.startswith("https://")  # a proxy with TLS stands before us and sets X-Forwarded-Proto
SALUR_DEMO = os.environ.get("SALUR_DEMO", "") == "1"

INSTALLED_APPS = [
    "salur.access.apps.OperatorConfig",
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "salur.journal",
    "salur.access",
    "salur.regions",
    "salur.cases",
    "salur.people",
    "salur.programmes",
    "salur.web",
    "salur.public",
    "salur.citizens",
    "salur.officers",
]
MIDDLEWARE = [
    "salur.web.requests.around",
    "salur.access.middleware.closed_rows",
    "django.middleware.security.SecurityMiddleware",
    "salur.web.staticfiles.Middleware",
    "salur.web.languages.by_address",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "salur.web.requests.Sentences",
    "salur.access.middleware.Door",  # inside Sentences: it leads to the passkey where one is needed
]
ROOT_URLCONF = "salur.web.urls"
WSGI_APPLICATION = "salur.web.wsgi.application"

# Our pages are Jinja2; Django's own templates are for its admin and for pages of packages.
PACKAGE = Path(__file__).resolve().parents[1]
TEMPLATES = [
    {
        "NAME": "jinja",
        "BACKEND": "django.template.backends.jinja2.Jinja2",
        "DIRS": [PACKAGE / room / "templates" for room in WITH_PAGES],
        "APP_DIRS": False,
        "OPTIONS": {"environment": "salur.web.jinja.environment"},
    },
    {
        "NAME": "django",
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [PACKAGE / "web" / "django_templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    },
]

STATIC_URL = "/static/"
STATIC_ROOT = home.path() / "static"
WHITENOISE_ALLOW_ALL_ORIGINS = False
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "salur.web.staticfiles.Files"},
}

# ---- what a browser may do, and what is sent to us -----------------------------------------------------------

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
SALUR_SCRIPTED = ("account_login", "account_reauthenticate", "mfa_", "admin:")  # names of pages with scripts
X_FRAME_OPTIONS = "DENY"
# Other sites learn nothing of where someone came from. Not no-referrer: with it browsers send forms with
# `Origin: null`, which the protection of forms must refuse.
SECURE_REFERRER_POLICY = "same-origin"
CSRF_FAILURE_VIEW = "salur.web.views.csrf_failure"
SALUR_BODY_MOST_BYTES = 10 * 2**20
DATA_UPLOAD_MAX_MEMORY_SIZE = 2**20
DATA_UPLOAD_MAX_NUMBER_FIELDS = 500
DATA_UPLOAD_MAX_NUMBER_FILES = 5
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _SECURE
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_NAME = "__Host-salur" if _SECURE else "salur"
CSRF_COOKIE_NAME = "__Host-csrf" if _SECURE else "csrf"
CSRF_TRUSTED_ORIGINS = [SALUR_ORIGIN]
if _SECURE:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = ["^healthz$"]
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    # To be on the browsers' own list is for the domain's owner to decide.
    SILENCED_SYSTEM_CHECKS = ["security.W021"]

# ---- signing in: docs/access.md ------------------------------------------------------------------------------

AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
SESSION_ENGINE = "salur.access.sessions"
# Counters of tries and used one-time codes, shared by all processes: one table, whose primary key decides who was
# first. A cache in memory would count for each process alone, one in files adds without a lock.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "access_cache",
        "OPTIONS": {"MAX_ENTRIES": 50_000},
    }
}
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "salur.access.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = [
    "email*",
    "password1*",
]  # nobody signs up; allauth reads from it that there is no user name
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = True  # the session's own end counts, not the browser's
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
ACCOUNT_LOGOUT_REDIRECT_URL = "/"
ALLAUTH_TRUSTED_PROXY_COUNT = int(os.environ.get("SALUR_PROXIES", "0"))
MFA_ADAPTER = "salur.access.adapters.FactorAdapter"
MFA_SUPPORTED_TYPES = ["webauthn", "totp", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_USER_VERIFICATION = "required"
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_FORMS = {
    "add_webauthn": "salur.access.forms.AddPasskeyForm",
    "edit_webauthn": "salur.access.forms.EditPasskeyForm",
}

AUTH_USER_MODEL = "access.Officer"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SALUR_KEYS_FILE = os.environ.get("SALUR_KEYS_FILE") or str(home.path() / "keys.json")
DATABASES = {
    "default": database.configure(
        os.environ.get("SALUR_DATABASE_URL") or database.sqlite_url(home.path() / "salur.sqlite3")
    )
}

# The sealed journal: one line a seal (docs/journal.md).
SEALS_FILE = home.path() / "journal" / "seals.jsonl"

# Where decided cycles and the files of decrees are kept.
DECISIONS_FOLDER = home.path() / "decisions"
DECREES_FOLDER = home.path() / "decrees"
# What simulations of drafts work with; may be deleted when none is running.
SIMULATIONS_FOLDER = home.path() / "simulations"

LANGUAGE_CODE = "id"
LANGUAGES = [("id", "Bahasa Indonesia"), ("en", "English")]
TIME_ZONE = "Asia/Jakarta"
USE_TZ = True
USE_I18N = True

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "salur.web.logs.JsonFormatter"}},
    "filters": {"addresses": {"()": "salur.web.logs.WithoutAddress"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json", "filters": ["addresses"]}},
    "root": {"handlers": ["stderr"], "level": os.environ.get("SALUR_LOG_LEVEL", "WARNING").upper()},
    # Django's own handlers would write lines that are neither JSON nor masked.
    "loggers": {"django": {"handlers": [], "propagate": True}},
}
