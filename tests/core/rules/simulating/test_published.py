"""What is published of a simulation tells on no small group, whatever the numbers are."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salur.core import rules, toml
from salur.core.rules import rulebook
from salur.core.rules.simulate import Options
from salur.core.rules.simulate import published as publishing
from salur.core.rules.simulate import sweeps as sweeping
from salur.core.rules.simulate.cells import Cells, Reasons, Truth
from salur.core.rules.simulate.moves import KINDS, OUTCOMES, Move
from salur.core.rules.simulate.published import Errors, Simulation, most_of_one, published

BOOKS = Path(rules.__file__).parents[2] / "rulebooks"
CATALOGUE = rules.read_catalogue(BOOKS / "facts.toml")
PKH = rules.plan_on(rules.read_rulebook(BOOKS / "pkh.toml", CATALOGUE), date(2026, 9, 30))
SEMBAKO = rules.plan_on(rules.read_rulebook(BOOKS / "sembako.toml", CATALOGUE), date(2026, 9, 30))
POPULATION = SimpleNamespace(id="0" * 64)
PAIRS = [(a, b) for a in OUTCOMES[:-1] for b in OUTCOMES[:-1]]
MOVES = [Move(a, b) for a, b in PAIRS] + [Move("eligible", "eligible", sign) for sign in (1, 2, 3)]
REASONS = [
    Reasons(),
    Reasons(criteria=("a",)),
    Reasons(criteria=("a", "b")),
    Reasons(components=("c",)),
    Reasons(places=True),
]


def simulation(numbers: dict[tuple[Move, Reasons, str], int]) -> Simulation:
    cells = Cells()
    for (move, reasons, region), units in numbers.items():
        money = units * 200_000
        cell = (units, money * (move.before == "eligible"), money * (move.after == "eligible"))
        cells.moves[move, reasons, Truth()].add(*cell)
        cells.regions[region, move.kind].add(*cell)
    return published(cells, SEMBAKO, SEMBAKO, POPULATION)  # type: ignore[arg-type]


COUNTS = st.dictionaries(
    st.tuples(st.sampled_from(MOVES), st.sampled_from(REASONS), st.sampled_from(["35.09", "35.10", "36.01"])),
    st.one_of(st.integers(1, 12), st.integers(1, 400)), max_size=14,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(COUNTS)
def test_every_number_is_nothing_or_ten_and_every_difference_of_sums_too(numbers):
    s = simulation(numbers)
    everybody = sum(numbers.values())
    if everybody < 10:
        assert (s.kinds, s.moves, s.reasons, s.after.cost) == ((), (), (), None)
        assert all(table.rows == () for table in s.tables.values())
        return
    assert sum(line.units for line in s.kinds) == everybody
    groups = {line.names: line.units for line in s.kinds}
    lines = [
        *s.kinds,
        *s.moves,
        *s.reasons,
        *(line for t in s.tables.values() for r in t.rows for line in r.lines),
    ]
    assert all(line.units == 0 or line.units >= 10 for line in lines)
    # The columns of a breakdown are the groups of kinds, or unions of them: no difference takes a group apart.
    for row in s.tables["region"].rows:
        for line in row.lines:
            inside = [names for names in groups if set(names) & set(line.names)]
            assert {name for names in inside for name in names} >= set(line.names) & set(sum(groups, ()))
            assert all(set(names) <= set(line.names) for names in inside)
    # Below a kind, what is shown comes to the kind.
    for names, units in groups.items():
        below = [line.units for line in s.moves if {_kind(name) for name in line.names} <= set(names)]
        assert not below or (len(names) == 1 and sum(below) == units)
        why = [reason.units for reason in s.reasons if (reason.kind,) == names]
        assert not why or sum(why) <= units
        assert not 0 < units - sum(why or [units]) < 10
    # An outcome is told where it is a sum of lines, and then it is not small either.
    for name, side in (("before", s.before), ("after", s.after)):
        assert side is not None
        for outcome, n in side.outcomes.items():
            assert n is None or n == 0 or n >= 10
            exact = sum(units for (move, *_), units in numbers.items() if getattr(move, name) == outcome)
            assert n in (None, exact)


def _kind(written: str) -> str:
    pair, _, kind = written.partition(":")
    before, _, after = pair.partition(">")
    return kind or Move(before, after).kind


@settings(max_examples=200, deadline=None)
@given(COUNTS)
def test_money_takes_no_small_group_apart(numbers):
    """With one amount for all, money is a number of families: it must not tell what is put together."""
    s = simulation(numbers)
    if sum(numbers.values()) < 10:
        return
    exact = {
        side: sum(n for (m, *_), n in numbers.items() if getattr(m, side) == "eligible")
        for side in ("before", "after")
    }
    merged = [line for line in s.kinds if len(line.names) > 1]
    for line in merged:
        assert line.before is None or not set(line.names) & {"more", "other", "same", "less", "loses"}
        assert line.after is None or not set(line.names) & {"more", "other", "same", "less", "gains"}
    for name, side in (("before", s.before), ("after", s.after)):
        assert side is not None
        assert side.cost is not None
        if merged:
            assert side.rounded == 10 * most_of_one(SEMBAKO) >= 2_000_000
            assert side.cost % side.rounded == 0
            assert abs(side.cost - exact[name] * 200_000) * 2 <= side.rounded
        else:
            assert side.cost == exact[name] * 200_000


@pytest.mark.parametrize(("small", "shown"), [(3, False), (9, False), (10, True), (40, True)])
def test_a_small_group_that_gains_is_shown_only_with_its_neighbours(small, shown):
    gains, same, none = (
        Move("not_eligible", "eligible"),
        Move("eligible", "eligible"),
        Move("not_eligible", "not_eligible"),
    )
    why = Reasons(criteria=("poorest_deciles",))
    s = simulation(
        {(gains, why, "35.10"): small, (same, Reasons(), "35.10"): 500, (none, Reasons(), "35.10"): 900}
    )
    assert s.kinds[0].names == (("gains",) if shown else ("gains", "same"))
    assert (s.before is not None and s.before.outcomes["eligible"] == 500) is shown
    assert (s.after.outcomes["eligible"]) == 500 + small
    assert bool(s.reasons) is shown


def test_errors_are_withheld_where_a_number_or_the_difference_of_the_sides_is_small():
    why, poor = Reasons(criteria=("a",)), Truth(True, True, True)

    def errors(loses: int, leaked: int) -> tuple[Errors | None, Errors | None]:
        cells = Cells()
        for move, reasons, truth, n in (
            (Move("eligible", "eligible"), Reasons(), poor, 300), (Move("eligible", "not_eligible"), why, poor, loses),
            (Move("eligible", "eligible"), Reasons(), Truth(), leaked),
            (Move("not_eligible", "not_eligible"), Reasons(), poor, 100),
        ):  # fmt: skip
            cells.moves[move, reasons, truth].add(
                n, n if move.before == "eligible" else 0, n if move.after == "eligible" else 0
            )
        s = published(cells, SEMBAKO, SEMBAKO, POPULATION, Options(truth=Path()))  # type: ignore[arg-type]
        return s.errors_before, s.errors_after

    before, after = errors(50, 40)
    assert before is not None
    assert after is not None
    assert (before.targets, before.missed, before.receivers, before.leaked) == (450, 100, 390, 40)
    assert (after.missed, after.exclusion, after.inclusion) == (150, round(150 / 450, 4), round(40 / 340, 4))
    assert errors(50, 4) == (None, None)
    assert errors(4, 40) == (None, None)
    assert errors(0, 40)[0] == errors(0, 40)[1] is not None


def test_the_most_of_one_is_a_bound_of_every_amount():
    assert most_of_one(SEMBAKO) == max(item.price for item in SEMBAKO.items)
    amounts = sorted((item.price for item in PKH.items), reverse=True)
    assert 4 * amounts[0] >= most_of_one(PKH) >= 2 * amounts[0] + 2 * amounts[2]


def test_a_point_of_a_sweep_near_another_is_withheld():
    same, none = Move("eligible", "eligible"), Move("not_eligible", "not_eligible")
    points = [
        simulation({(same, Reasons(), "35.10"): n, (none, Reasons(), "35.10"): 5_000 - n})
        for n in (400, 401, 410)
    ]
    assert sweeping.close(points[0], points[1])
    assert not sweeping.close(points[0], points[2])
    assert not sweeping.close(points[0], points[0])


def test_a_kind_is_the_same_for_the_engine_and_for_people():
    import duckdb

    from salur.core.rules.simulate import moves

    for number in range(5 * len(OUTCOMES) * 5):
        found = duckdb.execute(f"SELECT {moves.kind(str(number))}").fetchall()[0][0]
        assert KINDS[found] == Move.of(number).kind


def test_a_swept_rulebook_is_checked_and_has_a_version_of_its_own():
    book = SEMBAKO.rulebook
    other = sweeping.with_value(book, "highest_decile", 2)
    assert rules.plan_on(other, SEMBAKO.on).parameters["highest_decile"] == 2
    assert other.sha256 != book.sha256
    assert (
        rules.plan_on(rulebook.parse(toml.parse(book.raw, book.path), CATALOGUE), SEMBAKO.on).parameters
        == SEMBAKO.parameters
    )
    with pytest.raises(rules.InputError):
        sweeping.with_value(PKH.rulebook, "elderly_amount", -1)
    assert publishing.TIMES_A_YEAR.keys() == {"month", "quarter", "semester", "year", "once"}
