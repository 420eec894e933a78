"""`salur programmes claim-letters`: codes and the printer's file, on both databases."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from tests.citizens.town import Town
from tests.programmes.conftest import Office
from typer.testing import CliRunner

from salur.core.faults import InputError
from salur.journal.models import Event
from salur.programmes.commands import app


def test_every_family_keeps_its_code_and_the_file_is_private(town: Town, tmp_path: Path) -> None:
    file, again = tmp_path / "letters.csv", tmp_path / "again.csv"
    told = CliRunner().invoke(app, ["claim-letters", str(town.cycle), str(file)], catch_exceptions=False)
    lines = file.read_text("ascii").splitlines()
    assert (
        told.stdout == f"Wrote {len(lines) - 1:,} codes to {file}. Destroy it once the letters are printed.\n"
    )
    assert lines[0] == "family_id,code"
    assert dict(line.split(",") for line in lines[1:])[str(town.families["eligible"])]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    told = CliRunner().invoke(
        app, ["claim-letters", str(town.cycle), str(again), "--json"], catch_exceptions=False
    )
    assert told.stdout == f'{{"letters": {len(lines) - 1}}}\n'
    assert again.read_bytes() == file.read_bytes()
    written = Event.objects.filter(kind="programmes.claim_letters_written")
    assert written.count() == 2
    with pytest.raises(InputError, match="such a file already"):
        CliRunner().invoke(app, ["claim-letters", str(town.cycle), str(file)], catch_exceptions=False)
    assert written.count() == 2


def test_nothing_is_written_for_a_cycle_without_codes(
    office: Office, tmp_path: Path, settings_keys: Path
) -> None:
    file = tmp_path / "letters.csv"
    for cycle, why in ((office.opened(), "No family of this cycle"), (99, "There is no cycle")):
        with pytest.raises(InputError, match=why):
            CliRunner().invoke(app, ["claim-letters", str(cycle), str(file)], catch_exceptions=False)
        assert not file.exists()
