"""What has to be asked of a new house: only what nobody can know before, in the order an owner thinks of it."""

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct

from smartcharge.settings import CHEAP_PERIODS, Control, Gcal

Answers = Mapping[str, str]
"""What was answered so far, by the configuration's keys."""
E_ON: Final = "eon-next"
"""The supplier whose prices the defaults are, and whose sign-in a browser may make."""


class Question(Struct, frozen=True):
    """One question. default: what an empty answer means; needed: an empty answer without a default will not do."""

    key: str
    words: str
    default: str = ""
    needed: bool = False


def questions(answers: Answers) -> Iterator[Question]:
    """The questions one after the other; which ones they are depends on what was answered meanwhile."""
    yield Question("eon_next.supplier", "Your electricity supplier (eon-next, octopus or edf)", default=E_ON)
    yield Question("eon_next.import_account", "Your account number there, as on the bill", needed=True)
    yield from _sign_in(answers)
    yield Question("myenergi.hub_serial", "Serial number of the myenergi hub, as printed on it", needed=True)
    yield Question("myenergi.api_key", "Its API key, made at myaccount.myenergi.com", needed=True)
    yield Question("tesla.account_email", "Address of your Tesla account; empty to leave the Powerwall alone")
    yield from _mail(answers)
    reserve_pct = str(Control().default_reserve_pct)
    yield Question("control.default_reserve_pct", "The Powerwall's reserve at rest, in per cent", default=reserve_pct)
    yield from _tariff(answers)


def _sign_in(answers: Answers) -> Iterator[Question]:
    supplier = answers["eon_next.supplier"]
    if supplier == "octopus":
        yield Question(
            "eon_next.api_key", "Your API key there (in your Octopus account, under API access)", needed=True
        )
        return
    is_needed = supplier == "edf"
    later = "" if is_needed else "; empty to sign in with a browser later"
    yield Question("eon_next.email", f"The address you sign in with there{later}", needed=is_needed)
    if "eon_next.email" in answers:
        yield Question("eon_next.password", f"Your password there{later}", needed=is_needed)


def _mail(answers: Answers) -> Iterator[Question]:
    yield Question("gcal.smtp_user", "A Gmail address to send calendar invites from; empty for no invites")
    if sender := answers.get("gcal.smtp_user", ""):
        yield Question("gcal.smtp_pass", "An App Password of that Gmail account (16 letters)", needed=True)
        yield Question("gcal.invite_to", "The address whose calendar gets the invites", default=sender)


def _tariff(answers: Answers) -> Iterator[Question]:
    supplier = answers["eon_next.supplier"]
    night = "-".join(f"{each:%H:%M}" for each in CHEAP_PERIODS[supplier])
    yield Question("control.cheap_period", "The cheap hours of your tariff's night, local time", default=night)
    is_known, prices = supplier == E_ON, Gcal()
    for key, words in (("cheap_rate_pence", "Pence per kWh at the cheap rate"), ("standard_rate_pence", "and by day")):
        default = str(getattr(prices, key)) if is_known else ""
        yield Question(f"gcal.{key}", words, default=default, needed=not is_known)
    if supplier == "octopus":
        cap = "Cheap hours that the car may have from noon to noon, such as 6; empty where your tariff has no such cap"
        yield Question("control.max_hours_per_day", cap)
