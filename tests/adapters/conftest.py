"""What the tests of the adapters share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import responses
from hub_case import Scripted
from kraken_case import EMAIL, NUMBER, PASSWORD, House, PretendKraken
from powerwall_case import Home
from share_case import Share

from smartcharge.adapters.tariff_kraken import KrakenAccount
from smartcharge.world.street import Street
from smartcharge.world.wire import Asked, Reply


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """An installation that can sign in with a password, and a supplier with one car and one plan."""
    account = KrakenAccount("eon-next", NUMBER, tmp_path / ".kraken.json", EMAIL, PASSWORD)
    kraken = PretendKraken()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        kraken.serve(mock)
        yield House(kraken, tmp_path, account)


@pytest.fixture
def street(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Street]:
    """A pretend street for one test; the variables are set before any client is made."""
    with Street(tmp_path) as served:
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
def charging(street: Street) -> None:
    """The car draws 7 kW."""
    street.myenergi.zappis[0].watts, street.myenergi.zappis[0].pst = 7150, "C2"


@pytest.fixture
def scripted(street: Street, monkeypatch: pytest.MonkeyPatch) -> Scripted:
    """A pretend hub that gives one and the same answer to everything."""

    def answer_with(reply: Reply) -> None:
        def answer(_asked: Asked, _now: object) -> Reply:
            return street.myenergi.signed(reply)

        monkeypatch.setattr(street.myenergi, "answer", answer)

    return answer_with


@pytest.fixture
def home(street: Street, tmp_path: Path) -> Home:
    """A house that is signed in to Tesla."""
    folder = tmp_path / "auth"
    folder.mkdir()
    street.write_tesla_tokens(folder)
    return Home(street, folder)
