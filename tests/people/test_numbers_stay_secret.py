"""Law 6: numbers planted through every service are in no table, log, error or file, in no spelling."""

from __future__ import annotations

import base64
import gzip
import logging
import shutil
import traceback
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from tests.people.people import BOTH, CLERK, KEYS, NOW, REVIEWER, SUPERVISOR, TODAY, a_family, a_person, facts
from tests.planted import digits_of, dump, found, layers, spellings

from salur.access.policy import SYSTEM
from salur.people import selectors, services
from salur.people.bulk import FamilyRow, PersonRow
from salur.people.protect import Kind
from salur.web.logs import JsonFormatter

PLANTED: dict[Kind, str] = {
    "nik": "3510096711869137", "kk": "3510090407159246", "phone": "0813-3590-7264", "account": "BRI:002901047385509",
}  # fmt: skip
ENROLLED = {"nik": "3510090312749358", "kk": "3510092208139461"}
DIGITS = digits_of([*PLANTED.values(), *ENROLLED.values()])


def test_the_search_finds_what_is_there() -> None:
    for digits in DIGITS:
        for spelling in spellings(digits):
            assert found(b"before " + spelling + b" after", DIGITS) != []
        assert found(base64.b64encode(b"x" + digits.encode() + b"yz"), DIGITS)
        session = base64.urlsafe_b64encode(zlib.compress(f'{{"why": "{digits}"}}'.encode()))
        for packed in (gzip.compress(digits.encode()), b"." + session.rstrip(b"=") + b":1sPx:ab"):
            assert found(b"".join(layers(packed)), DIGITS), packed
    assert found(b"3510********9137 person:100000000000001", DIGITS) == []


def errors(*acts: Callable[[], object]) -> str:
    """What each act says when it is refused, in full."""
    said = []
    for act in acts:
        with pytest.raises(Exception) as refused:  # noqa: PT011  whatever it is
            act()
        error: BaseException | None = refused.value
        said.append("".join(traceback.format_exception(refused.value)))
        while error is not None:
            said.append(repr(error) + str(error))
            error = error.__cause__ or error.__context__
    return "\n".join(said)


def test_planted_numbers_are_nowhere(
    database: str, database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logs = tmp_path / "work" / "salur.log"
    logs.parent.mkdir()
    handler = logging.FileHandler(logs)
    handler.setFormatter(JsonFormatter())
    logging.getLogger().addHandler(handler)
    caplog.set_level(logging.DEBUG, logger="django.db.backends")
    connection.force_debug_cursor = True  # every statement with its parameters
    try:
        said = _use_every_service(tmp_path / "work")
    finally:
        connection.force_debug_cursor = False
        logging.getLogger().removeHandler(handler)
        handler.close()
    assert found(dump(database_url), DIGITS) == []
    assert found(said.encode(), DIGITS) == []
    assert found(caplog.text.encode(), DIGITS) == []
    for file in (tmp_path / "work").rglob("*"):
        assert found(file.read_bytes(), DIGITS) == [], file
    assert "people_identifier" in caplog.text  # the statements were indeed logged
    shutil.rmtree(tmp_path / "work")


def _use_every_service(folder: Path) -> str:
    person, other, family = a_person("Sutini"), a_person("Wayan"), a_family()
    owners = {"nik": f"person:{person}", "kk": f"family:{family}"}
    clerk: dict[str, Any] = {"actor": CLERK, "now": NOW}

    def put(kind: Kind, owner: str, number: str | None = None) -> int:
        return services.identifier_set(
            **clerk, keys=KEYS, owner=owner, kind=kind, number=number or PLANTED[kind], case="case:5"
        )

    for kind in PLANTED:
        put(kind, owners.get(kind, f"person:{person}"))
        found_as = selectors.find_by_identifier(kind, PLANTED[kind], KEYS, regions=None)
        assert found_as == owners.get(kind, f"person:{person}")
    services.enrol(
        actor=SYSTEM, now=NOW, keys=KEYS, families=[FamilyRow(7, "35.10", kk=ENROLLED["kk"])],
        persons=[PersonRow(70, 7, "Ketut", nik=ENROLLED["nik"]), PersonRow(71, 7, "Made", nik=PLANTED["nik"])],
        since=TODAY, source="0" * 64,
    )  # fmt: skip
    services.membership_begin(**clerk, person_id=person, family_id=family, since=TODAY)
    correction: dict[str, Any] = {
        "subject": f"family:{family}", "fact": "decile", "value": 2, "valid_from": TODAY, "source": "dtsen",
        "catalogue": facts(), "evidence_kind": "home_visit", "evidence": "Visit", "case": "case:5",
    }  # fmt: skip
    row = services.correction_make(**clerk, **correction)
    services.correction_confirm(actor=REVIEWER, now=NOW, correction_id=row)
    services.export_by_name(
        actor=SUPERVISOR, now=NOW, keys=KEYS, purpose="audit", case="case:5", region="35.10",
        file=folder / "out.csv", mark=b"12345678",
    )  # fmt: skip

    nik, phone, account = PLANTED["nik"], PLANTED["phone"], PLANTED["account"]
    dotted = ".".join((nik[:6], nik[6:12], nik[12:]))

    def enrol_bad() -> None:
        result = services.enrol(
            actor=SYSTEM, now=NOW, keys=KEYS, families=[FamilyRow(8, "35.10", kk=f"{PLANTED['kk']}0")],
            persons=[
                PersonRow(80, 8, "Siti", nik=f"{nik}1"), PersonRow(81, 8, f"Siti {nik}"),
                PersonRow(82, 8, "Budi", nik=nik), PersonRow(83, 9, "Nobody", nik=nik),
            ],
            since=TODAY, source="",
        )  # fmt: skip
        raise AssertionError("\n".join(map(str, result.faults)))

    said = errors(
        lambda: put("nik", f"person:{other}"),
        lambda: put("nik", f"person:{other}", f"{dotted}3"),
        lambda: put("nik", f"family:{family}", f"{nik[:-4]}9999"),
        lambda: put("account", f"person:{other}", account.partition(":")[2]),
        lambda: put("phone", f"person:{other}", f"{phone}{phone}"),
        lambda: put("nik", nik),
        lambda: services.person_add(**clerk, name=f"Sutini {dotted}", region="35.10"),
        lambda: services.person_add(**clerk, name="Sutini", region="35.10", case=f"case {nik}"),
        lambda: services.person_add(**clerk, name="Sutini", region="35.10", case=f"nik:{nik}"),
        lambda: services.person_add(**clerk, name="Sutini", region=nik),
        lambda: services.person_add(**clerk, name="Sutini", region="35.10", village=nik),
        lambda: services.person_add(**clerk, name="Sutini", region="35.10", sex=nik),
        lambda: services.correction_make(**clerk, **correction | {"evidence": f"KTP {dotted}"}),
        lambda: services.correction_make(**clerk, **correction | {"evidence": f"called {phone}"}),
        lambda: services.correction_make(**clerk, **correction | {"value": int(nik)}),
        lambda: services.same_as_declare(**clerk, person_id=person, other_id=other, evidence=f"both {nik}"),
        lambda: services.person_died(**clerk, person_id=other, on=TODAY, evidence=f"card {PLANTED['kk']}"),
        lambda: services.export_by_name(
            actor=SUPERVISOR, now=NOW, keys=KEYS, purpose=nik, case=f"case:{nik}", region="35.10",
            file=folder / "no.csv", mark=b"12345678",
        ),
        lambda: selectors.search(name=nik[:1], region="35.10", regions=None),
        enrol_bad,
    )  # fmt: skip
    services.keys_rotate(actor=SYSTEM, now=NOW, keys=BOTH, batch_rows=2)
    return said
