"""What nobody types by chance: no field and no address of an officer's page makes it fail or comes back as markup."""

from __future__ import annotations

from tests.officers.test_rights import address, browser, office, population  # noqa: F401
from tests.programmes.conftest import Office

from salur.cases.models import Case
from salur.programmes.models import Decision

HOSTILE = ["a text\x00", "\u00b2", "\u0663", "9" * 30, "<script>alert(1)</script>"]
SENT = {
    "purpose": "review", "case": "cycle:1", "name": "Warga", "region": "35.10", "people": "1", "judgement": "unsure",
    "since-day": "1", "since-month": "10", "since-year": "2026", "kind": "stopped", "cause": "death",
    "reason": "a reason of more than twenty letters", "number": "SK 1", "digest": "00", "response": "{}", "do": "note",
    "text": "a note", "period": "2026-Q4", "programme": "pkh", "amount": "10", "basis": "DIPA", "understood": "yes",
}  # fmt: skip
FIELDS = {
    "reviewer": {"people": ["purpose", "case"], "review": ["judgement", "finding"]},
    "clerk": {
        "people_search": ["nik", "name", "region", "born-year"], "unit": ["kind", "cause", "since-year"],
        "unregistered": ["region", "people"], "glass": ["region", "person", "reason"], "case": ["do", "text"],
    },
    "signer": {"decree": ["number"], "decree_sign": ["digest", "response"]},
    "opener": {"cycle_open": ["version", "population", "period", "regions"], "cycle_cancel": ["reason"]},
    "supervisor": {"ceiling_set": ["programme", "period", "region", "amount", "basis", "since-year"]},
    "editor": {"rulebooks": ["version"]},
}  # fmt: skip
ASKED = {
    "reviewer": {"queue": ["after"], "review_next": ["after"], "correct": ["fact"], "cases": ["after"]},
    "supervisor": {"reads_in": ["subject", "before", "from", "purpose"], "ceiling_set": ["pagu"]},
}


def test_no_page_fails_on_what_is_sent(office: Office) -> None:  # noqa: F811
    decision = Decision.objects.filter(queue=1).earliest("id").id
    clerk = browser(office, "clerk")
    clerk.post(address("people"), SENT)
    clerk.post(address("unregistered"), SENT)
    browser(office, "reviewer").post(address("review", decision=decision), SENT)
    given = {"decision": decision, "case": Case.objects.latest("id").id}
    clerk.post(address("case", **given), {"do": "take"})
    bad = []
    for act, everybody in (("get", ASKED), ("post", FIELDS)):
        for who, fields in everybody.items():
            client = clerk if who == "clerk" else browser(office, who)
            client.raise_request_exception = False
            for page, names in fields.items():
                for name in names:
                    for hostile in HOSTILE:
                        sent = {name: hostile} if act == "get" else SENT | {name: hostile}
                        answer = getattr(client, act)(address(page, **given), sent)
                        if answer.status_code >= 500 or b"<script>alert" in answer.content:
                            bad.append((act, page, name, hostile, answer.status_code))
    assert bad == []
