"""Officers and what was granted to them."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models import F, Q

NAME_LENGTH_MOST = 150


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
    role = models.CharField(max_length=40)
    region = models.CharField(max_length=5, blank=True)
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
