"""The review queue: evidence first, then the own judgement, only then the outcome; and corrections of facts."""

from __future__ import annotations

import json
import re
from datetime import date, datetime
from urllib.parse import urlencode

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from salur.access import policy
from salur.access import services as access
from salur.core.rules import Explanation
from salur.core.rules.aloud import Words
from salur.journal import services as jobs
from salur.officers import evidence, words
from salur.officers.cycles import title_of
from salur.officers.pages import (
    Errors,
    actor_of,
    covered,
    day_from,
    place,
    seen_cycle,
    seen_or_404,
    show,
    trying,
)
from salur.people import evidence as people_evidence
from salur.people import selectors as people
from salur.people import services as people_services
from salur.people.models import Correction
from salur.people.overlay import Corrected
from salur.programmes import books, selectors, services
from salur.programmes.loading import QUEUES
from salur.programmes.models import Cycle, Decision
from salur.web.words import gettext as _
from salur.web.words import language

_PLACE = re.compile(r"([0-9]{1,3})\.([0-9]{1,18})\.([0-9]{1,18})")
_QUEUE_NAMES = {number: name for name, number in QUEUES.items()}


def _waiting(request: HttpRequest, cycle: Cycle, after: tuple[int, int, int], size: int) -> list[Decision]:
    actor = actor_of(request)
    mine = policy.regions(actor, "programmes.review_judge")
    regions = [code for code in cycle.regions if covered(mine, code)]
    return selectors.queue(cycle, reviewer=actor.ref, regions=regions, after=after, size=size)


def _after(request: HttpRequest) -> tuple[int, int, int]:
    found = _PLACE.fullmatch(request.GET.get("after", ""))
    return (int(found[1]), int(found[2]), int(found[3])) if found else (0, -1, 0)


def _place(decision: Decision) -> str:
    return f"{decision.queue}.{decision.distance}.{decision.id}"


@require_safe
def queue(request: HttpRequest, cycle: int) -> HttpResponse:
    """What waits for this reviewer in a cycle, in the order of the work."""
    found = seen_cycle(actor_of(request), "officers.queue", selectors.cycle(cycle))
    rows = _waiting(request, found, _after(request), selectors.QUEUE_PAGE + 1)
    more = len(rows) > selectors.QUEUE_PAGE
    rows = rows[: selectors.QUEUE_PAGE]
    return show(
        request, "queue", cycle=found, title=title_of(found), counts=selectors.queue_counts(found), words=words,
        rows=[(row, words.QUEUES[_QUEUE_NAMES[row.queue]], place(row.village or row.region)) for row in rows],
        next=urlencode({"after": _place(rows[-1])}) if more else "",
    )  # fmt: skip


@require_safe
def review_next(request: HttpRequest, cycle: int) -> HttpResponse:
    """To the next decision that waits for this reviewer, or to the queue if there is none."""
    found = seen_cycle(actor_of(request), "officers.review_next", selectors.cycle(cycle))
    rows = _waiting(request, found, _after(request), 1)
    return redirect("officers:review", rows[0].id) if rows else redirect("officers:queue", cycle)


def _decision(request: HttpRequest, decision_id: int, action: str) -> Decision:
    decision = selectors.decision(decision_id)
    if decision is None:
        raise Http404
    seen_or_404(actor_of(request), action, decision.region)
    return decision


def _look(request: HttpRequest, decision: Decision, explanation: Explanation, action: str) -> dict[int, str]:
    """Log that the family is looked at for this decision; then its members' names."""
    actor = actor_of(request)
    access.read_log(
        now=timezone.now(), actor=actor, subject=f"family:{decision.family_id}", purpose="review",
        case=f"decision:{decision.id}", region=decision.region,
    )  # fmt: skip
    members = [member.person_id for member in explanation.case.members]
    found = people.persons(members, regions=policy.regions(actor, action))
    return {id_: person.name for id_, person in found.items()}


@require_http_methods(["GET", "POST"])
def review(request: HttpRequest, decision: int) -> HttpResponse:
    """One decision: the facts; after the judgement also the outcome with its reasons; then the finding."""
    actor, now, errors = actor_of(request), timezone.now(), Errors()
    row = _decision(request, decision, "officers.review")
    mine = selectors.review_by(row.id, actor.ref)
    if request.method == "POST":
        sent = request.POST
        with trying(errors):
            if mine is None:
                if sent.get("judgement", "") not in words.JUDGEMENTS:
                    errors.append(("judgement", _("Say what you think before you see the outcome.")))
                else:
                    services.review_judge(
                        now=now, actor=actor, decision_id=row.id, judgement=sent["judgement"]
                    )
                    return redirect(reverse("officers:review", args=[row.id]) + "#outcome")
            elif not mine.finding:
                if sent.get("finding", "") not in words.FINDINGS:
                    errors.append(("finding", _("Choose what you find.")))
                else:
                    ids = _my_corrections(request, row) if sent["finding"] == "corrects" else []
                    if sent["finding"] == "corrects" and not ids:
                        errors.append(
                            ("finding", _("Correct a fact first: each fact above has a link for it."))
                        )
                    else:
                        services.review_find(
                            now=now,
                            actor=actor,
                            review_id=mine.id,
                            finding=sent["finding"],
                            correction_ids=ids,
                        )
                        return redirect("officers:review_next", row.cycle_id)
    explanation = selectors.explanation(row)
    names = _look(request, row, explanation, "officers.review")
    return show(
        request, "review", errors=errors, status=422 if errors else 200, decision=row, words=words,
        title=title_of(row.cycle), place=place(row.village or row.region), mine=mine,
        queue=words.QUEUES.get(_QUEUE_NAMES.get(row.queue, ""), ""),
        groups=evidence.groups(explanation, names), reasons=evidence.reasons(explanation) if mine else [],
        superseded=selectors.superseded(row), made=_my_corrections(request, row) if mine else [],
        skip=urlencode({"after": _place(row)}),
    )  # fmt: skip


def _my_corrections(request: HttpRequest, decision: Decision) -> list[int]:
    """What this officer has corrected for this decision and not taken back."""
    actor = actor_of(request)
    members = selectors.explanation(decision).case.members
    subjects = [f"family:{decision.family_id}", *(f"person:{member.person_id}" for member in members)]
    return [
        made.id
        for subject in subjects
        for made in people.corrections_ever(subject, regions=policy.regions(actor, "people.correction_make"))
        if made.case == f"decision:{decision.id}" and made.made_by == actor.ref and not made.withdrawn_by
    ]


@require_http_methods(["GET", "POST"])
def correct(request: HttpRequest, decision: int) -> HttpResponse:
    """Put one fact right, with the evidence for it. It counts once a second officer confirmed it."""
    actor, now, errors = actor_of(request), timezone.now(), Errors()
    row = _decision(request, decision, "officers.correct")
    mine = selectors.review_by(row.id, actor.ref)
    if mine is None:
        return redirect("officers:review", row.id)  # the own judgement comes first
    explanation = selectors.explanation(row)
    names = _look(request, row, explanation, "officers.correct")
    found = {
        line.name: (line, group.title)
        for group in evidence.groups(explanation, names)
        for line in group.lines
    }
    if (wanted := request.GET.get("fact", "")) not in found:
        raise Http404
    line, whose = found[wanted]
    sent = request.POST
    kinds = [(kind.name, kind.title[language()]) for kind in people_evidence.choices(timezone.localdate(now))]
    if request.method == "POST":
        value, since = None, day_from(request, "since", errors)
        if sent.get("unknown") != "yes":
            try:
                value = evidence.value_from(line.fact, _value_text(request, line))
                if value is None:
                    errors.append((_value_id(line), _("Give the right value, or say that it is not known.")))
            except ValueError:
                errors.append((_value_id(line), _("This is no value of {fact}.", fact=line.label)))
        if sent.get("kind", "") not in [kind for kind, _title in kinds]:
            errors.append(("kind", _("Choose what you saw.")))
        if not sent.get("evidence", "").strip():
            errors.append(("evidence", _("Say what you saw or who told you.")))
        if since is not None and not errors:
            with trying(errors, "evidence"):
                people_services.correction_make(
                    actor=actor, now=now, catalogue=books.catalogue(row.cycle.version_id), subject=line.subject,
                    fact=line.fact.name, value=value, valid_from=since, source=sent.get("source", ""),
                    evidence_kind=sent["kind"], evidence=sent["evidence"], case=f"decision:{row.id}",
                    replaces=_replaced(line, actor),
                )  # fmt: skip
                return redirect(reverse("officers:review", args=[row.id]) + "#finding")
    registers = books.catalogue(row.cycle.version_id).registers
    return show(
        request, "correct", errors=errors, status=422 if errors else 200, decision=row, line=line, whose=whose,
        choices=evidence.choices(line.fact), value_text=_value_text(request, line), sent=sent,
        registers=[(id_, register.title[language()]) for id_, register in registers.items()],
        source=sent.get("source") or line.fact.register.id, wrong=dict(errors), reference=row.cycle.reference_date,
        kinds=kinds,
    )  # fmt: skip


def _replaced(line: evidence.Line, actor: policy.Actor) -> int | None:
    """The correction of the same fact that counts now, which a new one replaces."""
    made = people.corrections_of(
        [line.subject], timezone.localdate(), regions=policy.regions(actor, "people.correction_make")
    )
    return next((each.id for each in made if each.fact == line.fact.name), None)


def _value_id(line: evidence.Line) -> str:
    return "value-day" if line.fact.type == "date" else "value"


def _value_text(request: HttpRequest, line: evidence.Line) -> str:
    if line.fact.type != "date":
        return request.POST.get("value", "")
    parts = [request.POST.get(f"value-{part}", "").strip() for part in ("year", "month", "day")]
    return f"{parts[0].zfill(4)}-{parts[1].zfill(2)}-{parts[2].zfill(2)}" if any(parts) else ""


@require_http_methods(["GET", "POST"])
def what_if(request: HttpRequest, decision: int) -> HttpResponse:
    """What would come out if some facts were others. Nothing is stored."""
    errors = Errors()
    row = _decision(request, decision, "officers.what_if")
    explanation = selectors.explanation(row)
    groups = evidence.groups(explanation, _look(request, row, explanation, "officers.what_if"))
    changed: list[Corrected] = []
    sent: dict[str, str] = {}
    for group in groups:
        for line in group.lines:
            before = evidence.sent_text(line.raw)
            sent[line.name] = text = request.POST.get(line.name, before).strip()
            if text == before:
                continue
            try:
                value = evidence.value_from(line.fact, text)
            except ValueError:
                errors.append((line.name, _("This is no value of {fact}.", fact=line.label)))
                continue
            kind, _colon, number = line.subject.partition(":")
            today: date = row.cycle.reference_date
            changed.append(
                Corrected(kind, int(number), line.fact.name, value, today, 0, line.fact.register.id, today)  # type: ignore[arg-type]
            )
    after = None
    if request.method == "POST" and not errors:
        with trying(errors):
            after = selectors.explanation(row, changed)
    return show(
        request, "what_if", errors=errors, status=422 if errors else 200, decision=row, words=words, groups=groups,
        title=title_of(row.cycle), choices=evidence.choices, sent=sent, wrong=dict(errors), before=explanation,
        after=after, reasons=evidence.reasons(after) if after else [], changes=len(changed),
    )  # fmt: skip


# ---- corrections that wait for a second officer --------------------------------------------------------------


@require_safe
def corrections(request: HttpRequest) -> HttpResponse:
    actor = actor_of(request)
    waiting = list(people.corrections_waiting(regions=policy.regions(actor, "officers.corrections"))[:200])
    return show(
        request, "corrections", place=place,
        rows=[(row, row.made_by == actor.ref) for row in waiting],
    )  # fmt: skip


@require_http_methods(["GET", "POST"])
def correction(request: HttpRequest, correction: int) -> HttpResponse:
    """One correction: what was held, what it should be, and why. Confirming decides the family again."""
    actor, now, errors = actor_of(request), timezone.now(), Errors()
    regions = policy.regions(actor, "officers.correction")
    row = people.correction(correction, regions=regions)
    if row is None:
        raise Http404
    subject = f"{row.kind}:{row.subject_id}"
    if request.method == "POST":
        with trying(errors), transaction.atomic():
            if "withdraw" in request.POST:
                people_services.correction_withdraw(actor=actor, now=now, correction_id=row.id)
            else:
                people_services.correction_confirm(actor=actor, now=now, correction_id=row.id)
            decide_again(
                now=now,
                subject=subject,
                key=f"{row.id}.{'withdrawn' if 'withdraw' in request.POST else 'confirmed'}",
            )
            return redirect("officers:corrections")
    access.read_log(
        now=now, actor=actor, subject=subject, purpose="correction", case=row.case or f"correction:{row.id}",
        region=row.region,
    )  # fmt: skip
    return show(
        request, "correction", errors=errors, status=422 if errors else 200, row=row, own=row.made_by == actor.ref,
        place=place(row.region), shown=_shown(row), person=_name(row, regions),
        kind=people_evidence.kinds()[row.evidence_kind].title[language()] if row.evidence_kind else "",
    )  # fmt: skip


def decide_again(*, now: datetime, subject: str, key: str) -> None:
    """Have the family of a subject decided again in every cycle that is still under review."""
    kind, _colon, number = subject.partition(":")
    families = [int(number)]
    if kind == "person":
        families = sorted(people.families_ever(families))
    for cycle in selectors.cycles_under_review_of(families):
        jobs.enqueue(
            now=now, kind="programmes.decide_again", payload={"cycle": cycle, "families": families},
            key=f"programmes.decide_again:{cycle}.{key}",
        )  # fmt: skip


def _shown(row: Correction) -> tuple[str, str]:
    """The fact and its value in words, by the newest rulebook that declares it."""
    for version in selectors.versions():
        if (fact := books.catalogue(version.id).facts.get(row.fact)) is not None:
            value = json.loads(row.value)
            if fact.type == "date" and value is not None:
                value = date.fromisoformat(value)
            said = Words(language()).value(fact, value) if value is not None else _("not known")
            return fact.label[language()], said
    return row.fact, row.value


def _name(row: Correction, regions: tuple[str, ...] | None) -> str:
    if row.kind != "person":
        return ""
    person = people.person(row.subject_id, regions=regions)
    return person.name if person else ""
