"""What codes in the database are called on the officers' pages, in both languages."""

from __future__ import annotations

from salur.web.words import gettext as _
from salur.web.words import later

OUTCOMES = {
    "eligible": later("Entitled"),
    "waiting": later("On the waiting list"),
    "needs_data": later("Data are missing"),
    "not_eligible": later("Not entitled now"),
    "not_found": later("Not in the records"),
}
OUTCOME_SAYS = {
    "eligible": later("Every condition is met."),
    "waiting": later("Every condition is met, but the places are used up."),
    "needs_data": later("Some data are missing. This is not a refusal."),
    "not_eligible": later("Not every condition is met."),
    "not_found": later("The family is not in the records that were checked. This is not a refusal."),
}
COLOURS = {
    "eligible": "green",
    "waiting": "yellow",
    "needs_data": "yellow",
    "not_eligible": "grey",
    "not_found": "grey",
}
STATES = {
    "opened": later("Being decided"),
    "decided": later("Under review"),
    "decreed": later("Decreed"),
    "closed": later("Closed"),
    "cancelled": later("Cancelled"),
}
STATE_COLOURS = {"opened": "yellow", "decided": "", "decreed": "green", "closed": "grey", "cancelled": "red"}
QUEUES = {
    "needs_data": later("Data are missing"),
    "near_cut": later("Near the cut"),
    "audit": later("Random audit, 5 %"),
}
DUTIES = {"open": later("opened it"), "review": later("reviews"), "decree": later("signed the decree")}
JUDGEMENTS = {
    "entitled": later("Entitled"),
    "not_entitled": later("Not entitled"),
    "unsure": later("I cannot tell from this"),
}
FINDINGS = {
    "confirms": later("The decision is right"),
    "corrects": later("A fact is wrong: I have corrected it"),
    "doubts": later("I doubt it: another officer should look"),
}
CAUSES = {
    "death": later("Death"),
    "moved": later("Moved away"),
    "own_wish": later("Own wish"),
    "investigation": later("Investigation"),
    "other": later("Another cause"),
}
STANDINGS = {"stopped": later("Stopped"), "suspended": later("Suspended")}
EVENTS = {
    "programmes.cycle_opened": later("Opened"),
    "programmes.cycle_decided": later("Decided"),
    "programmes.cycle_cancelled": later("Cancelled"),
    "programmes.decided_again": later("Some units were decided again"),
    "programmes.decree_prepared": later("The decree was prepared"),
    "programmes.decree_signed": later("The decree was signed"),
    "programmes.cycle_closed": later("Closed"),
    "programmes.claim_codes_issued": later("The codes of the letters were made"),
    "programmes.claim_letters_written": later("The letters were written for the printer"),
    "programmes.claim_codes_revoked": later("The code of the letter was revoked"),
    "programmes.claim_opened": later("The family read its decisions"),
    "programmes.review_judged": later("A reviewer judged the evidence"),
    "programmes.review_found": later("A reviewer gave a finding"),
    "programmes.unit_stopped": later("The unit was stopped"),
    "programmes.unit_suspended": later("The unit was suspended"),
    "programmes.unit_resumed": later("The unit was resumed"),
    "people.correction_made": later("A correction was written"),
    "people.correction_confirmed": later("A correction was confirmed"),
    "people.correction_withdrawn": later("A correction was taken back"),
    "people.family_added": later("The family was added"),
    "cases.opened": later("A case was opened"),
    "cases.taken": later("An officer took the case"),
    "cases.released": later("The case was given back"),
    "cases.noted": later("A note was written at the case"),
    "cases.done": later("The case was closed"),
    "cases.withdrawn": later("The case was withdrawn"),
}


def about(reference: str) -> str:
    """What a reference such as "decision:9" is called; of somebody in no register only that."""
    kind, _colon, number = reference.partition(":")
    match kind:
        case "case":
            return _("Case {n}", n=number)
        case "cycle":
            return _("Cycle {n}", n=number)
        case "decision":
            return _("Decision {n}", n=number)
        case "family":
            return _("Family {n}", n=number)
        case "person":
            return _("Person {n}", n=number)
        case "correction":
            return _("Correction {n}", n=number)
        case "unit":
            return _("Unit {n}", n=number)
        case "unregistered":
            return _("Somebody whom no register knows")
    return reference
