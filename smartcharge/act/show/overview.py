"""Everything that is remembered at one moment, gathered for whoever shows it; nothing is asked, nothing is written."""

import sqlite3
from datetime import datetime, timedelta
from pathlib import Path

from msgspec import Struct

from smartcharge import wiring
from smartcharge.act import holding
from smartcharge.act.doctor import signs
from smartcharge.core.answers import BatteryLevel
from smartcharge.core.model import Situation
from smartcharge.core.politeness import is_blocked, plan_interval
from smartcharge.core.stance import BatteryMemory
from smartcharge.store import (
    battery,
    dispatches,
    episodes,
    fetches,
    holds,
    journal,
    outbox,
    readings,
    services,
    situation,
)
from smartcharge.store.dispatches import ListedDispatch
from smartcharge.store.episodes import Episode
from smartcharge.store.fetches import DeviceRow
from smartcharge.store.holds import OpenHold
from smartcharge.store.journal import JournalRow
from smartcharge.store.outbox import OutboxCounts
from smartcharge.store.readings import ChargerRow
from smartcharge.store.services import ServiceRow
from smartcharge.toolbox import Toolbox

RUNS = ("reconcile", "fetch-dispatches", "midnight-reset", "send-invites")
READ_BACK = {"confirmed", "written", "already at rest"}
"""How a journal entry ends whose stance was read back from the Powerwall."""
LATE = timedelta(minutes=20)
"""Beyond the usual interval of questions: no back-off of ours lasts longer than a quarter of an hour."""
SECOND = timedelta(seconds=1)
SIGN_INS = {
    "kraken": wiring.kraken_fingerprint,
    "zappi": wiring.hub_fingerprint,
    "tesla": wiring.tesla_fingerprint,
    "mail": wiring.mail_fingerprint,
}
"""What a refused sign-in of each service was refused for."""


class Overview(Struct, frozen=True):
    """What is remembered at one moment.

    is_held: whether the battery has confirmed what the hold wants. told: the sentence in which an episode was told,
    where no service has one. refused: the services whose sign-in the owner has to mend. last_runs: what each command
    wrote down last. sign_at: when any run wrote anything down last. fills: whether a hold fills the battery, or keeps
    it as it is. shadow: whether nothing is set from here any more, beside another controller. missing: where the
    database should be and is not.
    """

    seen: Situation
    dispatches: tuple[ListedDispatch, ...]
    devices: tuple[DeviceRow, ...]
    hold: OpenHold | None
    is_held: bool
    battery: BatteryMemory
    level: BatteryLevel | None
    charger: ChargerRow | None
    outbox: OutboxCounts
    episodes: tuple[Episode, ...]
    told: dict[tuple[str, str], str]
    services: dict[str, ServiceRow]
    refused: tuple[str, ...]
    last_runs: tuple[JournalRow, ...]
    sign_at: datetime | None
    has_battery: bool
    fills: bool
    shadow: bool
    missing: Path | None

    @property
    def fetched_at(self) -> datetime | None:
        """When the supplier last answered for a watched device."""
        return max((d.last_ok_at for d in self.devices if d.watched and d.last_ok_at), default=None)

    @property
    def fresh(self) -> bool:
        """Whether the plan of every watched device is young enough to act on."""
        watched = [device for device in self.devices if device.watched]
        return bool(watched) and all(d.last_ok_at and self.seen.is_young(d.last_ok_at) for d in watched)

    @property
    def next_release_at(self) -> datetime | None:
        """When the release of the open hold begins."""
        return self.hold.hold.until - self.seen.policy.release_lead if self.hold else None

    @property
    def would_hold(self) -> bool:
        """Whether a hold is only what would be done: one from before the shadow fell is still ours to end."""
        return self.shadow and not self.battery.owned

    @property
    def read_back_at(self) -> datetime | None:
        """When the confirmed stance was read from the Powerwall, as far as that was written down."""
        return max((row.at for row in self.last_runs if row.outcome in READ_BACK), default=None)

    @property
    def is_silent(self) -> bool:
        """Whether nothing runs any more: the supplier should have been asked long ago, and nothing forbids it."""
        kraken = self.services["kraken"]
        if self.sign_at is None or "kraken" in self.refused or is_blocked(self.seen.now, kraken.not_before):
            return False
        return self.seen.now - self.sign_at > plan_interval(self.seen) + LATE


def gather(tools: Toolbox) -> Overview:
    """Look at the memory."""
    db, now = tools.peek, tools.now
    held, memory = holds.current(db), battery.memory(db)
    refused = (name for name in SIGN_INS if _is_refused(tools, services.service(db, name)))
    troubles = episodes.open_episodes(db)
    return Overview(
        seen=situation.load(db, now, tools.policy),
        dispatches=dispatches.listed(db, now),
        devices=fetches.devices(db),
        hold=held,
        is_held=held is not None and holding.is_confirmed(tools, memory, held.hold.until),
        battery=memory,
        level=readings.last_battery(db),
        charger=readings.last_charger(db),
        outbox=outbox.counts(db),
        episodes=troubles,
        told={(each.command, each.kind): line for each in troubles if (line := _told(db, each))},
        services={name: services.service(db, name) for name in SIGN_INS},
        refused=tuple(refused),
        last_runs=tuple(row for command in RUNS if (row := journal.last(db, command))),
        sign_at=signs.last_at(tools),
        has_battery=tools.config.tesla is not None,
        fills=tools.config.control.hold == "backup",
        shadow=tools.config.tesla is not None and tools.config.control.shadow,
        missing=None if tools.config.database_path.exists() else tools.config.database_path,
    )


def _is_refused(tools: Toolbox, row: ServiceRow) -> bool:
    """Whether a refused sign-in stands: one that was mended since counts no more, though it was not tried yet."""
    return row.is_refused and row.refused_for == SIGN_INS[row.service](tools.config)


def _told(db: sqlite3.Connection, episode: Episode) -> str | None:
    """What was written down as the owner was told of an episode."""
    if episode.told_at is None:
        return None
    noted = journal.rows(db, since=episode.told_at, until=episode.told_at + SECOND, command=episode.command)
    return next((row.error or row.detail for row in noted if row.outcome in {"trouble", "waiting"}), None)
