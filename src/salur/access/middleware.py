"""What every request passes: rows closed, `request.actor`, and the door of the page as `access.toml` has it.

`closed_rows` stands first, `Door` after Django's and allauth's own. A page whose entry says "anyone" costs nothing
here: neither the session nor the database is asked until somebody looks at `request.actor`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from allauth.account.authentication import get_authentication_records
from allauth.mfa.models import Authenticator
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import get_resolver, reverse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from django.utils.http import urlencode

from salur.access import policy, rows, selectors

GetResponse = Callable[[HttpRequest], HttpResponse]


def closed_rows(get_response: GetResponse) -> GetResponse:
    """No rows of a protected table until the page's door has opened them."""

    def respond(request: HttpRequest) -> HttpResponse:
        with rows.closed_request():
            return get_response(request)

    return respond


class Door:
    """Puts `request.actor` on the request and asks the policy for the page's entry."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.actor = SimpleLazyObject(lambda: _actor(request))  # type: ignore[attr-defined]
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, _view: object, _args: object, _kwargs: object
    ) -> HttpResponse | None:
        name = request.resolver_match.view_name if request.resolver_match else ""
        action = policy.action_of_view(name)
        if action is None:
            raise PermissionDenied(f"the page {name or request.path_info!r} has no entry in access.toml")
        if policy.ANYONE in policy.policy().actions[action].roles:
            return None
        actor: policy.Actor = request.actor  # type: ignore[attr-defined]
        if actor.officer_id is None:
            return redirect_to_login(request.get_full_path())
        if not selectors.has_second_factor(actor.officer_id):
            return HttpResponseRedirect(reverse("mfa_index"))
        try:
            policy.require_door(actor, action, now=timezone.now())
        except policy.PasskeyNeeded:
            return step_up(request)
        except policy.Refused as refused:
            raise PermissionDenied(str(refused)) from None
        rows.open_for_request(policy.regions(actor, action))
        return None

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """A refusal inside a page becomes the page that steps up, or the page that refuses."""
        if isinstance(error, policy.PasskeyNeeded):
            return step_up(request)
        if isinstance(error, policy.Refused):
            return self._refused(request, error)
        return None

    @staticmethod
    def _refused(request: HttpRequest, error: policy.Refused) -> HttpResponse:
        """The page for 403 that the root of all addresses names."""
        handler: Callable[..., HttpResponse] = get_resolver().resolve_error_handler(403)
        return handler(request, exception=error)


def step_up(request: HttpRequest) -> HttpResponseRedirect:
    """To the page where the officer uses their passkey again (or adds their first), and back to this address."""
    actor: policy.Actor = request.actor  # type: ignore[attr-defined]
    has_passkey = actor.officer_id is not None and bool(selectors.passkeys(actor.officer_id))
    page = reverse("mfa_reauthenticate_webauthn" if has_passkey else "mfa_add_webauthn")
    return HttpResponseRedirect(f"{page}?{urlencode({'next': request.get_full_path()})}")


def _actor(request: HttpRequest) -> policy.Actor:
    if not request.user.is_authenticated:
        return policy.VISITOR
    uses: list[dict[str, Any]] = get_authentication_records(request, request.user)
    at = [use["at"] for use in uses if use.get("type") == Authenticator.Type.WEBAUTHN]
    passkey_at = datetime.fromtimestamp(max(at), UTC) if at else None
    return selectors.actor(request.user.pk, now=timezone.now(), passkey_at=passkey_at)
