"""What the house remembers as metrics; base units, and seconds since 1970 for instants."""

from collections import Counter
from collections.abc import Iterator

from smartcharge import __version__
from smartcharge.act.show.exposition import Family, gauge, labelled, states
from smartcharge.act.show.needs import needs
from smartcharge.act.show.overview import Overview
from smartcharge.core.model import ChargerState, HoldKind, contiguous
from smartcharge.core.stance import AUTONOMOUS, BACKUP, SELF_CONSUMPTION

FIRST_WORDS = "# HELP smartcharge_"
PERCENT = 100


def families(about: Overview, schema: int) -> Iterator[Family]:
    """Everything; what is not known has no sample."""
    yield from presence(schema)
    yield gauge("smartcharge_collected_timestamp_seconds", "When these metrics were collected.", about.seen.now)
    yield from _plan(about)
    yield from _hold(about)
    yield from _battery(about)
    yield from _charger(about)
    yield from _troubles(about)
    yield from _services(about)


def presence(schema: int | None) -> Iterator[Family]:
    """Who tells, and whether there is anything to tell from; schema: None where the database cannot be read."""
    labels = {"version": __version__, "schema": "" if schema is None else str(schema)}
    yield Family("smartcharge_info", "gauge", "The program's version and the database's schema.", ((labels, 1),))
    yield gauge("smartcharge_database_readable", "Whether there is a database, and it can be read.", schema is not None)


def _plan(about: Overview) -> Iterator[Family]:
    ahead = [span for span in contiguous(about.seen.windows) if span.ends_at > about.seen.now]
    begins_at = ahead[0].starts_at if ahead else None
    yield gauge("smartcharge_plan_fresh", "Whether the supplier's plan is young enough to act on.", about.fresh)
    yield gauge("smartcharge_plan_answer_timestamp_seconds", "When the supplier last answered.", about.fetched_at)
    yield gauge("smartcharge_windows", "Cheap windows that are open or lie ahead.", len(ahead))
    yield gauge("smartcharge_next_window_timestamp_seconds", "When the next, or open, window begins.", begins_at)
    yield gauge("smartcharge_cheap_period", "Whether the nightly rate applies.", about.seen.cheap_now)


def _hold(about: Overview) -> Iterator[Family]:
    held = about.hold
    kind, opened_at, until = (held.hold.kind, held.opened_at, held.hold.until) if held else (None, None, None)
    stood_down = about.seen.stood_down_until is not None
    yield states("smartcharge_hold", "Whether the Powerwall is promised to be held.", "kind", HoldKind, kind)
    yield gauge("smartcharge_hold_opened_timestamp_seconds", "When the hold was opened.", opened_at)
    yield gauge("smartcharge_hold_until_timestamp_seconds", "When the hold ends.", until)
    yield gauge("smartcharge_next_release_timestamp_seconds", "When its release is due.", about.next_release_at)
    yield gauge("smartcharge_paused", "Whether the owner has paused it.", about.seen.paused)
    yield gauge("smartcharge_stood_down", "Whether a window is left to whoever set the Powerwall.", stood_down)


def _battery(about: Overview) -> Iterator[Family]:
    memory, level, modes = about.battery, about.level, (BACKUP, AUTONOMOUS, SELF_CONSUMPTION)
    reserve = None if memory.confirmed_reserve_pct is None else memory.confirmed_reserve_pct / PERCENT
    energy = None if level is None or level.soe_pct is None else level.soe_pct / PERCENT
    doubtful = memory.in_doubt_since is not None
    yield gauge("smartcharge_battery_owned", "Whether its stance is ours to bring back.", memory.owned)
    yield gauge("smartcharge_battery_in_doubt", "Whether a command waits for its confirmation.", doubtful)
    yield states("smartcharge_battery_mode", "The confirmed operation mode.", "mode", modes, memory.confirmed_mode)
    yield gauge("smartcharge_battery_reserve_ratio", "The confirmed backup reserve.", reserve)
    yield gauge("smartcharge_battery_energy_ratio", "Its state of energy when it was last read.", energy)
    yield gauge("smartcharge_battery_energy_timestamp_seconds", "When that was read.", level.at if level else None)


def _charger(about: Overview) -> Iterator[Family]:
    reading = about.charger.reading if about.charger else None
    state, watts = (reading.state, reading.watts) if reading else (ChargerState.UNKNOWN, None)
    yield states("smartcharge_charger_state", "What the charger last said of the car.", "state", ChargerState, state)
    yield gauge("smartcharge_charger_power_watts", "Power into the car when it was last read.", watts)
    yield gauge("smartcharge_charger_timestamp_seconds", "When it was last asked.", reading.at if reading else None)


def _troubles(about: Overview) -> Iterator[Family]:
    wrong = needs(about)
    owners = sum(need.is_owners for need in wrong)
    whose = {"owner": owners, "nobody": len(wrong) - owners}
    named = [({"command": each.command, "kind": each.kind}, each) for each in about.episodes]
    counts = tuple((labels, each.count) for labels, each in named)
    begins = tuple((labels, each.since) for labels, each in named)
    yield labelled("smartcharge_needs", "What is wrong, by whose business it is.", "whose", whose)
    yield Family("smartcharge_episode_failures", "gauge", "Failures running of trouble that goes on.", counts)
    yield Family("smartcharge_episode_since_timestamp_seconds", "gauge", "Since when trouble goes on.", begins)


def _services(about: Overview) -> Iterator[Family]:
    rows, box = about.services, about.outbox
    runs = {row.command: row.at for row in about.last_runs}
    requests = Counter({name: row.requests for name, row in rows.items()})
    requests["kraken"] += sum(device.requests for device in about.devices)
    posts = {"waiting": box.waiting, "sent": box.sent, "failed": box.failed}
    yield labelled("smartcharge_last_run_timestamp_seconds", "When a command last had something to write down.",
                   "command", runs)  # fmt: skip
    yield gauge("smartcharge_last_sign_timestamp_seconds", "When any run wrote anything down.", about.sign_at)
    yield labelled("smartcharge_requests_total", "Requests made, and attempts to post, as far as runs wrote them down.",
                   "service", requests, kind="counter")  # fmt: skip
    yield labelled("smartcharge_service_failures", "Failures running of a service.", "service",
                   {name: row.failures for name, row in rows.items()})  # fmt: skip
    yield labelled("smartcharge_service_refused", "Whether a service refuses the sign-in.", "service",
                   {name: name in about.refused for name in rows})  # fmt: skip
    yield labelled("smartcharge_outbox_messages", "Mails by what became of them.", "state", posts)
