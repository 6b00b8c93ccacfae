"""What every answer carries, whoever asks and whatever comes of it, and what nonsense gets."""

from __future__ import annotations

import io
import runpy
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone
from pytest_django import Settings

from sally.deletion import Receipt
from sally.models import User
from sally.settings import BASE_DIR
from sally.wsgi import application
from tests.conftest import make_user
from tests.walking import World, addresses, signed_in

OURS = ("SECURE_", "SESSION_COOKIE", "CSRF_COOKIE", "LANGUAGE_COOKIE", "VISIT_COOKIE", "HSTS", "ANSWER_HEADERS")
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(params=["http", "https"])
def scheme(request: pytest.FixtureRequest, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> str:
    """Settings as a start with this PUBLIC_URL makes them."""
    monkeypatch.setenv("PUBLIC_URL", f"{request.param}://testserver")
    for name, value in runpy.run_path(str(Path(BASE_DIR, "sally", "settings.py"))).items():
        if name.startswith(OURS):
            setattr(settings, name, value)
    return str(request.param)


@pytest.fixture
def admin(alice: User) -> User:
    return make_user("root@quay.example", alice.organization, is_superuser=True, role="admin")  # type: ignore[arg-type]


def wrong_with(response: Any, scheme: str) -> list[str]:
    """What an answer lacks, in words."""
    headers = response.headers
    wanted = {
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    if scheme == "https":
        wanted["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains; preload"
    wrong = [f"{name}: {headers.get(name)}" for name, value in wanted.items() if headers.get(name) != value]
    policy = headers.get("Content-Security-Policy", "")
    if "default-src 'none'" not in policy or "frame-ancestors 'none'" not in policy or "unsafe" in policy:
        wrong.append(f"Content-Security-Policy: {policy}")
    denied = headers.get("Permissions-Policy", "")
    wrong += [
        f"Permissions-Policy without {one}" for one in ("camera=()", "microphone=()", "usb=()") if one not in denied
    ]
    if not headers.get("X-Request-ID"):
        wrong.append("X-Request-ID")
    return wrong + [f"cookie {one.OutputString()}" for one in response.cookies.values() if not is_safe(one, scheme)]


def is_safe(cookie: Any, scheme: str) -> bool:
    common = bool(cookie["httponly"]) and cookie["samesite"] == "Lax" and cookie["path"] == "/" and not cookie["domain"]
    return common and (scheme == "http" or (bool(cookie["secure"]) and cookie.key.startswith("__Host-")))


def not_stored(response: Any) -> list[str]:
    caching = response.headers.get("Cache-Control", "")
    return [] if "no-store" in caching else [f"Cache-Control: {caching}"]


def visit(client: Client, paths: Iterable[str], scheme: str) -> tuple[list[str], set[int]]:
    """What is wrong with which answer, and with which codes they came."""
    wrong, codes = [], set()
    for path in paths:
        response = client.get(path, secure=scheme == "https")
        codes.add(response.status_code)
        wrong += [
            f"{path} ({response.status_code}): {one}" for one in wrong_with(response, scheme) + not_stored(response)
        ]
    return wrong, codes


@pytest.mark.parametrize("person", ["nobody", "member", "admin"])
def test_every_answer_of_every_address_has_every_header(alice: User, admin: User, scheme: str, person: str) -> None:
    world = World.of(alice)
    clients: dict[str, Callable[[], Client]] = {
        "nobody": lambda: Client(raise_request_exception=False),
        "member": lambda: signed_in(alice),
        "admin": lambda: signed_in(admin),
    }
    paths = [address.path for address in addresses(world)]
    # Last: it ends the session.
    wrong, codes = visit(
        clients[person](), sorted(paths, key=lambda path: "sign-out" in path or "logout" in path), scheme
    )
    assert wrong == []
    assert {200, 302, 405} <= codes
    assert not codes & set(range(500, 600))


def break_a_view(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("sally.views.SignInForm.__init__", broken)


def receipt() -> str:
    return f"/settings/privacy/receipt/{Receipt({'sally.User': 1}, timezone.now()).token}/"


ANSWERS: dict[str, tuple[int, Callable[[Client, dict[str, Any]], Any]]] = {
    "not found": (404, lambda client, more: client.get("/no-such-page/", **more)),
    "bad charset": (400, lambda client, more: client.generic("POST", "/sign-in/", b"a", f"{FORM}; charset=x", **more)),
    "no boundary": (400, lambda client, more: client.generic("POST", "/x/", b"a", "multipart/form-data", **more)),
    "another host": (400, lambda client, more: client.get("/sign-in/", headers={"host": "evil.example"}, **more)),
    "csrf": (403, lambda client, more: client.post("/sign-in/", **more)),
    "wrong method": (405, lambda client, more: client.get("/sign-out/", **more)),
    "redirect": (302, lambda client, more: client.get("/meetings/", **more)),
    "no slash": (301, lambda client, more: client.get("/sign-in", **more)),
    "favicon": (302, lambda client, more: client.get("/favicon.ico", **more)),
    "alive": (200, lambda client, more: client.get("/healthz", **more)),
    "not ready": (503, lambda client, more: client.get("/readyz", **more)),
    "not for posts": (405, lambda client, more: client.post("/healthz", **more)),
    "invitation": (200, lambda client, more: client.get("/invitation/MQ/set-password/", **more)),
    "receipt": (200, lambda client, more: client.get(receipt(), **more)),
    "a receipt that is none": (404, lambda client, more: client.get("/settings/privacy/receipt/x/", **more)),
    "language": (302, lambda client, more: client.post("/language/", {"language": "de"}, **more)),
}


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ANSWERS)
def test_an_answer_that_is_no_page_has_every_header_too(scheme: str, kind: str) -> None:
    code, ask = ANSWERS[kind]
    client = Client(raise_request_exception=False, enforce_csrf_checks=kind == "csrf")
    response = ask(client, {"secure": scheme == "https"})
    assert (response.status_code, wrong_with(response, scheme), not_stored(response)) == (code, [], [])


def test_a_file_to_take_along_has_every_header(scheme: str, alice: User) -> None:
    response = signed_in(alice).post("/settings/privacy/download/", secure=scheme == "https")
    response.close()
    assert (response.status_code, wrong_with(response, scheme), not_stored(response)) == (200, [], [])


@pytest.mark.django_db
def test_the_page_about_our_own_mistakes_has_every_header(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    break_a_view(monkeypatch)
    response = Client(raise_request_exception=False).get("/sign-in/", secure=scheme == "https")
    assert (response.status_code, wrong_with(response, scheme), not_stored(response)) == (500, [], [])


def test_a_refusal_has_every_header(scheme: str, alice: User) -> None:
    admin = make_user("anna@quay.example", alice.organization, role="admin")  # type: ignore[arg-type]
    response = signed_in(admin).get("/admin/django_q/schedule/", secure=scheme == "https")
    assert (response.status_code, wrong_with(response, scheme), not_stored(response)) == (403, [], [])


@pytest.mark.django_db
def test_a_static_file_has_every_header_and_may_be_kept(scheme: str, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "css").mkdir()
    (tmp_path / "css/tokens.css").write_text("p {}")
    settings.STATIC_ROOT = tmp_path
    response = Client().get("/static/css/tokens.css", secure=scheme == "https")
    response.close()
    assert (response.status_code, wrong_with(response, scheme)) == (200, [])
    assert "max-age" in response.headers["Cache-Control"]
    assert "no-store" not in response.headers["Cache-Control"]


@pytest.mark.django_db
@pytest.mark.parametrize("scheme", ["https"], indirect=True)
@pytest.mark.parametrize(("host", "code"), [("testserver", 301), ("evil.example", 400)])
def test_the_way_to_https_has_its_headers(scheme: str, host: str, code: int) -> None:
    """But HSTS, which browsers ignore over http."""
    response = Client(raise_request_exception=False).get("/sign-in/", headers={"host": host})
    assert (response.status_code, wrong_with(response, "http"), not_stored(response)) == (code, [], [])


@pytest.mark.django_db
def test_the_language_somebody_chose_is_kept_in_a_safe_cookie(scheme: str) -> None:
    response = Client().post("/language/", {"language": "de"}, secure=scheme == "https")
    assert "__Host-language" in response.cookies if scheme == "https" else "language" in response.cookies
    assert wrong_with(response, scheme) == []


# --- What nonsense gets ------------------------------------------------------------------------------------------


UNREADABLE = [
    *(
        f"{FORM}; charset={name}"
        for name in ("latin-1", "utf-16", "nonsense", "base64", "punycode", "undefined", "idna")
    ),
    "text/plain; charset*=zz''utf-8",
    "a/b; c*=undefined''x",
    f"a/b; c*=idna''{'.' * 3000}",
]


@pytest.mark.django_db
@pytest.mark.parametrize("content_type", UNREADABLE, ids=lambda one: one[:50])
@pytest.mark.parametrize("path", ["/sign-in/", "/no-such-page/", "/admin/login/"])
def test_a_form_that_cannot_be_read_gets_our_page(content_type: str, path: str) -> None:
    """Through the application as gunicorn calls it: some of these fail before Django has made a request."""
    environ = RequestFactory().post(path, b"username=a", content_type=FORM).environ
    environ |= {"CONTENT_TYPE": content_type, "QUERY_STRING": "next=%FF"}
    environ["wsgi.input"] = io.BytesIO(b"username=a")
    told: list[tuple[str, dict[str, str]]] = []

    def start(status: str, headers: list[tuple[str, str]], *_: object) -> Callable[[bytes], object]:
        told.append((status, dict(headers)))
        return lambda _: None

    page = b"".join(application(environ, start))
    ((status, headers),) = told
    assert status == "400 Bad Request"
    assert b"That could not be understood" in page
    assert wrong_with(HttpResponse(headers=headers), "http") == []


@pytest.mark.django_db
@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", "utf8", "utf_8"])
def test_a_form_in_utf_8_by_any_name_is_read(charset: str) -> None:
    response = Client().generic("POST", "/sign-in/", b"username=a", content_type=f"{FORM}; charset={charset}")
    assert response.status_code == 200


def test_a_request_without_a_content_type_is_read() -> None:
    from sally.middleware import refuse_unreadable_forms

    assert refuse_unreadable_forms(lambda _: HttpResponse("read"))(HttpRequest()).content == b"read"


@pytest.mark.parametrize(
    "path",
    [
        "sally/user/{pk}/change/?_to_field=",
        "sally/user/{pk}/change/?_to_field=password",
        "sally/user/x/change/",
        "integrations/calendarconnection/x/change/",
        "integrations/calendarconnection/x/delete/",
        "sally/user/?role__exact=%00",
        "sally/user/?p=x",
        "calendars/meeting/?start__year=99999",
    ],
)
def test_nonsense_in_django_admin_is_no_fault_of_the_server(alice: User, admin: User, path: str) -> None:
    client = Client()
    client.force_login(admin)
    assert client.get("/admin/" + path.format(pk=alice.pk)).status_code in (200, 302, 400, 403, 404)


@pytest.mark.parametrize("model", ["user", "calendarconnection"])
def test_nonsensical_choices_for_an_action_are_no_fault_of_the_server(admin: User, model: str) -> None:
    client = Client()
    client.force_login(admin)
    app, action = {"user": ("sally", "invite_again"), "calendarconnection": ("integrations", "pause")}[model]
    response = client.post(f"/admin/{app}/{model}/", {"action": action, "_selected_action": "x"})
    assert response.status_code in (302, 400)


def test_head_is_answered_like_get(alice: User) -> None:
    client = Client()
    client.force_login(alice)
    for path in ("/meetings/", "/settings/integrations/", "/settings/integrations/add/"):
        assert client.head(path).status_code == 200
