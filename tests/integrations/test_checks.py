"""What ``check --deploy`` refuses."""

from django.core import checks
from pytest_django import Settings


def ids(*, deployed: bool) -> list[tuple[str | None, int]]:
    found = checks.run_checks(include_deployment_checks=deployed)
    return [(one.id, one.level) for one in found if str(one.id).startswith("integrations.")]


def test_no_sandbox_goes_into_production(settings: Settings) -> None:
    settings.EXCHANGE_SANDBOX = "localhost:8443"
    assert ids(deployed=True) == [("integrations.E001", checks.ERROR)]


def test_a_sandbox_is_fine_elsewhere(settings: Settings) -> None:
    settings.EXCHANGE_SANDBOX = "localhost:8443"
    assert ids(deployed=False) == []


def test_production_without_a_sandbox_is_fine() -> None:
    assert ids(deployed=True) == []
