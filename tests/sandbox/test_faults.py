"""Every way in which the sandbox misbehaves on demand."""

import json
import time

import pytest
import requests

from tests.sandbox.conftest import SignedIn
from tests.sandbox_process import ControlRefused, Sandbox


def _fault(person: SignedIn, **fault: object) -> None:
    person.sandbox.control("POST", "faults", json=fault)


def test_an_answer_of_choice_comes_as_often_as_asked(ines: SignedIn) -> None:
    body = json.dumps({"error": {"code": "TooManyRequests"}})
    _fault(ines, path="/me$", status=429, times=2, headers={"Retry-After": "2.128"}, body=body)

    answers = [ines.get("me") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert answers[0].headers["Retry-After"] == "2.128"
    assert answers[0].json()["error"]["code"] == "TooManyRequests"


def test_a_fault_without_end_lasts_until_it_is_cleared(ines: SignedIn) -> None:
    _fault(ines, path="/me$", status=503, times=None)
    assert [ines.get("me").status_code for _ in range(4)] == [503] * 4

    ines.sandbox.control("DELETE", "faults")

    assert ines.get("me").status_code == 200


def test_a_fault_concerns_its_path_and_method_only(ines: SignedIn) -> None:
    _fault(ines, path="calendars", status=500, method="POST")

    assert ines.get("me").status_code == 200
    assert ines.get("me/calendars").status_code == 200
    assert ines.http.post(f"{ines.sandbox.graph_url}/v1.0/me/calendars").status_code == 500


def test_faults_are_taken_in_the_order_they_were_added(ines: SignedIn) -> None:
    for status in (500, 502):
        _fault(ines, path="/me$", status=status)

    assert [ines.get("me").status_code for _ in range(3)] == [500, 502, 200]


def test_an_answer_can_be_late(ines: SignedIn) -> None:
    _fault(ines, path="/me$", delay=0.6)
    began = time.monotonic()

    assert ines.get("me").json()["displayName"] == "Ines Falk"
    assert time.monotonic() - began >= 0.6


def test_a_late_answer_keeps_no_other_client_waiting(ines: SignedIn) -> None:
    _fault(ines, path="calendars$", delay=3)
    with ines.sandbox.session() as impatient, pytest.raises(requests.ReadTimeout):
        impatient.get(f"{ines.sandbox.graph_url}/v1.0/me/calendars", timeout=0.2)
    began = time.monotonic()

    assert ines.get("me").status_code == 200
    assert time.monotonic() - began < 1


def test_an_answer_can_be_cut(ines: SignedIn) -> None:
    _fault(ines, path="/me$", cut=20)

    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead\\(20 bytes read"):
        ines.get("me")
    assert ines.get("me").status_code == 200


def test_an_answer_can_be_nonsense(ines: SignedIn) -> None:
    _fault(ines, path="/me$", raw_body='{"displayName": "In')
    answer = ines.get("me")

    assert (answer.status_code, answer.text) == (200, '{"displayName": "In')


def test_a_page_of_somebody_between_can_come_instead(ines: SignedIn) -> None:
    _fault(ines, path="/me$", status=502, headers={"Content-Type": "text/html"}, body="<h1>Bad gateway</h1>")
    answer = ines.get("me")

    assert (answer.headers["Content-Type"], answer.text) == ("text/html", "<h1>Bad gateway</h1>")


def test_the_sign_in_service_can_fail_too(sandbox: Sandbox) -> None:
    sandbox.control("POST", "faults", json={"path": "openid-configuration", "status": 503})
    with sandbox.session() as http:
        url = f"{sandbox.login_url}/organizations/v2.0/.well-known/openid-configuration"
        assert [http.get(url).status_code for _ in range(2)] == [503, 200]


def test_a_request_in_a_batch_can_fail_alone(ines: SignedIn) -> None:
    _fault(ines, path="/me$", status=429, headers={"Retry-After": "7"}, body='{"error": {}}')
    steps = [{"id": str(number), "method": "GET", "url": "/me"} for number in (1, 2)]
    answer = ines.http.post(f"{ines.sandbox.graph_url}/v1.0/$batch", json={"requests": steps})

    first, second = answer.json()["responses"]
    assert (answer.status_code, first["status"], second["status"]) == (200, 429, 200)
    assert first["headers"]["Retry-After"] == "7"


def test_a_failed_request_is_logged_as_it_was_answered(ines: SignedIn) -> None:
    ines.sandbox.control("DELETE", "log")
    _fault(ines, path="/me$", status=503, body="busy")
    ines.get("me")

    (entry,) = ines.sandbox.log()
    assert (entry["status"], entry["body_bytes"]) == (503, 4)


@pytest.mark.parametrize(
    "fault",
    [{}, {"path": "("}, {"path": "x", "status": "500"}, {"path": "x", "colour": "red"}, {"path": "x", "times": True}],
)
def test_nonsense_is_no_fault(sandbox: Sandbox, fault: dict[str, object]) -> None:
    with pytest.raises(ControlRefused) as refused:
        sandbox.control("POST", "faults", json=fault)
    assert refused.value.status == 400
