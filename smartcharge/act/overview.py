"""Everything `status` shows, gathered from the memory alone: for programs as one object, for people as a screen."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from smartcharge.act.words import age, clock, span
from smartcharge.act.words import stance as in_words
from smartcharge.core.decide import decide
from smartcharge.core.model import ChargerState, Situation
from smartcharge.core.stance import BatteryMemory, Stance
from smartcharge.store import battery, dispatches, episodes, fetches, holds, outbox, readings, services, situation
from smartcharge.store.dispatches import ListedDispatch
from smartcharge.store.episodes import Episode
from smartcharge.store.fetches import DeviceRow
from smartcharge.store.holds import OpenHold
from smartcharge.store.outbox import OutboxCounts
from smartcharge.store.readings import ChargerRow
from smartcharge.toolbox import Toolbox


@dataclass(frozen=True, slots=True)
class Overview:
    """What is remembered at one moment. refused: the services whose sign-in the owner has to mend."""

    seen: Situation
    dispatches: tuple[ListedDispatch, ...]
    devices: tuple[DeviceRow, ...]
    hold: OpenHold | None
    battery: BatteryMemory
    charger: ChargerRow | None
    outbox: OutboxCounts
    episodes: tuple[Episode, ...]
    refused: tuple[str, ...]
    has_battery: bool

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

    def as_json(self) -> dict[str, object]:
        """The object of `status --json`; instants are left to the encoder."""
        seen, paused_until = self.seen, self.seen.pause and self.seen.pause.until
        return {
            "now": seen.now,
            "dispatches": [_dispatch(row) for row in self.dispatches],
            "fetched_at": self.fetched_at,
            "fresh": self.fresh,
            "hold": self.hold and _hold(self.hold),
            "battery": _battery(self.battery),
            "charger": _charger(self.charger),
            "paused": seen.paused,
            "paused_until": paused_until if seen.paused else None,
            "stood_down_until": seen.stood_down_until,
            "outbox": {"waiting": self.outbox.waiting, "sent": self.outbox.sent, "failed": self.outbox.failed},
            "episodes": [_episode(row) for row in self.episodes],
            "next_release_at": self.next_release_at,
            "cheap_period": seen.cheap_now,
        }

    def lines(self) -> Iterator[str]:
        """The same for people, in local time."""
        zone, now = self.seen.policy.cheap_period.zone, self.seen.now
        yield f"{'now':<10} {now.astimezone(ZoneInfo(zone)):%a %d %b} {clock(now, zone)}"
        yield f"{'battery':<10} {self._battery_line()}"
        yield f"{'because':<10} {decide(self.seen).because.sentence}"
        yield f"{'car':<10} {self._car_line()}"
        yield f"{'plan':<10} {self._plan_line()}"
        ahead = [row for row in self.dispatches if row.kind == "planned" and row.live]
        for row in ahead:
            about = f", about {row.energy_kwh:.1f} kWh" if row.energy_kwh else ""
            yield f"{'window':<10} {span(row.starts_at, row.ends_at, zone)}{about}"
        yield from self._needs()

    def _battery_line(self) -> str:
        memory = self.battery
        zone = self.seen.policy.cheap_period.zone
        if not self.has_battery:
            return "no Powerwall is configured: nothing is ever written"
        if memory.confirmed_mode is None or memory.confirmed_reserve_pct is None:
            stands = "not read yet" if not memory.in_doubt_since else "being changed: Tesla has not confirmed it yet"
        else:
            stands = in_words(Stance(memory.confirmed_mode, memory.confirmed_reserve_pct))
        if self.hold and self.next_release_at:
            until, released = clock(self.hold.hold.until, zone), clock(self.next_release_at, zone)
            return f"{stands}; held until {until}, released from {released}"
        return f"{stands}; being brought back" if memory.owned else f"{stands}; left alone"

    def _car_line(self) -> str:
        if self.charger is None:
            return "never asked so far: it is asked only inside a window"
        reading = self.charger.reading
        power = f", {reading.watts:,.0f} W" if reading.watts is not None else ""
        return f"{reading.state.lower()}{power} ({age(self.seen.now - reading.at)} ago)"

    def _plan_line(self) -> str:
        if self.fetched_at is None:
            return "Kraken has not answered yet"
        state = "fresh" if self.fresh else "stale: nothing new begins on it"
        return f"asked {age(self.seen.now - self.fetched_at)} ago, {state}"

    def _needs(self) -> Iterator[str]:
        zone = self.seen.policy.cheap_period.zone
        if self.seen.paused:
            until = self.seen.pause and self.seen.pause.until
            yield f"{'paused':<10} {f'until {clock(until, zone)}' if until else 'until `smartcharge resume`'}"
        if self.seen.stood_down_until:
            yield f"{'stood down':<10} until {clock(self.seen.stood_down_until, zone)}; `smartcharge resume` ends it"
        if self.outbox.waiting or self.outbox.failed:
            yield f"{'invites':<10} {self.outbox.waiting} waiting, {self.outbox.failed} failed"
        for row in self.episodes:
            yield f"{'trouble':<10} {row.command}: {row.kind}, {row.count} times in {age(self.seen.now - row.since)}"
        for service in self.refused:
            command = {"kraken": "login kraken", "tesla": "login tesla"}.get(service, "doctor")
            yield f"{'sign in':<10} {service} refused the sign-in: run `smartcharge {command}`"


def gather(tools: Toolbox) -> Overview:
    """Look at the memory; nothing is asked, nothing is written."""
    db, now = tools.peek, tools.now
    refused = (name for name in ("kraken", "zappi", "tesla", "mail") if services.service(db, name).is_refused)
    return Overview(
        seen=situation.load(db, now, tools.policy),
        dispatches=dispatches.listed(db, now),
        devices=fetches.devices(db),
        hold=holds.current(db),
        battery=battery.memory(db),
        charger=readings.last_charger(db),
        outbox=outbox.counts(db),
        episodes=episodes.open_episodes(db),
        refused=tuple(refused),
        has_battery=tools.config.tesla is not None,
    )


def _dispatch(row: ListedDispatch) -> dict[str, object]:
    return {
        "start": row.starts_at,
        "end": row.ends_at,
        "kind": row.kind,
        "device": row.device or None,
        "energy_kwh": row.energy_kwh,
        "live": row.live,
        "withdrawn_at": row.withdrawn_at,
    }


def _hold(held: OpenHold) -> dict[str, object]:
    return {
        "until": held.hold.until,
        "kind": held.hold.kind,
        "opened_at": held.opened_at,
        "because": held.because,
    }


def _battery(memory: BatteryMemory) -> dict[str, object]:
    return {
        "owned": memory.owned,
        "confirmed_mode": memory.confirmed_mode,
        "confirmed_reserve_pct": memory.confirmed_reserve_pct,
        "before_mode": memory.before and memory.before.mode,
        "before_reserve_pct": memory.before and memory.before.reserve_pct,
        "in_doubt": memory.in_doubt_since is not None,
    }


def _charger(row: ChargerRow | None) -> dict[str, object]:
    if row is None:
        return {"state": ChargerState.UNKNOWN, "watts": None, "at": None}
    return {"state": row.reading.state, "watts": row.reading.watts, "at": row.reading.at}


def _episode(row: Episode) -> dict[str, object]:
    return {
        "command": row.command,
        "kind": row.kind,
        "since": row.since,
        "count": row.count,
        "told_at": row.told_at,
    }
