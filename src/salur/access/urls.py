"""Signing in: allauth's pages that an invited officer needs, and the invitation. No sign-up, no reset by e-mail."""

from __future__ import annotations

from allauth.account import views as account
from django.urls import include, path

from salur.access import views

urlpatterns = [
    path("masuk/", account.login, name="account_login"),
    path("keluar/", account.logout, name="account_logout"),
    path("akun/nonaktif/", account.account_inactive, name="account_inactive"),
    path("akun/pastikan/", account.reauthenticate, name="account_reauthenticate"),
    path("akun/sandi/", views.password_change, name="account_change_password"),
    path("akun/kunci/", include("allauth.mfa.urls")),
    path("undangan/", views.invited, name="access_invited"),
    path("undangan/<str:token>/", views.invitation, name="access_invitation"),
]
