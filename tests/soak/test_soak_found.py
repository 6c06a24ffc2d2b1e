"""What random days found stays mended."""

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from house_case import SETTINGS, House, at
from soak_places import Fuse, hostile
from soak_services import Posted

from smartcharge import episodes
from smartcharge.act import invite_post, plan, reconcile, tick
from smartcharge.core.calendar import Method, Revision
from smartcharge.core.model import ChargerState
from smartcharge.core.posting import Fate, Receipt
from smartcharge.errors import Busy, Unreachable
from smartcharge.guard import attempt
from smartcharge.quiet import is_quiet
from smartcharge.store import invites, outbox, services, transaction
from smartcharge.toolbox import Toolbox


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path)
    house.tariff.spans = ["13:00-13:30"]
    return house


def run(house: House, clock: str, act: Callable[[Toolbox], None] = tick.run, *, disk_is_full: bool = False) -> int:
    with hostile(Fuse(), lambda: disk_is_full, foresight_steps=2), closing(house.tools(clock)) as tools:
        return attempt(lambda: act(tools), tools.warn)


def test_a_full_disk_stops_no_release_though_the_lock_was_in_trouble(house: House) -> None:
    """That the lock is free again cannot be noted then; the battery comes back all the same."""
    run(house, "13:05")
    assert house.battery.mode == "backup"
    house.charger.answers = [ChargerState.IDLE]
    run(house, "13:10", lambda tools: episodes.failed(tools, "reconcile", episodes.LOCK, Busy("another run")))

    run(house, "13:29", disk_is_full=True)

    assert (house.battery.mode, house.battery.reserve_pct) == ("autonomous", 20)


def test_what_a_release_did_on_a_full_disk_is_left_as_if_the_owner_had_done_it(house: House) -> None:
    """No doubt could be stored before it, so that nothing tells it from his hand when a new hold reads it first."""
    run(house, "13:05")
    house.charger.answers = [ChargerState.IDLE]
    run(house, "13:29", disk_is_full=True)
    house.battery.trouble["read"] = Unreachable("no answer", service="tesla")
    run(house, "13:31", reconcile.run)
    house.battery.trouble.clear()
    written = len(house.battery.writes)

    house.tariff.spans, house.charger.answers = ["13:00-14:30"], [ChargerState.CHARGING]
    run(house, "13:33", plan.run)
    for clock in ("13:33", "13:34", "14:01", "14:29"):
        run(house, clock, reconcile.run)

    assert any("changed by hand" in line and "stands down until 15:00" in line for line in house.said)
    assert house.battery.writes[written:] == []
    assert (house.battery.mode, house.battery.reserve_pct) == ("autonomous", 20)


def test_a_clock_in_doubt_is_told_though_the_supplier_was_asked_first(house: House) -> None:
    """Where each command has a line of its own, nothing quiet is foreseen over what `reconcile` has to tell."""
    run(house, "12:50")

    run(house, "11:50", plan.run)

    line = ["--config", str(house.config.path), "reconcile"]
    assert len(house.tariff.asked) == 2
    assert not is_quiet(line, os.environ, at("11:50"))
    assert not is_quiet(line, os.environ, at("11:51"))


FAMILY = "family@example.com"
GCAL = f"gcal: {{smtp_user: you@example.com, smtp_pass: hunter2, invite_to: {FAMILY}}}\n"


class Post:
    """A mail server that takes everything; took: the sequence number of each."""

    def __init__(self) -> None:
        self.took: list[int] = []

    def send(self, message: bytes, recipient: str) -> Receipt:
        assert recipient == FAMILY
        _, sequence = Posted(at("13:05"), at("13:05"), message, Fate.ACCEPTED).name
        self.took.append(sequence)
        return Receipt(Fate.ACCEPTED)


def intend(tools: Toolbox, sequence: int) -> None:
    with transaction(tools.db):
        revision = Revision(at("13:00"), sequence, Method.REQUEST, at("13:00"), at("16:00"), tools.now, 7.2)
        outbox.queue(tools.db, invites.record(tools.db, revision).uid, sequence, "REQUEST", FAMILY, tools.now)


def test_a_mail_that_a_newer_one_overtakes_at_the_last_moment_stays_at_home(tmp_path: Path) -> None:
    """Who pauses needs no mail lock, so a mail may be out of date between the look at the outbox and its posting."""
    house, post = House(tmp_path, SETTINGS + GCAL), Post()
    with closing(house.tools("13:05")) as tools, closing(house.tools("13:05")) as other:
        tools.__dict__["mailer"] = post
        intend(tools, 0)
        newer = Fuse(guest_in=0, guest_at="begin", receive=lambda: intend(other, 1))
        with hostile(newer, lambda: False, foresight_steps=2):
            invite_post.post_all(tools)

        requests = services.service(tools.db, "mail").requests
    assert post.took == [1]
    assert len(house.said) == 1
    assert requests == 1
