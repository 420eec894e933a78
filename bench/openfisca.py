"""`python -m bench.openfisca`: PKH in openfisca-core beside `decide`, each in its own environment.

openfisca-core is AGPL-3.0: it is installed by name from PyPI into an environment of its own under the folder, runs as
another program, and is never imported by Salur. Both read the same population; what is unknown there is given to
OpenFisca as its default, because it has no unknown.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

from bench.__main__ import middle, population, ratio, run, timed
from bench.work import ROOT

PACKAGE = "openfisca-core==46.0.1"
PERSONS = {
    "female": "sex = 'female'",
    "occupation": "CASE occupation WHEN 'civil_servant' THEN 1 WHEN 'military' THEN 2 WHEN 'police' THEN 3 "
    "WHEN 'state_company' THEN 4 ELSE 0 END",
    "born": "birth_date - DATE '1970-01-01'",
    "pregnant": "pregnant AND (pregnant__as_of IS NULL OR pregnant__as_of >= DATE '2025-12-24')",
    "school_level": "CASE WHEN school_level__as_of IS NULL OR school_level__as_of >= DATE '2025-09-25' THEN "
    "CASE school_level WHEN 'primary' THEN 1 WHEN 'lower_secondary' THEN 2 WHEN 'upper_secondary' THEN 3 END END",
    **{
        name: name
        for name in (
            "severe_disability",
            "public_pensioner",
            "company_owner",
            "wage_above_minimum",
            "certified_teacher",
            "village_official",
        )
    },
}
FAMILIES = {
    "found": "found",
    "decile": "CASE WHEN decile__as_of IS NULL OR decile__as_of >= DATE '2025-09-25' THEN decile END",
}
FLAGS = {name for name in PERSONS if name not in ("occupation", "born", "school_level")} | {"found"}
NEVER = -(10**6)  # days: a birth date that is unknown is nobody's age


def arrays(people: Path, folder: Path) -> None:
    """The columns as arrays, unknown as the default. It has no family without members: such a one gets a person of
    whom everything is the default."""
    import duckdb
    import numpy as np

    connection = duckdb.connect()
    for kind, columns in (("persons", PERSONS), ("families", FAMILIES)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        shown = ", ".join(
            f"coalesce({sql}, {'FALSE' if name in FLAGS else NEVER if name == 'born' else 0}) AS {name}"
            for name, sql in columns.items()
        )
        rows = f"read_parquet('{people}/{kind}/*.parquet')"
        if kind == "persons":
            shown += ", place AS family"
            rows += (
                " RIGHT JOIN (SELECT family_id, row_number() OVER () - 1 AS place "
                f"FROM read_parquet('{people}/families/*.parquet')) USING (family_id)"
            )
        for name, values in connection.execute(f"SELECT {shown} FROM {rows}").fetchnumpy().items():
            np.save(folder / kind / f"{name}.npy", np.asarray(values, bool if name in FLAGS else np.int64))


def compare(out: Path, folder: Path) -> dict[str, Any]:
    """Their grants beside ours."""
    import duckdb
    import numpy as np

    ours = duckdb.connect().execute(
        f"SELECT outcome, amount FROM read_parquet('{out}/decisions/*.parquet')"
    ).fetchnumpy()  # fmt: skip
    granted, amount = np.load(folder / "eligible.npy"), np.load(folder / "amount.npy")
    sure = ours["outcome"] == "eligible"
    return {
        "families": len(granted),
        "theirs": int(granted.sum()),
        "ours": int(sure.sum()),
        "outcomes": {
            str(name): int((granted & (ours["outcome"] == name)).sum()) for name in np.unique(ours["outcome"])
        },
        "missed": int((sure & ~granted).sum()),
        "other_amount": int((sure & granted & (amount != ours["amount"])).sum()),
    }


def main() -> None:
    """Make the environment, run both in turn, and keep what was found for the page."""
    parser = argparse.ArgumentParser(prog="python -m bench.openfisca", description=__doc__)
    parser.add_argument("--families", type=int, default=1_000_000)
    parser.add_argument("--regencies", default="35")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=ROOT / "var" / "bench")
    given = parser.parse_args()
    own = given.folder.resolve()
    python = own / "openfisca" / "bin" / "python"
    if not python.exists():
        venv.create(own / "openfisca", with_pip=True)
    installing = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE]
    if subprocess.run(installing, check=False).returncode:
        sys.exit(f"{PACKAGE} cannot be installed from PyPI; the other benchmarks do without.")
    people = population(own, given.families, given.regencies)
    data, out = own / "openfisca-arrays", own / "ours"
    arrays(people, data)
    runs: dict[str, list[dict[str, Any]]] = {"openfisca": [], "decide": []}
    run("decide", people, out)  # verified from here on
    for _ in range(given.runs):
        runs["openfisca"].append(timed([str(python), str(ROOT / "bench" / "in_openfisca.py"), str(data)]))
        runs["decide"].append(run("decide", people, out))
    found = {
        "package": PACKAGE, "runs": given.runs, "work": {kind: middle(each) for kind, each in runs.items()},
        "ratio": ratio(runs["decide"], runs["openfisca"], "cpu"), **compare(out, data),
    }  # fmt: skip
    (own / "openfisca.json").write_text(json.dumps(found, indent=1), "utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
