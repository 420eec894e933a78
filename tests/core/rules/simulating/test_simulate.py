"""The engine's simulation equals a plain loop over 20,000 families, in every cell and in everything published."""

from __future__ import annotations

import re
import shutil
import threading
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest
from tests.core.rules.simulating import judge, naive

from salur.core import rules, toml
from salur.core.population import catalogue
from salur.core.population.catalogue import INTEGER_MOST
from salur.core.population.commands import read_regencies
from salur.core.population.generate import Generator, generate
from salur.core.rules import family_facts, rulebook
from salur.core.rules.decide import decide
from salur.core.rules.rows import cases
from salur.core.rules.simulate import Options, count, simulate
from salur.core.rules.simulate.attributes import BREAKDOWNS
from salur.core.rules.simulate.kept import prune

BOOKS = Path(rules.__file__).parents[2] / "rulebooks"
ON = date(2026, 9, 30)
NAMES = [breakdown.name for breakdown in BREAKDOWNS]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """20,000 families in three regencies of two provinces, the cases of each, and the truth."""
    folder = tmp_path_factory.mktemp("world")
    facts = rules.read_catalogue(BOOKS / "facts.toml")
    maker = Generator(read_regencies("35.10,35.09,36.01"), 20_000, 11, facts, ON, 3.0)
    population, _ = generate(maker, folder / "people")
    every = [case for p in population.provinces for case in cases(population, facts, p, ON)]
    assert len(every) == 20_000
    tables = [pq.read_table(population.truth(p)) for p in population.provinces]
    truth = {
        i: decile for t in tables
        for i, decile in zip(t["family_id"].to_pylist(), t["true_decile"].to_pylist(), strict=True)
    }  # fmt: skip
    return SimpleNamespace(
        folder=folder, known={}, catalogue=facts, population=population, cases=every, truth=truth,
        plan=lambda text, by=facts: rules.plan_on(
            rulebook.parse(toml.parse(text.encode(), Path("book.toml")), by), ON
        ),
    )  # fmt: skip


def text(name: str, *changes: tuple[str, str], more: str = "") -> str:
    """A shipped rulebook with pieces put in place of others."""
    found = (BOOKS / f"{name}.toml").read_text("utf-8")
    for old, new in changes:
        assert re.search(old, found, re.DOTALL), old
        found = re.sub(old, new, found, count=1, flags=re.DOTALL)
    return found + more


DECILE_3 = (r"(from = 2025-02-05, value = )4", r"\g<1>3")
DECILE_5 = (r"(from = 2025-02-05, value = )4", r"\g<1>5")


def without(table: str, name: str) -> tuple[str, str]:
    return rf'\[\[{table}\]\]\nid\s*= "{name}".*?(?=\n\[|\n# ---)', ""


SMALL_CHILD = (r"(early_childhood_most\]\nvalues = \[ \{ from = 2022-01-10, value = )2", r"\g<1>1")
PLACES = '[parameters.seats]\nvalues = [ {{ from = 2020-01-01, value = {n}, basis = "desil-2025" }} ]\n\n[[criteria]]'
QUOTA = '\n[quota]\nby = "{by}"\nplaces = "seats"\ncounts = "{counts}"\nrank = "welfare_score"\n'
SCHOOL_TO_18 = (r"(school_age_most\]\nvalues = \[ \{ from = 2022-01-10, value = )21", r"\g<1>18")
WORK_FROM_40 = (r"(working_age_least\]\nvalues = \[ \{ from = 2003-03-25, value = )15", r"\g<1>40")
URBAN = """[[criteria]]
id      = "in_the_countryside"
require = "not urban or count(years(birth_date) < 6) >= 2"
basis   = "desil-2025"
says    = { id = "-", en = "-" }

[[components]]"""


def places(n: int, by: str, counts: str = "families", *changes: tuple[str, str]) -> str:
    head = (r"\[\[criteria\]\]", PLACES.format(n=n))
    return text("pkh", head, *changes, more=QUOTA.format(by=by, counts=counts))


FIRST_CRITERION = re.search(
    r'\[\[criteria\]\]\nid\s*= "(?!poorest)(\w+)"', (BOOKS / "pkh.toml").read_text("utf-8")
)
assert FIRST_CRITERION
SHIPPED = text("pkh")
OTHER_CRITERIA = text("pkh", without("criteria", FIRST_CRITERION[1]), (r"\[\[components\]\]", URBAN))
PIP_DECILE_3 = (r"(value = )4(, basis = \"desil-pip)", r"\g<1>3\2")
TALENT = text("digital-talent", (r"value = 194", "value = 60"))
PAIRS = {
    "a parameter": (text("pkh", DECILE_3), SHIPPED),
    "a parameter, wider": (text("pkh", DECILE_5), SHIPPED),
    "an amount": (
        text("pkh", ("value = 750000", "value = 800000"), ("value = 225000", "value = 200000")),
        SHIPPED,
    ),
    "an age": (text("pkh", SCHOOL_TO_18), SHIPPED),
    "an age of work": (text("pkh", WORK_FROM_40), SHIPPED),
    "both ages": (text("pkh", SCHOOL_TO_18, WORK_FROM_40), SHIPPED),
    "criteria": (OTHER_CRITERIA, SHIPPED),
    "criteria, back": (SHIPPED, OTHER_CRITERIA),
    "components": (text("pkh", without("components", "elderly"), SMALL_CHILD), SHIPPED),
    "components, back": (SHIPPED, text("pkh", without("components", "elderly"))),
    "goods": (text("sembako", DECILE_3), text("sembako")),
    "the same": (SHIPPED, SHIPPED),
    "no old one": (SHIPPED, None),
    "a quota by regency": (places(156, "regency"), places(300, "regency", "families", DECILE_3)),
    "a new quota by province": (places(900, "province", "persons"), SHIPPED),
    "a quota of the nation goes": (SHIPPED, places(700, "nation", "persons")),
    "a quota and no old one": (places(200, "regency"), None),
    "persons": (text("pip", PIP_DECILE_3, ("value = 900000", "value = 950000")), text("pip")),
    "persons with a quota": (text("digital-talent", ("value = 29", "value = 27")), TALENT),
}
BOTH_WAYS = [(name, True) for name in PAIRS] + [("a parameter", False), ("persons with a quota", False)]


@pytest.mark.parametrize(("name", "with_truth"), BOTH_WAYS)
def test_every_cell_is_what_a_plain_loop_counts(world, tmp_path, name, with_truth):
    new, old = (None if book is None else world.plan(book) for book in PAIRS[name])
    assert new is not None
    truth = world.population.path / "truth" if with_truth else None
    told = naive.simulate(
        world.cases,
        new,
        old,
        truth=world.truth if with_truth else None,
        breakdowns=NAMES,
        known=world.known,
        poor=3,
    )
    options = {
        "facts": world.folder / "facts",
        "truth": truth,
        "poor": 3,
        "checked": world.folder / "checked",
    }
    cells = count(new, old, world.population, tmp_path / "work", Options(**options))
    assert judge.differences(cells, told) == []
    assert cells.units == sum(cell[0] for cell in told.moves.values()) > 19_000
    simulation = simulate(new, old, world.population, tmp_path / "work", Options(**options))
    assert judge.untrue(simulation, told) == []


@pytest.mark.parametrize(
    "name", ["a parameter", "a quota by regency", "a quota of the nation goes", "persons"]
)
@pytest.mark.parametrize("regencies", [["35.10"], ["36"], ["35.09", "36.01"]])
def test_some_regencies_are_compared_with_the_ranks_of_whole_areas(world, tmp_path, name, regencies):
    new, old = (world.plan(book) for book in PAIRS[name])
    told = naive.simulate(world.cases, new, old, regencies=regencies, breakdowns=NAMES, known=world.known)
    cells = count(
        new, old, world.population, tmp_path / "work",
        Options(regencies=regencies, facts=world.folder / "facts", checked=world.folder / "checked"),
    )  # fmt: skip
    assert judge.differences(cells, told) == []


@pytest.mark.parametrize(
    "name", ["a parameter", "a quota by regency", "a new quota by province", "persons with a quota"]
)
def test_a_sample_is_the_families_of_one_part(world, tmp_path, name):
    new, old = (world.plan(book) for book in PAIRS[name])
    told = naive.simulate(
        world.cases, new, old, sample=(3, 10), breakdowns=NAMES, known=world.known, truth=world.truth
    )
    options = {"facts": world.folder / "facts", "truth": world.population.path / "truth", "sample": (3, 10),
               "checked": world.folder / "checked"}  # fmt: skip
    cells = count(new, old, world.population, tmp_path / "work", Options(**options))
    assert judge.differences(cells, told) == []
    assert 1_600 < len({c.family_id for c in world.cases if naive.part_of(c.family_id, 10) == 3}) < 2_400
    simulation = simulate(new, old, world.population, tmp_path / "work", Options(**options))
    assert judge.untrue(simulation, told) == []
    assert (simulation.sample, simulation.times) == ((3, 10), 10)


@pytest.mark.parametrize("name", ["criteria", "persons"])
def test_a_population_decided_unit_by_unit_gives_the_same(world, tmp_path, name):
    new, old = (world.plan(book) for book in PAIRS[name])
    options = {"facts": world.folder / "facts", "checked": world.folder / "checked"}
    one, other = (
        count(new, old, world.population, tmp_path / str(by_class), Options(**options), by_class=by_class)
        for by_class in (True, False)
    )
    assert one == other


@pytest.mark.parametrize("name", ["a parameter", "criteria", "an age"])
def test_classes_that_a_decision_keeps_give_the_same(world, tmp_path, name):
    new, old = (world.plan(book) for book in PAIRS[name])
    facts, checked = tmp_path / "facts", world.folder / "checked"
    some = Options(regencies=["35.10", "36.01"], facts=tmp_path / "own", checked=checked)
    wanted = count(new, old, world.population, tmp_path / "alone", some)
    assert not list(some.facts.rglob("*-classes.parquet"))  # nor does a run over some regencies make them
    kept = facts / "family-facts"
    decide(old, world.population, tmp_path / "decided", checked=checked, family_facts=kept)
    sums = family_facts.where(old, world.population, kept)
    shutil.rmtree(sums)
    assert count(new, old, world.population, tmp_path / "some", replace(some, facts=facts)) == wanted
    assert (sums / "35.parquet").exists() == (name != "a parameter")  # the classes hold all that is read


@pytest.mark.parametrize("regencies", [None, ["35.10", "36.01"]])
def test_what_one_catalogue_takes_for_stale_and_the_other_does_not(world, tmp_path, regencies):
    facts = (
        (BOOKS / "facts.toml").read_text("utf-8").replace("stale_after_days = 370", "stale_after_days = 30")
    )
    strict = catalogue.parse(toml.parse(facts.encode(), Path("facts.toml")))
    options = Options(regencies=regencies, facts=tmp_path / "facts", checked=world.folder / "checked")
    moved = []
    for number, catalogues in enumerate([(world.catalogue, strict), (strict, world.catalogue)]):
        new, old = (world.plan(SHIPPED, each) for each in catalogues)
        told = naive.simulate(world.cases, new, old, regencies=regencies, breakdowns=NAMES)
        cells = count(new, old, world.population, tmp_path / str(number), options)
        assert judge.differences(cells, told) == []
        moved.append({move.kind for move, _, _ in cells.moves})
    assert "gains" in moved[0]
    assert "loses" not in moved[0]


def test_sums_larger_than_a_word_of_the_machine_are_exact(world, tmp_path):
    new, old = (world.plan(book) for book in PAIRS["a parameter"])
    dear = replace(new, items=tuple(replace(item, price=INTEGER_MOST) for item in new.items))
    options = {"facts": world.folder / "facts", "checked": world.folder / "checked"}
    one, other = (
        count(dear, old, world.population, tmp_path / str(by_class), Options(**options), by_class=by_class)
        for by_class in (True, False)
    )
    assert one == other
    assert sum(cell.after for cell in one.moves.values()) > 2**63


def test_a_run_that_is_stopped_anywhere_goes_on_and_ends_in_the_same(world, tmp_path):
    new, old = (world.plan(book) for book in PAIRS["a quota by regency"])
    options = {"facts": tmp_path / "facts", "checked": world.folder / "checked"}
    whole = count(new, old, world.population, tmp_path / "whole", Options(**options))
    work, stops = tmp_path / "work", 0

    def run(most: int) -> bool:
        """Whether it ends before so many provinces are told of."""
        told = iter(range(most))

        def stop(stage: str, province: str) -> None:
            if next(told, None) is None:
                raise KeyboardInterrupt

        try:
            assert count(new, old, world.population, work, Options(**options, progress=stop)) == whole
        except KeyboardInterrupt:
            return False
        return True

    while not run(stops):  # one step further each time
        stops += 1
    assert stops >= 6
    assert not list(work.rglob("*.part"))
    assert {path.name for path in work.iterdir()} <= {"run.json", "cells", "spill", "lock"}
    assert count(new, old, world.population, work, Options(**options)) == whole


def test_ctrl_c_stops_the_provinces_at_work_and_those_that_wait(world, tmp_path):
    maker = Generator(read_regencies("11.01,12.01,13.01,35.10,36.01"), 10_000, 5, world.catalogue, ON, 3.0)
    population, _ = generate(maker, tmp_path / "people")
    new, old = (world.plan(book) for book in PAIRS["components"])

    def stop(stage: str, _province: str) -> None:
        if stage == "compare":
            raise KeyboardInterrupt

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        count(new, old, population, tmp_path / "work", Options(progress=stop))
    assert threading.active_count() == before


def test_nothing_that_a_quota_is_decided_from_is_pruned_meanwhile(world, tmp_path):
    new, old = (world.plan(book) for book in PAIRS["a quota by regency"])
    checked, facts = world.folder / "checked", tmp_path / "facts"

    def another(stage: str, _province: str) -> None:
        """Another simulation ends, and finds the cache too large."""
        prune(facts, most=0)

    with_others = Options(facts=facts, checked=checked, progress=another)
    alone = Options(facts=tmp_path / "own", checked=checked)
    assert count(new, old, world.population, tmp_path / "work", with_others) == count(
        new, old, world.population, tmp_path / "alone", alone
    )


WHOLE = ["_possible0", "_q0", "_sure0"]
BOTH_HALVES = text("pkh", without("components", "elderly"), (r"\[\[components\]\]", URBAN))


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("a parameter", []),
        ("criteria", [["_a8", "_q0", "_u8"]]),
        ("components", [["_possible0", "_sure0"]]),
        ("both", [["_a9", *WHOLE, "_u9"]]),
    ],
)
def test_persons_are_read_only_for_the_half_that_is_changed(world, tmp_path, name, more):
    """The words over members that are made: all of the old rulebook, and more for the new one."""
    new, old = (world.plan(book) for book in (PAIRS | {"both": (BOTH_HALVES, SHIPPED)})[name])
    count(new, old, world.population, tmp_path / "work",
          Options(facts=tmp_path / "facts", checked=world.folder / "checked"))  # fmt: skip
    files = (tmp_path / "facts").glob("[fm]*/*/*/35.parquet")
    made = sorted(names for file in files if "class" not in (names := sorted(pq.read_schema(file).names)))
    assert made == sorted([WHOLE, *more])


def noting(patch, name):
    """What a function of family facts returns, call by call."""
    returned, original = [], getattr(family_facts, name)

    def noted(*arguments):
        returned.append(original(*arguments))
        return returned[-1]

    patch.setattr(family_facts, name, noted)
    return returned


def test_only_families_of_which_a_changed_test_says_something_else_are_summed_again(
    world, tmp_path, monkeypatch
):
    new, old = (world.plan(book) for book in PAIRS["an age"])
    summed, touched = noting(monkeypatch, "_sum"), noting(monkeypatch, "_touched")
    count(new, old, world.population, tmp_path / "work",
          Options(facts=tmp_path / "facts", checked=world.folder / "checked"))  # fmt: skip
    assert len(summed) == len(touched) == len(world.population.provinces)  # all of the old rulebook
    between = {
        case.family_id
        for case in world.cases
        for member in case.members
        if (born := member.facts.get("birth_date")) and date(2004, 9, 30) < born <= date(2007, 9, 30)
    }
    assert 0 < sum(rows.num_rows for rows in touched) <= len(between) < 20_000 // family_facts.SHARE


def test_a_folder_of_another_simulation_is_refused_and_a_damaged_cache_is_made_again(world, tmp_path):
    new, old = (world.plan(book) for book in PAIRS["components"])
    options = {"facts": tmp_path / "facts", "checked": world.folder / "checked"}
    whole = count(new, old, world.population, tmp_path / "work", Options(**options))
    with pytest.raises(rules.InputError, match="a simulation of something else"):
        count(old, new, world.population, tmp_path / "work", Options(**options))
    with pytest.raises(rules.InputError, match="a simulation of something else"):
        count(new, old, world.population, tmp_path / "work", Options(**options, regencies=["35.10"]))
    damaged = 0
    for number, file in enumerate(sorted((tmp_path / "facts").rglob("*.parquet"))):
        file.write_bytes(file.read_bytes()[: number * 40])
        damaged += 1
    assert (
        damaged == 10
    )  # of two provinces attributes, sums over members, their changed half, and two of classes
    assert count(new, old, world.population, tmp_path / "again", Options(**options)) == whole
