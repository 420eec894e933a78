"""Persons, families, who belongs where since when, their protected numbers, and what officers corrected.

What must hold is held by the database. What a constraint cannot say (periods that overlap, rows that are never
changed) is in `guards.py`. Facts are not here: they stand in populations, and corrections are laid over them.
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from salur.people.protect import KINDS, SEALED_BYTES_MOST, Place

# An id that a population brings is below FIRST_MINTED, one that is made here is not: they never meet. Fifteen digits
# at most, so that an id is never taken for a NIK.
FIRST_MINTED = 10**14
ID_MOST = 10**15 - 1
NAME_LENGTH_MOST = 200
TEXT_LENGTH_MOST = 500
REFERENCE_LENGTH_MOST = 80
SEXES = ("female", "male", "")


def _id_fits() -> Q:
    return Q(id__gte=1, id__lte=ID_MOST)


class Family(models.Model):
    """A household as the programmes count it. `village` is empty where it is not known."""

    region = models.CharField(max_length=5)
    village = models.CharField(max_length=13, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=_id_fits(), name="family_id_fits"),
            models.CheckConstraint(condition=~Q(region=""), name="family_has_a_region"),
        ]
        indexes = [models.Index(fields=["region", "village", "id"], name="family_by_place")]

    def __str__(self) -> str:
        return f"family:{self.id}"


class Person(models.Model):
    """One human being, known once. One name is normal: there is one field for it. `region` is where they live."""

    name = models.CharField(max_length=NAME_LENGTH_MOST)
    birth_date = models.DateField(null=True, blank=True)
    sex = models.CharField(max_length=6, blank=True)  # "female", "male", empty: not known
    region = models.CharField(max_length=5)
    village = models.CharField(max_length=13, blank=True)
    died_on = models.DateField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=_id_fits(), name="person_id_fits"),
            models.CheckConstraint(condition=~Q(name=""), name="person_has_a_name"),
            models.CheckConstraint(condition=~Q(region=""), name="person_has_a_region"),
            models.CheckConstraint(condition=Q(sex__in=SEXES), name="person_sex_is_known_or_empty"),
            models.CheckConstraint(
                condition=Q(died_on__isnull=True)
                | Q(birth_date__isnull=True)
                | Q(died_on__gte=F("birth_date")),
                name="person_dies_after_birth",
            ),
        ]
        indexes = [models.Index(fields=["region", "birth_date"], name="person_by_birth_date")]

    def __str__(self) -> str:
        return f"person:{self.id}"


class Identifier(models.Model):
    """A protected number of a person or a family. `index` finds it; `sealed` holds it; `region` is its owner's."""

    person = models.ForeignKey(
        Person, on_delete=models.PROTECT, null=True, related_name="identifiers", db_index=False
    )
    family = models.ForeignKey(
        Family, on_delete=models.PROTECT, null=True, related_name="identifiers", db_index=False
    )
    kind = models.CharField(max_length=7)
    sealed = models.BinaryField(max_length=SEALED_BYTES_MOST)
    index = models.BinaryField(max_length=32)
    key_version = models.PositiveSmallIntegerField()
    region = models.CharField(max_length=5)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "index"], name="identifier_once"),
            models.UniqueConstraint(
                fields=["person", "kind"],
                condition=Q(person__isnull=False),
                name="identifier_one_a_person",
            ),
            models.UniqueConstraint(
                fields=["family", "kind"],
                condition=Q(family__isnull=False),
                name="identifier_one_a_family",
            ),
            models.CheckConstraint(
                condition=Q(person__isnull=True, family__isnull=False)
                | Q(person__isnull=False, family__isnull=True),
                name="identifier_has_one_owner",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=KINDS)
                & (~Q(kind="nik") | Q(person__isnull=False))
                & (~Q(kind="kk") | Q(family__isnull=False)),
                name="identifier_kind_fits_owner",
            ),
        ]
        indexes = [models.Index(fields=["key_version", "id"], name="identifier_by_key_version")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.owner}"

    @property
    def owner(self) -> str:
        return f"person:{self.person_id}" if self.person_id is not None else f"family:{self.family_id}"

    @property
    def place(self) -> Place:
        return place(self.kind, self.owner)


def place(kind: str, owner: str) -> Place:
    """Where the sealed number of an owner stands."""
    return Place(Identifier._meta.db_table, "sealed", kind, owner)


class Membership(models.Model):
    """A person counts in a family from `since` up to, not including, `until`. `region` is the family's.

    Periods of one person do not overlap: see `guards.py`.
    """

    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="memberships", db_index=False)
    family = models.ForeignKey(Family, on_delete=models.PROTECT, related_name="memberships")
    since = models.DateField()
    until = models.DateField(null=True, blank=True)
    region = models.CharField(max_length=5)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["person"], condition=Q(until__isnull=True), name="membership_open_once"
            ),
            models.CheckConstraint(
                condition=Q(until__isnull=True) | Q(until__gt=F("since")),
                name="membership_ends_after_it_begins",
            ),
        ]
        indexes = [models.Index(fields=["person", "since"], name="membership_by_person")]

    def __str__(self) -> str:
        return f"person:{self.person_id} in family:{self.family_id}"


class SameAs(models.Model):
    """Two ids of one human being, declared by one officer and confirmed by another, until it is withdrawn. Both ids
    stay; the row too. It is never changed but by being confirmed once and withdrawn once."""

    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+", db_index=False)
    other = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    region = models.CharField(max_length=5)
    evidence = models.CharField(max_length=TEXT_LENGTH_MOST)
    case = models.CharField(max_length=REFERENCE_LENGTH_MOST, blank=True)
    declared_by = models.CharField(max_length=REFERENCE_LENGTH_MOST)
    declared_at = models.DateTimeField()
    confirmed_by = models.CharField(max_length=REFERENCE_LENGTH_MOST, blank=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    withdrawn_by = models.CharField(max_length=REFERENCE_LENGTH_MOST, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["person", "other"], condition=Q(withdrawn_by=""), name="same_as_once"
            ),
            models.CheckConstraint(condition=Q(person__lt=F("other")), name="same_as_smaller_id_first"),
            models.CheckConstraint(condition=~Q(evidence=""), name="same_as_has_evidence"),
            models.CheckConstraint(
                condition=~Q(declared_by="") & ~Q(confirmed_by=F("declared_by")), name="same_as_two_officers"
            ),
            models.CheckConstraint(
                condition=Q(confirmed_by="", confirmed_at__isnull=True)
                | (~Q(confirmed_by="") & Q(confirmed_at__isnull=False)),
                name="same_as_confirmed_by_and_at",
            ),
            models.CheckConstraint(
                condition=Q(withdrawn_by="", withdrawn_at__isnull=True)
                | (~Q(withdrawn_by="") & Q(withdrawn_at__isnull=False)),
                name="same_as_withdrawn_by_and_at",
            ),
            models.CheckConstraint(  # what two officers said is taken back by a third
                condition=Q(withdrawn_by="")
                | Q(confirmed_by="")
                | (~Q(withdrawn_by=F("declared_by")) & ~Q(withdrawn_by=F("confirmed_by"))),
                name="same_as_undone_by_a_third",
            ),
        ]

    def __str__(self) -> str:
        return f"person:{self.person_id} = person:{self.other_id}"


class Correction(models.Model):
    """A fact that officers put right. It counts when a second officer has confirmed it, and until it is withdrawn or
    a confirmed one `replaces` it. The row is never changed but by being confirmed once and withdrawn once."""

    kind = models.CharField(max_length=6)  # "person", "family"
    subject_id = models.BigIntegerField()
    region = models.CharField(max_length=5)
    fact = models.CharField(max_length=63)
    value = models.CharField(max_length=100)  # a canonical JSON scalar; null: nothing is known
    valid_from = models.DateField()
    source = models.CharField(max_length=63)  # a register of the fact catalogue
    evidence = models.CharField(max_length=TEXT_LENGTH_MOST)
    evidence_kind = models.CharField(max_length=63, null=True)  # of evidence.toml; None: older than that list
    case = models.CharField(max_length=REFERENCE_LENGTH_MOST, blank=True)
    replaces = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="replaced_by")
    made_by = models.CharField(max_length=REFERENCE_LENGTH_MOST)
    made_at = models.DateTimeField()
    confirmed_by = models.CharField(max_length=REFERENCE_LENGTH_MOST, blank=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    withdrawn_by = models.CharField(max_length=REFERENCE_LENGTH_MOST, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=("person", "family")), name="correction_of_person_or_family"
            ),
            models.CheckConstraint(
                condition=~Q(region="") & ~Q(fact="") & ~Q(value="") & ~Q(source="") & ~Q(evidence=""),
                name="correction_is_whole",
            ),
            models.CheckConstraint(
                condition=~Q(made_by="") & ~Q(confirmed_by=F("made_by")), name="correction_two_officers"
            ),
            models.CheckConstraint(
                condition=Q(confirmed_by="", confirmed_at__isnull=True)
                | (~Q(confirmed_by="") & Q(confirmed_at__isnull=False)),
                name="correction_confirmed_by_and_at",
            ),
            models.CheckConstraint(
                condition=Q(withdrawn_by="", withdrawn_at__isnull=True)
                | (~Q(withdrawn_by="") & Q(withdrawn_at__isnull=False)),
                name="correction_withdrawn_by_and_at",
            ),
            models.CheckConstraint(  # what two officers made is undone by a third
                condition=Q(withdrawn_by="")
                | Q(confirmed_by="")
                | (~Q(withdrawn_by=F("made_by")) & ~Q(withdrawn_by=F("confirmed_by"))),
                name="correction_undone_by_a_third",
            ),
        ]
        indexes = [
            models.Index(fields=["kind", "subject_id", "fact"], name="correction_of_subject"),
            models.Index(
                fields=["region", "id"],
                condition=Q(confirmed_by="", withdrawn_by=""),
                name="correction_waiting",
            ),
        ]

    def __str__(self) -> str:
        return f"correction:{self.id}"
