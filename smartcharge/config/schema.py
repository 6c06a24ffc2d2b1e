"""The sections of the configuration: every key with its type, its range, its default and what would be right.

The description of a type continues the sentence "Use ..." when a value is refused. A type that needs its text
prepared names the function that does it in `extra["prepare"]`; every other text is stripped.
"""

import re
from datetime import time
from pathlib import Path
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

from msgspec import Meta, Struct, field

HTTPS_URL_PATTERN: Final = r"\Ahttps://[^\s\x00-\x1f\x7f]+\Z"
PRINTABLE_LINE: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
APP_PASSWORD_LENGTH: Final = 16
FOLDER_PATH_ENDINGS: Final = frozenset({"", ".", "..", "~"})
"""The last part of a path that can only be a folder's."""
SWITCH_SYNONYMS: Final = {"yes": "true", "on": "true", "no": "false", "off": "false"}


class Secret:
    """One line of text that only `reveal` gives away; ValueError where it is not one line."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        if not is_one_line(text):
            raise ValueError("not one line of text")
        self._text = text

    def reveal(self) -> str:
        """Give the value itself, for the one call that needs it."""
        return self._text

    def __repr__(self) -> str:
        """Show that there is a secret, and nothing of it."""
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        """Compare by value, so that configurations can be compared."""
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        """Agree with equality."""
        return hash(self._text)


def is_one_line(text: str) -> bool:
    """Whether text is not empty and free of line breaks and control characters, so that it can end no header."""
    return PRINTABLE_LINE.fullmatch(text) is not None


def _prepare_key(text: str) -> str:
    """Blanks around a key do not count, blanks inside it are a mistake (ValueError)."""
    if len(text.split()) != 1:
        raise ValueError("blanks inside")
    return text.strip()


def _prepare_app_password(text: str) -> str:
    """Google shows the sixteen letters of an App Password in groups; the blanks between them do not count."""
    compact = "".join(text.split())
    return compact if len(compact) == APP_PASSWORD_LENGTH and compact.isalnum() else text


def _prepare_url(text: str) -> str:
    if not re.search(HTTPS_URL_PATTERN, text.strip()):
        raise ValueError("not an https:// address")
    return text.strip()


def _prepare_file_path(text: str) -> str:
    if text.strip().rpartition("/")[2] in FOLDER_PATH_ENDINGS:
        raise ValueError("a folder's path")
    return text.strip()


def _prepare_switch(text: str) -> str:
    return SWITCH_SYNONYMS.get(text.strip().lower(), text.strip())


def _prepare_times(text: str | tuple[str, ...]) -> list[str]:
    """Complete H:MM to what msgspec reads as a time of day; ValueError for another form, and for one time twice."""
    parts = text.split(",") if isinstance(text, str) else text
    found = [re.fullmatch(r"([0-9]{1,2}):([0-9]{2})", part.strip()) for part in parts]
    times = [f"{each[1]:0>2}:{each[2]}:00" for each in found if each]
    if len(set(times)) != len(found):
        raise ValueError("not different times")
    return times


KEY: Final = {"prepare": _prepare_key}
OneWord = Annotated[str, Meta(pattern=r"\A[^\s\x00-\x1f\x7f]+\Z", description="one word without blanks")]
EMAIL_CHARACTERS: Final = r"[!#-'*+\-./0-9=?A-Z\[\]^-~]"
"""What plain addresses are made of. Naming what they are not, up to the end of Unicode, takes 4 ms to compile."""
EMAIL_PATTERN: Final = rf"\A{EMAIL_CHARACTERS}+@{EMAIL_CHARACTERS}+\Z"
EmailAddress = Annotated[
    str, Meta(pattern=EMAIL_PATTERN, max_length=254, description="one plain address such as you@example.com")
]
Password = Annotated[Secret, Meta(description="one line of text; put it in quotes", extra={"prepare": str})]
AppPassword = Annotated[
    Secret, Meta(description="an App Password, on one line and in quotes", extra={"prepare": _prepare_app_password})
]
ApiKey = Annotated[Secret, Meta(description="a key without blanks", extra=KEY)]
SecretUrl = Annotated[Secret, Meta(description="an https:// address", extra={"prepare": _prepare_url})]
PencePerKwh = Annotated[float, Meta(ge=0, le=1000, description="pence per kWh, 0 or more, such as 6.19")]
HoursPerDay = Annotated[float, Meta(gt=0, le=24, description="hours above 0 and up to 24, or null for no cap")]
Switch = Annotated[bool, Meta(description="true or false", extra={"prepare": _prepare_switch})]
TimePair = tuple[time, time]
TIMES_DESCRIPTION: Final = 'two different local times such as ["00:00", "06:00"]'
TimeRange = Annotated[TimePair, Meta(description=TIMES_DESCRIPTION, extra={"prepare": _prepare_times})]
FolderPath = Annotated[Path, Meta(description="a path, from this file's folder unless it begins with / or ~/")]
FILE_DESCRIPTION: Final = "a path of a file, not of a folder, from here unless it begins with / or ~/"
FilePath = Annotated[Path, Meta(description=FILE_DESCRIPTION, extra={"prepare": _prepare_file_path})]


class EonNextConfig(Struct, frozen=True, kw_only=True):
    """The supplier's account; without password or API key the stored sign-in is used."""

    email: EmailAddress | None = None
    password: Password | None = None
    import_account: Annotated[
        Secret, Meta(description="the account number on your bill, such as A-1234ABCD", extra=KEY)
    ]
    device_id: OneWord | None = None
    supplier: Literal["eon-next", "octopus", "edf"] = "eon-next"
    auth_client_id: OneWord | None = None
    auth_url: Annotated[str, Meta(pattern=HTTPS_URL_PATTERN, description="an https:// address")] | None = None
    api_key: ApiKey | None = None


class MyenergiConfig(Struct, frozen=True, kw_only=True):
    """The hub that knows what the car charger does; charging_watts: from here on power counts as charging."""

    hub_serial: Annotated[str, Meta(pattern=r"\A\S+\Z", description="the serial number printed on your myenergi hub")]
    api_key: Annotated[Secret, Meta(description="the API key of the hub, made at myaccount.myenergi.com", extra=KEY)]
    zappi_serial: OneWord | None = None
    charging_watts: Annotated[int, Meta(ge=100, le=5000, description="a whole number of watts, 100 to 5000")] = 500


class TeslaConfig(Struct, frozen=True, kw_only=True):
    """The house battery; account_password is accepted from older files and ignored."""

    account_email: EmailAddress | None = None
    account_password: Password | None = None
    energy_site_id: Annotated[str, Meta(pattern=r"\A[0-9]+\Z", description="digits only")] | None = None
    backend: Literal["cloud", "fleetapi", "v1r"] = "cloud"
    auth_path: FolderPath | None = None
    gateway_host: OneWord | None = None
    gateway_password: Password | None = None
    rsa_key_path: FilePath | None = None


class MailConfig(Struct, frozen=True, kw_only=True):
    """Calendar invites and the prices they quote; complete only with smtp_user and smtp_pass."""

    smtp_user: EmailAddress | None = None
    smtp_pass: AppPassword | None = None
    invite_to: EmailAddress | None = None
    smtp_host: OneWord = "smtp.gmail.com"
    smtp_port: Annotated[
        int,
        Meta(ge=26, le=65535, description="587 or another STARTTLS port, or 465 for TLS; 25 is plain text and refused"),
    ] = 587
    cheap_rate_pence: PencePerKwh = 6.19
    standard_rate_pence: PencePerKwh = 26.073
    invite_when: Literal["charging", "planned"] = "charging"
    feed_path: FilePath | None = None


class DatabaseConfig(Struct, frozen=True, kw_only=True):
    """Where the program remembers, and for how long; tokens and locks live in the same folder."""

    path: FilePath = Path("data/smartcharge.db")
    keep_days: Annotated[int, Meta(ge=40, le=36500, description="a whole number of days, 40 or more")] = 730


class ControlConfig(Struct, frozen=True, kw_only=True):
    """What the battery should do; cheap_period is local wall-clock time and may cross midnight.

    shadow: the battery is read and never set, beside another controller.
    """

    default_reserve_pct: Annotated[
        int,
        Meta(
            ge=0,
            le=80,
            description="a whole number 0 to 80. Tesla turns 81-99 into 80, and 100 means charging",
        ),
    ] = 20
    resting_mode: Literal["autonomous", "self_consumption"] = "autonomous"
    restore: Literal["resting", "previous"] = "resting"
    hold: Literal["backup", "preserve"] = "backup"
    cheap_period: TimeRange = (time(0), time(6))
    timezone: Annotated[ZoneInfo, Meta(description="a time zone such as Europe/London")] = field(
        default_factory=lambda: ZoneInfo("Europe/London")
    )
    release_lead_seconds: Annotated[int, Meta(ge=30, le=300, description="whole seconds, 30 to 300")] = 90
    min_hold_seconds: Annotated[int, Meta(ge=60, le=1500, description="whole seconds, 60 to 1500")] = 180
    extension: Switch = True
    grace_seconds: Annotated[int, Meta(ge=120, le=3600, description="whole seconds, 120 to 3600")] = 600
    max_hours_per_day: HoursPerDay | None = None
    shadow: Switch = False


class AlertsConfig(Struct, frozen=True, kw_only=True):
    """Where trouble is told beside cron's mail; knowing the watchdog's address is enough to use it, so it is secret."""

    healthchecks_url: SecretUrl | None = None
    email: EmailAddress | None = None


CONFIG_SECTIONS: Final[dict[str, type[Struct]]] = {
    "eon_next": EonNextConfig,
    "myenergi": MyenergiConfig,
    "tesla": TeslaConfig,
    "gcal": MailConfig,
    "database": DatabaseConfig,
    "control": ControlConfig,
    "alerts": AlertsConfig,
}
DEFAULT_CHEAP_PERIODS: Final[dict[str, TimePair]] = {
    "eon-next": (time(0), time(6)),
    "edf": (time(0), time(6)),
    "octopus": (time(23, 30), time(5, 30)),
}
"""The nightly rate of each supplier's tariff, local time; used where control.cheap_period is not given."""
