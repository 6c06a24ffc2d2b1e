"""What the tests of the adapters share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import responses
from kraken_case import EMAIL, NUMBER, PASSWORD, House, PretendKraken

from smartcharge.adapters.tariff_kraken import KrakenAccount
from smartcharge.world.street import Street


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
