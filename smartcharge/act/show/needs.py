"""What is wrong, in plain words: since when, and what mends it; the owner's own business first."""

from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct

from smartcharge.act.doctor.standing import Account
from smartcharge.act.show.overview import Overview
from smartcharge.act.words import age
from smartcharge.episodes import SIGN_IN, WAITING
from smartcharge.store.episodes import Episode

BY_ITSELF = "Nothing to do: it is tried again by itself"
CRON = "See that `crontab -l` of the right user holds the smartcharge line, and that cron itself runs"
REFUSES = {
    "kraken": "Kraken refuses the sign-in",
    "zappi": "myenergi refuses the hub's serial or key",
    "tesla": "Tesla refuses the sign-in",
    "mail": "the mail server refuses the sign-in",
}
PASSING = {
    "kraken": ("Kraken does not give the plan", BY_ITSELF),
    "zappi": ("the Zappi cannot be asked", BY_ITSELF),
    "tesla": ("the Powerwall cannot be set", f"{BY_ITSELF}; if it lasts, look in the Tesla app"),
    "mail": ("invites cannot be posted", BY_ITSELF),
    WAITING: ("an outside power has the battery", "Nothing to do: smartcharge goes on when it is over"),
}
"""Trouble that may pass, by the kind of its episode."""
OWN = {
    "device": ("the plan cannot be asked for as it is configured", "`smartcharge doctor` tells what would be right"),
    "feed": ("the calendar file cannot be written", "Mend gcal.feed_path"),
    "clock": ("this machine's clock cannot be right", "Let the network set it: `sudo timedatectl set-ntp true`"),
}
"""Trouble that stays until the owner mends it, by the kind of its episode."""


class Need(Struct, frozen=True):
    """One thing that is wrong.

    says: a clause, without secrets. mend: a sentence. since: when it was first noticed, None where that is not known.
    is_owners: nobody but the owner can mend it.
    """

    says: str
    mend: str
    since: datetime | None = None
    is_owners: bool = True


def needs(about: Overview) -> tuple[Need, ...]:
    """Everything that is wrong, what the owner must mend before what may pass."""
    found = (*_life(about), *_sign_ins(about), *_remembered(about), *_troubles(about))
    return tuple(sorted(found, key=lambda need: not need.is_owners))


def _life(about: Overview) -> Iterator[Need]:
    if about.missing:
        mend = "The first `smartcharge tick` makes it; if one has run before, see database.path"
        yield Need(f"there is no database at {about.missing}", mend)
    elif about.sign_at is None:
        yield Need("nothing has run here yet", CRON)
    elif about.is_silent:
        yield Need(f"nothing has run for {age(about.seen.now - about.sign_at)}", CRON, about.sign_at)


def _sign_ins(about: Overview) -> Iterator[Need]:
    for service in about.refused:
        yield Need(REFUSES[service], Account[service.upper()].mend, about.services[service].refused_at)


def _remembered(about: Overview) -> Iterator[Need]:
    if about.battery.rate_plan_missing:
        says = "Tesla refuses time-based control, so the Powerwall rests in self-powered mode"
        yield Need(says, "Set your tariff in the Tesla app; it is tried again at midnight")
    if about.devices and not any(device.watched for device in about.devices):
        says = "the supplier knows no live car of yours, so nothing is ever planned"
        yield Need(says, "Connect it in the supplier's app; `smartcharge doctor` tells more")
    if about.outbox.failed:
        says = f"invites that the mail server will never take: {about.outbox.failed}"
        yield Need(says, "`smartcharge history` tells why; often it is the address in gcal.invite_to")


def _troubles(about: Overview) -> Iterator[Need]:
    for row in about.episodes:
        service = row.kind.removesuffix(SIGN_IN)
        if service == row.kind:
            yield _trouble(about, row)
        elif service not in about.refused:
            says = f"{REFUSES.get(service, row.kind)}, or did before something was changed"
            yield Need(says, BY_ITSELF, row.since, is_owners=False)


def _trouble(about: Overview, row: Episode) -> Need:
    says, mend = {**PASSING, **OWN}.get(
        row.kind, (f"`smartcharge {row.command}` has trouble with {row.kind}", BY_ITSELF)
    )
    service = about.services.get("kraken" if row.kind == "device" else row.kind)
    why = (service.last_error if service else about.told.get((row.command, row.kind))) or ""
    if why and row.kind == WAITING:
        return Need(why, mend, row.since, is_owners=False)
    times = f" ({row.count} attempts)" if row.count > 1 else ""
    told = f"{says}{times}{f': {why}' if why else ''}".rstrip(".")
    return Need(told, mend, row.since, is_owners=row.kind in OWN)
