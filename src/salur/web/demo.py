"""Signing in as an invented officer, in the demonstration alone: its passkeys are made of software."""

from __future__ import annotations

from allauth.account.internal.flows.login import record_authentication
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth import login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from salur.access.demo import ACCOUNTS
from salur.access.models import Officer
from salur.access.policy import policy
from salur.web.words import gettext as _


@require_http_methods(["GET", "POST"])
def accounts(request: HttpRequest) -> HttpResponse:
    """The invented officers; POST signs in as one of them, as a passkey would."""
    if not settings.SALUR_DEMO:
        raise Http404
    if request.method == "POST":
        wanted = next((a for a in ACCOUNTS if a.email == request.POST.get("account")), None)
        if wanted is None:
            raise Http404
        officer = get_object_or_404(Officer, email=wanted.email)
        login(request, officer, backend="allauth.account.auth_backends.AuthenticationBackend")
        record_authentication(request, officer, method="mfa", type=Authenticator.Type.WEBAUTHN)
        return redirect("officers:home")
    language = request.LANGUAGE_CODE
    shown = [
        {
            "email": account.email,
            "name": account.name,
            "role": policy().roles[account.role][language],
            "where": account.region or _("the whole nation"),
        }
        for account in ACCOUNTS
    ]
    return render(request, "demo_accounts.html", {"accounts": shown})
