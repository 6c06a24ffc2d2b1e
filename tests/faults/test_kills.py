"""A run may be killed anywhere: two ticks later the house is right, and nothing half done is left.

Every scenario is played once to learn its points, then once more for each of them. SIGKILL leaves what is on
disk and what servers know; so points between which neither has changed are one, and are killed at one by one only
where SMARTCHARGE_EVERY_POINT is set.
"""

import json
import logging
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import timedelta
from functools import partial

import pytest
from fault_scene import (
    KILLED,
    KRAKEN_FILE,
    TESLA_FILE,
    FaultScene,
    ForkServer,
    find_inconsistencies,
    is_refresh_token_valid,
    make_scene,
)

EVERY_POINT = bool(os.environ.get("SMARTCHARGE_EVERY_POINT"))
DAY = """
name: killed
about: A window, a car, and a run that is killed.
day: 2026-12-09
start: {start}
minutes: 1400
plan: {plan}
car: {car}
backend: {backend}
powerwall: {{mode: {mode}, reserve_pct: {reserve}, soe_pct: 55}}
config: {{gcal: {{{gcal}}}}}
"""
NO_MAIL = "smtp_user: null"
REST, HOLD = "autonomous/20", "backup/100"
TOKEN_ANSWER = "after:POST auth."
CHANGING = re.compile(r"after:(commit|POST|rename|removal|chmod|token file|mail answer)|before:commit")
LOST_UNTIL = {"tesla": "after:token file written", "eon": f"after:rename to {KRAKEN_FILE}"}


@dataclass(frozen=True, slots=True)
class Scenario:
    """before: the ticks that lead up to it. act: the moment and the command that is killed.

    after: the ticks that follow. stances: what is right after the second of them.
    late: when `reconcile` alone must have brought everything to rest.
    """

    act: tuple[str, ...]
    after: tuple[str, str]
    stances: tuple[str, ...]
    before: tuple[str, ...] = ()
    late: str = "14:31"
    start: str = "12:00"
    plan: str = "{12:00: [13:00-14:30]}"
    car: str = "{12:00: B2, 13:04: 7200}"
    mode: str = "autonomous"
    reserve: int = 20
    backend: str = "cloud"
    eon: bool = False
    mails: bool = False
    tesla_since: timedelta = timedelta(0)


UP_TO_HOLD = ("12:58", "13:00", "13:04")
SCENARIOS = {
    "the first run of all": Scenario(("12:58", "tick"), ("12:59", "13:00"), (REST,)),
    "the beginning of a hold": Scenario(("13:04", "tick"), ("13:05", "13:06"), (HOLD,), ("12:58", "13:00"), mails=True),
    "a renewal": Scenario(("13:29", "tick"), ("13:30", "13:31"), (HOLD,), (*UP_TO_HOLD, "13:28")),
    "an extension": Scenario(
        ("13:29", "tick"), ("13:30", "13:31"), (HOLD,), (*UP_TO_HOLD, "13:28"), plan="{12:00: [13:00-13:30]}"
    ),
    "a release": Scenario(
        ("13:29", "tick"), ("13:30", "13:31"), (REST,), (*UP_TO_HOLD, "13:28"),
        car="{12:00: B2, 13:04: 7200, 13:20: B2}",
    ),
    "a release before the plan is asked": Scenario(
        ("13:29", "reconcile"), ("13:30", "13:31"), (REST,), UP_TO_HOLD, car="{12:00: B2, 13:04: 7200, 13:20: B2}"
    ),
    "the midnight reset": Scenario(
        ("+1 00:00", "tick"), ("+1 00:01", "+1 00:02"), (REST,), ("23:50",),
        late="+1 00:03", start="23:00", plan="{23:00: []}", car="{23:00: A}", mode="self_consumption", reserve=55,
    ),
    "Kraken's token renewed": Scenario(("12:58", "tick"), ("12:59", "13:00"), (REST,), ("11:50",), start="11:00"),
    "E.ON's single-use token renewed": Scenario(("12:58", "tick"), ("12:59", "13:00"), (REST,), eon=True),
    "Tesla's single-use token renewed by a release": Scenario(
        ("13:29", "tick"), ("13:30", "13:31"), (REST,), (*UP_TO_HOLD, "13:28"),
        car="{12:00: B2, 13:04: 7200, 13:20: B2}", tesla_since=timedelta(hours=6, minutes=45),
    ),
    "mail": Scenario(
        ("13:04", "send-invites"), ("13:05", "13:06"), (HOLD,), ("12:58", "13:00", "13:04 reconcile"), mails=True
    ),
    "a renewal at the gateway": Scenario(
        ("13:29", "reconcile"), ("13:30", "13:31"), (HOLD,), (*UP_TO_HOLD, "13:28"), backend="v1r"
    ),
    "a pause": Scenario(("13:10", "pause"), ("13:11", "13:12"), (REST, HOLD), UP_TO_HOLD),
}  # fmt: skip
RARELY = {
    "the beginning of a hold at the gateway": Scenario(
        ("13:04", "tick"), ("13:05", "13:06"), (HOLD,), ("12:58", "13:00"), backend="v1r"
    ),
    "a release at the gateway": Scenario(
        ("13:29", "reconcile"), ("13:30", "13:31"), (REST,), UP_TO_HOLD,
        car="{12:00: B2, 13:04: 7200, 13:20: B2}", mode="self_consumption", backend="v1r",
    ),
}  # fmt: skip
"""Played only where every point is."""
if EVERY_POINT:
    SCENARIOS |= RARELY


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_a_run_killed_anywhere_is_put_right_within_two_ticks(
    fork_servers: list[ForkServer], scenario: Scenario
) -> None:
    with prepared(fork_servers[0], scenario) as made:
        passed = made.run(*scenario.act).passed
    kill_point = passed if EVERY_POINT else tuple(distinct(passed))
    with ThreadPoolExecutor(len(fork_servers)) as pool:
        shares = [kill_point[place :: len(fork_servers)] for place in range(len(fork_servers))]
        wrong = list(pool.map(partial(killed_at, scenario=scenario, passed=passed), fork_servers, shares))

    logging.getLogger(__name__).info("%d points, killed at %d", len(passed), len(kill_point))
    assert kill_point
    assert [each for share in wrong for each in share] == []


def killed_at(
    fork_server: ForkServer, kill_point: tuple[str, ...], *, scenario: Scenario, passed: tuple[str, ...]
) -> list[str]:
    """Everything that is wrong after a kill at each of some points."""
    with prepared(fork_server, scenario) as made:
        return [f"{point}: {wrong}" for point in kill_point for wrong in kill_and_run_on(made, scenario, point, passed)]


@contextmanager
def prepared(fork_server: ForkServer, scenario: Scenario) -> Iterator[FaultScene]:
    """A house at the moment before the run that will be killed, and kept at that."""
    gcal = "" if scenario.mails else NO_MAIL
    text = DAY.format(gcal=gcal, **{each.name: getattr(scenario, each.name) for each in fields(scenario)})
    with make_scene(fork_server, text) as made:
        made.simulator.now -= scenario.tesla_since
        made.sign_in_to_tesla()
        made.simulator.now += scenario.tesla_since
        if scenario.eon:
            token = made.simulator.kraken_auth.issue_refresh_token()
            kept = {"kind": "auth0", "supplier": "eon-next", "refresh_token": token}
            (made.home / KRAKEN_FILE).write_text(json.dumps(kept))
        for minute in scenario.before:
            assert made.run(*minute.split()).code == 0
        made.keep()
        yield made


def kill_and_run_on(made: FaultScene, scenario: Scenario, point: str, passed: tuple[str, ...]) -> list[str]:
    """What is wrong after a kill at a point and two clean ticks; nothing, if all goes well."""
    made.go_back()
    killed = made.run(*scenario.act, kill_point=point)
    if killed.code != KILLED:
        return [f"was not killed: {killed}"]
    lost = lost_sign_in(point, passed)
    if lost == "tesla":
        codes = [made.run(minute).code for minute in scenario.after]
        made.stored(TESLA_FILE)
        made.sign_in_to_tesla()
        told = [] if codes == [5, 5] else [f"a lost sign-in ends with {codes}"]
        return told + put_right(made, scenario, ("13:32", "13:33"), {0})
    return put_right(made, scenario, scenario.after, {0, 5} if lost else {0})


def put_right(made: FaultScene, scenario: Scenario, minutes: tuple[str, str], codes: set[int]) -> list[str]:
    """What is wrong after two clean ticks, and after one that comes when everything is over."""
    ran = [made.run(minute) for minute in minutes]
    wrong = [f"ends with {each}" for each in ran if each.code not in codes]
    if made.stance not in scenario.stances:
        wrong.append(f"the battery is {made.stance}")
    wrong += find_inconsistencies(made)
    if not is_refresh_token_valid(made):
        wrong.append("the Tesla sign-in is lost")
    if scenario.mails:
        wrong += wrong_in_the_calendar(made)
    if made.stance != REST:
        made.run(scenario.late, "reconcile")
    return wrong if made.stance == REST else [*wrong, f"at last the battery is {made.stance}"]


def wrong_in_the_calendar(made: FaultScene) -> list[str]:
    """Posted at least once, and the same mail where it was posted again."""
    letters = {mail.raw for mail in made.simulator.mails}
    sent = made.row("SELECT COUNT(*) FROM outbox WHERE state = 'sent'")[0]
    waiting = made.row("SELECT COUNT(*) FROM outbox WHERE state IN ('queued', 'inflight')")[0]
    if (len(letters), sent, waiting) == (1, 1, 0):
        return []
    return [f"{len(letters)} different mails, {sent} known to be sent, {waiting} waiting"]


def lost_sign_in(point: str, passed: tuple[str, ...]) -> str | None:
    """Whose single-use token is lost by a kill here: it is spent with the answer, and the next not yet on disk."""
    place = passed.index(point)
    for service, stored in LOST_UNTIL.items():
        answers = [n for n, each in enumerate(passed) if each.startswith(f"{TOKEN_ANSWER}{service}")]
        if answers and answers[0] <= place < next(
            n for n, each in enumerate(passed) if n > answers[0] and each.startswith(stored)
        ):
            return service
    return None


def distinct(passed: tuple[str, ...]) -> Iterator[str]:
    """The points that differ: the first, and each after something that changed a file or a server."""
    yield passed[0]
    yield from (point for point in passed[1:] if CHANGING.match(point))
