"""Trouble told beside cron's mail: by mail through the outbox, and to a watchdog."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests
import responses
from house_case import SETTINGS, House

from smartcharge.act import plan, tick
from smartcharge.errors import SignInRefused
from smartcharge.store import outbox

URL = "https://hc.example/ping/a-secret"
MAIL = "gcal: {smtp_user: you@example.com, smtp_pass: abcd, invite_to: calendar@example.com}\n"


@pytest.fixture
def watchdog() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def house_with(folder: Path, *lines: str) -> House:
    return House(folder, SETTINGS + "".join(lines))


def stages(watchdog: responses.RequestsMock) -> list[str]:
    return [str(call.request.url).removeprefix(URL) for call in watchdog.calls]


def one_tick(house: House, clock: str) -> None:
    with closing(house.tools(clock)) as tools:
        tick.run(tools)


def test_every_tick_gives_a_sign_of_life(tmp_path: Path, watchdog: responses.RequestsMock) -> None:
    house = house_with(tmp_path, f"alerts: {{healthchecks_url: {URL}}}\n")
    watchdog.get(f"{URL}/start")
    watchdog.get(URL)

    one_tick(house, "12:00")

    assert stages(watchdog) == ["/start", ""]


def test_the_watchdog_hears_of_trouble_that_was_told(tmp_path: Path, watchdog: responses.RequestsMock) -> None:
    house = house_with(tmp_path, f"alerts: {{healthchecks_url: {URL}}}\n")
    house.tariff.spans = SignInRefused("wrong password", service="kraken")
    watchdog.get(f"{URL}/start")
    watchdog.get(f"{URL}/fail")

    one_tick(house, "12:00")

    assert stages(watchdog) == ["/start", "/fail"]


def test_a_watchdog_out_of_reach_fails_no_run(tmp_path: Path, watchdog: responses.RequestsMock) -> None:
    house = house_with(tmp_path, f"alerts: {{healthchecks_url: {URL}}}\n")
    watchdog.get(f"{URL}/start", body=requests.ConnectionError("gone"))
    watchdog.get(URL, body=requests.ConnectionError("gone"))

    with closing(house.tools("12:00")) as tools:
        tick.run(tools)
        assert set(tools.exit_codes) == {0}

    assert house.warned == []


def test_an_episode_waits_in_the_outbox_once_when_it_begins_and_once_when_it_ends(tmp_path: Path) -> None:
    house = house_with(tmp_path, MAIL, "alerts: {email: you@example.com}\n")
    house.tariff.spans = SignInRefused("wrong password", service="kraken")
    with closing(house.tools("12:00")) as tools:
        plan.run(tools)
        begun = outbox.waiting(tools.db)
    house.tariff.spans = []
    (tmp_path / ".kraken.json").write_text("{}")

    with closing(house.tools("12:05")) as tools:
        plan.run(tools)
        waiting = outbox.waiting(tools.db)

    assert len(begun) == 1
    assert [letter.recipient for letter in waiting] == ["you@example.com"] * 2
    assert all(letter.method == outbox.ALERT for letter in waiting)
    assert b"wrong password" in (waiting[0].message or b"")
    assert b"well again" in (waiting[1].message or b"")


def test_without_an_address_nobody_is_written_to(tmp_path: Path) -> None:
    house = house_with(tmp_path, MAIL)
    house.tariff.spans = SignInRefused("wrong password", service="kraken")

    with closing(house.tools("12:00")) as tools:
        plan.run(tools)
        assert outbox.waiting(tools.db) == ()
