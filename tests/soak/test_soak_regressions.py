"""What random days found stays mended."""

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from fake_house import CONFIG_TEXT, FakeHouse, at
from soak_interruptions import Interrupter, install_interruptions
from soak_services import SentMail

from smartcharge.alerts import LOCK_KIND
from smartcharge.app import App
from smartcharge.console import run_guarded
from smartcharge.errors import LockBusyError, UnreachableError
from smartcharge.idle import can_skip
from smartcharge.jobs.fetch import fetch_plan_if_due
from smartcharge.jobs.invites import send_messages
from smartcharge.jobs.reconcile import run_reconcile
from smartcharge.jobs.tick import run_tick
from smartcharge.policy.calendar import EventRevision, InviteMethod
from smartcharge.policy.model import ChargerState
from smartcharge.policy.polling import DeliveryResult, DeliveryStatus
from smartcharge.store.calendar import record_revision
from smartcharge.store.database import transaction
from smartcharge.store.outbox import queue_invite
from smartcharge.store.services import load_service


@pytest.fixture
def house(tmp_path: Path) -> FakeHouse:
    house = FakeHouse(tmp_path)
    house.tariff.spans = ["13:00-13:30"]
    return house


def run(house: FakeHouse, clock: str, act: Callable[[App], None] = run_tick, *, disk_is_full: bool = False) -> int:
    with (
        install_interruptions(Interrupter(), lambda: disk_is_full, forecast_steps=2),
        closing(house.app(clock)) as app,
    ):
        return run_guarded(lambda: act(app), app.out.warn)


def test_a_full_disk_stops_no_release_though_the_lock_was_in_trouble(house: FakeHouse) -> None:
    """That the lock is free again cannot be noted then; the battery comes back all the same."""
    run(house, "13:05")
    assert house.battery.mode == "backup"
    house.charger.answers = [ChargerState.IDLE]
    run(house, "13:10", lambda app: app.alerts.record_failure("reconcile", LOCK_KIND, LockBusyError("another run")))

    run(house, "13:29", disk_is_full=True)

    assert (house.battery.mode, house.battery.reserve_pct) == ("autonomous", 20)


def test_what_a_release_did_on_a_full_disk_is_left_as_if_the_owner_had_done_it(house: FakeHouse) -> None:
    """No doubt could be stored before it, so that nothing tells it from his hand when a new hold reads it first."""
    run(house, "13:05")
    house.charger.answers = [ChargerState.IDLE]
    run(house, "13:29", disk_is_full=True)
    house.battery.trouble["read"] = UnreachableError("no answer", service="tesla")
    run(house, "13:31", run_reconcile)
    house.battery.trouble.clear()
    written = len(house.battery.writes)

    house.tariff.spans, house.charger.answers = ["13:00-14:30"], [ChargerState.CHARGING]
    run(house, "13:33", fetch_plan_if_due)
    for clock in ("13:33", "13:34", "14:01", "14:29"):
        run(house, clock, run_reconcile)

    assert any("15:00" in line and "smartcharge resume" in line for line in house.said)
    assert house.battery.writes[written:] == []
    assert (house.battery.mode, house.battery.reserve_pct) == ("autonomous", 20)


def test_a_clock_in_doubt_is_told_though_the_supplier_was_asked_first(house: FakeHouse) -> None:
    """Where each command has a line of its own, nothing quiet is foreseen over what `reconcile` has to tell."""
    run(house, "12:50")

    run(house, "11:50", fetch_plan_if_due)

    line = ["--config", str(house.config.path), "reconcile"]
    assert len(house.tariff.asked) == 2
    assert not can_skip(line, os.environ, at("11:50"))
    assert not can_skip(line, os.environ, at("11:51"))


FAMILY = "family@example.com"
GCAL = f"gcal: {{smtp_user: you@example.com, smtp_pass: hunter2, invite_to: {FAMILY}}}\n"


class Post:
    """A mail server that takes everything; took: the sequence number of each."""

    def __init__(self) -> None:
        self.took: list[int] = []

    def send(self, message: bytes, recipient: str) -> DeliveryResult:
        assert recipient == FAMILY
        _, sequence = SentMail(at("13:05"), at("13:05"), message, DeliveryStatus.ACCEPTED).name
        self.took.append(sequence)
        return DeliveryResult(DeliveryStatus.ACCEPTED)


def intend(app: App, sequence: int) -> None:
    with transaction(app.db):
        revision = EventRevision(at("13:00"), sequence, InviteMethod.REQUEST, at("13:00"), at("16:00"), app.now, 7.2)
        queue_invite(app.db, record_revision(app.db, revision).uid, sequence, "REQUEST", FAMILY, app.now)


def test_a_mail_that_a_newer_one_overtakes_at_the_last_moment_stays_at_home(tmp_path: Path) -> None:
    """Who pauses needs no mail lock, so a mail may be out of date between the look at the outbox and its posting."""
    house, post = FakeHouse(tmp_path, CONFIG_TEXT + GCAL), Post()
    with closing(house.app("13:05")) as app, closing(house.app("13:05")) as other:
        app.__dict__["mailer"] = post
        intend(app, 0)
        newer = Interrupter(second_run_in=0, second_run_at="begin", receive=lambda: intend(other, 1))
        with install_interruptions(newer, lambda: False, forecast_steps=2):
            send_messages(app)

        requests = load_service(app.db, "mail").requests
    assert post.took == [1]
    assert len(house.said) == 1
    assert requests == 1
