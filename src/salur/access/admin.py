"""Django's administration, for operators of the platform: they look; what changes goes through services."""

from __future__ import annotations

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.contrib.auth.models import Group
from django.http import HttpRequest

from salur.access.models import BrokenGlass, Grant, Officer, ReadLog

admin.site.unregister([Group, EmailAddress, Authenticator])  # not used; not used; secrets


class ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
    """Shows every field, changes none. Who may enter at all is said in `access.toml`."""

    def has_view_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return True

    def has_module_permission(self, request: HttpRequest) -> bool:
        return True

    def has_add_permission(self, request: HttpRequest, *_: object) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(Officer)
class OfficerAdmin(ReadOnly):
    list_display = ("email", "name", "is_active", "joined_at")
    search_fields = ("email", "name")
    exclude = ("password", "groups", "user_permissions")


@admin.register(Grant)
class GrantAdmin(ReadOnly):
    list_display = ("officer", "role", "region", "granted_by", "since", "until")
    list_filter = ("role",)


@admin.register(ReadLog)
class ReadLogAdmin(ReadOnly):
    list_display = ("at", "officer", "role", "subject", "purpose", "case", "region", "broke_glass")
    list_filter = ("purpose", "broke_glass")
    show_full_result_count = False


@admin.register(BrokenGlass)
class BrokenGlassAdmin(ReadOnly):
    list_display = ("at", "officer", "region", "subject", "reviewed_by", "justified")
