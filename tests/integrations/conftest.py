"""What tests of outgoing connections share: the DNS, the wire, traps, and an authority that Sally trusts."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from integrations import outbound
from tests import wire as wires
from tests.tls_server import Authority
from tests.wire import Dns, Trap, Wire


@pytest.fixture
def dns(monkeypatch: pytest.MonkeyPatch) -> Dns:
    return Dns(monkeypatch)


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    return Wire(monkeypatch)


@pytest.fixture
def trap(monkeypatch: pytest.MonkeyPatch) -> Iterator[Trap]:
    """What listens on this machine listens at the very port that is allowed: only the address can keep it safe."""
    with wires.trap() as trap:
        monkeypatch.setattr(outbound, "_PORT", trap.port)
        yield trap


@pytest.fixture
def authority(tmp_path: Path, settings: Settings) -> Authority:
    made = Authority(tmp_path)
    settings.CA_BUNDLE = str(made.bundle)
    return made
