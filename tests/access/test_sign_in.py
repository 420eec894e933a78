"""Signing in through the pages: invited only, two factors always, a passkey again for what matters."""

from __future__ import annotations

import json
import os
import re
import secrets
import threading
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import path, reverse
from django.utils import timezone
from fido2.utils import websafe_encode

from salur.access import policy, selectors, services, sessions
from salur.access.middleware import Door
from salur.access.models import Invitation, Officer
from salur.access.policy import SYSTEM
from salur.access.software_key import SoftwareKey
from salur.core.faults import InputError
from salur.journal.models import Event
from salur.web import urls as root

ORIGIN = "http://localhost:8000"
PASSWORD = "kopi tubruk dua gelas"  # noqa: S105
HOME, INVITED = reverse("mfa_index"), reverse("access_invited")
pytestmark = pytest.mark.usefixtures("database", "pages")


def a_page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.actor.ref)  # type: ignore[attr-defined]


def a_refusal(request: HttpRequest) -> HttpResponse:
    policy.require(request.actor, "access.test_passkey", now=timezone.now())  # type: ignore[attr-defined]
    return HttpResponse("done")


urlpatterns = [
    *root.urlpatterns,
    path("anyone/", a_page, name="test_anyone"),
    path("look/", lambda request: HttpResponse("static"), name="test_untouched"),
    path("officer/", a_page, name="test_officer"),
    path("reviewer/", a_page, name="test_reviewer"),
    path("nation/", a_page, name="test_nation"),
    path("passkey/", a_page, name="test_passkey"),
    path("refusal/", a_refusal, name="test_refusal"),
    path("forgotten/", a_page, name="test_forgotten"),
    path("nameless/", a_page),
]
ENTRIES = {
    "web.test_anyone": ({"anyone"}, "none", False),
    "web.test_untouched": ({"anyone"}, "none", False),
    "web.test_officer": ({"officer"}, "none", False),
    "web.test_refusal": ({"officer"}, "none", False),
    "web.test_reviewer": ({"reviewer"}, "region", False),
    "web.test_nation": ({"reviewer"}, "nation", False),
    "web.test_passkey": ({"reviewer"}, "region", True),
    "access.test_passkey": ({"officer"}, "none", True),
}


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of every kind beside our own, with their entries."""
    from django.conf import settings
    from django.urls import clear_url_caches, set_urlconf

    monkeypatch.setenv("SALUR_DEMO", "1")
    monkeypatch.setattr(settings, "ROOT_URLCONF", __name__)
    for name, (roles, scope, passkey) in ENTRIES.items():
        entry = policy.Action(name, frozenset(roles), scope, passkey=passkey)
        monkeypatch.setitem(policy.policy().actions, name, entry)
    clear_url_caches()
    set_urlconf(None)


def invited(*grants: tuple[str, str]) -> tuple[int, str]:
    """A new officer's id and the address of their link."""
    token, now = secrets.token_bytes(32), timezone.now()
    email = f"{token.hex()[:8]}@example.go.id"
    officer = services.officer_invite(now=now, actor=SYSTEM, email=email, name="Sri", token=token)
    for role, region in grants:
        services.grant_give(now=now, actor=SYSTEM, officer=officer, role=role, region=region)
    return officer, reverse("access_invitation", args=[websafe_encode(token)])


def browser() -> Client:
    return Client(HTTP_HOST="localhost:8000", REMOTE_ADDR="192.0.2.7")


def follow(client: Client, link: str, **answer: str) -> Any:
    """Open the link and answer the page behind it."""
    assert client.get(link)["Location"] == INVITED
    return client.post(INVITED, answer)


def with_password(link: str) -> Client:
    client = browser()
    done = follow(client, link, new_password1=PASSWORD, new_password2=PASSWORD)
    assert (done.status_code, done["Location"]) == (302, HOME)
    return client


def code_of(secret: str) -> str:
    return format_hotp_value(hotp_value(secret, next(yield_hotp_counters_from_time())))


def add_totp(client: Client) -> str:
    client.get(reverse("mfa_activate_totp"))
    secret: str = client.session["mfa.totp.secret"]
    done = client.post(reverse("mfa_activate_totp"), {"code": code_of(secret)})
    assert done["Location"] == reverse("mfa_view_recovery_codes")
    return secret


def options_on(page: Any, name: str) -> dict[str, Any]:
    """What the page hands to the browser's passkey ceremony."""
    found = re.search(r'<script id="js_data" type="application/json">(.*?)</script>', page.content.decode())
    assert found, page.content.decode()
    options: dict[str, Any] = json.loads(found[1])[name]
    return options


def add_passkey(client: Client, key: SoftwareKey) -> None:
    page = client.get(reverse("mfa_add_webauthn"))
    answer = key.register(options_on(page, "creation_options"))
    done = client.post(
        reverse("mfa_add_webauthn"), {"name": "phone", "credential": json.dumps(answer), "passwordless": "on"}
    )
    assert done.status_code == 302, done.content.decode()


def sign_in_with_passkey(client: Client, key: SoftwareKey) -> HttpResponse:
    options = client.get(reverse("mfa_login_webauthn"), HTTP_ACCEPT="application/json").json()
    answer = key.sign(options["request_options"])
    return client.post(reverse("mfa_login_webauthn"), {"credential": json.dumps(answer)})  # type: ignore[return-value]


def sign_in_with_password(client: Client, officer: int, password: str = PASSWORD) -> HttpResponse:
    email = Officer.objects.get(id=officer).email
    return client.post(reverse("account_login"), {"login": email, "password": password})  # type: ignore[return-value]


def new_key() -> SoftwareKey:
    return SoftwareKey(os.urandom(16), ORIGIN)


def reviewer_with_passkey() -> tuple[int, Client, SoftwareKey]:
    officer, link = invited(("reviewer", "35.10"))
    client, key = browser(), new_key()
    assert follow(client, link, passkey="1")["Location"] == reverse("mfa_add_webauthn")
    add_passkey(client, key)
    return officer, client, key


# ---- the invitation ----------------------------------------------------------------------------------------


def test_a_passkey_alone_is_enough() -> None:
    officer, client, key = reviewer_with_passkey()
    assert client.get("/reviewer/").content.decode() == f"officer:{officer}"
    fresh = browser()
    assert sign_in_with_passkey(fresh, key).status_code == 302
    assert fresh.get("/reviewer/").content.decode() == f"officer:{officer}"
    assert (
        Event.objects.filter(kind="access.factor_added", detail__contains='"factor":"webauthn"').count() == 1
    )


def test_a_password_needs_a_second_factor_before_anything_else() -> None:
    officer, link = invited(("reviewer", "35.10"))
    client = with_password(link)
    for page in ("/officer/", "/reviewer/", "/admin/"):
        assert client.get(page)["Location"] == HOME
    assert client.get(HOME).status_code == 200
    secret = add_totp(client)
    assert secret not in json.dumps(list(Authenticator.objects.values_list("data", flat=True)))
    assert client.get("/reviewer/").content.decode() == f"officer:{officer}"

    fresh = browser()
    assert sign_in_with_password(fresh, officer)["Location"] == reverse("mfa_authenticate")
    assert fresh.get("/officer/").status_code == 302  # half signed in is not signed in
    fresh.get(reverse("mfa_authenticate"))
    cache.clear()  # the code of this half minute was used to set it up
    assert fresh.post(reverse("mfa_authenticate"), {"code": code_of(secret)}).status_code == 302
    assert fresh.get("/officer/").content.decode() == f"officer:{officer}"


def test_a_code_is_taken_once() -> None:
    officer, link = invited()
    secret = add_totp(with_password(link))
    code = code_of(secret)
    taken = []
    for _ in range(2):
        fresh = browser()
        sign_in_with_password(fresh, officer)
        taken.append(fresh.post(reverse("mfa_authenticate"), {"code": code}).status_code)
    assert taken == [302, 200]


def test_a_recovery_code_signs_in_once() -> None:
    officer, link = invited()
    client = with_password(link)
    add_totp(client)
    page = client.get(reverse("mfa_view_recovery_codes"))
    codes = re.findall(r"\b[0-9]{8}\b", page.content.decode())
    assert len(codes) == 10
    answers = []
    for _ in range(2):
        fresh = browser()
        sign_in_with_password(fresh, officer)
        answers.append(fresh.post(reverse("mfa_authenticate"), {"code": codes[0]}).status_code)
    assert answers == [302, 200]


def test_a_link_works_once_and_for_72_hours() -> None:
    _, link = invited()
    second = browser()
    second.get(link)
    with_password(link)
    assert second.post(INVITED, {"passkey": "1"}).status_code == 410
    assert browser().get(link).status_code == 410
    assert browser().get(INVITED).status_code == 410
    _, late = invited()
    Invitation.objects.filter(used_at__isnull=True).update(
        expires_at=timezone.now(), made_at=timezone.now() - timedelta(72)
    )
    assert browser().get(late).status_code == 410
    assert browser().get(reverse("access_invitation", args=["AAAA"])).status_code == 410
    assert browser().get(reverse("access_invitation", args=["é"])).status_code == 410


@pytest.mark.parametrize("password", ["short", "12345678901234", "password1234", "other"])
def test_a_weak_or_mistyped_password_leaves_the_link_usable(password: str) -> None:
    _, link = invited()
    again = PASSWORD if password == "other" else password  # noqa: S105
    assert follow(browser(), link, new_password1=password, new_password2=again).status_code == 200
    with_password(link)


def test_a_new_link_ends_what_the_old_keys_opened() -> None:
    """Whoever makes a link could use it: so the account comes back without its rights."""
    operator_id, _ = invited(("operator", ""))
    officer, client, key = reviewer_with_passkey()
    operator = selectors.actor(operator_id, now=timezone.now())
    token = secrets.token_bytes(32)
    email = Officer.objects.get(id=officer).email
    services.officer_invite(now=timezone.now(), actor=operator, email=email, name="", token=token)
    assert not selectors.actor(officer, now=timezone.now()).grants
    with_password(reverse("access_invitation", args=[websafe_encode(token)]))
    assert client.get("/officer/").status_code == 302  # the old session is over
    assert sign_in_with_passkey(browser(), key)["Location"] == reverse("account_login")
    with pytest.raises(InputError, match="Somebody else"):
        services.officer_invite(
            now=timezone.now(), actor=operator, email=Officer.objects.get(id=operator_id).email, name="",
            token=token,
        )  # fmt: skip


def test_only_the_digest_of_a_token_is_kept() -> None:
    token = secrets.token_bytes(32)
    services.officer_invite(now=timezone.now(), actor=SYSTEM, email="a@example.go.id", name="A", token=token)
    assert Invitation.objects.get().token_digest == selectors.token_digest(token)
    with pytest.raises(ValueError, match="32 random bytes"):
        services.officer_invite(
            now=timezone.now(), actor=SYSTEM, email="b@example.go.id", name="B", token=b"short"
        )
    for wrong in ({"email": "nobody"}, {"name": " "}, {"name": "a\nb"}):
        given = {"email": "c@example.go.id", "name": "C"} | wrong
        with pytest.raises(InputError):
            services.officer_invite(now=timezone.now(), actor=SYSTEM, token=token, **given)


def test_nobody_signs_up() -> None:
    assert browser().get("/accounts/signup/").status_code == 404
    assert b"signup" not in browser().get(reverse("account_login")).content


# ---- the door ----------------------------------------------------------------------------------------------


def test_the_door_asks_the_entry_of_each_page() -> None:
    officer, client, _ = reviewer_with_passkey()
    assert client.get("/nation/").status_code == 403  # the grant is for 35.10
    assert client.get("/admin/").status_code == 403
    assert client.get("/forgotten/").status_code == 403  # a page without an entry is closed
    assert client.get("/nameless/").status_code == 403
    visitor = browser()
    assert visitor.get("/anyone/").content == b"visitor"
    assert client.get("/anyone/").content.decode() == f"officer:{officer}"
    assert visitor.get("/officer/")["Location"] == f"{reverse('account_login')}?next=/officer/"
    assert visitor.get("/admin/")["Location"].startswith(reverse("account_login"))


def test_a_page_for_anyone_touches_neither_session_nor_database() -> None:
    from django.db import connection

    _, client, _ = reviewer_with_passkey()

    def refuse(*_: object) -> None:
        raise AssertionError("the page asked the database")

    connection.close()  # a process of the web has no connection that shows all rows
    with connection.execute_wrapper(refuse):
        assert client.get("/look/").content == b"static"


def test_a_page_that_needs_the_passkey_asks_for_it_and_comes_back() -> None:
    _, _, key = reviewer_with_passkey()
    client = browser()
    sign_in_with_passkey(client, key)
    assert client.get("/passkey/").status_code == 200  # it was used just now
    _make_older(client, minutes=6)
    for page in ("/passkey/", "/refusal/"):
        _make_older(client, minutes=6)
        step = client.get(page)["Location"]
        assert step == f"{reverse('mfa_reauthenticate_webauthn')}?next={page.replace('/', '%2F')}"
        answer = key.sign(options_on(client.get(step), "request_options"))
        back = client.post(step, {"credential": json.dumps(answer), "next": page})
        assert back["Location"] == page
        assert client.get(page).status_code == 200


def test_a_one_time_code_is_no_passkey() -> None:
    _, link = invited(("reviewer", "35.10"))
    client = with_password(link)
    add_totp(client)
    assert client.get("/passkey/")["Location"].startswith(reverse("mfa_add_webauthn"))


def _make_older(client: Client, minutes: int) -> None:
    session = client.session
    for use in session["account_authentication_methods"]:
        use["at"] -= minutes * 60
    session.save()


# ---- how long a session lasts ------------------------------------------------------------------------------


def left(client: Client) -> timedelta:
    return Session.objects.get(session_key=client.session.session_key).expire_date - timezone.now()


def test_a_session_ends_after_30_idle_minutes_and_after_10_hours() -> None:
    _, client, _ = reviewer_with_passkey()
    row = Session.objects.filter(session_key=client.session.session_key)
    assert left(client) <= timedelta(minutes=30)
    row.update(expire_date=timezone.now() + timedelta(minutes=5))
    assert client.get("/officer/").status_code == 200
    assert left(client) > timedelta(minutes=29)  # it was used
    began = client.session
    began[sessions.BEGAN] -= 10 * 60 * 60 - 120
    began.save()
    assert client.get("/officer/").status_code == 200
    assert left(client) <= timedelta(minutes=2)  # the tenth hour ends, however busy
    row.update(expire_date=timezone.now())
    assert client.get("/officer/").status_code == 302


def test_cookies_are_kept_from_scripts_and_other_sites() -> None:
    _, client, _ = reviewer_with_passkey()
    cookie = client.cookies["salur"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert int(cookie["max-age"]) <= 30 * 60


def test_a_deactivated_officer_is_out_at_once() -> None:
    officer, client, key = reviewer_with_passkey()
    services.officer_deactivate(now=timezone.now(), actor=SYSTEM, officer=officer)
    assert client.get("/officer/").status_code == 302
    assert sign_in_with_passkey(browser(), key)["Location"] == reverse("account_inactive")


# ---- guessing ----------------------------------------------------------------------------------------------


def test_guesses_are_counted_in_the_database_for_all_processes() -> None:
    officer, link = invited()
    add_totp(with_password(link))
    answers = [sign_in_with_password(browser(), officer, "wrong password") for _ in range(6)]
    assert b"Too many" in answers[5].content or b"Terlalu banyak" in answers[5].content
    assert sign_in_with_password(browser(), officer).status_code == 200  # even the right one waits
    elsewhere = Client(HTTP_HOST="localhost:8000", REMOTE_ADDR="192.0.2.99")
    assert sign_in_with_password(elsewhere, officer).status_code == 200
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM access_cache")
        assert cursor.fetchone()[0] > 0


def test_codes_cannot_be_guessed() -> None:
    officer, link = invited()
    secret = add_totp(with_password(link))
    client = browser()
    sign_in_with_password(client, officer)
    cache_code = code_of(secret)
    wrong = "000000" if cache_code != "000000" else "000001"
    for _ in range(6):
        client.post(reverse("mfa_authenticate"), {"code": wrong})
    cache.delete(f"allauth.mfa.totp.used?user={officer}&code={cache_code}")
    assert client.post(reverse("mfa_authenticate"), {"code": cache_code}).status_code == 200


# ---- the administration ------------------------------------------------------------------------------------


def test_the_administration_is_for_operators_and_changes_nothing() -> None:
    _, link = invited(("operator", ""))
    client = with_password(link)
    add_totp(client)
    names = ("access_officer", "access_grant", "access_readlog", "access_brokenglass")
    assert client.get(reverse("admin:index")).status_code == 200
    for name in names:
        assert client.get(reverse(f"admin:{name}_changelist")).status_code == 200
        assert client.get(reverse(f"admin:{name}_add")).status_code == 403
    grant = selectors.current_grants(timezone.now()).get()
    assert client.get(reverse("admin:access_grant_change", args=[grant.id])).status_code == 200
    assert (
        client.post(reverse("admin:access_grant_change", args=[grant.id]), {"role": "auditor"}).status_code
        == 403
    )
    assert (
        client.post(reverse("admin:access_grant_delete", args=[grant.id]), {"post": "yes"}).status_code == 403
    )


def test_the_actor_is_made_only_when_asked_for() -> None:
    request = RequestFactory().get("/")
    Door(lambda request: HttpResponse())(request)  # there is no session and no user on this request
    with pytest.raises(AttributeError):
        _ = request.actor.ref  # type: ignore[attr-defined]


def test_of_two_processes_that_count_at_once_one_is_first() -> None:
    """What the counters rest on: adding a row of the cache succeeds once."""
    from django.db import connections

    start, won = threading.Barrier(3), []

    def add(key: str) -> None:
        try:
            start.wait(10)
            won.append(cache.add(key, True))
        finally:
            connections.close_all()

    for number in range(5):
        threads = [threading.Thread(target=add, args=(f"try-{number}",)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(won) == [False, False, True]
        won.clear()
