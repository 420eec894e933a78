"""Cases and their history. What must hold is held by the database: see the constraints here and migration 0002.

Neither table names a person: `subject` and `evidence` are references and digests. Only the text of a note is words of
people about people; it stands here, in a row with its region, and never in an event.
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Length
from django.db.models.lookups import In

KIND_LENGTH_MOST = 40
ROLE_LENGTH_MOST = 40
REFERENCE_LENGTH_MOST = 80
PROGRAMME_LENGTH_MOST = 60
OUTCOME_LENGTH_MOST = 40
REGION_LENGTH_MOST = 5
EVIDENCE_LENGTH_MOST = 4_000
TEXT_LENGTH_MOST = 4_000
SALT_BYTES = 16


class State(models.TextChoices):
    OPEN = "open"  # waits for somebody of its role
    TAKEN = "taken"  # an officer works on it
    DONE = "done"  # with an outcome
    WITHDRAWN = "withdrawn"  # by whoever opened it; no outcome


ACTIVE = (State.OPEN, State.TAKEN)
_TAKEN_BY = Q(officer_id__isnull=False, taken_at__isnull=False)
_NOT_TAKEN = Q(officer_id__isnull=True, taken_at__isnull=True)
_NOT_CLOSED = Q(closed_at__isnull=True, closed_by="", outcome="")
_CLOSED = Q(closed_at__isnull=False) & ~Q(closed_by="")


class Case(models.Model):
    """Work that waits for somebody until a date."""

    kind = models.CharField(max_length=KIND_LENGTH_MOST)  # of kinds.toml
    subject = models.CharField(max_length=REFERENCE_LENGTH_MOST)  # "person:12", "decision:9"
    region = models.CharField(max_length=REGION_LENGTH_MOST, blank=True)  # "35.10", "35"; empty: the nation
    programme = models.CharField(max_length=PROGRAMME_LENGTH_MOST, blank=True)
    people = models.PositiveIntegerField(default=1)  # how many wait for it
    owner_role = models.CharField(max_length=ROLE_LENGTH_MOST)
    state = models.CharField(max_length=9, choices=State.choices, default=State.OPEN)
    evidence = models.CharField(max_length=EVIDENCE_LENGTH_MOST, default="[]")  # canonical JSON
    follows = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="next")

    opened_at = models.DateTimeField()
    opened_by = models.CharField(max_length=REFERENCE_LENGTH_MOST)
    due_at = models.DateTimeField()
    officer_id = models.BigIntegerField(null=True, blank=True)  # who took it
    taken_at = models.DateTimeField(null=True, blank=True)
    escalates_at = models.DateTimeField()  # if it is not closed by then
    escalates_to = models.CharField(max_length=ROLE_LENGTH_MOST)  # the role that then sees it too
    escalated_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.CharField(max_length=REFERENCE_LENGTH_MOST, blank=True)
    outcome = models.CharField(max_length=OUTCOME_LENGTH_MOST, blank=True)  # one word, as "corrected"

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(kind=""), name="case_has_a_kind"),
            models.CheckConstraint(condition=~Q(subject=""), name="case_has_a_subject"),
            models.CheckConstraint(
                condition=~Q(owner_role="") & ~Q(escalates_to=""), name="case_has_an_owner_and_another"
            ),
            models.CheckConstraint(condition=~Q(opened_by=""), name="case_was_opened_by_somebody"),
            models.CheckConstraint(condition=Q(people__gte=1), name="case_somebody_waits"),
            models.CheckConstraint(
                condition=Q(In(Length("region"), [Value(0), Value(2), Value(5)])),
                name="case_region_is_a_code",
            ),
            models.CheckConstraint(condition=Q(due_at__gt=F("opened_at")), name="case_due_after_opened"),
            models.CheckConstraint(
                condition=Q(escalates_at__gt=F("opened_at")), name="case_escalates_after_opened"
            ),
            models.CheckConstraint(
                condition=Q(state=State.OPEN) & _NOT_TAKEN & _NOT_CLOSED
                | Q(state=State.TAKEN) & _TAKEN_BY & _NOT_CLOSED
                | Q(state=State.DONE) & (_TAKEN_BY | _NOT_TAKEN) & _CLOSED & ~Q(outcome="")
                | Q(state=State.WITHDRAWN) & (_TAKEN_BY | _NOT_TAKEN) & _CLOSED & Q(outcome=""),
                name="case_state_fits_its_times",
            ),
            models.CheckConstraint(
                condition=Q(taken_at__isnull=True) | Q(taken_at__gte=F("opened_at")),
                name="case_taken_after_opened",
            ),
            models.CheckConstraint(
                condition=Q(closed_at__isnull=True)
                | Q(closed_at__gte=F("opened_at"))
                & (Q(taken_at__isnull=True) | Q(closed_at__gte=F("taken_at"))),
                name="case_closed_after_taken",
            ),
            models.CheckConstraint(
                condition=Q(escalated_at__isnull=True) | Q(escalated_at__gte=F("escalates_at")),
                name="case_escalated_not_before_its_time",
            ),
            models.CheckConstraint(
                condition=Q(follows__isnull=True) | ~Q(follows=F("id")), name="case_follows_another"
            ),
            models.UniqueConstraint(
                fields=["kind", "subject"], condition=Q(state__in=ACTIVE), name="case_active_once"
            ),
        ]
        indexes = [
            models.Index(
                fields=["owner_role", "due_at", "id"], condition=Q(state__in=ACTIVE), name="case_by_due"
            ),
            models.Index(
                fields=["escalates_at"],
                condition=Q(state__in=ACTIVE, escalated_at__isnull=True),
                name="case_to_escalate",
            ),
            models.Index(fields=["subject", "id"], name="case_of_subject"),
        ]

    def __str__(self) -> str:
        return f"case:{self.pk} {self.kind}"


class Note(models.Model):
    """One thing that happened to a case after it was opened. Only ever added.

    `text` is what a person wrote; the event of the note holds only the digest of salt and text.
    """

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="notes")
    region = models.CharField(max_length=REGION_LENGTH_MOST, blank=True)  # of the case
    at = models.DateTimeField()
    actor = models.CharField(max_length=REFERENCE_LENGTH_MOST)
    what = models.CharField(max_length=20)  # "taken", "released", "noted", "escalated", "done", "withdrawn"
    text = models.CharField(max_length=TEXT_LENGTH_MOST, blank=True)
    salt = models.BinaryField(max_length=SALT_BYTES, default=b"")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(actor=""), name="note_has_an_actor"),
            models.CheckConstraint(condition=~Q(what=""), name="note_says_what"),
            models.CheckConstraint(condition=~Q(what="noted") | ~Q(text=""), name="note_has_a_text"),
        ]

    def __str__(self) -> str:
        return f"case:{self.case_id} {self.what}"
