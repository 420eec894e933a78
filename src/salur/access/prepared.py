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

import psycopg
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

_LINE = "salur_line"  # on a connection


class Statement(NamedTuple):
    """A text with %s for each value. PostgreSQL reads a value's own text as the type that is asked for; None: null."""

    text: str
    values: Sequence[object]


def fetch(
    connection: psycopg.Connection[Any], statements: Sequence[Statement], wanted: int
) -> list[tuple[Any, ...]]:
    """The rows of the statement at the place `wanted`. All run in one transaction, or none of them does.

    Raises psycopg.Error: the statement's own, or OperationalError where the connection was lost; it is closed then.
    """
    if (line := vars(connection).get(_LINE)) is None:
        line = vars(connection)[_LINE] = _Line(connection)
    names = [line.prepared(statement.text) for statement in statements]
    try:
        results = line.run(names, statements)
    except BaseException:  # lost or interrupted: what it answers next may belong to these statements
        connection.close()
        raise
    for result in results:
        if result.status == ExecStatus.FATAL_ERROR:
            raise error_from_result(result)
    line.rows.set_pgresult(results[wanted])
    return line.rows.load_rows(0, results[wanted].ntuples, tuple)


class _Line:
    """What is kept of a connection: the statements it knows, how its values are read, how it is waited for."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.libpq = connection.pgconn
        self.names: dict[str, bytes] = {}
        self.rows = (
            Transformer()
        )  # psycopg's own loaders, moments in UTC: those of Django are written in Python
        self.ready = select.poll()
        self.ready.register(self.libpq.socket, select.POLLIN)

    def prepared(self, text: str) -> bytes:
        """The name of the statement, which the connection knows from then on."""
        if (name := self.names.get(text)) is None:
            parts = text.split("%s")
            numbered = "".join(f"{part}${place}" for place, part in enumerate(parts[:-1], 1)) + parts[-1]
            name = f"salur_{len(self.names)}".encode()
            result = self.libpq.prepare(name, numbered.encode())
            if result.status != ExecStatus.COMMAND_OK:
                raise error_from_result(result)
            self.names[text] = name
        return name

    def run(self, names: Sequence[bytes], statements: Sequence[Statement]) -> list[PGresult]:
        """One result of each. Waits without holding up other threads."""
        libpq = self.libpq
        libpq.enter_pipeline_mode()
        for name, (_, values) in zip(names, statements, strict=True):
            libpq.send_query_prepared(name, [None if each is None else str(each).encode() for each in values])
        libpq.pipeline_sync()
        while libpq.flush():
            select.select([], [libpq.socket], [])
        results: list[PGresult] = []
        ended = True
        while True:
            while libpq.is_busy():
                self.ready.poll()
                libpq.consume_input()
            result = libpq.get_result()
            if result is None:  # after each statement's result
                if ended:
                    raise psycopg.OperationalError("the connection answers no more")
                ended = True
            elif result.status == ExecStatus.PIPELINE_SYNC:
                libpq.exit_pipeline_mode()
                return results
            else:
                results.append(result)
                ended = False
