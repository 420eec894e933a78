"""The cycles of the demonstration: opened, decided, reviewed, decreed, each step by another officer.

All through the services that the pages use, with their guards. What an earlier run finished is left as it is. Imported
once Django is set up.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from salur.access import demo, signing
from salur.access import selectors as access
from salur.access import services as access_services
from salur.access.policy import SYSTEM, Actor
from salur.access.software_key import SoftwareKey
from salur.core import rules
from salur.core.rules.commands import cache
from salur.people import keys as key_file
from salur.people import services as people
from salur.people.overlay import Corrected
from salur.programmes import books, selectors, services
from salur.programmes.models import Cycle, Decision

PERIODS = {"month": "2026-10", "quarter": "2026-Q4", "semester": "2026-S2", "year": "2026", "once": "2026"}
IN_FORCE = date(2026, 1, 1)
OPENER, SIGNER = "wayan@demo.invalid", "siti@demo.invalid"
REVIEWER, SECOND_REVIEWER, CLERK = "bambang@demo.invalid", "sri@demo.invalid", "maria@demo.invalid"
SEARCHED_MOST = 100  # of the decisions that wait for data


def decided(population: rules.Population, book: rules.Rulebook, officers: Mapping[str, Actor]) -> Cycle:
    """A cycle of the programme, opened by an officer and decided."""
    period = PERIODS[book.period]
    cycle = selectors.cycles().filter(programme=book.id, period=period).first()
    if cycle is None:
        version = selectors.version_in_force(book.id, IN_FORCE)
        assert version is not None  # noqa: S101 - put in force before
        cycle_id = services.cycle_open(
            now=timezone.now(), actor=officers[OPENER], version_id=version, period=period,
            regions=[demo.REGENCY], population=population,
        )  # fmt: skip
        cycle = selectors.cycles().get(id=cycle_id)
    if cycle.state == Cycle.State.OPENED:
        services.cycle_decide(
            now=timezone.now(), actor=SYSTEM, cycle_id=cycle.id, checked=cache() / "checked",
            work=settings.DECISIONS_FOLDER / f"cycle-{cycle.id}",
        )  # fmt: skip
        cycle.refresh_from_db()
    return cycle


@transaction.atomic
def reviewed(cycle: Cycle, officers: Mapping[str, Actor]) -> None:
    """Two reviews: one corrects a fact that was not known, and another officer confirms it; one finds all in order."""
    if cycle.state != Cycle.State.DECIDED or any(duty == "review" for _, duty in selectors.duties(cycle.id)):
        return
    waiting = selectors.queue(cycle, reviewer=officers[REVIEWER].ref, size=SEARCHED_MOST)
    for decision in waiting:
        if (missing := _one_missing(decision)) is not None:
            _corrected(decision, missing, officers)
            break
    for decision in selectors.standing_decisions(cycle).filter(outcome="eligible").order_by("id")[:1]:
        second = officers[SECOND_REVIEWER]
        review = _begun(decision, second)
        services.review_find(now=timezone.now(), actor=second, review_id=review, finding="confirms")


def _one_missing(decision: Decision) -> Corrected | None:
    """The one fact of a person that is not known and without which nothing can be decided, as a "no" that entitles."""
    explanation = selectors.explanation(decision)
    asked = {key for reason in explanation.reasons for key in reason.asks}
    if len(asked) != 1:
        return None
    used = explanation.used(asked.pop())
    if used.person_id is None or used.fact.type != "boolean":
        return None
    on = decision.cycle.reference_date
    no = Corrected("person", used.person_id, used.fact.name, False, on, 0, used.fact.register.id, on)
    return no if selectors.explanation(decision, [no]).decision.outcome == "eligible" else None


def _corrected(decision: Decision, missing: Corrected, officers: Mapping[str, Actor]) -> None:
    reviewer = officers[REVIEWER]
    review = _begun(decision, reviewer)
    made = people.correction_make(
        actor=reviewer, now=timezone.now(), catalogue=books.catalogue(decision.cycle.version_id),
        subject=f"{missing.kind}:{missing.subject_id}", fact=missing.fact, value=missing.value,
        valid_from=missing.valid_from, source=missing.source, evidence_kind="agency_letter",
        evidence="Surat dari pengelola register (peragaan)", case=f"decision:{decision.id}",
    )  # fmt: skip
    services.review_find(
        now=timezone.now(), actor=reviewer, review_id=review, finding="corrects", correction_ids=[made]
    )
    people.correction_confirm(actor=officers[CLERK], now=timezone.now(), correction_id=made)


def _begun(decision: Decision, reviewer: Actor) -> int:
    """A review: the family is looked at, and judged before the outcome is seen."""
    access_services.read_log(
        now=timezone.now(), actor=reviewer, subject=f"family:{decision.family_id}", purpose="review",
        case=f"decision:{decision.id}", region=decision.region,
    )  # fmt: skip
    return services.review_judge(
        now=timezone.now(), actor=reviewer, decision_id=decision.id, judgement="entitled"
    )


def decreed(cycle: Cycle, officers: Mapping[str, Actor]) -> None:
    """The cycle signed by the passkey of its signer, what was corrected decided again, and its letters' codes."""
    signer = officers[SIGNER]
    if cycle.state == Cycle.State.DECIDED:
        now = timezone.now()
        services.decree_prepare(
            now=now, actor=signer, cycle_id=cycle.id, number=f"{cycle.id}/SK/DEMO/2026",
            folder=settings.DECREES_FOLDER / f"cycle-{cycle.id}",
        )  # fmt: skip
        decree = selectors.decree(cycle.id)
        assert decree is not None  # noqa: S101 - prepared above
        digest = bytes(decree.digest)
        key = SoftwareKey(demo.seed(SIGNER), settings.SALUR_ORIGIN, counter=int(now.timestamp()))
        options = signing.begin(
            digest=digest, credentials=access.passkeys(signer.officer_id or 0), origin=settings.SALUR_ORIGIN
        )
        services.decree_sign(
            now=now, actor=signer, cycle_id=cycle.id, digest=digest, response=key.sign(options)
        )
        cycle.refresh_from_db()
    services.claim_codes_issue(now=timezone.now(), actor=SYSTEM, keys=key_file.load(), cycle_id=cycle.id)
