"""A folder of decisions and its population → rows ready to be stored: decisions, and the cases they rest on.

Rows stream in the order of the population, so memory does not grow. Families with confirmed corrections are decided
here, one by one, by the same rulebook: their line in the folder is what was decided before anybody corrected anything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from salur.core.population.layout import Population
from salur.core.rules import Case, Evaluator, Plan, engines, nodes
from salur.core.rules.cases import canonical
from salur.core.rules.decide import Decisions
from salur.core.rules.engines import count_column
from salur.core.rules.evaluate import Cutoff
from salur.core.rules.rows import parquet, quoted, texts
from salur.programmes.bodies import packed

BATCH = 10_000
QUEUES = {"needs_data": 1, "near_cut": 2, "audit": 3}  # in the order of the work
AUDITED_PER_CENT = 5
NEAR = 1  # steps of an integer fact, or of the rank, from the other side of the cut


@dataclass(frozen=True, slots=True)
class LoadedCase:
    """A family's case as it is stored; `original` is that of the population, where corrections changed it."""

    family_id: int
    sha256: bytes
    body: bytes
    original: LoadedCase | None = None

    @classmethod
    def of(cls, family_id: int, text: str, original: LoadedCase | None = None) -> LoadedCase:
        """From the canonical text."""
        raw = text.encode()
        return cls(family_id, hashlib.sha256(raw).digest(), packed(raw), original)


@dataclass(frozen=True, slots=True)
class LoadedDecision:
    """A row of the table of decisions, without what the database adds."""

    unit_id: int
    family_id: int
    region: str
    village: str
    outcome: str
    failed: int
    unknown: int
    amount: int
    amount_most: int
    counts: str
    rank: int | None
    queue: int
    distance: int

    @property
    def line(self) -> tuple[object, ...]:
        """What makes it another decision, apart from the case."""
        return (self.outcome, self.failed, self.unknown, self.amount, self.amount_most, self.counts)


class Triage:
    """Who is looked at, and in which order: what waits for data, then what stands nearest the cut, then a sample.

    Near the cut: one step of an integer fact (a decile, say) or of the rank away from the other side of a criterion
    `fact <= constant`, with nothing else against it. The sample is drawn by a keyed hash, the same each time.
    """

    def __init__(self, plan: Plan, cutoffs: Mapping[str, Cutoff], seed: bytes) -> None:
        self.plan = plan
        self.cutoffs = cutoffs
        self.seed = seed
        self.steps = [
            (1 << index, tree.left.name, tree.op, tree.right.value)
            for index, tree in enumerate(plan.criteria)
            if isinstance(tree, nodes.Compare)
            and tree.op in ("<", "<=", ">", ">=")
            and isinstance(tree.left, nodes.Fact)
            and not tree.left.personal
            and isinstance(tree.right, nodes.Literal)
            and type(tree.right.value) is int
        ]

    @property
    def facts(self) -> list[str]:
        """The facts of a family that it looks at."""
        return sorted({name for _, name, _, _ in self.steps})

    def __call__(
        self,
        facts: Mapping[str, object],
        region: str,
        unit_id: int,
        outcome: str,
        failed: int,
        score: int | None,
    ) -> tuple[int, int]:
        """The queue (0: none) and the place in it."""
        if outcome == "needs_data":
            return QUEUES["needs_data"], 0
        if outcome != "not_found" and (near := self.near(facts, region, failed, score)) is not None:
            return QUEUES["near_cut"], near
        drawn = int.from_bytes(hashlib.sha256(self.seed + unit_id.to_bytes(8, "big")).digest()[:4], "big")
        return (QUEUES["audit"], drawn) if drawn < (AUDITED_PER_CENT << 32) // 100 else (0, 0)

    def near(self, facts: Mapping[str, object], region: str, failed: int, score: int | None) -> int | None:
        """Steps to the other side, if there are few."""
        least = None
        for bit, name, op, edge in self.steps:
            value = facts.get(name)
            if failed & ~bit or type(value) is not int:  # something else is against it, or nothing is known
                continue
            inside = edge - value if op in ("<", "<=") else value - edge
            if op in ("<", ">"):
                inside -= 1
            steps = -inside if inside < 0 else inside + 1
            least = steps if least is None else min(least, steps)
        if self.plan.places is not None and score is not None and not failed:
            cut = self.cutoffs.get(self.plan.places.area(region))
            if cut is not None and cut.score is not None:
                steps = abs(score - cut.score)
                least = steps if least is None else min(least, steps)
        return least if least is not None and least <= NEAR else None


Row = tuple[Any, ...]  # unit_id, family_id, score, rank, outcome … amount_most, counts


def stream(
    plan: Plan,
    population: Population,
    decisions: Decisions,
    regions: Collection[str],
    triage: Triage,
    corrected: Callable[[int, str], Case | None],
) -> Iterator[tuple[LoadedCase, list[LoadedDecision]]]:
    """Every family of some regencies with the decisions of its units, in the order of the population.

    `corrected` gives the case of a family (by id and canonical text) that corrections change, else None.
    """
    evaluator = Evaluator(plan)
    catalogue, cutoffs, facts = plan.rulebook.catalogue, decisions.cutoffs, triage.facts
    for province in decisions.provinces:
        own = [region for region in regions if region.startswith(province)]
        if not own:
            continue
        rows = _rows(decisions, population, province, own)
        waiting = next(rows, None)
        for family_id, region, text, village, *values in texts(
            population, catalogue, province, plan.on, regions=own, beside=["village", *facts]
        ):
            units: list[Row] = []
            while waiting is not None and waiting[1] == family_id:
                units.append(waiting)
                waiting = next(rows, None)
            family = LoadedCase.of(family_id, text)
            if (case := corrected(family_id, text)) is not None:
                now = LoadedCase.of(family_id, canonical(case), family)
                yield now, decide_case(evaluator, case, village, cutoffs, triage)
                continue
            known = dict(zip(facts, values, strict=True))
            yield (
                family,
                [
                    LoadedDecision(
                        unit_id, family_id, region, village, outcome, failed, unknown, amount, most,
                        ",".join(map(str, counts)), rank, *triage(known, region, unit_id, outcome, failed, score),
                    )
                    for unit_id, _, score, rank, outcome, failed, unknown, amount, most, *counts in units
                ],
            )  # fmt: skip


def decide_case(
    evaluator: Evaluator, case: Case, village: str, cutoffs: Mapping[str, Cutoff], triage: Triage
) -> list[LoadedDecision]:
    """The decisions of the units of one case: the family, or each member."""
    facts = {name: getattr(value, "value", value) for name, value in case.facts.items()}
    made = []
    for person_id in [member.person_id for member in case.members] if evaluator.person else [None]:
        d = evaluator.decide(case, person_id, cutoffs)
        made.append(
            LoadedDecision(
                d.unit_id, d.family_id, case.region, village, d.outcome, d.failed, d.unknown, d.amount,
                d.amount_most, ",".join(map(str, d.counts)), None,
                *triage(facts, case.region, d.unit_id, d.outcome, d.failed, d.score),
            )
        )  # fmt: skip
    return made


def _rows(
    decisions: Decisions, population: Population, province: str, regions: Collection[str]
) -> Iterator[Row]:
    """The decisions of some regencies with score and rank, in the order of the population."""
    counts = [f'd."{count_column(name)}"' for name in decisions.manifest["components"]]
    fixed = ["d.outcome", "d.failed", "d.unknown", "d.amount", "d.amount_most"]
    score, rank, join = "NULL", "NULL", ""
    if decisions.ranks.exists():
        score, rank = "r.score", "r.rank"
        join = f"LEFT JOIN {parquet(decisions.ranks)} r ON r.unit_id = d.unit_id"
    wanted = ", ".join(map(quoted, sorted(regions)))
    connection = engines.connect(decisions.path / "work")
    try:
        cursor = connection.execute(
            f"SELECT d.unit_id, d.family_id, {score}, {rank}, {', '.join(fixed + counts)} "
            f"FROM {parquet(decisions.file(province), numbered=True)} d {join} "
            f"WHERE d.family_id IN (SELECT family_id FROM {parquet(population.families(province))} "
            f"WHERE region IN ({wanted})) ORDER BY d.file_row_number"
        )
        while rows := cursor.fetchmany(BATCH):
            yield from rows
    finally:
        connection.close()
