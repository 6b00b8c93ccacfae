"""Language and time zone of the person, for one request and no longer."""

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone, translation

from sally.middleware import PersonMiddleware
from sally.models import User


def request_of(user: User) -> HttpRequest:
    request = RequestFactory().get("/")
    request.user = user
    return request


def seen_by_a_view(user: User) -> str:
    def view(_request: HttpRequest) -> HttpResponse:
        return HttpResponse(f"{translation.get_language()} {timezone.get_current_timezone_name()}")

    return PersonMiddleware(view)(request_of(user)).content.decode()


def test_a_view_sees_the_persons_language_and_time_zone() -> None:
    assert seen_by_a_view(User(language="de", time_zone="Europe/Vienna")) == "de Europe/Vienna"


def test_who_has_chosen_nothing_gets_the_browsers_language_and_utc() -> None:
    with translation.override("de"):
        assert seen_by_a_view(User()) == "de UTC"


def test_the_next_request_of_the_thread_sees_nothing_of_it() -> None:
    before = (translation.get_language(), timezone.get_current_timezone_name())
    seen_by_a_view(User(language="de", time_zone="Asia/Tokyo"))
    assert (translation.get_language(), timezone.get_current_timezone_name()) == before


def test_the_next_request_sees_nothing_of_it_when_the_view_fails() -> None:
    def view(_request: HttpRequest) -> HttpResponse:
        raise RuntimeError

    before = (translation.get_language(), timezone.get_current_timezone_name())
    with pytest.raises(RuntimeError):
        PersonMiddleware(view)(request_of(User(language="de", time_zone="Asia/Tokyo")))
    assert (translation.get_language(), timezone.get_current_timezone_name()) == before


def test_a_view_may_decide_about_caching_itself() -> None:
    def view(_request: HttpRequest) -> HttpResponse:
        return HttpResponse(headers={"Cache-Control": "max-age=60"})

    assert PersonMiddleware(view)(request_of(User())).headers["Cache-Control"] == "max-age=60"


def test_a_page_that_is_not_there_is_in_the_persons_language(alice: User, as_alice: Client) -> None:
    User.objects.update(language="de")
    response = as_alice.get("/no-such-page/")
    assert response.status_code == 404
    assert '<html lang="de">' in response.content.decode()


@pytest.mark.parametrize(("asked", "given"), [("de-CH,de;q=0.9", "de"), ("fr", "en"), ("", "en"), ("x" * 600, "en")])
def test_without_a_person_the_browsers_language_counts(db: None, asked: str, given: str) -> None:
    page = Client().get("/sign-in/", headers={"accept-language": asked}).content.decode()
    assert f'<html lang="{given}">' in page
