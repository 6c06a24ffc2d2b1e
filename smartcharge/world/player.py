"""Plays a story minute by minute, as cron would, and remembers what happened."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import yaml

from smartcharge.world import ways_to_tesla
from smartcharge.world.story import ByHand, Stance, Story
from smartcharge.world.street import Street
from smartcharge.world.visits import Mail, Request

CRON_LAG = timedelta(seconds=2)
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one command ended."""

    exit_code: int
    stdout: str = ""
    stderr: str = ""


Run = Callable[[list[str], datetime], Outcome]
"""Runs one command line at a moment; the product's side of a story."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A command line of a minute, with its outcome."""

    command: tuple[str, ...]
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Minute:
    """How the street stood at the end of one minute's commands.

    at: the moment the commands ran.  windows: what the supplier planned, as (start, end) in ISO 8601.
    """

    at: datetime
    battery: Stance
    soe_pct: float
    battery_w: float
    car_w: int
    windows: tuple[tuple[str, str], ...]
    ran: tuple[Ran, ...]


@dataclass(frozen=True, slots=True)
class Played:
    """Everything that happened.

    holds: end of the open hold, by the minutes in which the story has an expectation about it.
    counts: as `Expected.at_most` names them.
    """

    minutes: tuple[Minute, ...]
    holds: Mapping[datetime, datetime | None]
    writes: tuple[tuple[datetime, str, str], ...]
    requests: tuple[Request, ...]
    mails: tuple[Mail, ...]
    counts: Mapping[str, int]
    strayed: tuple[str, ...]


def play(story: Story, street: Street, run: Run, *, on_minute: Callable[[Minute], None] | None = None) -> Played:
    """Play a story to its end; `on_minute` sees every minute as it passes."""
    minutes: list[Minute] = []
    holds: dict[datetime, datetime | None] = {}
    for place in range(story.minutes):
        start = story.starts_at + place * MINUTE
        minute = _play_minute(story, street, run, start)
        minutes.append(minute)
        if on_minute:
            on_minute(minute)
        if any(start <= at < start + MINUTE for at, _ in story.expected.hold):
            holds[start] = _open_hold(run(["status", "--json"], minute.at))
    return Played(
        minutes=tuple(minutes),
        holds=holds,
        writes=tuple((write.at, write.kind, str(write.value)) for write in street.powerwall.writes),
        requests=tuple(street.requests),
        mails=tuple(street.mails),
        counts=_counts(street),
        strayed=(*street.refused, *street.writes_to_zappi),
    )


def _play_minute(story: Story, street: Street, run: Run, start: datetime) -> Minute:
    at = start + CRON_LAG
    street.set_time(at)
    ran = [_by_hand(street, run, act, at) for act in story.owner if start <= act.at < start + MINUTE]
    if not story.misses(start):
        ran += [Ran(command, run(list(command), at)) for command in story.run]
    powerwall = street.powerwall
    plans = [item for plan in street.account.plans.values() for item in plan or () if item]
    return Minute(
        at=at,
        battery=Stance(*powerwall.stance),
        soe_pct=powerwall.soe_pct,
        battery_w=powerwall.battery_w,
        car_w=sum(zappi.watts for zappi in street.myenergi.zappis),
        windows=tuple((str(item.get("start")), str(item.get("end"))) for item in plans),
        ran=tuple(each for each in ran if each.command),
    )


def _by_hand(street: Street, run: Run, act: ByHand, at: datetime) -> Ran:
    street.powerwall.set_by_hand(mode=act.mode, reserve_pct=act.reserve_pct)
    return Ran(act.command, run(list(act.command), at) if act.command else Outcome(0))


def _open_hold(status: Outcome) -> datetime | None:
    hold = json.loads(status.stdout)["hold"]
    return None if hold is None else datetime.fromisoformat(hold["until"])


def _counts(street: Street) -> dict[str, int]:
    return {
        "kraken": street.count("kraken"),
        "zappi": street.count("myenergi", lambda each: "jstatus-Z" in each.path and each.status != 401),  # noqa: PLR2004 - the Digest challenge
        "tesla": street.count("tesla"),
        "sign_ins": street.account.sign_ins,
        "writes": len(street.powerwall.writes),
        "mails": len(street.mails),
    }


def write_config(folder: Path, street: Street, story: Story | None = None) -> Path:
    """Write a configuration for this street, 0600, with the story's own settings on top."""
    house = street.house
    settings: dict[str, object] = {
        "eon_next": {
            "email": house.kraken_email,
            "password": house.kraken_password,
            "import_account": house.account_number,
        },
        "myenergi": {"hub_serial": house.hub_serial, "api_key": house.hub_key},
        "tesla": ways_to_tesla.settings(house, story.backend if story else "cloud"),
        "gcal": {
            "smtp_user": house.mail_user,
            "smtp_pass": house.mail_password,
            "invite_to": house.invite_to,
            "smtp_host": street.smtp_host,
            "smtp_port": street.smtp_port,
        },
        "database": {"path": "smartcharge.db"},
    }
    path = folder / "config.yaml"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        yaml.safe_dump(_merged(settings, story.config if story else {}), file, sort_keys=False)
    return path


def _merged(under: Mapping[str, object], over: Mapping[str, object]) -> dict[str, object]:
    made = dict(under)
    for key, value in over.items():
        below = made.get(key)
        made[key] = _merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return made
