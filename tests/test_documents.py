"""What the documents promise about the repository holds."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md"))]


def _packages() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    for extra in project["project"]["optional-dependencies"].values():
        asked += extra
    return sorted({re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0] for line in asked})


@pytest.mark.parametrize("package", _packages())
def test_every_dependency_has_its_reason(package: str) -> None:
    rows = [
        line
        for line in (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("|")
    ]
    assert any(package in re.split(r"[ ,|()]+", row.split("|")[1]) for row in rows)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_between_documents_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("package", _packages())
def test_every_dependency_is_locked_with_hashes_and_without_addresses(package: str) -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert re.search(rf"^{re.escape(package.lower())}==\S+ \\\n +--hash=sha256:", lock, re.MULTILINE)
    assert "://" not in lock
    assert "--index-url" not in lock
