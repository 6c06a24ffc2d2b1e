"""Trouble told beside cron's mail: by mail through the outbox, and to a watchdog."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests
import responses
from fake_house import CONFIG_TEXT, FakeHouse

from smartcharge.errors import SignInRefusedError
from smartcharge.jobs.fetch import fetch_plan_if_due
from smartcharge.jobs.tick import run_tick
from smartcharge.store.outbox import ALERT_METHOD, load_waiting_messages

URL = "https://hc.example/ping/a-secret"
MAIL = "gcal: {smtp_user: you@example.com, smtp_pass: abcd, invite_to: calendar@example.com}\n"


@pytest.fixture
def watchdog() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def house_with(folder: Path, *lines: str) -> FakeHouse:
    return FakeHouse(folder, CONFIG_TEXT + "".join(lines))


def stages(watchdog: responses.RequestsMock) -> list[str]:
    return [str(call.request.url).removeprefix(URL) for call in watchdog.calls]


def one_tick(house: FakeHouse, clock: str) -> None:
    with closing(house.app(clock)) as app:
        run_tick(app)


def test_every_tick_gives_a_sign_of_life(tmp_path: Path, watchdog: responses.RequestsMock) -> None:
    house = house_with(tmp_path, f"alerts: {{healthchecks_url: {URL}}}\n")
    watchdog.get(f"{URL}/start")
    watchdog.get(URL)

    one_tick(house, "12:00")

    assert stages(watchdog) == ["/start", ""]


def test_the_watchdog_hears_of_trouble_that_was_told(tmp_path: Path, watchdog: responses.RequestsMock) -> None:
    house = house_with(tmp_path, f"alerts: {{healthchecks_url: {URL}}}\n")
    house.tariff.spans = SignInRefusedError("wrong password", service="kraken")
    watchdog.get(f"{URL}/start")
    watchdog.get(f"{URL}/fail")

    one_tick(house, "12:00")

    assert stages(watchdog) == ["/start", "/fail"]


def test_a_watchdog_out_of_reach_fails_no_run(tmp_path: Path, watchdog: responses.RequestsMock) -> None:
    house = house_with(tmp_path, f"alerts: {{healthchecks_url: {URL}}}\n")
    watchdog.get(f"{URL}/start", body=requests.ConnectionError("gone"))
    watchdog.get(URL, body=requests.ConnectionError("gone"))

    with closing(house.app("12:00")) as app:
        run_tick(app)
        assert set(app.exit_codes) == {0}

    assert house.warned == []


def test_an_episode_waits_in_the_outbox_once_when_it_begins_and_once_when_it_ends(tmp_path: Path) -> None:
    house = house_with(tmp_path, MAIL, "alerts: {email: you@example.com}\n")
    house.tariff.spans = SignInRefusedError("wrong password", service="kraken")
    with closing(house.app("12:00")) as app:
        fetch_plan_if_due(app)
        begun = load_waiting_messages(app.db)
    house.tariff.spans = []
    (tmp_path / ".kraken.json").write_text("{}")

    with closing(house.app("12:05")) as app:
        fetch_plan_if_due(app)
        waiting = load_waiting_messages(app.db)

    assert len(begun) == 1
    assert [outbox_message.recipient for outbox_message in waiting] == ["you@example.com"] * 2
    assert all(outbox_message.method == ALERT_METHOD for outbox_message in waiting)
    assert b"wrong password" in (waiting[0].message or b"")
    assert b"works again" in (waiting[1].message or b"")


def test_without_an_address_nobody_is_written_to(tmp_path: Path) -> None:
    house = house_with(tmp_path, MAIL)
    house.tariff.spans = SignInRefusedError("wrong password", service="kraken")

    with closing(house.app("12:00")) as app:
        fetch_plan_if_due(app)
        assert load_waiting_messages(app.db) == ()
