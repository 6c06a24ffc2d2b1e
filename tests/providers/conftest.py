"""What the tests of the adapters share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import responses
from cloud_installation import CloudInstallation
from controlled_time_limit import Share
from fake_kraken import ACCOUNT_NUMBER, EMAIL, PASSWORD, FakeKraken, KrakenInstallation
from zappi_hub import SetHubReply

from smartcharge.providers.kraken.account import KrakenAccount
from smartcharge.simulator.http_messages import HttpReply, HttpRequest
from smartcharge.simulator.simulator import Simulator


@pytest.fixture
def house(tmp_path: Path) -> Iterator[KrakenInstallation]:
    """An installation that can sign in with a password, and a supplier with one car and one plan."""
    account = KrakenAccount("eon-next", ACCOUNT_NUMBER, tmp_path / ".kraken.json", EMAIL, PASSWORD)
    kraken = FakeKraken()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        kraken.serve(mock)
        yield KrakenInstallation(kraken, tmp_path, account)


@pytest.fixture
def simulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """A pretend street for one test; the variables are set before any client is made."""
    with Simulator(tmp_path) as served:
        for name in served.unset:
            monkeypatch.delenv(name, raising=False)
        for name, value in served.environment.items():
            monkeypatch.setenv(name, value)
        yield served


@pytest.fixture
def share(monkeypatch: pytest.MonkeyPatch) -> Share:
    """A share of the time that a test uses up at a moment of its own."""
    return Share(monkeypatch)


@pytest.fixture
def charging(simulator: Simulator) -> None:
    """The car draws 7 kW."""
    simulator.myenergi.zappis[0].watts, simulator.myenergi.zappis[0].pst = 7150, "C2"


@pytest.fixture
def scripted(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> SetHubReply:
    """A pretend hub that gives one and the same answer to everything."""

    def answer_with(reply: HttpReply) -> None:
        def answer(_asked: HttpRequest, _now: object) -> HttpReply:
            return simulator.myenergi.signed(reply)

        monkeypatch.setattr(simulator.myenergi, "answer", answer)

    return answer_with


@pytest.fixture
def home(simulator: Simulator, tmp_path: Path) -> CloudInstallation:
    """A house that is signed in to Tesla."""
    folder = tmp_path / "auth"
    folder.mkdir()
    simulator.write_tesla_tokens(folder)
    return CloudInstallation(simulator, folder)
