"""What the decisions come to: totals of each programme from its manifest, districts from its rows.

Numbers as they are, for the terminal and for scripts; what may be published of them is settled in `page`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import duckdb

from salur.core import rules
from salur.core.population.catalogue import Text
from salur.core.rules.plan import Item
from salur.core.rules.rows import parquet

DISTRICT_LENGTH = 8  # 35.10.01 of 35.10.01.2001


@dataclass(frozen=True)
class Obstacle:
    """A criterion, and how many units fail it or cannot be judged by it for want of data."""

    id: str
    says: Text
    failed: int
    unknown: int


@dataclass(frozen=True)
class Programme:
    """One programme with what was decided."""

    explainer: rules.Explainer
    decisions: rules.Decisions

    @property
    def plan(self) -> rules.Plan:
        return self.explainer.plan

    @property
    def book(self) -> rules.Rulebook:
        return self.plan.rulebook

    @property
    def outcomes(self) -> Mapping[str, int]:
        """Units by outcome."""
        return {name: row["units"] for name, row in self.decisions.manifest["totals"]["outcomes"].items()}

    @property
    def units(self) -> int:
        return sum(self.outcomes.values())

    @property
    def pays(self) -> bool:
        return any(item.component.delivers == "money" for item in self.plan.items)

    @property
    def money(self) -> int:
        """Rupiah certain for the period."""
        return int(self.decisions.manifest["totals"]["outcomes"]["eligible"]["amount"])

    @property
    def money_most(self) -> int:
        """Rupiah for the period if every open question of those on record ended in their favour."""
        totals = self.decisions.manifest["totals"]["outcomes"]
        return sum(int(totals[name]["amount_most"]) for name in ("eligible", "needs_data"))

    @property
    def delivered(self) -> list[tuple[Item, int]]:
        """Each component and how many of it are delivered."""
        counts = self.decisions.manifest["totals"]["components"]
        return [(item, counts[item.id]) for item in self.plan.items]

    @cached_property
    def obstacles(self) -> list[Obstacle]:
        """Criteria that somebody fails or that wait for data, the most failed first."""
        counts = self.decisions.manifest["totals"]["criteria"]
        found = [
            Obstacle(c.id, c.says, counts[c.id]["failed"], counts[c.id]["unknown"])
            for c in self.explainer.criteria
            if counts[c.id]["failed"] or counts[c.id]["unknown"]
        ]
        return sorted(found, key=lambda obstacle: (-obstacle.failed, -obstacle.unknown))


@dataclass(frozen=True)
class District:
    """One district. `eligible` units and `money` by programme; `asked`: families with a question still open."""

    code: str
    families: int
    asked: int
    eligible: Mapping[str, int]
    money: Mapping[str, int]


def districts(population: rules.Population, programmes: Sequence[Programme]) -> list[District]:
    """The districts where families live, by code. A family lives where its village is."""
    with duckdb.connect(config={"threads": 2, "memory_limit": "1GB"}) as db:
        db.read_parquet(
            [str(population.families(p)) for p in population.provinces], hive_partitioning=False
        ).create_view("families")
        db.execute(
            f"CREATE TABLE home AS SELECT family_id, left(coalesce(village, ''), {DISTRICT_LENGTH}) AS district "
            "FROM families"
        )
        families = dict(_pairs(db, "SELECT district, count(*) FROM home GROUP BY ALL ORDER BY ALL"))
        eligible: dict[str, dict[str, int]] = {code: {} for code in families}
        money: dict[str, dict[str, int]] = {code: {} for code in families}
        open_questions = []
        for programme in programmes:
            rows = parquet(*map(programme.decisions.file, programme.decisions.provinces))
            open_questions.append(f"SELECT family_id FROM {rows} WHERE outcome = 'needs_data'")
            counted = db.execute(
                "SELECT district, count(*), CAST(sum(amount) AS BIGINT) "
                f"FROM {rows} JOIN home USING (family_id) WHERE outcome = 'eligible' GROUP BY ALL"
            ).fetchall()
            for district, units, amount in counted:
                eligible[district][programme.book.id] = units
                money[district][programme.book.id] = amount
        asked = dict(_pairs(db, "SELECT district, count(*) FROM home WHERE family_id IN "
                                f"({' UNION ALL '.join(open_questions)}) GROUP BY ALL"))  # fmt: skip
    ids = [programme.book.id for programme in programmes]
    return [
        District(
            code, n, asked.get(code, 0),
            {id_: eligible[code].get(id_, 0) for id_ in ids}, {id_: money[code].get(id_, 0) for id_ in ids},
        )
        for code, n in families.items()
    ]  # fmt: skip


def _pairs(db: duckdb.DuckDBPyConnection, query: str) -> list[tuple[str, int]]:
    return [(code, count) for code, count in db.execute(query).fetchall()]
