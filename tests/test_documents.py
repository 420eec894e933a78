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


def _addresses() -> list[tuple[str, str]]:
    """The pages of the faces: the entry in access.toml, and the address as docs/faces.md writes it."""
    from salur.citizens import urls as citizens
    from salur.officers import urls as officers
    from salur.public import urls as public

    faces = {"public": ("/", public.urlpatterns), "citizens": ("/", citizens.urlpatterns),
             "officers": ("/petugas/", officers.pages)}  # fmt: skip
    return [
        (f"{face}.{page.name}", prefix + re.sub(r"<\w+:", "<", str(page.pattern)))
        for face, (prefix, pages) in faces.items()
        for page in pages
    ]


@pytest.mark.parametrize(("entry", "address"), _addresses())
def test_every_page_of_a_face_is_told_with_its_roles(entry: str, address: str) -> None:
    from salur.access.policy import policy

    lines = (ROOT / "docs" / "faces.md").read_text(encoding="utf-8").splitlines()
    (row,) = (line.split(" | ") for line in lines if line.startswith(f"| `{address}` "))
    roles = {role.replace("_", " ") for role in policy().actions[entry].roles}
    assert roles == ({"anyone"} if len(row) == 2 else set(row[1].split(", ")))


def _commands(page: Path) -> set[str]:
    """What stands as a command in code: `salur people keys init`, with its flags."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL))
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()] + inline
    parts = [part.split(" #")[0].strip() for line in lines for part in line.split("&&")]
    return {part.removeprefix("ExecStart=/opt/salur/.venv/bin/") for part in parts
            if part.removeprefix("ExecStart=/opt/salur/.venv/bin/").startswith("salur ")}  # fmt: skip


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_in_a_document_exists_with_its_flags(page: Path) -> None:
    from salur.commands.parts import PARTS, load

    for told in _commands(page):
        _, first, *rest = told.split()
        if first.startswith("-"):
            continue
        assert first in PARTS, told
        command = load(first)
        while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
            name = rest.pop(0)
            assert name in command.commands, told
            command = command.commands[name]
        known = {
            flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)
        }
        assert {word.split("=")[0] for word in rest if re.match(r"--\w", word)} <= known, told


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_between_documents_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("package", _packages())
def test_every_dependency_is_locked_with_hashes_and_without_addresses(package: str) -> None:
    names = ("requirements.lock", "requirements-spark.lock")
    lock = "".join((ROOT / name).read_text(encoding="utf-8") for name in names)
    assert re.search(rf"^{re.escape(package.lower())}==\S+ \\\n +--hash=sha256:", lock, re.MULTILINE)
    assert "://" not in lock
    assert "--index-url" not in lock
