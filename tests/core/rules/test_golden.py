"""The golden cases of every shipped rulebook, in Python and in SQL; and that they leave nothing untried."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import groupby
from operator import attrgetter
from pathlib import Path

import duckdb
import pytest
from tests.core.rules.written import write_population
from tests.golden.reading import CATALOGUE, SHIPPED, Golden, Result, golden, result

from salur.core.faults import InputError
from salur.core.rules import nodes, rulebook
from salur.core.rules.decide import Decisions, decide
from salur.core.rules.engines import count_column
from salur.core.rules.evaluate import Evaluator
from salur.core.rules.plan import plan
from salur.core.rules.rulebook import DatedValue, Rulebook

CASES = {id_: golden(book) for id_, book in SHIPPED.items()}
LEAST_CASES = 20
FOREVER = date(2200, 12, 31)


@pytest.mark.parametrize(
    ("id_", "case"), [pytest.param(id_, case, id=f"{id_}: {case.name}") for id_ in CASES for case in CASES[id_]]
)  # fmt: skip
def test_python_decides_the_golden_case(id_: str, case: Golden) -> None:
    assert _decide(SHIPPED[id_], case) == case.expected


def _decide(book: Rulebook, case: Golden) -> Result:
    decision = Evaluator(plan(book, case.on)).decide(case.case, case.person_id)
    counts = dict(zip((component.id for component in book.components), decision.counts, strict=True))
    return result(
        book, decision.outcome, decision.amount, decision.amount_most, decision.failed, decision.unknown, counts
    )  # fmt: skip


@pytest.mark.parametrize("engine", ["duckdb", "sqlite"])
@pytest.mark.parametrize("id_", SHIPPED)
def test_sql_decides_the_golden_cases(id_: str, engine: str, tmp_path: Path) -> None:
    book = SHIPPED[id_]
    differ = []
    for on, same_day in groupby(sorted(CASES[id_], key=attrgetter("on")), key=attrgetter("on")):
        group = list(same_day)
        folder = tmp_path / f"{on}"
        population = write_population(folder / "population", CATALOGUE, [each.case for each in group], on)
        decided = _decided(book, decide(plan(book, on), population, folder / "decisions", engine=engine))
        for case in group:
            if decided[case.unit_id] != case.expected:
                differ.append(f"{case.name}: {decided[case.unit_id]} instead of {case.expected}")
    assert not differ, "\n".join(differ)


def _decided(book: Rulebook, decisions: Decisions) -> dict[int, Result]:
    components = [component.id for component in book.components]
    columns = ", ".join(
        ["unit_id", "outcome", "amount", "amount_most", "failed", "unknown"]
        + [f'"{count_column(component)}"' for component in components]
    )
    rows = duckdb.execute(
        f"SELECT {columns} FROM read_parquet('{decisions.path}/decisions/*.parquet')"
    ).fetchall()
    return {
        unit_id: result(
            book, outcome, amount, most, failed, unknown, dict(zip(components, counts, strict=True))
        )
        for unit_id, outcome, amount, most, failed, unknown, *counts in rows
    }


# ---- nothing is left untried ---------------------------------------------------------------------------------


@pytest.mark.parametrize("id_", SHIPPED)
def test_every_rulebook_has_enough_cases(id_: str) -> None:
    assert len(CASES[id_]) >= LEAST_CASES
    assert len({case.name for case in CASES[id_]}) == len(CASES[id_])


@pytest.mark.parametrize("id_", SHIPPED)
def test_every_criterion_is_seen_true_false_and_unknown(id_: str) -> None:
    book = SHIPPED[id_]
    always = any(component.kind == "always" for component in book.components)
    for criterion in book.criterion_ids:
        seen = {
            "false" if criterion in case.expected.failed
            else "unknown" if criterion in case.expected.unknown
            else "true"
            for case in CASES[id_]
        }  # fmt: skip
        wanted = {"true", "false", "unknown"}
        if criterion == "rank_known":  # a rank is known or not; nobody is refused for it
            wanted = {"true", "unknown"}
        elif criterion == "some_component" and always:
            wanted = {"true"}
        assert seen == wanted, criterion


@pytest.mark.parametrize("id_", SHIPPED)
def test_every_outcome_and_every_component_is_seen(id_: str) -> None:
    # `waiting` needs the cut-offs of a cycle: tests/rulebooks/test_places.py
    expected = [case.expected for case in CASES[id_]]
    assert {each.outcome for each in expected} == {"eligible", "needs_data", "not_eligible", "not_found"}
    for component in SHIPPED[id_].components:
        assert any(each.counts[component.id] for each in expected), component.id


@pytest.mark.parametrize("id_", SHIPPED)
def test_nothing_is_delivered_unless_eligible_and_the_most_is_never_below_the_amount(id_: str) -> None:
    for case in CASES[id_]:
        each = case.expected
        assert each.amount <= each.amount_most, case.name
        if each.outcome != "eligible":
            assert each.amount == 0, case.name
            assert not any(each.counts.values()), case.name
        if each.outcome == "not_eligible":
            assert each.amount_most == 0, case.name


# ---- every edge of every parameter ------------------------------------------------------------------------------


def _spans(book: Rulebook, name: str) -> Iterator[tuple[DatedValue, date, date]]:
    """The values of a parameter with the first and the last day on which a decision can read each."""
    values = book.parameters[name].values
    ends = [later.start - timedelta(days=1) for later in values[1:]] + [FOREVER]
    for dated, end in zip(values, ends, strict=True):
        if end >= _first_day(book):
            yield dated, max(dated.start, _first_day(book)), end


def _first_day(book: Rulebook) -> date:
    return max(parameter.values[0].start for parameter in book.parameters.values())


@pytest.mark.parametrize("id_", SHIPPED)
def test_the_day_before_the_first_day_is_refused(id_: str) -> None:
    book = SHIPPED[id_]
    plan(book, _first_day(book))
    with pytest.raises(InputError, match="no value in force"):
        plan(book, _first_day(book) - timedelta(days=1))


@pytest.mark.parametrize("id_", SHIPPED)
def test_cases_stand_on_the_first_day_of_every_value_and_on_the_day_before(id_: str) -> None:
    book = SHIPPED[id_]
    days = {case.on for case in CASES[id_]}
    for name in book.parameters:
        for dated, first, _ in _spans(book, name):
            assert first in days, f"{name} = {dated.value} from {first}"
            if first > _first_day(book):
                assert first - timedelta(days=1) in days, f"{name}: the day before {first}"


@pytest.mark.parametrize("id_", SHIPPED)
def test_cases_stand_on_both_sides_of_every_threshold(id_: str) -> None:
    book = SHIPPED[id_]
    trees = [criterion.tree for criterion in book.criteria]
    trees += [component.tree for component in book.components if component.tree is not None]
    thresholds = {
        node for tree in trees for node in nodes.walk(tree) if isinstance(node, nodes.Age | nodes.Compare)
    }
    for node in thresholds:
        bound = node.bound if isinstance(node, nodes.Age) else node.right
        if isinstance(bound, nodes.Parameter):
            for dated, first, end in _spans(book, bound.name):
                assert isinstance(dated.value, int)
                _both_sides(node, dated.value, [case for case in CASES[id_] if first <= case.on <= end])
        elif isinstance(node, nodes.Age) and isinstance(bound, nodes.Literal):
            assert isinstance(bound.value, int)
            _both_sides(node, bound.value, CASES[id_])


def _both_sides(node: nodes.Age | nodes.Compare, value: int, group: list[Golden]) -> None:
    threshold = value + (node.op in ("<=", ">"))
    if isinstance(node, nodes.Age):
        assert node.unit == "years"
        seen = {
            late
            for case in group
            for member in case.case.members
            for late in (0, 1)
            if member.facts.get(node.since.name)
            == nodes.shift_years(case.on, -threshold) + timedelta(days=late)
        }
        assert seen == {0, 1}, f"nobody reaches {threshold} years today, or only tomorrow: {node}"
    else:
        assert isinstance(node.left, nodes.Fact)
        name = node.left.name
        assert {threshold - 1, threshold} <= {case.case.facts.get(name) for case in group}, node


@pytest.mark.parametrize("id_", SHIPPED)
def test_every_amount_is_paid_and_every_limit_is_reached(id_: str) -> None:
    book = SHIPPED[id_]
    for component in book.components:
        for name in (component.amount, component.most):
            for _, first, end in _spans(book, name) if isinstance(name, str) else ():
                paid = [c.expected.counts[component.id] for c in CASES[id_] if first <= c.on <= end]
                assert any(paid), f"{component.id} is never delivered from {first}"
        if isinstance(component.most, str):
            most = book.parameters[component.most].values[-1].value
            assert max(case.expected.counts[component.id] for case in CASES[id_]) == most
    slots = book.parameters[book.slots].values[-1].value if isinstance(book.slots, str) else book.slots
    if slots is not None:
        assert max(sum(case.expected.counts.values()) for case in CASES[id_]) == slots


# Values that no case can tell from their neighbours, and why.
SILENT = {
    ("pkh", "school_age_least"): "a child of six takes early childhood, which is dearer",
    ("pbi-jkn", "places"): "places are given in a cycle",
    ("digital-talent", "places"): "places are given in a cycle",
}


def _off_by_one() -> Iterator[tuple[str, str, str, int]]:
    for id_, book in SHIPPED.items():
        for name, parameter in book.parameters.items():
            if (id_, name) not in SILENT:
                for dated, _, _ in _spans(book, name):
                    assert dated in parameter.values
                    yield from ((id_, name, str(dated.start), step) for step in (-1, 1))


@pytest.mark.parametrize(("id_", "name", "start", "step"), list(_off_by_one()))
def test_a_value_off_by_one_is_noticed(id_: str, name: str, start: str, step: int, tmp_path: Path) -> None:
    book = SHIPPED[id_]
    text = book.raw.decode()
    at = text.index(f"from = {start}, value = ", text.index(f"[parameters.{name}]"))
    head, tail = text[:at], text[at:]
    value = next(dated.value for dated in book.parameters[name].values if str(dated.start) == start)
    assert isinstance(value, int)
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(head + tail.replace(f"value = {value}", f"value = {value + step}", 1), "utf-8")
    changed = rulebook.read(wrong, CATALOGUE)
    assert any(_decide(changed, case) != case.expected for case in CASES[id_])
