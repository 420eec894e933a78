"""Decides one setting by every road and says where the decision lines differ from the naive reading.

The roads: each engine into a folder of decisions (its lines, and its manifest with the hash of every file), and
the evaluator on each case as it stands in JSON, with the cut-offs of the folder.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from tests.core.rules.naive import Naive
from tests.core.rules.rulebooks_random import Json, Setting, toml, write_population

from salur.core import toml as salur_toml
from salur.core.population import catalogue as catalogues
from salur.core.rules.cases import from_json
from salur.core.rules.decide import Decisions, decide
from salur.core.rules.evaluate import Evaluator
from salur.core.rules.lines import line as line_of
from salur.core.rules.lines import lines as lines_of
from salur.core.rules.plan import Plan, plan
from salur.core.rules.rulebook import parse

UNIT, RANK = 4, 11  # fields of a decision line


class Judge:
    """A setting with its population written and its lines known; any number of roads may be tried."""

    def __init__(self, setting: Setting, folder: Path) -> None:
        self.setting, self.folder = setting, folder
        self.catalogue = catalogues.parse(
            salur_toml.parse(toml(setting.catalogue).encode(), Path("facts.toml"))
        )
        self.raw = toml(setting.rulebook).encode()
        self.population = write_population(folder / "population", self.catalogue, setting)
        self.persons = setting.rulebook["unit"] == "person"
        naive = Naive(tomllib.loads(self.raw.decode()), setting.catalogue, setting.on)
        self.wanted = naive.lines(setting.cases, self.plan().rulebook.sha256)
        self.numbers = count()

    def plan(self) -> Plan:
        book = parse(salur_toml.parse(self.raw, Path("random.toml")), self.catalogue)
        return plan(book, self.setting.on)

    def differences(self, engines: Sequence[str], postgres_url: str | None = None) -> list[str]:
        """What differs, a line each: engine, the line expected, the line given, the case. [] if all agree."""
        ready = self.plan()
        found: list[str] = []
        first = b""
        done = None
        for engine in engines:
            out = self.folder / f"{engine}{next(self.numbers)}"
            checked = self.folder / "checked"
            done = decide(
                ready, self.population, out, engine=engine, postgres_url=postgres_url, checked=checked
            )
            manifest = (out / "manifest.json").read_bytes()  # with the hash of every file
            if manifest != first:
                found += self.compared(engine, list(lines_of(done, self.population, self.catalogue)))
            if manifest != first != b"":
                found.append(f"{engine}: its files differ from those of {engines[0]}")
            first = first or manifest
        return found + self.compared("case by case", self.case_by_case(ready, done))

    def case_by_case(self, ready: Plan, decisions: Decisions | None) -> list[str]:
        """The lines of the evaluator on the JSON of each case."""
        cutoffs = decisions.cutoffs if decisions is not None and ready.places else None
        ranks = {int(line.split("|")[UNIT]): line.split("|")[RANK] for line in self.wanted}
        evaluator = Evaluator(ready)
        given = []
        for case_json in sorted(self.setting.cases, key=lambda case: (case["region"], case["family_id"])):
            case = from_json(case_json, self.catalogue)
            who = [member.person_id for member in case.members] if self.persons else [None]
            for person_id in who:
                decision = evaluator.decide(case, person_id, cutoffs)
                rank = ranks.get(decision.unit_id)
                given.append(line_of(ready, decision, case, int(rank) if rank else None))
        return given

    def compared(self, engine: str, given: list[str]) -> list[str]:
        if given == self.wanted:
            return []
        pairs = [pair for pair in zip(self.wanted, given, strict=False) if pair[0] != pair[1]]
        found = [
            f"{engine}\n  wanted {want}\n  given  {got}\n  {self.case_of(int(want.split('|')[UNIT]))}"
            for want, got in pairs[:3]
        ]
        return found or [f"{engine}: {len(given)} lines, wanted {len(self.wanted)}"]

    def case_of(self, unit_id: int) -> Json:
        for case in self.setting.cases:
            ids = [m["person_id"] for m in case.get("members") or []] if self.persons else [case["family_id"]]
            if unit_id in ids:
                return case
        raise AssertionError(unit_id)
