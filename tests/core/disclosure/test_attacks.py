"""No group of one to nine people can be derived from what is published: levels, outcomes, cycles, money."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.disclosure.attacker import Key, Solver, bounds, equations, within

from salur.core.disclosure import SMALL, Cell, Grouping, Table, protect

OUTCOMES = ["eligible", "needs_data", "not_eligible", "waiting"]
AMOUNT = 600_000
People = dict[Key, int]


def parent(region: str) -> str | None:
    return region.rpartition(".")[0] if region else None


@st.composite
def peoples(draw: st.DrawFn, most: int = 24) -> People:
    """A small nation: one to three provinces with one to three regencies with one to three districts."""
    outcomes = OUTCOMES[: draw(st.integers(2, 4))]
    depth = draw(st.integers(1, 3))
    codes = [""]
    for _ in range(depth):
        codes = [
            f"{code}.{n:02}".lstrip(".") for code in codes for n in range(1, draw(st.integers(1, 3)) + 1)
        ]
    number = st.one_of(st.just(0), st.integers(1, 9), st.integers(1, 9), st.integers(10, 60))
    keys = [(code, outcome) for code in codes for outcome in outcomes][:most]
    codes = sorted({code for code, _ in keys})
    return {(code, outcome): draw(number) for code in codes for outcome in outcomes}


def cells(people: Mapping[Key, int]) -> dict[Key, Cell]:
    return {key: Cell(n, n * AMOUNT if key[1] == "eligible" else 0) for key, n in people.items()}


def sums(people: People) -> list[tuple[str, set[str], int]]:
    """Every sum that somebody might want: a region of any level, with any outcomes."""
    regions = {""} | {code[:length] for code, _ in people for length in range(2, len(code) + 1, 3)}
    outcomes = sorted({outcome for _, outcome in people})
    chosen = [set(c) for n in range(1, len(outcomes) + 1) for c in itertools.combinations(outcomes, n)]
    return [
        (region, wanted, sum(n for (r, o), n in people.items() if within(r, region) and o in wanted))
        for region in sorted(regions)
        for wanted in chosen
    ]


def vector(unknowns: list[Key], region: str, outcomes: set[str]) -> list[Fraction]:
    return [Fraction(within(r, region) and o in outcomes) for r, o in unknowns]


def assert_closed(people: People, lines: list[tuple[list[Fraction], int]]) -> None:
    unknowns = sorted(people)
    solver = Solver(lines, len(unknowns))
    for region, outcomes, number in sums(people):
        if 0 < number < SMALL:
            assert not solver.derives(vector(unknowns, region, outcomes)), (region, outcomes, number)


@given(peoples())
@settings(max_examples=150, deadline=None)
def test_every_figure_is_true_and_none_is_small(people: People) -> None:
    table = protect(cells(people))
    total = sum(people.values())
    if 0 < total < SMALL:
        assert table.rows == ()
        return
    for row in table.rows:
        for figure in row.figures:
            inside = [
                n for (r, o), n in people.items()
                if o in figure.outcomes and any(within(r, above) for above in row.regions)
            ]  # fmt: skip
            assert figure.people == sum(inside)
            assert figure.people == 0 or figure.people >= SMALL
    for region, outcomes, _ in sums(people):
        for outcome in outcomes:
            assert table.find(region, outcome) is not None
    for row in table.rows:
        below = [other for other in table.rows if parent(other.regions[0]) in row.regions]
        assert not below or sum(other.people for other in below) == row.people
        assert not below or len(row.regions) == 1


@given(peoples())
@settings(max_examples=100, deadline=None)
def test_no_subtraction_across_levels_and_outcomes_gives_a_small_group(people: People) -> None:
    assert_closed(people, equations(protect(cells(people)), sorted(people)))


@given(peoples(most=8))
@settings(max_examples=40, deadline=None)
def test_no_set_of_cells_whatever_is_small_and_derived(people: People) -> None:
    unknowns = sorted(people)
    if len(unknowns) > 10:
        return
    solver = Solver(equations(protect(cells(people)), unknowns), len(unknowns))
    for taken in itertools.product((0, 1), repeat=len(unknowns)):
        if 0 < sum(people[key] for key, t in zip(unknowns, taken, strict=True) if t) < SMALL:
            # Cells that are known to be empty add nothing: without them the set must stay closed as well.
            assert not solver.derives([Fraction(t) for t in taken])


@given(peoples(most=12))
@settings(max_examples=30, deadline=None)
def test_a_small_cell_is_not_narrowed_down_to_less_than_ten(people: People) -> None:
    unknowns = sorted(people)
    lines = equations(protect(cells(people)), unknowns)
    if not lines:
        return
    for region, outcomes, number in sums(people):
        if 0 < number < SMALL:
            least, most = bounds(lines, vector(unknowns, region, outcomes), [people[key] for key in unknowns])
            assert least <= number <= most
            assert most - least >= SMALL, (region, outcomes, number)


# ---- somebody who knows the program ----------------------------------------------------------------------


def worlds(keys: list[Key], total: int) -> list[People]:
    """Every table with so many people."""
    places = range(total + len(keys) - 1)
    found = []
    for bars in itertools.combinations(places, len(keys) - 1):
        ends = [-1, *bars, total + len(keys) - 1]
        found.append({key: ends[i + 1] - ends[i] - 1 for i, key in enumerate(keys)})
    return found


@pytest.mark.parametrize(
    ("regions", "outcomes", "total"),
    [
        (["1"], OUTCOMES, 14),
        (["1", "2"], OUTCOMES[:2], 14),
        (["1", "2"], OUTCOMES[:3], 10),
        (["1", "2", "3"], OUTCOMES[:2], 10),
        (["1.1", "1.2", "2.1", "2.2"], OUTCOMES[:1], 16),
        (["1.1", "1.2", "2.1"], OUTCOMES[:2], 9),
        (["1.1", "1.2", "2.1", "2.2"], OUTCOMES[:2], 8),
    ],
)
def test_who_runs_the_program_on_every_possible_table_finds_no_small_cell(
    regions: list[str], outcomes: list[str], total: int
) -> None:
    """Groups of fewer than three are protected here, so that all tables can be tried."""
    keys = [(region, outcome) for region in regions for outcome in outcomes]
    alike: dict[object, list[People]] = defaultdict(list)
    for world in worlds(keys, total):
        alike[protect(cells(world), small=3).rows].append(world)
    for same in alike.values():
        for key in keys:
            values = {world[key] for world in same}
            assert len(values) > 1 or values.pop() in {0, *range(3, total + 1)}, same[0]


# ---- cycles ----------------------------------------------------------------------------------------------


@st.composite
def cycles(draw: st.DrawFn) -> list[People]:
    """Three cycles of a nation; between them some cells change."""
    first = draw(peoples(most=16))
    history = [first]
    for _ in range(2):
        changed = dict(history[-1])
        for key in draw(st.lists(st.sampled_from(sorted(first)), max_size=4)):
            changed[key] = draw(st.integers(0, 30))
        history.append(changed)
    return history


def publish(history: list[People]) -> list[Table]:
    tables: list[Table] = []
    grouping = Grouping()
    for people in history:
        tables.append(protect(cells(people), previous=grouping))
        grouping = tables[-1].grouping
    return tables


@given(cycles())
@settings(max_examples=100, deadline=None)
def test_a_later_table_merges_more_and_never_less(history: list[People]) -> None:
    tables = [table for table in publish(history) if table.rows]
    for earlier, later in itertools.pairwise(tables):
        for regions, groups in earlier.grouping.rows.items():
            for region, names in itertools.product(regions, groups):
                found = later.find(region, names[0])
                assert found is not None
                if len(found[0].regions[0]) < len(region):
                    continue  # held by a row above by now, which is looked at itself
                assert found == later.find(regions[0], names[-1])


@given(cycles())
@settings(max_examples=60, deadline=None)
def test_no_later_table_opens_an_earlier_one_whoever_knows_what_stayed_the_same(
    history: list[People],
) -> None:
    """The attacker has all tables and is told of every cell whether it changed, which nobody can know in truth."""
    unknowns = sorted(history[0])
    width = len(unknowns)
    lines: list[tuple[list[Fraction], int]] = []
    for place, table in enumerate(publish(history)):
        for line, number in equations(table, unknowns):
            wide = [Fraction(0)] * (place * width) + line + [Fraction(0)] * ((2 - place) * width)
            lines.append((wide, number))
    for place in range(2):
        for i, key in enumerate(unknowns):
            if history[place][key] == history[place + 1][key]:
                same = [Fraction(0)] * (3 * width)
                same[place * width + i], same[(place + 1) * width + i] = Fraction(1), Fraction(-1)
                lines.append((same, -1))  # not a sum of cells: nothing follows for each alone
    solver = Solver(lines, 3 * width)
    first = history[0]
    for region, outcomes, number in sums(first):
        if 0 < number < SMALL:
            wanted = vector(unknowns, region, outcomes) + [Fraction(0)] * (2 * width)
            assert not solver.derives(wanted), (region, outcomes, number)


def test_without_the_grouping_of_the_last_cycle_a_difference_would_tell() -> None:
    """What `previous` is for: region 1 grows, is shown alone, and its neighbour did not change."""
    first = {("1", "eligible"): 4, ("2", "eligible"): 20, ("3", "eligible"): 30}
    second = {**first, ("1", "eligible"): 12}
    before = protect(cells(first))
    merged, alone = before.find("1", "eligible"), protect(cells(second)).find("2", "eligible")
    assert merged is not None
    assert alone is not None
    assert merged[1].people - alone[1].people == 4
    after = protect(cells(second), previous=before.grouping)
    assert [row.regions for row in after.rows] == [("",), ("1", "2"), ("3",)]


def test_a_nation_of_few_is_not_published_and_the_grouping_is_kept() -> None:
    grouping = protect(cells({("1", "eligible"): 4, ("2", "eligible"): 20})).grouping
    assert protect(cells({("1", "eligible"): 4, ("2", "eligible"): 2})).rows == ()
    few = protect(cells({("1", "eligible"): 4, ("2", "eligible"): 2}), previous=grouping)
    assert (few.rows, few.grouping) == ((), grouping)


# ---- money -----------------------------------------------------------------------------------------------


@given(peoples(most=16))
@settings(max_examples=100, deadline=None)
def test_money_is_that_of_its_people_and_takes_no_outcomes_apart(people: People) -> None:
    """Everybody gets the same amount: money is a number of people in disguise, one more equation each."""
    unknowns = sorted(people)
    table = protect(cells(people))
    lines = equations(table, unknowns)
    for row in table.rows:
        for figure in row.figures:
            paid = sum(
                people[r, o] for r, o in unknowns
                if o == "eligible" and o in figure.outcomes and any(within(r, a) for a in row.regions)
            )  # fmt: skip
            if figure.rupiah is not None:
                assert figure.rupiah == paid * AMOUNT
                line = [
                    Fraction(o == "eligible" and o in figure.outcomes and any(within(r, a) for a in row.regions))
                    for r, o in unknowns
                ]  # fmt: skip
                lines.append((line, paid))
    assert_closed(people, lines)


def test_regions_that_are_merged_keep_their_money_and_outcomes_that_are_merged_do_not() -> None:
    regions = protect(cells({("1", "eligible"): 4, ("2", "eligible"): 20, ("3", "eligible"): 30}))
    found = regions.find("1", "eligible")
    assert found is not None
    assert (found[0].regions, found[1].rupiah) == (("1", "2"), 24 * AMOUNT)
    outcomes = protect(cells({("1", "eligible"): 500, ("1", "needs_data"): 90, ("1", "waiting"): 3}))
    assert [(f.outcomes, f.people, f.rupiah) for f in outcomes.rows[0].figures] == [
        (("eligible",), 500, 500 * AMOUNT),
        (("needs_data", "waiting"), 93, 0),
    ]
    paid = protect(cells({("1", "eligible"): 50, ("1", "waiting"): 3}))
    assert [(f.outcomes, f.people, f.rupiah) for f in paid.rows[0].figures] == [
        (("eligible", "waiting"), 53, None)
    ]
    assert paid.rows[0].rupiah is None


# ---- the rest --------------------------------------------------------------------------------------------


@given(peoples(), st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_the_order_of_the_cells_changes_nothing(people: People, draw: object) -> None:
    keys = sorted(people)
    draw.shuffle(keys)  # type: ignore[attr-defined]
    assert protect(cells({key: people[key] for key in keys})) == protect(cells(people))


def test_a_grouping_survives_being_stored() -> None:
    grouping = protect(cells({("1", "eligible"): 4, ("2", "eligible"): 20, ("2", "waiting"): 3})).grouping
    assert Grouping.of_json(grouping.to_json()) == grouping
    with pytest.raises(ValueError, match="format 1"):
        Grouping.of_json('{"rows":[]}')


def test_what_cannot_be_a_table_is_refused() -> None:
    with pytest.raises(ValueError, match="not negative"):
        protect({("1", "eligible"): Cell(-1)})
    with pytest.raises(ValueError, match="one level"):
        protect({("1", "eligible"): Cell(20), ("1.1", "eligible"): Cell(20)})


def test_the_districts_of_a_nation_take_seconds_not_hours() -> None:
    """7,285 districts of 514 regencies of 38 provinces, most figures large and some small."""
    people = {
        (f"{p:02}.{r:02}.{d:02}", outcome): (p * 7 + r * 5 + d * 3 + i) % 97 * (i + 1) ** 2
        for p in range(38) for r in range(14) for d in range(14) for i, outcome in enumerate(OUTCOMES)
    }  # fmt: skip
    table = protect(cells(people))
    assert all(f.people == 0 or f.people >= SMALL for row in table.rows for f in row.figures)
    assert len(table.rows) > 553
