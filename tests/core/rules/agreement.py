"""Decides one setting by every road and says where the decision lines differ from the naive reading.

The roads: each engine into a folder of decisions (its lines, and its manifest with the hash of every file), and
the evaluator on each case as it stands in JSON, with the cut-offs of the folder.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

from tests.core.rules.naive import Naive
from tests.core.rules.rulebooks_random import Setting, toml, write_population

from salur.core import toml as salur_toml
from salur.core.population import catalogue as catalogues
from salur.core.rules.cases import from_json
from salur.core.rules.decide import decide
from salur.core.rules.evaluate import Evaluator
from salur.core.rules.lines import line as line_of
from salur.core.rules.lines import lines as lines_of
from salur.core.rules.plan import plan
from salur.core.rules.rulebook import parse

UNIT, RANK = 4, 11  # fields of a decision line


def differences(
    setting: Setting, folder: Path, engines: Sequence[str], postgres_url: str | None = None
) -> list[str]:
    """What differs, a line each: engine, the line expected, the line given, the case. [] if all agree."""
    catalogue = catalogues.parse(salur_toml.parse(toml(setting.catalogue).encode(), Path("facts.toml")))
    raw = toml(setting.rulebook).encode()
    book = parse(salur_toml.parse(raw, Path("random.toml")), catalogue)
    wanted = Naive(tomllib.loads(raw.decode()), setting.catalogue, setting.on).lines(
        setting.cases, book.sha256
    )
    ready = plan(book, setting.on)
    population = write_population(folder / "population", catalogue, setting)
    by_unit = {(m["person_id"] if book.unit == "person" else case["family_id"]): case
               for case in setting.cases
               for m in ((case.get("members") or []) if book.unit == "person" else [case])}  # fmt: skip

    def compared(engine: str, given: list[str]) -> list[str]:
        if given == wanted:
            return []
        pairs = [pair for pair in zip(wanted, given, strict=False) if pair[0] != pair[1]]
        found = [
            f"{engine}\n  wanted {want}\n  given  {got}\n  {by_unit[int(want.split('|')[UNIT])]}"
            for want, got in pairs[:3]
        ]
        return found or [f"{engine}: {len(given)} lines, wanted {len(wanted)}"]

    found: list[str] = []
    first = b""
    for engine in engines:
        out = folder / engine
        done = decide(
            ready, population, out, engine=engine, postgres_url=postgres_url, checked=folder / "checked"
        )
        manifest = (out / "manifest.json").read_bytes()  # with the hash of every file
        if manifest != first:
            found += compared(engine, list(lines_of(done, population, catalogue)))
        if manifest != first != b"":
            found.append(f"{engine}: its files differ from those of {engines[0]}")
        first = first or manifest
        cutoffs = done.cutoffs
    ranks = {int(line.split("|")[UNIT]): line.split("|")[RANK] for line in wanted}
    evaluator = Evaluator(ready)
    given = []
    for case_json in sorted(setting.cases, key=lambda case: (case["region"], case["family_id"])):
        case = from_json(case_json, catalogue)
        who = [member.person_id for member in case.members] if book.unit == "person" else [None]
        for person_id in who:
            decision = evaluator.decide(case, person_id, cutoffs if book.quota else None)
            rank = ranks.get(decision.unit_id)
            given.append(line_of(ready, decision, case, int(rank) if rank else None))
    return found + compared("case by case", given)
