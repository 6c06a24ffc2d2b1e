"""Kraken: whether it takes the sign-in, and which cars are registered there."""

from collections.abc import Iterator, Sequence
from contextlib import closing, suppress

from smartcharge import wiring
from smartcharge.act.doctor.findings import Finding
from smartcharge.act.doctor.standing import Account, hindrance
from smartcharge.core.answers import Registration
from smartcharge.errors import Busy, DatabaseRefused, SignInRefused
from smartcharge.store import is_lasting, open_store, services, transaction
from smartcharge.toolbox import Toolbox

HERE = Account.KRAKEN.area
APP = "in the supplier's app"


def remembered(tools: Toolbox) -> Iterator[Finding]:
    """What is known without asking."""
    account = wiring.kraken_account(tools.config)
    if account.credentials is None and not account.token_file.exists():
        yield HERE.refused("sign-in", "there is neither a stored sign-in nor a password", Account.KRAKEN.mend)
    else:
        yield from hindrance(tools, Account.KRAKEN, wiring.kraken_fingerprint(tools.config))


def asked(tools: Toolbox) -> Iterator[Finding]:
    """One question for the devices; a token is renewed where a run would renew it."""
    if any(remembered(tools)):
        return
    try:
        registrations = tools.tariff.registrations(tools.now)
    except SignInRefused as refused:
        _remember(tools, refused)
        yield HERE.trouble("sign-in", refused, Account.KRAKEN.mend)
        return
    yield HERE.ok("sign-in", "Kraken takes it")
    yield from _cars(registrations)


def _remember(tools: Toolbox, refused: SignInRefused) -> None:
    """As a run would: a wrong password that is tried again and again can lock an account."""
    if is_lasting(tools.peek):
        with (
            suppress(DatabaseRefused, Busy),
            closing(open_store(tools.config.database_path)) as db,
            transaction(db),
        ):
            services.refused(db, Account.KRAKEN.key, tools.now, wiring.kraken_fingerprint(tools.config), str(refused))


def _cars(registrations: Sequence[Registration]) -> Iterator[Finding]:
    live = [each for each in registrations if each.is_live_car]
    if not live:
        known = ", ".join(f"{each.kind or 'unknown kind'} {each.status or 'in no state'}" for each in registrations)
        yield HERE.error(
            "car", f"no live car or charger is registered (there are: {known or 'none'})", f"Connect it {APP}"
        )
    for each in live:
        yield _car(each)
    watched = sum(each.device.watched for each in live)
    if watched > 1:
        yield HERE.warning(
            "car", f"{watched} cars are watched, and a window of any counts", "Name one in eon_next.device_id"
        )


def _car(registration: Registration) -> Finding:
    device = registration.device
    if registration.suspended:
        return HERE.warning(
            "car", f"{device.id} is suspended: nothing is planned", f"Let it charge smartly again {APP}"
        )
    if not device.watched:
        return HERE.ok("car", f"{device.id} is live and not watched, because eon_next.device_id names another")
    if device.boosting:
        return HERE.ok("car", f"{device.id} is live; a charge is forced just now, during which nothing is held")
    return HERE.ok("car", f"{device.id} is live ({device.state or 'in no state'})")
