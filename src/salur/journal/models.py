"""What happened, in the order of its ids. Rows are added and sealed; nothing else may ever change them."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

SALT_BYTES = 16
REFERENCE_LENGTH_MOST = 80
KIND_LENGTH_MOST = 60
DETAIL_LENGTH_MOST = 4_000


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
            models.Index(fields=["subject_ref", "id"], name="event_of_subject"),
            models.Index(fields=["case", "id"], condition=~Q(case=""), name="event_of_case"),
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.kind}"
