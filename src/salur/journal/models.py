"""What happened, what is to be done, and what must wait. What must hold is held by the database.

Events and seals are only ever added: triggers (migration 0003) refuse every other change, but for marking an event
with its seal, once.
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Length
from django.db.models.lookups import Exact

SALT_BYTES = 16
REFERENCE_LENGTH_MOST = 80
KIND_LENGTH_MOST = 60
DETAIL_LENGTH_MOST = 4_000
DIGEST_LENGTH = 64  # SHA-256 in hexadecimal
PAYLOAD_LENGTH_MOST = 10_000
KEY_LENGTH_MOST = 120
ERROR_LENGTH_MOST = 500
REASON_LENGTH_MOST = 500


class Event(models.Model):
    """One act. `detail` is canonical JSON of ids, numbers and digests: never a name, a number or a fact of a person.

    `salt` keeps the digest of a sealed event from being guessed; `sealed_in` is the seal that holds it.
    """

    at = models.DateTimeField()
    actor = models.CharField(max_length=REFERENCE_LENGTH_MOST)  # "officer:7", "citizen:…", "system"
    subject_ref = models.CharField(max_length=REFERENCE_LENGTH_MOST, blank=True)  # "person:12", "cycle:3"
    kind = models.CharField(max_length=KIND_LENGTH_MOST)  # "programmes.cycle_opened"
    case = models.CharField(max_length=REFERENCE_LENGTH_MOST, blank=True)  # "case:5"
    detail = models.CharField(max_length=DETAIL_LENGTH_MOST)
    salt = models.BinaryField(max_length=SALT_BYTES)
    sealed_in = models.BigIntegerField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(actor=""), name="event_has_an_actor"),
            models.CheckConstraint(condition=~Q(kind=""), name="event_has_a_kind"),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(sealed_in__isnull=True), name="event_unsealed"),
            models.Index(
                fields=["sealed_in", "id"], condition=Q(sealed_in__isnull=False), name="event_of_seal"
            ),
            models.Index(fields=["subject_ref", "id"], name="event_of_subject"),
            models.Index(fields=["case", "id"], condition=~Q(case=""), name="event_of_case"),
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.kind}"


class Seal(models.Model):
    """The digest of one line of the seal file, written together with the marks on its events."""

    number = models.BigIntegerField(primary_key=True)
    sha256 = models.CharField(max_length=DIGEST_LENGTH)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(number__gte=1), name="seal_counts_from_one"),
            models.CheckConstraint(
                condition=Q(Exact(Length("sha256"), Value(DIGEST_LENGTH))), name="seal_has_a_digest"
            ),
        ]

    def __str__(self) -> str:
        return str(self.number)


class JobState(models.TextChoices):
    READY = "ready"
    RUNNING = "running"
    DONE = "done"
    DEAD = "dead"  # it failed too often, and waits for a person


class Job(models.Model):
    """One piece of work for `salur work`, written in the transaction that wants it done.

    `lease` counts the claims: a worker that comes back late holds an older number and can change nothing.
    """

    kind = models.CharField(max_length=KIND_LENGTH_MOST)  # "programmes.cycle_decide"
    payload = models.CharField(max_length=PAYLOAD_LENGTH_MOST)  # canonical JSON of ids, as in events
    key = models.CharField(max_length=KEY_LENGTH_MOST, blank=True)
    state = models.CharField(max_length=7, choices=JobState.choices, default=JobState.READY)
    attempts = models.PositiveIntegerField(default=0)  # how often it was begun
    next_at = models.DateTimeField()
    lease = models.PositiveIntegerField(default=0)
    leased_until = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=ERROR_LENGTH_MOST, blank=True)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(kind=""), name="job_has_a_kind"),
            models.CheckConstraint(condition=Q(state__in=JobState.values), name="job_state_is_known"),
            models.CheckConstraint(
                condition=Q(state="running", leased_until__isnull=False)
                | (~Q(state="running") & Q(leased_until__isnull=True)),
                name="job_is_leased_while_it_runs",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["done", "dead"], ended_at__isnull=False)
                | Q(state__in=["ready", "running"], ended_at__isnull=True),
                name="job_ends_when_done_or_dead",
            ),
            models.UniqueConstraint(
                fields=["key"], condition=~Q(key="") & ~Q(state="dead"), name="job_key_once"
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_at", "id"], condition=Q(state__in=["ready", "running"]), name="job_waiting"
            ),
            models.Index(fields=["id"], condition=Q(state="dead"), name="job_dead"),
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.kind}"


class Hold(models.Model):
    """A stage that must wait, as a whole or for one subject, until somebody lifts the hold."""

    stage = models.CharField(max_length=KIND_LENGTH_MOST)  # "programmes.decree"
    subject = models.CharField(max_length=REFERENCE_LENGTH_MOST, blank=True)  # empty: the whole stage
    reason = models.CharField(max_length=REASON_LENGTH_MOST)
    placed_by = models.CharField(max_length=REFERENCE_LENGTH_MOST)
    placed_at = models.DateTimeField()
    lifted_by = models.CharField(max_length=REFERENCE_LENGTH_MOST, blank=True)
    lifted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(stage="") & ~Q(reason="") & ~Q(placed_by=""), name="hold_says_what_why_and_who"
            ),
            models.CheckConstraint(
                condition=Q(lifted_by="", lifted_at__isnull=True)
                | (~Q(lifted_by="") & Q(lifted_at__isnull=False) & Q(lifted_at__gte=F("placed_at"))),
                name="hold_is_lifted_by_somebody_later",
            ),
        ]
        indexes = [
            models.Index(fields=["stage", "subject"], condition=Q(lifted_at__isnull=True), name="hold_open")
        ]

    def __str__(self) -> str:
        return f"{self.stage} {self.subject}"
