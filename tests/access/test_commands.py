"""`salur officers` from the console: invite, grant, list, end, deactivate."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

SALUR = Path(sys.executable).with_name("salur")


def salur(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"SALUR_DATABASE_URL": url, "SALUR_ORIGIN": "https://salur.example.go.id"}
    return subprocess.run(
        [str(SALUR), "officers", *arguments], env=environment, capture_output=True, text=True, check=False
    )


def listed(url: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in salur(url, "list", "--json").stdout.splitlines()]


def test_the_life_of_an_officer(database_url: str) -> None:
    done = salur(database_url, "invite", "Sri@example.go.id", "Sri", "--role", "supervisor", "--region", "35")
    assert re.fullmatch(r"https://salur\.example\.go\.id/undangan/[\w-]{43}/\n", done.stdout), done.stderr
    assert (
        salur(database_url, "grant", "sri@example.go.id", "people_clerk", "--region", "35.10").returncode == 0
    )
    (row,) = listed(database_url)
    grants = row["grants"]
    assert isinstance(grants, list)
    assert {(g["role"], g["region"]) for g in grants} == {("supervisor", "35"), ("people_clerk", "35.10")}
    assert (row["email"], row["active"], row["second_factor"]) == ("sri@example.go.id", True, False)
    refused = salur(database_url, "grant", "sri@example.go.id", "auditor")
    assert (refused.returncode, refused.stderr[:30]) == (3, "auditor cannot be held beside ")
    assert salur(database_url, "end", str(grants[0]["id"])).returncode == 0
    assert salur(database_url, "end", str(grants[0]["id"])).returncode == 3
    assert salur(database_url, "deactivate", "sri@example.go.id").returncode == 0
    (row,) = listed(database_url)
    assert (row["active"], row["grants"]) == (False, [])
    assert salur(database_url, "invite", "sri@example.go.id", "Sri").returncode == 3
    assert salur(database_url, "grant", "nobody@example.go.id", "reviewer").returncode == 3
