"""Officers, what was granted to them, how they were invited, what they read and signed.

Triggers beside these tables (migrations 0003): nobody holds two incompatible roles at a time, nobody grants to
whom they invited, and what was read or signed is never changed nor deleted.
"""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Length
from django.db.models.lookups import GreaterThanOrEqual

NAME_LENGTH_MOST = 150
ROLE_LENGTH_MOST = 40
REGION_LENGTH_MOST = 5
REFERENCE_LENGTH_MOST = 80
REASON_LENGTH_LEAST, REASON_LENGTH_MOST = 20, 1_000
DIGEST_HEX_LENGTH = 64


class OfficerManager(BaseUserManager["Officer"]):
    """Makes officers; the platform's operators are `is_staff`."""

    def create_user(self, email: str, name: str, password: str | None = None, **more: object) -> Officer:
        officer = self.model(email=self.normalize_email(email).lower(), name=name, **more)
        officer.set_password(password)
        officer.save(using=self._db)
        return officer

    def create_superuser(self, email: str, name: str, password: str | None = None) -> Officer:
        return self.create_user(email, name, password, is_staff=True, is_superuser=True)


class Officer(AbstractBaseUser, PermissionsMixin):
    """A person who acts for the administration. One name is normal: there is one field for it."""

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=NAME_LENGTH_MOST)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)  # may enter the platform's administration
    joined_at = models.DateTimeField(auto_now_add=True)

    objects = OfficerManager()
    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    class Meta:
        constraints = [models.CheckConstraint(condition=~Q(name=""), name="officer_has_a_name")]

    def __str__(self) -> str:
        return self.name


class Grant(models.Model):
    """A role in a region (a code of a province or regency; empty: the nation) for a time, by somebody else."""

    officer = models.ForeignKey(Officer, on_delete=models.PROTECT, related_name="grants")
    role = models.CharField(max_length=ROLE_LENGTH_MOST)
    region = models.CharField(max_length=REGION_LENGTH_MOST, blank=True)
    granted_by = models.ForeignKey(
        Officer, on_delete=models.PROTECT, related_name="granted", null=True
    )  # null: the command line of the platform
    since = models.DateTimeField()
    until = models.DateTimeField(null=True, blank=True)  # exclusive

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(granted_by__isnull=True) | ~Q(granted_by=F("officer")),
                name="grant_not_to_oneself",
            ),
            models.CheckConstraint(
                condition=Q(until__isnull=True) | Q(until__gt=F("since")), name="grant_ends_after_it_begins"
            ),
            models.UniqueConstraint(
                fields=["officer", "role", "region"],
                condition=Q(until__isnull=True),
                name="grant_open_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.region}"


class Incompatible(models.Model):
    """Two roles that nobody holds at the same time: `[incompatible]` of `access.toml`, for the trigger to read."""

    role = models.CharField(max_length=ROLE_LENGTH_MOST)
    other = models.CharField(max_length=ROLE_LENGTH_MOST)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["role", "other"], name="incompatible_once")]

    def __str__(self) -> str:
        return f"{self.role} {self.other}"


class Invitation(models.Model):
    """A link that works once, for 72 hours. Only the digest of its token is kept."""

    officer = models.ForeignKey(Officer, on_delete=models.PROTECT, related_name="invitations")
    token_digest = models.CharField(max_length=DIGEST_HEX_LENGTH, unique=True)  # SHA-256, hexadecimal
    made_by = models.ForeignKey(
        Officer, on_delete=models.PROTECT, related_name="invited", null=True
    )  # null: the command line of the platform
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(made_by__isnull=True) | ~Q(made_by=F("officer")), name="invitation_not_to_oneself"
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("made_at")), name="invitation_expires_after_it_was_made"
            ),
        ]

    def __str__(self) -> str:
        return f"invitation {self.pk}"


class ReadLog(models.Model):
    """One look at a person's record. Rows are added; nothing may ever change or delete them."""

    at = models.DateTimeField()
    officer = models.ForeignKey(
        Officer, on_delete=models.PROTECT, related_name="reads", null=True
    )  # null: a program of the platform, named in `action`
    role = models.CharField(max_length=ROLE_LENGTH_MOST)  # under which it was read
    subject = models.CharField(max_length=REFERENCE_LENGTH_MOST)  # "person:12", "family:3"
    purpose = models.CharField(max_length=ROLE_LENGTH_MOST)  # of [purposes] in access.toml
    case = models.CharField(max_length=REFERENCE_LENGTH_MOST, blank=True)  # "case:5"; empty: an alarm
    action = models.CharField(max_length=REFERENCE_LENGTH_MOST)
    region = models.CharField(max_length=REGION_LENGTH_MOST, blank=True)
    broke_glass = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(subject=""), name="read_has_a_subject"),
            models.CheckConstraint(condition=~Q(purpose=""), name="read_has_a_purpose"),
            models.CheckConstraint(condition=~Q(role=""), name="read_has_a_role"),
        ]
        indexes = [
            models.Index(fields=["subject", "id"], name="read_of_subject"),
            models.Index(fields=["officer", "id"], name="read_by_officer"),
            models.Index(fields=["at"], condition=Q(case=""), name="read_without_case"),
        ]

    def __str__(self) -> str:
        return f"read {self.pk}"


class BrokenGlass(models.Model):
    """An officer opened a region, or one subject in it, to their own reading for an hour, and said why.

    The reason is free text of an office: it is shown to supervisors and auditors and goes into no event.
    """

    officer = models.ForeignKey(Officer, on_delete=models.PROTECT, related_name="broken_glass")
    region = models.CharField(max_length=REGION_LENGTH_MOST)
    subject = models.CharField(max_length=REFERENCE_LENGTH_MOST, blank=True)
    reason = models.CharField(max_length=REASON_LENGTH_MOST)
    at = models.DateTimeField()
    until = models.DateTimeField()
    reviewed_by = models.ForeignKey(
        Officer, on_delete=models.PROTECT, related_name="reviewed_glass", null=True
    )
    reviewed_at = models.DateTimeField(null=True, blank=True)
    justified = models.BooleanField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=GreaterThanOrEqual(Length("reason"), REASON_LENGTH_LEAST), name="glass_has_a_reason"
            ),
            models.CheckConstraint(condition=~Q(region=""), name="glass_has_a_region"),
            models.CheckConstraint(condition=Q(until__gt=F("at")), name="glass_ends_after_it_was_broken"),
            models.CheckConstraint(
                condition=Q(reviewed_by__isnull=True) | ~Q(reviewed_by=F("officer")),
                name="glass_not_reviewed_by_who_broke_it",
            ),
            models.CheckConstraint(
                condition=Q(reviewed_by__isnull=True, reviewed_at__isnull=True, justified__isnull=True)
                | Q(reviewed_by__isnull=False, reviewed_at__isnull=False, justified__isnull=False),
                name="glass_review_is_whole",
            ),
        ]
        indexes = [models.Index(fields=["officer", "until"], name="glass_of_officer")]

    def __str__(self) -> str:
        return f"broken glass {self.pk}"


class GlassNotice(models.Model):
    """What a supervisor sees on their home page until they have seen it."""

    glass = models.ForeignKey(BrokenGlass, on_delete=models.PROTECT, related_name="notices")
    supervisor = models.ForeignKey(Officer, on_delete=models.PROTECT, related_name="glass_notices")
    seen_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["glass", "supervisor"], name="glass_noticed_once_by_each")
        ]

    def __str__(self) -> str:
        return f"notice {self.pk}"


class Signature(models.Model):
    """A digest signed with an officer's passkey, with all that an auditor needs to verify it (`signing.py`)."""

    officer = models.ForeignKey(Officer, on_delete=models.PROTECT, related_name="signatures")
    at = models.DateTimeField()
    digest = models.CharField(max_length=DIGEST_HEX_LENGTH)  # what was signed, SHA-256, hexadecimal
    credential = models.CharField(max_length=DIGEST_HEX_LENGTH)  # SHA-256 of the credential's id
    counter = models.BigIntegerField()  # 0: the passkey does not count
    signature_digest = models.CharField(max_length=DIGEST_HEX_LENGTH, unique=True)  # each is taken once
    record = models.JSONField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["credential", "counter"], condition=Q(counter__gt=0), name="signature_counter_once"
            )
        ]
        indexes = [models.Index(fields=["digest"], name="signature_of_digest")]

    def __str__(self) -> str:
        return f"signature {self.pk}"
