"""The page behind an invitation. All other pages of signing in are allauth's (`urls.py`)."""

from __future__ import annotations

from allauth.account import views as account
from allauth.account.internal.flows.reauthentication import reauthenticate_by_password
from django.contrib.auth import login
from django.contrib.auth.forms import SetPasswordForm
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods
from fido2.utils import websafe_decode

from salur.access import selectors, services
from salur.access.models import Officer

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


TOKEN = "invitation"  # noqa: S105 - in the session, so that no page that could fail has the token in its address


@never_cache
@require_GET
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """The link: remember the token and go to a page without it."""
    if selectors.invitation(_raw(token), now=timezone.now()) is None:
        return _over(request)
    request.session[TOKEN] = token
    return redirect("access_invited")


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def invited(request: HttpRequest) -> HttpResponse:
    """Choose a password, or a passkey alone; then the second factor is set up."""
    raw = _raw(request.session.get(TOKEN, ""))
    found = selectors.invitation(raw, now=timezone.now())
    if found is None:
        return _over(request)
    form = SetPasswordForm(found.officer, request.POST or None)
    passkey = "passkey" in request.POST
    if request.method == "GET" or not (passkey or form.is_valid()):
        return render(request, "access/invitation.html", {"form": form, "officer": found.officer})
    password = None if passkey else form.cleaned_data["new_password1"]
    officer = services.invitation_use(now=timezone.now(), token=raw, password=password)
    request.session.flush()
    login(request, Officer.objects.get(id=officer), backend=BACKEND)
    if not passkey:
        reauthenticate_by_password(request)  # it was typed just now
    return redirect("mfa_add_webauthn" if passkey else "mfa_index")


def password_change(request: HttpRequest) -> HttpResponseBase:
    """allauth's page; who signs in with a passkey alone has no password to change."""
    if request.user.is_authenticated and not request.user.has_usable_password():
        return redirect("mfa_index")
    answer: HttpResponseBase = account.password_change(request)
    return answer


def _raw(token: str) -> bytes:
    try:
        return websafe_decode(token)
    except ValueError:
        return b""


def _over(request: HttpRequest) -> HttpResponse:
    return render(request, "access/invitation_over.html", status=410)
