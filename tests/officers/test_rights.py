"""Who may open which page: by role, and only what lies in one's own regions. On both databases."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from tests.officers.site import BACKEND, OFFICERS, a_person, passkey, staff
from tests.programmes.conftest import Office, population  # noqa: F401
from tests.programmes.test_cycle import enrol

from salur.access.demo import seed
from salur.access.models import Officer, ReadLog
from salur.access.policy import policy
from salur.core import rules
from salur.journal.models import Event, Job
from salur.officers.urls import pages
from salur.programmes import selectors
from salur.programmes.models import Decision, Review, Standing

NEEDS = {"cycle": 1, "decision": 1, "correction": 1, "person": 351000000001, "case": 1, "standing": 1, "notice": 1,
         "kind": "pdf", "ceiling": 1, "glass": 1, "draft": 1, "programme": "pkh"}  # fmt: skip


@pytest.fixture
def office(as_office: Callable[[], None], population: rules.Population, tmp_path: Path) -> Office:  # noqa: F811
    """A decided cycle with its people, and an officer of each role."""
    as_office()
    made = Office(population, tmp_path)
    made.decided()
    enrol(made)
    made.ids = staff()  # type: ignore[attr-defined]
    return made


def browser(office: Office, who: str) -> Client:
    client = Client(SERVER_NAME="localhost")
    client.force_login(Officer.objects.get(id=office.ids[who]), backend=BACKEND)  # type: ignore[attr-defined]
    return client


def address(page: str, **given: object) -> str:
    pattern = next(each for each in pages if each.name == page)
    wanted = pattern.pattern.converters
    return reverse(f"officers:{page}", kwargs={name: given.get(name, NEEDS[name]) for name in wanted})


def test_a_page_opens_for_its_roles_and_for_nobody_else(office: Office) -> None:
    given = {"decision": Decision.objects.earliest("id").id, "cycle": selectors.cycles()[0].id}
    for who, page in itertools.product(OFFICERS, (each.name or "" for each in pages)):
        answer = browser(office, who).get(address(page, **given))
        roles = policy().actions[f"officers.{page}"].roles
        if "officer" not in roles and OFFICERS[who][1] not in roles:
            assert answer.status_code == 403, (who, page)
        else:
            assert answer.status_code in (200, 302, 404, 405), (who, page)
    assert (
        Client(SERVER_NAME="localhost").get(address("home")).status_code == 302
    )  # to the page of signing in


def test_another_region_sees_nothing_of_this_one(office: Office) -> None:
    cycle, decision = selectors.cycles()[0].id, Decision.objects.filter(queue=1).earliest("id")
    stranger = browser(office, "elsewhere")
    before = ReadLog.objects.count()
    for page in ("cycle", "queue", "review_next"):
        assert stranger.get(address(page, cycle=cycle)).status_code == 404, page
    for page in ("review", "correct", "what_if", "unit"):
        assert stranger.get(address(page, decision=decision.id)).status_code == 404, page
    assert (
        stranger.post(address("review", decision=decision.id), {"judgement": "entitled"}).status_code == 404
    )
    assert "PKH" not in stranger.get(address("cycles")).content.decode()
    for who, status in ((stranger, 404), (browser(office, "clerk"), 200)):
        who.post(address("people"), {"purpose": "review", "case": f"cycle:{cycle}"})
        assert who.get(address("person", person=a_person())).status_code == status
    before = ReadLog.objects.count()  # the clerk's looks
    told = stranger.post(address("people_search"), {"name": "Warga", "region": "35.10"})
    assert told.status_code == 422
    assert ReadLog.objects.count() == before
    assert not Review.objects.exists()


def test_the_outcome_is_not_told_before_the_judgement_and_each_look_is_logged(office: Office) -> None:
    decision = Decision.objects.filter(queue=2).earliest("id")
    reviewer = browser(office, "reviewer")
    for page in ("review", "unit"):
        assert "verdict" not in reviewer.get(address(page, decision=decision.id)).content.decode()
    assert ReadLog.objects.filter(case=f"decision:{decision.id}", purpose="review").count() == 2
    assert reviewer.post(address("review", decision=decision.id), {}).status_code == 422
    reviewer.post(address("review", decision=decision.id), {"judgement": "unsure"})
    assert 'class="verdict' in reviewer.get(address("review", decision=decision.id)).content.decode()
    answer = reviewer.post(address("review", decision=decision.id), {"finding": "corrects"})
    assert answer.status_code == 422  # nothing was corrected
    reviewer.post(address("review", decision=decision.id), {"finding": "confirms"})
    assert Review.objects.get().finding == "confirms"


def test_what_if_stores_nothing(office: Office) -> None:
    decision = Decision.objects.filter(outcome="eligible").earliest("id")
    reviewer = browser(office, "reviewer")
    decisions = Decision.objects.count()
    name = f"family:{decision.family_id}.decile"
    told = reviewer.post(address("what_if", decision=decision.id), {name: "10"}).content.decode()
    assert "verdict-not_eligible" in told
    assert Decision.objects.count() == decisions
    assert not Event.objects.filter(kind__startswith="people.correction").exists()


def test_who_opened_cannot_review_nor_sign(office: Office) -> None:
    """The opener has no such role; and a reviewer who was an opener of this cycle is refused by its duties."""
    opener = browser(office, "opener")
    cycle = selectors.cycles()[0].id
    assert opener.get(address("queue", cycle=cycle)).status_code == 403
    assert opener.post(address("decree_sign", cycle=cycle)).status_code == 403
    assert browser(office, "reviewer").post(address("cycle_close", cycle=cycle)).status_code == 403


def test_a_confirmed_correction_asks_for_its_family_alone_to_be_decided_again(office: Office) -> None:
    decision = Decision.objects.filter(queue=1).earliest("id")
    reviewer, clerk = browser(office, "reviewer"), browser(office, "clerk")
    reviewer.post(address("review", decision=decision.id), {"judgement": "entitled"})
    fact = f"?fact=family:{decision.family_id}.decile"
    sent = {"value": "1", "since-day": "1", "since-month": "9", "since-year": "2026", "source": "dtsen"}
    sent |= {"kind": "home_visit", "evidence": "visit"}
    assert reviewer.post(address("correct", decision=decision.id) + fact, sent).status_code == 302
    from salur.people.models import Correction

    made = Correction.objects.get()
    assert reviewer.post(address("correction", correction=made.id)).status_code == 403  # a second officer
    assert not Job.objects.exists()
    assert clerk.post(address("correction", correction=made.id)).status_code == 302
    job = Job.objects.get(kind="programmes.decide_again")
    assert str(decision.family_id) in job.payload


def test_who_stopped_a_unit_is_told_that_another_resumes_it(office: Office) -> None:
    decision = Decision.objects.earliest("id").id
    clerk = browser(office, "clerk")
    clerk.post(address("unit", decision=decision), {"kind": "stopped", "cause": "moved"})
    standing = Standing.objects.get()
    lift = address("standing_lift", decision=decision, standing=standing.id)
    told = clerk.post(lift)
    assert (told.status_code, Standing.objects.get().lifted_at) == (422, None)
    assert "orang lain" in told.content.decode()
    assert browser(office, "clerk2").post(lift).status_code == 302
    assert Standing.objects.get().lifted_at is not None


def test_in_the_demonstration_a_software_key_signs(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only for the account whose passkey it is, and only in the demonstration."""
    monkeypatch.setenv("SALUR_DEMO", "1")
    cycle = selectors.cycles()[0].id
    signer = browser(office, "signer")
    signer.post(address("decree", cycle=cycle), {"number": "1/2026"})
    decree = selectors.decree(cycle)
    assert decree is not None
    sent = {"digest": bytes(decree.digest).hex(), "demo": "yes"}
    assert signer.post(address("decree_sign", cycle=cycle), sent).status_code == 422  # not a demo account
    passkey(office.ids["signer"], settings.SALUR_ORIGIN, seed("signer@example.go.id"))  # type: ignore[attr-defined]
    monkeypatch.setenv("SALUR_DEMO", "")
    assert signer.post(address("decree_sign", cycle=cycle), sent).status_code == 422
    monkeypatch.setenv("SALUR_DEMO", "1")
    assert signer.post(address("decree_sign", cycle=cycle), sent | {"digest": "00" * 32}).status_code == 422
    assert signer.post(address("decree_sign", cycle=cycle), sent).status_code == 302
    assert selectors.cycles()[0].state == "decreed"
