"""One decision with its reasons: for a program as JSON, for a village agent to read aloud as text.

The outcome comes first, then one sentence a reason with the fact, its source and date, the law, what to do and
until when. `would_change`: for a failed criterion the fewest facts that would make it true, for an unknown one
what must be asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

from salur.core import toml
from salur.core.population.catalogue import Fact, Text, Value, text
from salur.core.rules import nodes
from salur.core.rules.cases import Case, Facts, Held, oldest
from salur.core.rules.changes import FAMILY, Change, Condition, Key, Scope
from salur.core.rules.evaluate import ELIGIBLE, WAITING, Cutoff, Decision, Evaluator, Values
from salur.core.rules.nodes import Node
from salur.core.rules.plan import Item, Plan


@cache
def sentences() -> Mapping[str, Mapping[str, Text]]:
    """The sentences around the rulebook's own, in both languages."""
    data = toml.read(Path(__file__).with_name("sentences.toml")).data
    return {
        section: {key: pair for key, value in table.items() if (pair := text(value)) is not None}
        for section, table in data.items()
        if isinstance(table, dict)
    }


@dataclass(frozen=True, slots=True)
class UsedFact:
    """A fact as the decision used it. person_id None: the family's, or of a member not on record."""

    fact: Fact
    place: int
    person_id: int | None
    value: Value | None
    source: str
    as_of: date | None
    stale: bool


@dataclass(frozen=True, slots=True, eq=False)
class Criterion:
    """What is said of one criterion, with its condition made ready."""

    id: str
    tree: Node
    says: Text
    remedy: Text | None
    basis: str | None
    condition: Condition


class Reason(NamedTuple):
    """One criterion with what it came to, the facts it read, and what would change it."""

    criterion: Criterion
    outcome: bool | None
    facts: tuple[Key, ...]
    changes: tuple[Change, ...]  # failed: the fewest facts
    asks: tuple[Key, ...]  # unknown: what to get


@dataclass(frozen=True)
class Known:
    """A case with its facts made ready, once for all that is decided of it."""

    case: Case
    family: Values
    members: Sequence[Values]

    def held(self, keys: Sequence[Key]) -> tuple[Value | Held | None, ...]:
        """Facts as the case holds them."""
        return tuple([self._places[place].get(name) for place, name in keys])

    @cached_property
    def _places(self) -> tuple[Facts, ...]:
        """By a fact's place: the members, one who is not on record, and last, as FAMILY is -1, the family."""
        return (*[member.facts for member in self.case.members], {}, self.case.facts)


class Explainer:
    """A plan made ready to explain decisions; one for many cases."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.evaluator = Evaluator(plan)
        rulebook, built_in = plan.rulebook, sentences()["built_in"]
        catalogue = rulebook.catalogue
        self.criteria = [
            Criterion(c.id, tree, c.says, c.remedy, c.basis, Condition(tree, catalogue))
            for c, tree in zip(rulebook.criteria, plan.criteria, strict=True)
        ]
        offered = [self._offered(item) for item in plan.items]
        self.components = [Condition(tree, catalogue) for tree in self._counted(plan)]
        some = nodes.Or(tuple(offered))
        built: list[tuple[str, Node]] = [("some_component", some)]
        if plan.places is not None:
            built.append(("rank_known", nodes.Compare("==", plan.places.rank, plan.places.rank)))
        for id_, tree in built:
            says, remedy, who = built_in[f"{id_}_says"], built_in[f"{id_}_remedy"], sentences()["who_within"]
            says = Text(*(says[lang].format(who=who[rulebook.unit][lang]) for lang in ("id", "en")))
            self.criteria.append(Criterion(id_, tree, says, remedy, None, Condition(tree, catalogue)))
        self._held: dict[tuple[int, int], tuple[Reason, ...]] = {}

    @staticmethod
    def _counted(plan: Plan) -> list[Node]:
        """For each component a condition that is unknown as long as its count is open."""
        return [
            nodes.Compare(">=", nodes.Aggregate("count", item.tree), nodes.Literal(0))
            if item.kind == "each" and item.tree is not None
            else item.tree or nodes.Literal(True)
            for item in plan.items
        ]

    def held(self, shape: tuple[int, int]) -> tuple[Reason, ...]:
        """The reasons of a case that passes every criterion, by its number of members and own place among them."""
        if (reasons := self._held.get(shape)) is None:
            scope = Scope({}, ({},) * shape[0], shape[1])
            reasons = self._held[shape] = tuple(
                Reason(criterion, True, criterion.condition.reads(scope), (), ())
                for criterion in self.criteria
            )
        return reasons

    def used(self, key: Key, held: Value | Held | None, person_id: int | None = None) -> UsedFact:
        """A fact of the catalogue as a case holds it: the value alone, or with a source and date of its own."""
        place, name = key
        fact, on = self.plan.rulebook.catalogue.facts[name], self.plan.on
        if not isinstance(held, Held):
            held = Held(held)
        as_of = held.as_of or (on if held.value is not None else None)
        day = oldest(fact, on)
        stale = held.value is not None and day is not None and as_of is not None and as_of < day
        return UsedFact(fact, place, person_id, held.value, held.source or fact.register.id, as_of, stale)

    @staticmethod
    def _offered(item: Item) -> Node:
        if item.tree is None:
            return nodes.Literal(True)
        return nodes.Aggregate("any", item.tree) if item.kind == "each" else item.tree

    def known(self, case: Case) -> Known:
        return Known(case, *self.evaluator.facts(case))

    def explain(
        self, case: Case | Known, person_id: int | None = None, cutoffs: Mapping[str, Cutoff] | None = None
    ) -> Explanation:
        """Decide a case and give its reasons. Raises InputError where a person programme names no member."""
        known = self.known(case) if isinstance(case, Case) else case
        case, family, members = known.case, known.family, known.members
        decision = self.evaluator.decide_facts(case, family, members, person_id, cutoffs)
        own = self.evaluator.position(case, person_id) if self.evaluator.person else FAMILY
        return Explanation(self, known, decision, Scope(family, members, own), cutoffs is not None)


@dataclass(frozen=True)
class Explanation:
    """A decision and its reasons. The search for what would change it is made when it is asked for."""

    explainer: Explainer
    known: Known
    decision: Decision
    scope: Scope
    ranked: bool = False  # whether the places of its area were at hand

    @property
    def plan(self) -> Plan:
        return self.explainer.plan

    @property
    def case(self) -> Case:
        return self.known.case

    @cached_property
    def reasons(self) -> tuple[Reason, ...]:
        """Every criterion, in the order of the masks."""
        opened = {reason.criterion.id: reason for reason in self.open_reasons}
        return tuple(opened.get(reason.criterion.id, reason) for reason in self._held_reasons)

    @cached_property
    def open_reasons(self) -> tuple[Reason, ...]:
        """The criteria that are failed or unknown."""
        scope, held, found = self.scope, self._held_reasons, []
        failed, open_ = self.decision.failed, self.decision.failed | self.decision.unknown
        while open_:
            position = (open_ & -open_).bit_length() - 1  # of the lowest bit
            criterion, facts = held[position].criterion, held[position].facts
            if failed >> position & 1:
                found.append(Reason(criterion, False, facts, criterion.condition.fewest(scope), ()))
            else:
                found.append(Reason(criterion, None, facts, (), criterion.condition.unknowns(scope)))
            open_ &= open_ - 1
        return tuple(found)

    @property
    def _held_reasons(self) -> tuple[Reason, ...]:
        return self.explainer.held((len(self.scope.members), self.scope.own))

    @property
    def open_components(self) -> tuple[Key, ...]:
        """The unknown facts on which more could depend, in the order of the file; none where money cannot grow."""
        keys: dict[Key, None] = {}
        if any(item.price for item in self.plan.items) and self.decision.amount_most == self.decision.amount:
            return ()
        for item, condition in zip(self.plan.items, self.explainer.components, strict=True):
            if self.decision.counts_most[item.index] > self.decision.counts[item.index]:
                keys |= dict.fromkeys(condition.unknowns(self.scope))
        return tuple(keys)

    @property
    def placed(self) -> bool | None:
        """Where there is a quota: whether the unit has a place; None as long as places are not given."""
        if self.plan.places is None or not self.ranked:
            return None
        return {ELIGIBLE: True, WAITING: False}.get(self.decision.outcome)

    def used(self, key: Key) -> UsedFact:
        """A fact as the case holds it."""
        place, members = key[0], self.case.members
        person_id = members[place].person_id if FAMILY != place < len(members) else None
        return self.explainer.used(key, self.known.held((key,))[0], person_id)

    # ---- for programs ----

    def to_json(self, language: str = "id") -> dict[str, Any]:
        """The explanation as JSON data; money in whole rupiah, dates as ISO text."""
        plan, decision = self.plan, self.decision
        rulebook = plan.rulebook
        would_change = []
        for reason in self.reasons:
            for change in reason.changes:
                used = self.used((change.place, change.fact))
                would_change.append(
                    {"criterion": reason.criterion.id, **self._fact_json(used, language, short=True),
                     "needed": _json(change.needed), "owner": used.fact.register.owner[language]}
                )  # fmt: skip
            would_change += [
                {"criterion": reason.criterion.id, **self._fact_json(used, language, short=True), "needed": None,
                 "owner": used.fact.register.owner[language]}
                for used in map(self.used, reason.asks)
            ]  # fmt: skip
        members = [self._people(positions) for positions in decision.members]
        return {
            "programme": rulebook.id,
            "title": rulebook.title[language],
            "rulebook": rulebook.sha256,
            "reference_date": plan.on.isoformat(),
            "unit_id": decision.unit_id,
            "outcome": decision.outcome,
            "amount": decision.amount,
            "amount_most": decision.amount_most,
            "placed": self.placed,
            "criteria": [
                {"id": reason.criterion.id, "outcome": reason.outcome, "says": reason.criterion.says[language],
                 "remedy": reason.criterion.remedy[language] if reason.criterion.remedy else None,
                 "owner": self.owner(reason, language), "basis": reason.criterion.basis,
                 "facts": [self._fact_json(used, language) for used in map(self.used, reason.facts)]}
                for reason in self.reasons
            ],
            "components": [
                {"id": item.id, "title": item.component.title[language], "delivers": item.component.delivers,
                 "count": count, "most": max(count, most), "members": who, "amount": count * item.price}
                for item, count, most, who in zip(
                    plan.items, decision.counts, decision.counts_most, members, strict=True
                )
            ],
            "would_change": would_change,
            "basis": {
                id_: {"title": basis.title,
                      "checked_on": basis.checked_on.isoformat() if basis.checked_on else None}
                for id_, basis in rulebook.basis.items()
            },
        }  # fmt: skip

    def _people(self, positions: tuple[int, ...]) -> list[int | None]:
        """Ids of the members served; None for one not on record. The unit as a whole serves nobody by name."""
        known = self.case.members
        return [known[p].person_id if p < len(known) else None for p in positions if p >= 0]

    @staticmethod
    def _fact_json(used: UsedFact, language: str, short: bool = False) -> dict[str, Any]:
        data: dict[str, Any] = {"fact" if short else "name": used.fact.name, "value": _json(used.value)}
        if used.fact.unit == "person":
            data["person_id"] = used.person_id
        if not short:
            data |= {"source": used.source, "as_of": used.as_of.isoformat() if used.as_of else None,
                     "label": used.fact.label[language]}  # fmt: skip
            if used.stale:
                data["stale"] = True
        return data

    def owner(self, reason: Reason, language: str) -> str | None:
        """Who can repair what a criterion rests on: the owner of its decisive fact's register."""
        facts = self.plan.rulebook.catalogue.facts
        names = [change.fact for change in reason.changes] + [
            name for _, name in (*reason.asks, *reason.facts)
        ]
        names = names or [fact.name for fact in nodes.facts(reason.criterion.tree)]
        return facts[names[0]].register.owner[language] if names else None

    # ---- for people ----

    def text(self, language: str = "id") -> str:
        """What a village agent can read aloud: the outcome first, then each reason, what to do, and by when."""
        from salur.core.rules.aloud import read_aloud  # the words are needed only here

        return read_aloud(self, language)


def _json(value: Value | None) -> bool | int | str | None:
    return value.isoformat() if isinstance(value, date) else value
