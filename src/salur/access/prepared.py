"""Statements of PostgreSQL that are planned once for a connection, several of them in one round trip.

The query of a busy page takes PostgreSQL six times longer to plan than to run. Cursors either plan it each time (those
of Django, which write the values into the text) or ask for each statement apart; psycopg's own pipeline costs more
than the query. So this speaks to libpq: https://www.psycopg.org/psycopg3/docs/api/pq.html,
https://www.postgresql.org/docs/current/libpq-pipeline-mode.html.
"""

from __future__ import annotations

import select
from collections.abc import Sequence
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import psycopg
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn, PGresult

_known: WeakKeyDictionary[psycopg.Connection[Any], dict[str, bytes]] = WeakKeyDictionary()


class Statement(NamedTuple):
    text: str  # with %s for each value
    values: Sequence[
        object
    ]  # whose text PostgreSQL reads as the type that the statement asks for; None: null


def fetch(
    connection: psycopg.Connection[Any], statements: Sequence[Statement], wanted: int
) -> list[tuple[Any, ...]]:
    """The rows of the statement at the place `wanted`. All run in one transaction, or none of them does.

    Raises psycopg.Error: the statement's own, or OperationalError where the connection was lost; it is closed then.
    """
    names = [_prepared(connection, statement.text) for statement in statements]
    libpq = connection.pgconn
    try:
        libpq.enter_pipeline_mode()
        for name, (_, values) in zip(names, statements, strict=True):
            libpq.send_query_prepared(name, [None if each is None else str(each).encode() for each in values])
        libpq.pipeline_sync()
        results = _results(libpq)
        libpq.exit_pipeline_mode()
    except BaseException:  # lost or interrupted: what it answers next may belong to these statements
        connection.close()
        raise
    for result in results:
        if result.status == ExecStatus.FATAL_ERROR:
            raise error_from_result(result)
    rows = Transformer.from_context(connection)
    rows.set_pgresult(results[wanted])
    return rows.load_rows(0, results[wanted].ntuples, tuple)


def _prepared(connection: psycopg.Connection[Any], text: str) -> bytes:
    """The name of the statement, which this connection knows from then on."""
    names = _known.setdefault(connection, {})
    if (name := names.get(text)) is None:
        parts = text.split("%s")
        numbered = "".join(f"{part}${place}" for place, part in enumerate(parts[:-1], 1)) + parts[-1]
        name = f"salur_{len(names)}".encode()
        result = connection.pgconn.prepare(name, numbered.encode())
        if result.status != ExecStatus.COMMAND_OK:
            raise error_from_result(result)
        names[text] = name
    return name


def _results(libpq: PGconn) -> list[PGresult]:
    """One of each statement. Waits without holding up other threads."""
    ready = select.poll()
    ready.register(libpq.socket, select.POLLIN)
    while libpq.flush():
        select.select([], [libpq.socket], [])
    results: list[PGresult] = []
    ended = True
    while True:
        while libpq.is_busy():
            ready.poll()
            libpq.consume_input()
        result = libpq.get_result()
        if result is None:  # after each statement's result
            if ended:
                raise psycopg.OperationalError("the connection answers no more")
            ended = True
        elif result.status == ExecStatus.PIPELINE_SYNC:
            return results
        else:
            results.append(result)
            ended = False
