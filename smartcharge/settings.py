"""The sections of the configuration: every key with its type, its range, its default and what would be right.

The description of a type continues the sentence "It should be ..." when a value is refused.
"""

import re
from collections.abc import Iterable
from datetime import time
from pathlib import Path
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

from msgspec import Meta, Struct, field

from smartcharge.secret import HTTPS, AppPassword, Key, Secret, SecretUrl

Word = Annotated[str, Meta(pattern=r"\A[^\s\x00-\x1f\x7f]+\Z", description="one word without blanks")]
_OF_ADDRESSES: Final = r"[!#-'*+\-./0-9=?A-Z\[\]^-~]"
"""What plain addresses are made of. Naming what they are not, up to the end of Unicode, takes 4 ms to compile."""
Email = Annotated[
    str,
    Meta(
        pattern=rf"\A{_OF_ADDRESSES}+@{_OF_ADDRESSES}+\Z",
        max_length=254,
        description="one plain address such as you@example.com",
    ),
]
Password = Annotated[Secret, Meta(description="one line of text; put it in quotes")]
ApiKey = Annotated[Key, Meta(description="a key without blanks")]
Pence = Annotated[float, Meta(ge=0, le=1000, description="pence per kWh, 0 or more, such as 6.19")]
Clock = tuple[time, time]
Period = Annotated[Clock, Meta(description='two different local times such as ["00:00", "06:00"]')]
Folder = Annotated[Path, Meta(description="a path, from this file's folder unless it begins with / or ~/")]
File = Annotated[Path, Meta(description="a path of a file, not of a folder, from here unless it begins with / or ~/")]


class EonNext(Struct, frozen=True, kw_only=True):
    """The supplier's account; without password or API key the stored sign-in is used."""

    email: Email | None = None
    password: Password | None = None
    import_account: Annotated[Key, Meta(description="the account number on your bill, such as A-1234ABCD")]
    device_id: Word | None = None
    supplier: Literal["eon-next", "octopus", "edf"] = "eon-next"
    auth_client_id: Word | None = None
    auth_url: Annotated[str, Meta(pattern=HTTPS, description="an https:// address")] | None = None
    api_key: ApiKey | None = None


class Myenergi(Struct, frozen=True, kw_only=True):
    """The hub that knows what the car charger does; charging_watts: from here on power counts as charging."""

    hub_serial: Annotated[str, Meta(pattern=r"\A\S+\Z", description="the serial number printed on your myenergi hub")]
    api_key: Annotated[Key, Meta(description="the API key of the hub, made at myaccount.myenergi.com")]
    zappi_serial: Word | None = None
    charging_watts: Annotated[int, Meta(ge=100, le=5000, description="a whole number of watts, 100 to 5000")] = 500


class Tesla(Struct, frozen=True, kw_only=True):
    """The house battery; account_password is accepted from older files and ignored."""

    account_email: Email | None = None
    account_password: Password | None = None
    energy_site_id: Annotated[str, Meta(pattern=r"\A[0-9]+\Z", description="digits only")] | None = None
    backend: Literal["cloud", "fleetapi", "v1r"] = "cloud"
    auth_path: Folder | None = None
    gateway_host: Word | None = None
    gateway_password: Password | None = None
    rsa_key_path: File | None = None


class Gcal(Struct, frozen=True, kw_only=True):
    """Calendar invites and the prices they quote; complete only with smtp_user and smtp_pass."""

    smtp_user: Email | None = None
    smtp_pass: Annotated[AppPassword, Meta(description="an App Password, on one line and in quotes")] | None = None
    invite_to: Email | None = None
    smtp_host: Word = "smtp.gmail.com"
    smtp_port: Annotated[
        int,
        Meta(ge=26, le=65535, description="587 or another STARTTLS port, or 465 for TLS; 25 is plain text and refused"),
    ] = 587
    cheap_rate_pence: Pence = 6.19
    standard_rate_pence: Pence = 26.073
    invite_when: Literal["charging", "planned"] = "charging"
    feed_path: File | None = None


class Database(Struct, frozen=True, kw_only=True):
    """Where the program remembers, and for how long; tokens and locks live in the same folder."""

    path: File = Path("data/smartcharge.db")
    keep_days: Annotated[int, Meta(ge=40, le=36500, description="a whole number of days, 40 or more")] = 730


class Control(Struct, frozen=True, kw_only=True):
    """What the battery should do; cheap_period is local wall-clock time and may cross midnight.

    shadow: the battery is read and never set, beside another controller.
    """

    default_reserve_pct: Annotated[
        int,
        Meta(ge=0, le=80, description="a whole number 0 to 80: Tesla clamps 81-99, and 100 is the holding stance"),
    ] = 20
    resting_mode: Literal["autonomous", "self_consumption"] = "autonomous"
    restore: Literal["resting", "previous"] = "resting"
    hold: Literal["backup", "preserve"] = "backup"
    cheap_period: Period = (time(0), time(6))
    timezone: Annotated[ZoneInfo, Meta(description="a time zone such as Europe/London")] = field(
        default_factory=lambda: ZoneInfo("Europe/London")
    )
    release_lead_seconds: Annotated[int, Meta(ge=30, le=300, description="whole seconds, 30 to 300")] = 90
    min_hold_seconds: Annotated[int, Meta(ge=60, le=1500, description="whole seconds, 60 to 1500")] = 180
    extension: Annotated[bool, Meta(description="true or false")] = True
    grace_seconds: Annotated[int, Meta(ge=120, le=3600, description="whole seconds, 120 to 3600")] = 600
    max_hours_per_day: (
        Annotated[float, Meta(gt=0, le=24, description="hours above 0 and up to 24, or null for no cap")] | None
    ) = None
    shadow: Annotated[bool, Meta(description="true or false")] = False


class Alerts(Struct, frozen=True, kw_only=True):
    """Where an episode of trouble is told beside cron's mail."""

    healthchecks_url: Annotated[SecretUrl, Meta(description="an https:// address")] | None = None
    email: Email | None = None


SECTIONS: Final[dict[str, type[Struct]]] = {
    "eon_next": EonNext,
    "myenergi": Myenergi,
    "tesla": Tesla,
    "gcal": Gcal,
    "database": Database,
    "control": Control,
    "alerts": Alerts,
}
CHEAP_PERIODS: Final[dict[str, Clock]] = {
    "eon-next": (time(0), time(6)),
    "edf": (time(0), time(6)),
    "octopus": (time(23, 30), time(5, 30)),
}
"""The nightly rate of each supplier's tariff, local time; used where control.cheap_period is not given."""
_SYNONYMS: Final = {"time_based_control": "autonomous", "self_powered": "self_consumption"}
"""What Tesla's app calls the modes."""


def nearest(word: str, names: Iterable[str]) -> str | None:
    """Find the name that was probably meant, None where none is near."""
    import difflib  # noqa: PLC0415  # only a misspelt key needs it

    plain = re.sub(r"[\s-]", "_", word.strip().lower())
    folded = {name.lower(): name for name in names}
    near = difflib.get_close_matches(_SYNONYMS.get(plain, plain), folded, n=1)
    return folded[near[0]] if near else None
