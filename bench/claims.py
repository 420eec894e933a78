"""Does the time of an answer tell whether a claim code exists? Known codes beside codes of nobody.

    python -m bench.claims        on SQLite, and on PostgreSQL where its programs are installed

Tries of three kinds in turn, all with a birth date that does not open: a real code, a code of nobody, a real code with
another check letter. For each pair: how often a try of the one kind took longer than a try of the other (the area
under the curve of a distinguisher: 0.5 is a thrown coin), with its 95 % interval. The last line compares codes of
nobody with codes of nobody: what the machine's own noise looks like. Nothing is asserted.
"""

from __future__ import annotations

import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from datetime import date, timedelta
from statistics import median, quantiles
from typing import Any

from bench.server import postgres
from bench.work import ROOT

TRIES = 1_000  # of each kind, in each way
AT_ONCE = 60  # then the tries are forgotten, as after an hour
WARM = 100
KINDS = ("a real code", "a code of nobody", "a real code, wrong check letter", "a code of nobody, again")
PAIRS = ((0, 1), (0, 2), (1, 3))


def area(one: list[int], other: list[int]) -> tuple[float, float]:
    """How often a value of `one` is above one of `other` (ties count half), and half its 95 % interval.

    >>> area([1, 2, 3, 4], [1, 2, 3, 4])[0], area([5, 6], [1, 2])[0]
    (0.5, 1.0)
    """
    ranked, m, n = sorted(other), len(one), len(other)
    won = sum(bisect_left(ranked, value) + bisect_right(ranked, value) for value in one) / 2
    a = won / (m * n)
    q1, q2 = a / (2 - a), 2 * a * a / (1 + a)  # Hanley and McNeil, 1982
    variance = (a * (1 - a) + (m - 1) * (q1 - a * a) + (n - 1) * (q2 - a * a)) / (m * n)
    return a, 1.96 * math.sqrt(max(variance, 0))


def measured() -> dict[str, Any]:
    """CPU and clock nanoseconds of each try, by way (the service, the whole page) and kind."""
    import logging

    from django.test import Client
    from django.utils import timezone

    from salur.access.policy import VISITOR
    from salur.people import keys as key_file
    from salur.programmes import claims, services
    from salur.programmes.models import ClaimCode, ClaimTry

    logging.getLogger("django.request").setLevel(logging.ERROR)
    rng, keys, client = random.Random(7), key_file.load(), Client(SERVER_NAME="localhost")
    families = sorted(set(ClaimCode.objects.values_list("family_id", flat=True)))
    nobody = iter(range(10**14, 10**15))
    real: list[str] = []

    def code_of(kind: int) -> str:
        if kind in (1, 3):
            return claims.code_of(keys, next(nobody))
        if not real:
            real.extend(claims.code_of(keys, family) for family in rng.sample(families, len(families)))
        code = real.pop()
        return code if kind == 0 else code[:-1] + rng.choice(claims.LETTERS.replace(code[-1], ""))

    def by_service(code: str, born: date, source: str) -> None:
        services.claim_open(
            now=timezone.now(), actor=VISITOR, keys=keys, code=code, birth_date=born, source=source
        )

    def by_page(code: str, born: date, source: str) -> None:
        form = {"code": code, "born-day": born.day, "born-month": born.month, "born-year": born.year}
        if client.post("/mengapa/", form, REMOTE_ADDR=source).status_code != 422:
            raise RuntimeError("the page did not say that the code does not open")

    def times(act: Callable[[str, date, str], None]) -> dict[str, list[list[int]]]:
        cpu: list[list[int]] = [[] for _ in KINDS]
        clock: list[list[int]] = [[] for _ in KINDS]
        order = [kind for kind in range(len(KINDS)) for _ in range(TRIES)]
        rng.shuffle(order)
        # All is prepared before: making a code just then would warm the caches for the codes of nobody alone.
        # Nobody is born before 1900: the date of a real code is wrong for certain.
        order = [0] * WARM + order
        tries = [
            (code_of(kind), date(1850, 1, 1) + timedelta(rng.randrange(9_000)), f"10.0.{n >> 8}.{n & 255}")
            for n, kind in enumerate(order)
        ]
        for n, (kind, given) in enumerate(zip(order, tries, strict=True)):
            if n % AT_ONCE == 0:
                ClaimTry.objects.all().delete()
            at, used = time.perf_counter_ns(), time.thread_time_ns()
            act(*given)
            used, at = time.thread_time_ns() - used, time.perf_counter_ns() - at
            if n >= WARM:
                cpu[kind].append(used)
                clock[kind].append(at)
        return {"CPU": cpu, "clock": clock}

    return {"the service": times(by_service), "the whole page": times(by_page)}


def told(database: str, found: dict[str, dict[str, list[list[int]]]]) -> str:
    lines = [f"{database}: {TRIES:,} tries of each kind, in turn"]
    for way, times in found.items():
        for what, kinds in times.items():
            lines.append(f"  {way}, {what} in ms: median (5 % to 95 %)")
            for name, values in zip(KINDS, kinds, strict=True):
                parts = quantiles(values, n=20)
                lines.append(
                    f"    {median(values) / 1e6:7.3f} ({parts[0] / 1e6:.3f} to {parts[-1] / 1e6:.3f})  {name}"
                )
            for one, other in PAIRS:
                a, half = area(kinds[one], kinds[other])
                lines.append(f"    told apart {a:.3f} ± {half:.3f}  {KINDS[one]} | {KINDS[other]}")
    return "\n".join(lines)


def of(database: str, url: str = "") -> str:
    """A town of its own, then the measurement in a process that has it for its home."""
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"SALUR_HOME": home, "SALUR_DEMO": "1"}
        environment["PYTHONPATH"] = os.pathsep.join(
            [str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
        )
        environment |= {"SALUR_DATABASE_URL": url} if url else {}
        for command in (["tests.citizens.town", home], ["bench.claims", "measure"]):
            said = subprocess.run(
                [sys.executable, "-m", *command],
                env=environment,
                cwd=ROOT,
                check=True,
                stdout=subprocess.PIPE,
            ).stdout
    return told(database, json.loads(said))


def main() -> None:
    if sys.argv[1:] == ["measure"]:
        import salur.web

        salur.web.setup()
        print(json.dumps(measured()))
        return
    print(of("SQLite"), flush=True)
    with postgres() as server:
        if server is not None:
            print(of("PostgreSQL", server.url))


if __name__ == "__main__":
    main()
