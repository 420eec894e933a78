"""What docs/rulebook.md shows is what the engines do: its first rulebook is good, its worked example comes out."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from tests.core.rules import rich_sample
from tests.core.rules.agreement import Judge
from tests.core.rules.rulebooks_random import Dated, Json, Setting

from salur.core import toml
from salur.core.population import catalogue
from salur.core.rules import rulebook
from salur.core.rules.plan import plan

PAGE = Path("docs/rulebook.md")
ON = date(2026, 11, 20)


def test_the_rulebook_of_the_page_is_good() -> None:
    shown = PAGE.read_text("utf-8").split("```toml\n")[1].split("```")[0]
    facts = catalogue.read(Path("src/salur/rulebooks/facts.toml"))
    plan(rulebook.parse(toml.parse(shown.encode(), PAGE), facts), ON)


def test_the_worked_example_of_the_page(tmp_path: Path) -> None:
    """Pregnancy 750,000 (most 2), elderly 600,000, primary 225,000; four slots; one per member."""
    components = [
        {"each": "grade >= 1", "amount": "primary"},
        {"each": "years(birth) >= 60", "amount": "elderly"},
        {"each": "pregnant", "amount": "pregnancy", "most": 2},
    ]
    limits = {"components": 4, "one_per_member": True}
    book = rich_sample._book(ON, "family", [], components, limits=limits)  # type: ignore[arg-type]
    for name, price in (("pregnancy", 750_000), ("elderly", 600_000), ("primary", 225_000)):
        book["parameters"][name] = rich_sample._parameter((date(2000, 1, 1), price))
    young: Json = {"birth": "2000-01-01", "pregnant": False, "grade": 0}
    changes: list[Json] = (
        [{"pregnant": True}] * 2 + [{"pregnant": True, "birth": "1960-01-01"}] + [{"grade": 3}] * 3
    )
    members = [{"person_id": index, **young, **change} for index, change in enumerate(changes)]
    case: Json = {
        "family_id": 1,
        "region": "35.10",
        "found": True,
        "facts": {},
        "members": members,
        "members_known": True,
    }
    dated = {name: Dated("r", ON) for name in rich_sample.CATALOGUE["facts"]}
    judge = Judge(Setting(rich_sample.CATALOGUE, book, ON, dated, [case]), tmp_path)
    assert judge.wanted[0].split("|")[5:11] == ["eligible", "0", "0", "1950000", "1950000", "2,0,2"]
    assert "1,950,000" in PAGE.read_text("utf-8")
    assert not judge.differences(("duckdb", "python", "sqlite"))
