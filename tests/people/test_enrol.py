"""Enrolment: a population with its identities, and rows of any kind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tests.people.people import BOTH, CLERK, ELSEWHERE, KEYS, NOW, TODAY, a_person, facts

from salur.access.policy import SYSTEM, Refused
from salur.core.faults import InputError
from salur.core.population.commands import REFERENCE_DATE, read_regencies
from salur.core.population.generate import Generator, generate
from salur.core.population.identities import write_identities
from salur.people import bulk, selectors, services
from salur.people.bulk import Enrolled, FamilyRow, PersonRow
from salur.people.folders import Folders, open_folders
from salur.people.models import FIRST_MINTED, Family, Identifier, Membership, Person
from salur.people.protect import Keys, KeysError

NIK = "3510014105809001"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    """300 families of two regencies in two provinces."""
    folder = tmp_path_factory.mktemp("enrol")
    generator = Generator(read_regencies("35.10,51.71"), 300, 1, facts(), REFERENCE_DATE.date(), None)
    population, _ = generate(generator, folder / "population")
    write_identities(generator, population.id, folder / "identities")
    return open_folders(folder / "population", folder / "identities", facts())


def enrol(
    families: Iterable[FamilyRow], persons: Iterable[PersonRow], keys: Keys = KEYS, **more: Any
) -> Enrolled:
    given: dict[str, Any] = {"actor": SYSTEM, "now": NOW, "since": TODAY, "source": "0" * 64}
    return services.enrol(keys=keys, families=families, persons=persons, **given | more)


def rows() -> tuple[list[Any], ...]:
    return tuple(
        list(model.objects.order_by("id").values_list())  # type: ignore[attr-defined]
        for model in (Family, Person, Membership, Identifier)
    )


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("batch", [50_000, 7])
def test_a_population_is_enrolled_whole_and_once(
    folders: Folders, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "BATCH_ROWS", batch)
    told: list[tuple[int, int]] = []
    total = folders.population.rows["persons"]
    result = enrol(folders.families(), folders.persons(), total=total, progress=lambda *now: told.append(now))
    assert (result.families, result.persons, result.known, result.bad_rows) == (300, total, 0, 0)
    assert told[-1] == (total, total)
    assert [row.id for row in folders.families()] == list(
        Family.objects.order_by("id").values_list("id", flat=True)
    )
    places = dict(Family.objects.values_list("id", "region"))
    for row in folders.persons():
        person = selectors.person(row.id, regions=(places[row.family_id],))
        assert person is not None
        assert (person.name, person.birth_date, person.sex) == (row.name, row.birth_date, row.sex)
        assert selectors.family_of(row.id, TODAY, regions=None) == row.family_id
        assert selectors.find_by_identifier("nik", row.nik, KEYS, regions=None) == f"person:{row.id}"
    before = rows()
    again = enrol(folders.families(), folders.persons())
    assert (again.families, again.persons, again.known, again.digest) == (0, 0, total, result.digest)
    assert rows() == before
    assert a_person() == FIRST_MINTED


@pytest.mark.usefixtures("database")
def test_one_event_with_counts_and_a_digest(folders: Folders) -> None:
    from salur.journal.models import Event

    result = enrol(folders.families(), folders.persons(), source=folders.digest)
    (event,) = Event.objects.all()
    detail = json.loads(event.detail)
    assert event.kind == "people.enrolled"
    assert detail == {
        "bad_rows": 0, "digest": result.digest, "families": 300, "known": 0, "persons": result.persons,
        "source": folders.digest,
    }  # fmt: skip


@pytest.mark.usefixtures("database")
def test_good_rows_go_on_and_bad_ones_are_told() -> None:
    families = [FamilyRow(1, "35.10"), FamilyRow(2, "35.1"), FamilyRow(3, "35.10", kk="12")]
    persons = [
        PersonRow(10, 1, "Sutini", nik=NIK),
        PersonRow(11, 1, ""),
        PersonRow(12, 2, "In a family that cannot be"),
        PersonRow(13, 3, "Wayan", nik=NIK),
        PersonRow(14, 3, "Ketut", nik="35100141058090011"),
        PersonRow(15, 3, "Made 0812 3456 7890"),
    ]
    result = enrol(families, persons)
    said = "\n".join(map(str, result.faults))
    assert (result.families, result.persons, result.bad_rows) == (2, 3, 7)
    for part in (
        "family:2 has a region", "family:3 has a number", "person:11 has no name", "person:12 is in family:2",
        "number of person:13 belongs to person:10", "person:14 has a number", "person:15 has no name",
    ):  # fmt: skip
        assert part in said
    assert NIK not in said
    mended = [PersonRow(11, 1, "Siti"), PersonRow(12, 2, "Ni Luh")]
    assert enrol([FamilyRow(2, "35.10")], mended).persons == 2


@pytest.mark.usefixtures("database")
def test_who_is_known_is_left_as_they_are() -> None:
    enrol([FamilyRow(1, "35.10"), FamilyRow(2, "35.11")], [PersonRow(10, 1, "Sutini", nik=NIK)])
    services.membership_end(actor=CLERK, now=NOW, person_id=10, until=date(2026, 10, 1))
    services.membership_begin(actor=ELSEWHERE, now=NOW, person_id=10, family_id=2, since=date(2026, 10, 1))
    before = rows()
    result = enrol([FamilyRow(1, "35.10")], [PersonRow(10, 1, "Another name")])
    assert (result.known, result.elsewhere) == (1, 1)
    assert rows() == before


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("families", "persons", "sentence"),
    [
        ([FamilyRow(FIRST_MINTED, "35.10")], [], "only Salur gives"),
        ([FamilyRow(0, "35.10")], [], "only Salur gives"),
        ([FamilyRow(1, "35.10")] * 2, [], "twice"),
        ([FamilyRow(1, "35.10")], [PersonRow(5, 1, "A"), PersonRow(5, 1, "B")], "twice"),
        (
            [FamilyRow(1, "35.10")],
            [PersonRow(5, 1, "A"), PersonRow(FIRST_MINTED, 1, "B")],
            "only Salur gives",
        ),
    ],
)
def test_what_cannot_be_leaves_nothing(
    families: list[FamilyRow], persons: list[PersonRow], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        enrol(families, persons)
    assert rows() == ([], [], [], [])
    assert enrol([FamilyRow(1, "35.10")], [PersonRow(5, 1, "A")]).persons == 1


@pytest.mark.usefixtures("database")
def test_not_while_keys_are_half_rotated_nor_by_a_clerk() -> None:
    enrol([FamilyRow(1, "35.10")], [PersonRow(5, 1, "A", nik=NIK)])
    with pytest.raises(KeysError, match="rotate-keys"):
        enrol([], [], keys=BOTH)
    with pytest.raises(Refused):
        enrol([], [], actor=CLERK)


def test_killed_in_the_middle_it_leaves_nothing(folders: Folders, database: str, database_url: str) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; import salur.web; salur.web.setup()\n"
        "from tests.people.people import KEYS, NOW, TODAY, facts\n"
        "from salur.access.policy import SYSTEM; from salur.people import bulk, services\n"
        "from salur.people.folders import open_folders\n"
        "bulk.BATCH_ROWS = 100\n"
        "f = open_folders(Path(sys.argv[1]), Path(sys.argv[2]), facts())\n"
        "def stop(done, total): done > 400 and os.kill(os.getpid(), signal.SIGKILL)\n"
        "services.enrol(actor=SYSTEM, now=NOW, keys=KEYS, families=f.families(), persons=f.persons(),\n"
        "    since=TODAY, source='', progress=stop)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folders.population.path), str(folders.identities)],
        env=os.environ | {"SALUR_DATABASE_URL": database_url}, cwd=Path(__file__).parents[2],
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert rows() == ([], [], [], [])
    assert enrol(folders.families(), folders.persons()).families == 300


# ---- folders and command -------------------------------------------------------------------------------------


def test_identities_of_another_population_are_refused(folders: Folders, tmp_path: Path) -> None:
    other = tmp_path / "identities"
    other.mkdir()
    with pytest.raises(InputError, match="not a folder of identities"):
        open_folders(folders.population.path, other, facts())
    (other / "manifest.json").write_text('{"kind": "identities", "population": "x"}', "utf-8")
    with pytest.raises(InputError, match="another population"):
        open_folders(folders.population.path, other, facts())


@pytest.mark.parametrize("cut", [(0, 5), (1, None)])
def test_rows_that_do_not_go_together_are_refused(
    folders: Folders, tmp_path: Path, cut: tuple[int, int | None]
) -> None:
    import pyarrow.parquet as pq

    for file in folders.identities.glob("*.parquet"):
        pq.write_table(pq.read_table(file).slice(*cut), tmp_path / file.name)
    with pytest.raises(InputError, match="not those of the population's persons"):
        list(Folders(folders.population, tmp_path).persons())


def test_the_command(folders: Folders, database: str, database_url: str, tmp_path: Path) -> None:
    salur = Path(sys.executable).with_name("salur")
    environment = os.environ | {"SALUR_DATABASE_URL": database_url, "SALUR_HOME": str(tmp_path / "home")}
    arguments = [
        "people",
        "enrol",
        "--population",
        folders.population.path,
        "--identities",
        folders.identities,
    ]

    def run(*words: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [salur, *map(str, words)], env=environment, capture_output=True, text=True, check=False
        )

    assert "There are no keys" in run(*arguments).stderr
    assert run("people", "keys", "init").returncode == 0
    first, second = (json.loads(run(*arguments, "--json").stdout) for _ in range(2))
    assert (first["families"], second["families"], second["known"]) == (300, 0, first["persons"])
    rotated = json.loads(run("people", "rotate-keys", "--json").stdout)
    assert rotated == {"version": 2, "rows": Identifier.objects.count()}
    assert "versions 1, 2; current 2" in run("people", "keys", "show").stdout
