"""Kraken: whether it takes the sign-in, and which cars are registered there."""

from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from typing import NamedTuple

from smartcharge.app import (
    App,
    kraken_sign_in_fingerprint,
    mail_sign_in_fingerprint,
    make_kraken_account,
    myenergi_sign_in_fingerprint,
    tesla_sign_in_fingerprint,
)
from smartcharge.doctor.check import Check, ServiceAccount, find_obstacle
from smartcharge.doctor.redact import shorten_serial
from smartcharge.errors import LockBusyError, SignInRefusedError, StoreError
from smartcharge.formatting import age_text, local_time, settings_text
from smartcharge.jobs.polling import REFUSED_RETRY_INTERVAL
from smartcharge.policy.battery import MODE_AUTONOMOUS, BatteryFacts, BatteryReading, BatterySettings, has_hold_settings
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
    """What is known without asking."""
    account = make_kraken_account(app.config)
    if account.credentials is None and not account.token_file.exists():
        yield KRAKEN_AREA.refused(
            "sign-in", "there is neither a stored sign-in nor a password", ServiceAccount.KRAKEN.fix
        )
    else:
        yield from find_obstacle(app, ServiceAccount.KRAKEN, kraken_sign_in_fingerprint(app.config))


def check_kraken_online(app: App) -> Iterator[Check]:
    """One question for the devices; a token is renewed where a run would renew it."""
    if any(check_kraken_offline(app)):
        return
    try:
        registrations = app.tariff.registrations(app.now)
    except SignInRefusedError as refused:
        _record_kraken_refusal(app, refused)
        yield KRAKEN_AREA.app_error("sign-in", refused, ServiceAccount.KRAKEN.fix)
        return
    yield KRAKEN_AREA.ok("sign-in", "Kraken takes it")
    yield from _check_cars(registrations)


def _record_kraken_refusal(app: App, refused: SignInRefusedError) -> None:
    """As a run would: a wrong password that is tried again and again can lock an account."""
    if is_on_disk(app.read_only_db):
        with (
            suppress(StoreError, LockBusyError),
            closing(open_store(app.config.database_path)) as db,
            transaction(db),
        ):
            record_sign_in_refusal(
                db, ServiceAccount.KRAKEN.key, app.now, kraken_sign_in_fingerprint(app.config), str(refused)
            )


def _check_cars(registrations: Sequence[DeviceRegistration]) -> Iterator[Check]:
    live = [each for each in registrations if each.is_live_car]
    if not live:
        known = ", ".join(f"{each.kind or 'unknown kind'} {each.status or 'in no state'}" for each in registrations)
        yield KRAKEN_AREA.error(
            "car",
            f"no live car or charger is registered (there are: {known or 'none'})",
            f"Connect it {IN_SUPPLIER_APP}",
        )
    for each in live:
        yield _check_car(each)
    watched = sum(each.device.watched for each in live)
    if watched > 1:
        yield KRAKEN_AREA.warning(
            "car", f"{watched} cars are watched, and a window of any counts", "Name one in eon_next.device_id"
        )


def _check_car(registration: DeviceRegistration) -> Check:
    device = registration.device
    if registration.suspended:
        return KRAKEN_AREA.warning(
            "car", f"{device.id} is suspended: nothing is planned", f"Let it charge smartly again {IN_SUPPLIER_APP}"
        )
    if not device.watched:
        return KRAKEN_AREA.ok("car", f"{device.id} is live and not watched, because eon_next.device_id names another")
    if device.boosting:
        return KRAKEN_AREA.ok("car", f"{device.id} is live; a charge is forced just now, during which nothing is held")
    return KRAKEN_AREA.ok("car", f"{device.id} is live ({device.state or 'in no state'})")


ZAPPI_AREA = ServiceAccount.ZAPPI.area
ZAPPI_ONLINE_FIX = "See in the myenergi app whether hub and Zappi are online"


def check_zappi_offline(app: App) -> Iterator[Check]:
    """What is known without asking."""
    return find_obstacle(app, ServiceAccount.ZAPPI, myenergi_sign_in_fingerprint(app.config))


def check_zappi_online(app: App) -> Iterator[Check]:
    """One question, unless a run has asked it within the minute."""
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
    yield ZAPPI_AREA.ok("sign-in", "myenergi takes it")
    pinned = app.config.myenergi.zappi_serial
    yield from _check_missing_zappis(found, pinned)
    for reading in found:
        watched = pinned is None or pinned in reading.serials
        yield (
            _check_zappi_reading(reading)
            if watched
            else ZAPPI_AREA.ok("Zappi", f"{_zappi_names(reading)} is not watched")
        )


def _read_zappis(app: App) -> Sequence[ChargerReading]:
    """A refusal is believed when it comes twice running: a server in trouble refuses too."""
    try:
        return app.charger.read_each(app.now)
    except SignInRefusedError:
        return app.charger.read_each(app.now)


def _check_missing_zappis(found: Sequence[ChargerReading], pinned: str | None) -> Iterator[Check]:
    serials = [serial for reading in found for serial in reading.serials]
    if not found:
        yield ZAPPI_AREA.warning("Zappi", "the hub names no Zappi", ZAPPI_ONLINE_FIX)
    elif pinned is not None and pinned not in serials:
        there = ", ".join(map(shorten_serial, serials)) or "none with a serial"
        message = f"myenergi.zappi_serial names {shorten_serial(pinned)}, and the hub knows {there}"
        yield ZAPPI_AREA.error("Zappi", message, "Mend myenergi.zappi_serial, or leave it out to watch all")


def _check_zappi_reading(reading: ChargerReading, when: str = "") -> Check:
    message = f"{_zappi_names(reading)}: {reading.why}{when}"
    if reading.state is ChargerState.UNKNOWN:
        return ZAPPI_AREA.warning("Zappi", f"{message}, which tells nothing of the car", ZAPPI_ONLINE_FIX)
    return ZAPPI_AREA.ok("Zappi", f"{message}, {reading.state.lower()}")


def _zappi_names(reading: ChargerReading) -> str:
    return " and ".join(map(shorten_serial, reading.serials)) or "a Zappi without a serial"


TESLA_AREA = ServiceAccount.TESLA.area


class TeslaBackendText(NamedTuple):
    """A way to the battery: what opens it, how the owner comes by that, and who takes it."""

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
"""Less than a run may wait: it has the lock for a reason, and the doctor can be asked again."""


def check_tesla_offline(app: App) -> Iterator[Check]:
    """What is known without asking."""
    if app.config.tesla is None:
        return
    fingerprint = tesla_sign_in_fingerprint(app.config)
    if fingerprint == "absent":
        backend = TESLA_BACKEND_TEXTS[app.config.tesla.backend]
        yield TESLA_AREA.refused(
            "sign-in", f"there is no {backend.key} at {app.config.tesla_credentials_file}", backend.fix
        )
    else:
        yield from find_obstacle(app, ServiceAccount.TESLA, fingerprint, retry_refused_after=REFUSED_RETRY_INTERVAL)


def check_tesla_online(app: App) -> Iterator[Check]:
    """One conversation under the lock, of questions only."""
    if app.config.tesla is None or any(check_tesla_offline(app)):
        return
    with app.exclusive_lock(wait_seconds=TESLA_CHECK_LOCK_WAIT_SECONDS), app.battery as powerwall:
        reading, facts = powerwall.read(), powerwall.facts()
    yield TESLA_AREA.ok("sign-in", f"taken by {TESLA_BACKEND_TEXTS[app.config.tesla.backend].accepted_by}")
    yield TESLA_AREA.ok("site", f"{facts.site or 'a site without a name'}{_site_count_suffix(facts.sites)}")
    yield _check_settings(app, reading)
    yield from _check_lockouts(reading)
    yield from _check_preserve(app, reading)
    yield _check_grid_charging(app, facts)
    yield from _check_rate_plan(app, facts)
    yield from _check_storm_watch(facts)
    yield TESLA_AREA.ok("firmware", facts.firmware or "not told")


def _site_count_suffix(sites: int | None) -> str:
    return f", one of {sites} sites" if sites and sites > 1 else ""


def _check_settings(app: App, reading: BatteryReading) -> Check:
    if reading.mode is None or reading.reserve_pct is None:
        message = "Tesla does not tell the operation mode or the backup reserve, so nothing is done"
        return TESLA_AREA.warning("stance", message, "If it stays so, restart the gateway (see the Tesla app)")
    found = BatterySettings(reading.mode, round(reading.reserve_pct))
    message = f"the Powerwall is in {settings_text(found)}"
    if load_battery_memory(app.read_only_db).owned:
        return TESLA_AREA.ok("stance", f"{message}, held by smartcharge{_timed_hold_end_suffix(app, reading)}")
    if reading.timed_hold_until:
        message = (
            f"the Powerwall is in Max Backup{_timed_hold_end_suffix(app, reading)}, and not by smartcharge, which waits"
        )
        return TESLA_AREA.warning("stance", message, "End it in the Tesla app if nobody wants it so")
    if has_hold_settings(reading):
        message = f"{message}, and not by smartcharge, which leaves it to whoever set it until the midnight reset"
        return TESLA_AREA.warning(
            "stance", message, "Set another mode and reserve in the Tesla app if nobody wants it so"
        )
    differs = "" if found == app.resting else f"; at rest it would be in {settings_text(app.resting)}"
    return TESLA_AREA.ok("stance", f"{message}{differs}")


def _check_lockouts(reading: BatteryReading) -> Iterator[Check]:
    if reading.lockouts is None:
        yield TESLA_AREA.warning(
            "outside powers", "Tesla does not tell whether Storm Watch or a power cut has the battery"
        )
    for lockout in sorted(reading.lockouts or ()):
        yield TESLA_AREA.warning("outside powers", f"{lockout} has the battery: nothing is written until it is over")


def _timed_hold_end_suffix(app: App, reading: BatteryReading) -> str:
    """When the gateway itself ends it, where it does."""
    zone = app.policy.cheap_period.zone
    return f" until {local_time(reading.timed_hold_until, zone)}" if reading.timed_hold_until else ""


def _check_preserve(app: App, reading: BatteryReading) -> Iterator[Check]:
    if _is_preserve_mode(app):
        if reading.soe_pct is None:
            message = "Tesla does not tell the state of energy, so it cannot be kept, and nothing is done"
            yield TESLA_AREA.warning("hold", message, "If it stays so, restart the gateway (see the Tesla app)")
        else:
            yield TESLA_AREA.ok("hold", f"the Powerwall is kept as it is; it holds {reading.soe_pct:.0f} % now")


def _is_preserve_mode(app: App) -> bool:
    return app.config.control.hold == "preserve"


def _check_grid_charging(app: App, facts: BatteryFacts) -> Check:
    if facts.grid_charging is None:
        return TESLA_AREA.ok("grid charging", "not told")
    if facts.grid_charging:
        return TESLA_AREA.ok("grid charging", "allowed")
    if _is_preserve_mode(app):
        return TESLA_AREA.ok("grid charging", "not allowed, and not needed to keep the Powerwall as it is")
    message = "not allowed, so a held Powerwall may not fill from the grid"
    return TESLA_AREA.warning("grid charging", message, "Allow it in the Tesla app: Settings, Grid Charging")


def _check_rate_plan(app: App, facts: BatteryFacts) -> Iterator[Check]:
    if facts.rate_plan:
        yield TESLA_AREA.ok("rate plan", "there is one")
    elif facts.rate_plan is False and app.resting.mode == MODE_AUTONOMOUS:
        message = "there is none, and without one Tesla refuses time-based control"
        yield TESLA_AREA.warning("rate plan", message, "Set your tariff in the Tesla app")
    else:
        yield TESLA_AREA.ok("rate plan", "not told" if facts.rate_plan is None else "there is none, and none is needed")


def _check_storm_watch(facts: BatteryFacts) -> Iterator[Check]:
    if facts.storm_watch is not None:
        allowed = "allowed: while it lasts nothing is written" if facts.storm_watch else "switched off"
        yield TESLA_AREA.ok("Storm Watch", allowed)


MAIL_AREA = ServiceAccount.MAIL.area


def check_mail_offline(app: App) -> Iterator[Check]:
    """What is known without asking."""
    if app.config.invites is None:
        yield MAIL_AREA.ok("account", "no complete account is set up, so no invites are sent")
        return
    mail_counts = count_outbox(app.read_only_db)
    yield from _check_addresses(app, is_proven=mail_counts.sent > 0)
    if mail_counts.failed:
        fix = "`smartcharge history` tells why; often it is the address in gcal.invite_to"
        yield MAIL_AREA.warning("outbox", f"invites that the mail server will never take: {mail_counts.failed}", fix)
    else:
        yield MAIL_AREA.ok("outbox", f"{mail_counts.waiting} wait, {mail_counts.sent} were sent")
    yield from _find_mail_obstacle(app)


def check_mail_online(app: App) -> Iterator[Check]:
    """Connect, TLS, sign-in; nothing is posted."""
    account = app.config.invites
    if account is None or any(_find_mail_obstacle(app)):
        return
    app.mailer.check()
    yield MAIL_AREA.ok("sign-in", f"{account.smtp_host} takes it, over a verified connection")


def _find_mail_obstacle(app: App) -> Iterator[Check]:
    return find_obstacle(app, ServiceAccount.MAIL, mail_sign_in_fingerprint(app.config))


def _check_addresses(app: App, *, is_proven: bool) -> Iterator[Check]:
    """What may keep invites off the calendar; once some were sent the owner has seen it, except to their own sender."""
    mail = app.config.gcal
    if mail is None or mail.smtp_user is None:
        return
    is_own = mail.invite_to is None or mail.invite_to.lower() == mail.smtp_user.lower()
    for remark in invite_address_warnings(mail.smtp_user, mail.invite_to):
        if remark in app.config.warnings:
            continue
        message, _, fix = remark.partition(". ")
        if is_own or not is_proven:
            yield MAIL_AREA.warning("addresses", message, fix)
        else:
            yield MAIL_AREA.ok("addresses", message)
