"""What every answer carries, and what nonsense gets."""

import pytest
from django.test import Client

from sally.models import User
from tests.conftest import make_user

PATHS = ["/sign-in/", "/password-reset/", "/nonsense/", "/static/css/tokens.css", "/favicon.ico", "/admin/login/"]


@pytest.mark.django_db
@pytest.mark.parametrize("path", PATHS)
def test_every_answer_has_its_policy(path: str) -> None:
    response = Client().get(path)
    response.close()
    headers = response.headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.django_db
@pytest.mark.parametrize("charset", ["latin-1", "utf-16"])
def test_a_form_that_cannot_be_read_is_the_senders_mistake(charset: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.get("/sign-in/")
    response = client.post(
        "/sign-in/", b"username=a", content_type=f"application/x-www-form-urlencoded; charset={charset}"
    )
    assert response.status_code in (400, 403)
    assert b"<h1>" in response.content


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
def test_nonsense_in_django_admin_is_no_fault_of_the_server(alice: User, path: str) -> None:
    admin = make_user("root@quay.example", alice.organization, is_superuser=True)  # type: ignore[arg-type]
    client = Client()
    client.force_login(admin)
    assert client.get("/admin/" + path.format(pk=alice.pk)).status_code in (200, 302, 400, 403, 404)


@pytest.mark.parametrize("model", ["user", "calendarconnection"])
def test_nonsensical_choices_for_an_action_are_no_fault_of_the_server(alice: User, model: str) -> None:
    admin = make_user("root@quay.example", alice.organization, is_superuser=True)  # type: ignore[arg-type]
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
