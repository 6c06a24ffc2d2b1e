"""Checks of the services: supplier, myenergi, Tesla and mail."""

from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from datetime import datetime
from typing import NamedTuple

from smartcharge.app import (
    App,
    kraken_sign_in_fingerprint,
    mail_sign_in_fingerprint,
    make_kraken_account,
    myenergi_sign_in_fingerprint,
    tesla_sign_in_fingerprint,
)
from smartcharge.config.load import Config
from smartcharge.doctor.check import Check, ServiceAccount, find_obstacle
from smartcharge.doctor.redact import shorten_serial
from smartcharge.errors import LockBusyError, SignInRefusedError, StoreError
from smartcharge.formatting import TESLA_APP_SHOWS_NO_MODE, age_text, local_time, powerwall_is, settings_text
from smartcharge.jobs.polling import REFUSED_RETRY_DELAYS
from smartcharge.policy.battery import (
    MODE_AUTONOMOUS,
    MODE_BACKUP,
    BatteryFacts,
    BatteryReading,
    BatterySettings,
    has_hold_settings,
)
from smartcharge.policy.calendar import invite_address_warnings
from smartcharge.policy.model import ChargerReading, ChargerState, DeviceRegistration
from smartcharge.policy.polling import CHARGER_INTERVAL_SHORT, CHARGER_TOLERANCE, has_elapsed
from smartcharge.store.control import load_battery_memory
from smartcharge.store.database import is_on_disk, open_store, transaction
from smartcharge.store.outbox import count_outbox
from smartcharge.store.readings import load_last_charger_reading
from smartcharge.store.services import record_sign_in_refusal

KRAKEN_AREA = ServiceAccount.KRAKEN.area
IN_SUPPLIER_APP = "in the supplier's app"


def check_kraken_offline(app: App) -> Iterator[Check]:
    """Check what is known without asking the service."""
    account = make_kraken_account(app.config)
    if account.credentials is None and not account.token_file.exists():
        yield KRAKEN_AREA.refused("sign-in", "there is no stored sign-in and no password", ServiceAccount.KRAKEN.fix)
    else:
        yield from find_obstacle(app, ServiceAccount.KRAKEN, kraken_sign_in_fingerprint(app.config))


def check_kraken_online(app: App) -> Iterator[Check]:
    """Ask for the devices once; a token is renewed when a run would renew it."""
    if any(check_kraken_offline(app)):
        return
    try:
        registrations = app.tariff.registrations(app.now)
    except SignInRefusedError as refused:
        if is_on_disk(app.read_only_db):
            _record_kraken_refusal(app.config, app.now, refused)
        yield KRAKEN_AREA.app_error("sign-in", refused, ServiceAccount.KRAKEN.fix)
        return
    yield KRAKEN_AREA.ok("sign-in", f"signed in to {app.supplier_label}")
    yield from _check_cars(registrations)


def _record_kraken_refusal(config: Config, now: datetime, refused: SignInRefusedError) -> None:
    """Record the refusal as a run does: trying a wrong password repeatedly can lock an account."""
    fingerprint = kraken_sign_in_fingerprint(config)
    with suppress(StoreError, LockBusyError), closing(open_store(config.database_path)) as db, transaction(db):
        record_sign_in_refusal(db, ServiceAccount.KRAKEN.key, now, fingerprint, str(refused))


def _check_cars(registrations: Sequence[DeviceRegistration]) -> Iterator[Check]:
    live = [each for each in registrations if each.is_live_car]
    if not live:
        known = ", ".join(
            f"{each.kind or 'unknown kind'} {each.status or 'without a status'}" for each in registrations
        )
        yield KRAKEN_AREA.error(
            "car",
            f"no active car or charger is registered (registered: {known or 'none'})",
            f"Connect it {IN_SUPPLIER_APP}",
        )
    for each in live:
        yield _check_car(each)
    watched = sum(each.device.watched for each in live)
    if watched > 1:
        yield KRAKEN_AREA.warning(
            "car",
            f"{watched} cars are registered, and a smart-charging slot of any of them counts",
            "Set eon_next.device_id to the one you mean",
        )


def _check_car(registration: DeviceRegistration) -> Check:
    device = registration.device
    if registration.suspended:
        return KRAKEN_AREA.warning(
            "car",
            f"smart charging is suspended for {device.id}, so it gets no slots",
            f"Resume smart charging {IN_SUPPLIER_APP}",
        )
    if not device.watched:
        return KRAKEN_AREA.ok("car", f"{device.id} is active but not used, because eon_next.device_id names another")
    if device.boosting:
        return KRAKEN_AREA.ok(
            "car", f"{device.id} is active and boosted by hand at present; smartcharge does nothing meanwhile"
        )
    return KRAKEN_AREA.ok("car", f"{device.id} is active ({device.state or 'without a status'})")


ZAPPI_AREA = ServiceAccount.ZAPPI.area
ZAPPI_ONLINE_FIX = "Check in the myenergi app that the hub and the Zappi are online"


def check_zappi_offline(app: App) -> Iterator[Check]:
    """Check what is known without asking the service."""
    return find_obstacle(app, ServiceAccount.ZAPPI, myenergi_sign_in_fingerprint(app.config))


def check_zappi_online(app: App) -> Iterator[Check]:
    """Ask the Zappi once, unless a run has asked it within the last minute."""
    if any(check_zappi_offline(app)):
        return
    last = load_last_charger_reading(app.read_only_db)
    if (
        last
        and not last.error
        and not has_elapsed(app.now, last.reading.at, CHARGER_INTERVAL_SHORT - CHARGER_TOLERANCE)
    ):
        yield _check_zappi_reading(last.reading, f", asked {age_text(app.now - last.reading.at)} ago")
        return
    found = _read_zappis(app)
    yield ZAPPI_AREA.ok("sign-in", "signed in to myenergi")
    pinned = app.config.myenergi.zappi_serial
    yield from _check_missing_zappis(found, pinned)
    for reading in found:
        watched = pinned is None or pinned in reading.serials
        yield (
            _check_zappi_reading(reading) if watched else ZAPPI_AREA.ok("Zappi", f"{_zappi_names(reading)} is not used")
        )


def _read_zappis(app: App) -> Sequence[ChargerReading]:
    """Read every Zappi. A refusal counts only when it comes twice in a row: a failing server refuses as well."""
    try:
        return app.charger.read_each(app.now)
    except SignInRefusedError:
        return app.charger.read_each(app.now)


def _check_missing_zappis(found: Sequence[ChargerReading], pinned: str | None) -> Iterator[Check]:
    serials = [serial for reading in found for serial in reading.serials]
    if not found:
        yield ZAPPI_AREA.warning("Zappi", "the hub reports no Zappi", ZAPPI_ONLINE_FIX)
    elif pinned is not None and pinned not in serials:
        there = ", ".join(map(shorten_serial, serials)) or "none with a serial"
        message = f"myenergi.zappi_serial is {shorten_serial(pinned)}, but the hub reports {there}"
        yield ZAPPI_AREA.error("Zappi", message, "Correct myenergi.zappi_serial, or delete the line to use every Zappi")


def _check_zappi_reading(reading: ChargerReading, when: str = "") -> Check:
    message = f"{_zappi_names(reading)}: {reading.why}{when}"
    if reading.state is ChargerState.UNKNOWN:
        return ZAPPI_AREA.warning(
            "Zappi", f"{message}, so it is not known whether the car is charging", ZAPPI_ONLINE_FIX
        )
    return ZAPPI_AREA.ok("Zappi", f"{message}, {reading.state.lower()}")


def _zappi_names(reading: ChargerReading) -> str:
    return " and ".join(map(shorten_serial, reading.serials)) or "a Zappi without a serial"


TESLA_AREA = ServiceAccount.TESLA.area


class TeslaBackendText(NamedTuple):
    """A connection to the Powerwall: what it needs, how the owner gets that, and what accepts it."""

    key: str
    fix: str
    accepted_by: str


TESLA_BACKEND_TEXTS = {
    "cloud": TeslaBackendText("sign-in", ServiceAccount.TESLA.fix, "Tesla's cloud"),
    "fleetapi": TeslaBackendText(
        "sign-in for the Fleet API",
        "Run `python -m pypowerwall setup -fleetapi` with that folder as -authpath, then `smartcharge login tesla`",
        "Tesla's Fleet API",
    ),
    "v1r": TeslaBackendText(
        "private key", "Run `python -m pypowerwall register`, and set tesla.rsa_key_path", "the gateway"
    ),
}
TESLA_CHECK_LOCK_WAIT_SECONDS = 5.0
"""Shorter than the wait of a run, which has priority: the doctor can be run again."""


def check_tesla_offline(app: App) -> Iterator[Check]:
    """Check what is known without asking the service."""
    if app.config.tesla is None:
        return
    fingerprint = tesla_sign_in_fingerprint(app.config)
    if fingerprint == "absent":
        backend = TESLA_BACKEND_TEXTS[app.config.tesla.backend]
        yield TESLA_AREA.refused(
            "sign-in", f"there is no {backend.key} at {app.config.tesla_credentials_file}", backend.fix
        )
    else:
        yield from find_obstacle(app, ServiceAccount.TESLA, fingerprint, retry_refused_after=REFUSED_RETRY_DELAYS[0])


def check_tesla_online(app: App) -> Iterator[Check]:
    """Read the Powerwall once, under the lock; nothing is written."""
    if app.config.tesla is None or any(check_tesla_offline(app)):
        return
    with app.exclusive_lock(wait_seconds=TESLA_CHECK_LOCK_WAIT_SECONDS), app.battery as powerwall:
        reading, facts = powerwall.read(), powerwall.facts()
    yield TESLA_AREA.ok("sign-in", f"signed in to {TESLA_BACKEND_TEXTS[app.config.tesla.backend].accepted_by}")
    yield TESLA_AREA.ok("site", f"site: {facts.site or 'without a name'}{_site_count_suffix(facts.sites)}")
    is_owned, zone = load_battery_memory(app.read_only_db).owned, app.policy.cheap_period.zone
    yield _check_settings(reading, app.resting, zone, is_owned=is_owned)
    yield from _check_lockouts(reading)
    is_preserving = app.config.control.hold == "preserve"
    if is_preserving:
        yield _check_charge_level(reading)
    yield _check_grid_charging(facts, is_needed=not is_preserving)
    yield _check_rate_plan(facts, is_needed=app.resting.mode == MODE_AUTONOMOUS)
    yield from _check_storm_watch(facts)
    yield TESLA_AREA.ok(
        "firmware", f"firmware {facts.firmware}" if facts.firmware else "Tesla does not report the firmware version"
    )


def _site_count_suffix(sites: int | None) -> str:
    return f", one of {sites} sites" if sites and sites > 1 else ""


def _check_settings(reading: BatteryReading, normal: BatterySettings, zone: str, *, is_owned: bool) -> Check:
    if reading.mode is None or reading.reserve_pct is None:
        message = "Tesla does not report the operation mode or the Backup Reserve, so smartcharge does nothing"
        return TESLA_AREA.warning("stance", message, "If it persists, restart the gateway (see the Tesla app)")
    found = BatterySettings(reading.mode, round(reading.reserve_pct))
    message = f"the Powerwall is {powerwall_is(found)}"
    if is_owned:
        note = f". {TESLA_APP_SHOWS_NO_MODE}" if found.mode == MODE_BACKUP else ""
        return TESLA_AREA.ok("stance", f"{message}, set by smartcharge{_timed_hold_end_suffix(reading, zone)}{note}")
    if reading.timed_hold_until:
        message = (
            f"the Powerwall is in Max Backup{_timed_hold_end_suffix(reading, zone)}, which smartcharge did not start. "
            "smartcharge waits"
        )
        return TESLA_AREA.warning("stance", message, "End Max Backup in the Tesla app if you do not want it")
    if has_hold_settings(reading):
        message = f"{message}. smartcharge did not set it, so it leaves it alone until the midnight reset"
        return TESLA_AREA.warning(
            "stance", message, "Set another mode and Backup Reserve in the Tesla app if you do not want this"
        )
    differs = "" if found == normal else f"; its normal mode is {settings_text(normal)}"
    return TESLA_AREA.ok("stance", f"{message}{differs}")


def _check_lockouts(reading: BatteryReading) -> Iterator[Check]:
    if reading.lockouts is None:
        yield TESLA_AREA.warning(
            "outside powers", "Tesla does not report whether Storm Watch is active or there is a power cut"
        )
    for lockout in sorted(reading.lockouts or ()):
        yield TESLA_AREA.warning(
            "outside powers", f"{lockout} controls the Powerwall: smartcharge waits until that is over"
        )


def _timed_hold_end_suffix(reading: BatteryReading, zone: str) -> str:
    """Return when the gateway itself ends the hold, if it does."""
    return f" until {local_time(reading.timed_hold_until, zone)}" if reading.timed_hold_until else ""


def _check_charge_level(reading: BatteryReading) -> Check:
    if reading.soe_pct is None:
        message = "Tesla does not report the charge level, so it cannot be kept, and smartcharge does nothing"
        return TESLA_AREA.warning("hold", message, "If it persists, restart the gateway (see the Tesla app)")
    message = f"in a slot the Powerwall keeps its charge (control.hold: preserve), now {reading.soe_pct:.0f} %"
    return TESLA_AREA.ok("hold", message)


def _check_grid_charging(facts: BatteryFacts, *, is_needed: bool) -> Check:
    if facts.grid_charging is None:
        return TESLA_AREA.ok("grid charging", "Tesla does not report whether grid charging is allowed")
    if facts.grid_charging:
        return TESLA_AREA.ok("grid charging", "grid charging is allowed")
    if not is_needed:
        return TESLA_AREA.ok("grid charging", "grid charging is not allowed, and not needed for control.hold: preserve")
    message = "grid charging is not allowed, so the Powerwall may not charge from the grid"
    return TESLA_AREA.warning("grid charging", message, "Allow it in the Tesla app: Settings, Grid Charging")


def _check_rate_plan(facts: BatteryFacts, *, is_needed: bool) -> Check:
    if facts.rate_plan is None:
        return TESLA_AREA.ok("rate plan", "Tesla does not report a rate plan")
    if facts.rate_plan:
        return TESLA_AREA.ok("rate plan", "a rate plan is set")
    if not is_needed:
        return TESLA_AREA.ok("rate plan", "no rate plan is set, and none is needed")
    message = "no rate plan is set, and without one Tesla refuses Time-Based Control"
    return TESLA_AREA.warning("rate plan", message, "Set your tariff in the Tesla app")


def _check_storm_watch(facts: BatteryFacts) -> Iterator[Check]:
    if facts.storm_watch is not None:
        allowed = "on: smartcharge waits during a storm" if facts.storm_watch else "off"
        yield TESLA_AREA.ok("Storm Watch", f"Storm Watch is {allowed}")


MAIL_AREA = ServiceAccount.MAIL.area


def check_mail_offline(app: App) -> Iterator[Check]:
    """Check what is known without asking the service."""
    if app.config.invites is None:
        yield MAIL_AREA.ok("account", "no mail account is set up, so no invites are sent")
        return
    mail_counts = count_outbox(app.read_only_db)
    yield from _check_addresses(app.config, is_proven=mail_counts.sent > 0)
    if mail_counts.failed:
        fix = "Run `smartcharge history`, which shows why. Often the address in gcal.invite_to is wrong"
        yield MAIL_AREA.warning("outbox", f"the mail server has refused {mail_counts.failed} invites for good", fix)
    else:
        yield MAIL_AREA.ok("outbox", f"{mail_counts.waiting} invites waiting, {mail_counts.sent} sent")
    yield from _find_mail_obstacle(app)


def check_mail_online(app: App) -> Iterator[Check]:
    """Connect and sign in; nothing is sent."""
    account = app.config.invites
    if account is None or any(_find_mail_obstacle(app)):
        return
    app.mailer.check()
    yield MAIL_AREA.ok("sign-in", f"signed in to {account.smtp_host} over a verified connection")


def _find_mail_obstacle(app: App) -> Iterator[Check]:
    return find_obstacle(app, ServiceAccount.MAIL, mail_sign_in_fingerprint(app.config))


def _check_addresses(config: Config, *, is_proven: bool) -> Iterator[Check]:
    """Check for what may keep invites off the calendar; it is a warning until some have been sent."""
    mail = config.gcal
    if mail is None or mail.smtp_user is None:
        return
    is_own = mail.invite_to is None or mail.invite_to.lower() == mail.smtp_user.lower()
    for remark in invite_address_warnings(mail.smtp_user, mail.invite_to):
        if remark in config.warnings:
            continue
        message, _, fix = remark.partition(". ")
        if is_own or not is_proven:
            yield MAIL_AREA.warning("addresses", message, fix)
        else:
            yield MAIL_AREA.ok("addresses", message)
