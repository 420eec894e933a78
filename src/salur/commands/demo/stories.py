"""Five decisions to be explained, each of another kind and, where it can be, of another programme and family.

The same population always gives the same five. Each is explained from its case alone, and must come out as the
batch decided it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from salur.commands.demo.figures import DISTRICT_LENGTH, Programme
from salur.core import rules
from salur.core.faults import InputError
from salur.core.rules import nodes
from salur.core.rules.rows import cases, parquet, quoted

MEMBERS_WANTED = 4  # families of about this many are easiest to follow


@dataclass(frozen=True)
class Kind:
    """What a story shows, and where to look first. `where` gives the SQL condition for a programme, "" for none."""

    id: str
    first: tuple[str, ...]
    where: Callable[[Programme], str]


@dataclass(frozen=True)
class Story:
    """One decision with its reasons. `district` is the code of where the family lives."""

    kind: str
    programme: Programme
    explanation: rules.Explanation
    district: str
    person_id: int | None


def _only(mask: str, bits: Sequence[int]) -> str:
    """One of these criteria is the only one in the mask."""
    return f"{mask} IN ({', '.join(str(1 << bit) for bit in bits)})" if bits else ""


def _reading(programme: Programme, *facts: str) -> list[int]:
    """Bits of the written criteria that read one of these facts."""
    return [
        bit
        for bit, criterion in enumerate(programme.plan.criteria)
        if {fact.name for fact in nodes.facts(criterion)} & set(facts)
    ]


def _refused(programme: Programme, *facts: str) -> str:
    only = _only("failed", _reading(programme, *facts))
    return f"outcome = 'not_eligible' AND {only}" if only else ""


KINDS = (
    Kind("more", ("pkh", "pip"), lambda p: "outcome = 'eligible' AND amount > 0 AND amount_most > amount"),
    Kind("decile", ("pbi-jkn",), lambda p: _refused(p, "decile")),
    Kind("work", ("sembako",), lambda p: _refused(p, "occupation")),
    Kind("asked", ("pip",), lambda p: "outcome = 'needs_data' AND "
         + _only("unknown", range(len(p.book.criteria)))),
    Kind("waiting", ("digital-talent",), lambda p: "outcome = 'waiting'"),
    # where there are none of the above
    Kind("eligible", ("pkh",), lambda p: "outcome = 'eligible'"),
    Kind("absent", ("sembako",), lambda p: "outcome = 'not_found'"),
    Kind("refused", ("pkh",), lambda p: "outcome = 'not_eligible'"),
    Kind("open", ("sembako",), lambda p: "outcome = 'needs_data'"),
)  # fmt: skip
STORIES = 5


@dataclass(frozen=True)
class _Choice:
    kind: str
    programme: Programme
    family_id: int
    unit_id: int
    district: str
    decided: tuple[object, ...]  # outcome, failed, unknown, amount, amount_most in the batch


def choose(
    population: rules.Population, programmes: Sequence[Programme], catalogue: rules.Catalogue
) -> list[Story]:
    """Up to five stories; fewer only where the population has not so many kinds."""
    choices = list(_choices(population, programmes))
    known = dict(_cases(population, catalogue, [choice.family_id for choice in choices]))
    found = []
    for choice in choices:
        programme = choice.programme
        person = choice.unit_id if programme.book.unit == "person" else None
        explanation = programme.explainer.explain(
            known[choice.family_id], person, programme.decisions.cutoffs
        )
        one = explanation.decision
        if (one.outcome, one.failed, one.unknown, one.amount, one.amount_most) != choice.decided:
            raise InputError.at(programme.decisions.path, "Unit {id} comes out otherwise when it is decided alone; "
                                "remove the folder and run again.", id=choice.unit_id)  # fmt: skip
        found.append(Story(choice.kind, programme, explanation, choice.district, person))
    return found


def _choices(population: rules.Population, programmes: Sequence[Programme]) -> Iterator[_Choice]:
    by_id = {programme.book.id: programme for programme in programmes}
    families: list[int] = []
    with duckdb.connect(config={"threads": 2, "memory_limit": "1GB"}) as db:
        for name, paths in (("families", population.families), ("persons", population.persons)):
            db.read_parquet(
                [str(paths(p)) for p in population.provinces], hive_partitioning=False
            ).create_view(name)
        db.execute(
            "CREATE TABLE sizes AS SELECT family_id, count(*) AS members FROM persons GROUP BY family_id"
        )
        for kind in KINDS:
            if len(families) == STORIES:
                return
            order = [by_id[id_] for id_ in kind.first if id_ in by_id]
            for programme in order + [p for p in programmes if p not in order]:
                condition = kind.where(programme)
                if not condition or condition.endswith("AND "):
                    continue
                files = parquet(*map(programme.decisions.file, programme.decisions.provinces))
                row = db.execute(
                    f"SELECT family_id, unit_id, left(coalesce(village, ''), {DISTRICT_LENGTH}), "
                    "outcome, failed, unknown, amount, amount_most "
                    f"FROM {files} JOIN families USING (family_id) LEFT JOIN sizes USING (family_id) "
                    f"WHERE {condition} AND NOT list_contains($1, family_id) ORDER BY bit_count(unknown), "
                    f"abs(coalesce(members, 0) - {MEMBERS_WANTED}), family_id, unit_id LIMIT 1",
                    [families],
                ).fetchone()
                if row is not None:
                    families.append(row[0])
                    family_id, unit_id, district, *decided = row
                    yield _Choice(kind.id, programme, family_id, unit_id, district, tuple(decided))
                    break


def _cases(
    population: rules.Population, catalogue: rules.Catalogue, families: Sequence[int]
) -> Iterator[tuple[int, rules.Case]]:
    """The cases of a few families: their rows are put into a small population and read as the whole is read."""
    ids = ", ".join(map(str, families)) or "NULL"
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as db:
        few = replace(population, path=Path(folder))
        for province in population.provinces:
            for rows, few_rows, order in (
                (population.families(province), few.families(province), "family_id"),
                (population.persons(province), few.persons(province), "family_id, person_id"),
            ):
                few_rows.parent.mkdir(exist_ok=True)
                db.execute(
                    f"COPY (SELECT * FROM {parquet(rows)} WHERE family_id IN ({ids}) "
                    f"ORDER BY region, {order}) TO {quoted(few_rows)} (FORMAT parquet)"
                )
            for case in cases(few, catalogue, province, population.reference_date):
                yield case.family_id, case
