"""`salur serve`: the pages, by gunicorn's threads, on this machine's own address unless another is given.

Before other people can reach it, put a proxy with TLS before it and set SALUR_HOSTS and
SALUR_ORIGIN (docs/operate.md). Logs go to standard error as JSON, like all others.
"""

from __future__ import annotations

import gc
import logging
import sys
from typing import Annotated, Any

import typer
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.db.migrations.executor import MigrationExecutor
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from salur.core.faults import InputError

THREADS = 4
TIMEOUT_SECONDS = 30
LINE_MOST, FIELDS_MOST, FIELD_MOST = 2048, 60, 8190  # of a request's head, in bytes and lines


def serve(
    port: Annotated[int, typer.Option(help="The port to listen on.", min=0, max=65535)] = 8000,
    host: Annotated[str, typer.Option(help="The address to listen on; your proxy's side.")] = "127.0.0.1",
    workers: Annotated[int, typer.Option(help="Processes, each with four threads.", min=1, max=64)] = 2,
) -> None:
    """Serve the pages until Ctrl-C."""
    if _behind():
        raise InputError.of("The database is not prepared. Run `salur migrate`.")
    collect()
    _Server({"bind": f"{host}:{port}", "workers": workers}).run()


def collect() -> None:
    """Put the static files in their place, hashed and compressed. Quick where nothing changed."""
    call_command("collectstatic", interactive=False, verbosity=0)


def _behind() -> bool:
    executor = MigrationExecutor(connections["default"])
    behind = bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    connections.close_all()  # the workers open their own
    return behind


class _Logger(Logger):  # type: ignore[misc]
    """gunicorn's words go through our own log, masked; what is asked for is logged by salur.web.requests."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.error_log.handlers = []
        self.error_log.propagate = True
        self.error_log.setLevel(logging.NOTSET)


class _Server(BaseApplication):  # type: ignore[misc]
    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options | {
            "worker_class": "gthread",
            "threads": THREADS,
            "timeout": TIMEOUT_SECONDS,
            "graceful_timeout": TIMEOUT_SECONDS,
            "keepalive": 5,
            "preload_app": True,
            "logger_class": _Logger,
            "limit_request_line": LINE_MOST,
            "limit_request_fields": FIELDS_MOST,
            "limit_request_field_size": FIELD_MOST,
            "when_ready": _ready,
            "pre_fork": _before_fork,
        }
        super().__init__()

    def load_config(self) -> None:
        for name, value in self.options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        from salur.web.wsgi import application

        return application


def _before_fork(_arbiter: Any, _worker: Any) -> None:
    """What is loaded by now stays: the collector need not look through it at each turn."""
    gc.freeze()


def _ready(arbiter: Any) -> None:
    for listener in arbiter.LISTENERS:
        address = str(listener)
        sys.stdout.write(f"Salur is at {address}/ ({settings.ALLOWED_HOSTS[0]}). Ctrl-C stops it.\n")
    sys.stdout.flush()
