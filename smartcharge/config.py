"""The owner's configuration: found, read, completed from environment and files, checked, frozen."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from stat import S_IMODE
from typing import Any, Final

import msgspec

from smartcharge.config_sources import Sources, gather, strange_variables
from smartcharge.errors import ConfigurationRefused
from smartcharge.places import SYSTEM_FOLDER, config_places, file_mark
from smartcharge.secret import Secret
from smartcharge.settings import CHEAP_PERIODS, Alerts, Control, Database, EonNext, Gcal, Myenergi, Tesla
from smartcharge.typed import is_secret, right, typed, without_none

TESLA_TOKENS: Final = ".pypowerwall.auth"
FLEET_TOKENS: Final = ".pypowerwall.fleetapi"
OTHERS: Final = 0o077
"""The mode bits that let group and others at a file."""

_SHOWN: Final = 60
_HALF_A_DAY: Final = timedelta(hours=12)
_MINUTE_SECONDS: Final = 60


class Invites(msgspec.Struct, frozen=True, kw_only=True):
    """A complete account for sending mail; TLS from the start on port 465, STARTTLS on every other."""

    smtp_user: str
    smtp_pass: Secret
    invite_to: str
    smtp_host: str
    smtp_port: int


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one installation has decided; tesla and gcal are None where they are not set up.

    path: the file it was read from. marks: of that file and all that it names, as each was before it was read.
    warnings: sentences for `doctor`, each with its mend.
    """

    path: Path
    eon_next: EonNext
    myenergi: Myenergi
    tesla: Tesla | None
    gcal: Gcal | None
    database: Database
    control: Control
    alerts: Alerts
    marks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def database_path(self) -> Path:
        """Where the database lives."""
        return self.database.path

    @property
    def folder(self) -> Path:
        """The folder of the database, and of everything that lives beside it."""
        return self.database.path.parent

    @property
    def auth_folder(self) -> Path:
        """The folder of Tesla's token files: as configured, else beside the database.

        An existing installation kept them beside its configuration file; there they are found, too.
        """
        if self.tesla and self.tesla.auth_path:
            return self.tesla.auth_path
        beside = (self.folder, self.path.parent)
        return next((folder for folder in beside if (folder / self._tesla_tokens).exists()), self.folder)

    @property
    def tesla_sign_in(self) -> Path:
        """The file that opens the way to the Powerwall: tokens, or over the wire the private key."""
        key = self.tesla.rsa_key_path if self.tesla and self.tesla.backend == "v1r" else None
        return key or self.auth_folder / self._tesla_tokens

    @property
    def _tesla_tokens(self) -> str:
        return FLEET_TOKENS if self.tesla and self.tesla.backend == "fleetapi" else TESLA_TOKENS

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Everything that must never be shown, for who makes sure of it."""
        sections = (self.eon_next, self.myenergi, self.tesla, self.gcal, self.alerts)
        values = (getattr(section, key) for section in sections if section for key in section.__struct_fields__)
        return tuple(value for value in values if isinstance(value, Secret))

    @property
    def invites(self) -> Invites | None:
        """The mail account that invites go out from; None where it is incomplete and there are no invites."""
        mail = self.gcal
        if mail is None or mail.smtp_user is None or mail.smtp_pass is None:
            return None
        return Invites(
            smtp_user=mail.smtp_user,
            smtp_pass=mail.smtp_pass,
            invite_to=mail.invite_to or mail.smtp_user,
            smtp_host=mail.smtp_host,
            smtp_port=mail.smtp_port,
        )


def find_config(
    explicit: str | None,
    environment: Mapping[str, str],
    cwd: Path,
    home: Path,
    system: Path = Path(SYSTEM_FOLDER),
) -> Path:
    """Find the configuration file; what is named, by option or by $SMARTCHARGE_CONFIG, is not searched for elsewhere.

    ConfigurationRefused names the places that were looked at.
    """
    places = [Path(place) for place in config_places(explicit, environment, str(cwd), str(home), str(system))]
    for place in places:
        if _is_there(place):
            return place
    raise ConfigurationRefused(
        "there is no configuration file",
        place=", ".join(map(str, places)),
        right="Run `smartcharge init`, or copy config.example.yaml to one of these places and fill it in",
    )


def load_config(path: Path, environment: Mapping[str, str]) -> Config:
    """Read the configuration and everything it names; ConfigurationRefused says what is wrong and where.

    environment: SMARTCHARGE_<SECTION>_<KEY> wins over the file; HOME is what ~ means.
    """
    path = path.absolute()
    mark = file_mark(str(path))
    sources = gather(path, environment)
    eon_next = EonNext(**_values(sources, "eon_next", EonNext))
    tesla = _values(sources, "tesla", Tesla)
    gcal = _values(sources, "gcal", Gcal)
    config = Config(
        path=path,
        eon_next=eon_next,
        myenergi=Myenergi(**_values(sources, "myenergi", Myenergi)),
        tesla=_tesla(path, tesla),
        gcal=Gcal(**gcal) if gcal else None,
        database=Database(**{"path": sources.resolve(str(Database().path))} | _values(sources, "database", Database)),
        control=Control(**{"cheap_period": CHEAP_PERIODS[eon_next.supplier]} | _values(sources, "control", Control)),
        alerts=Alerts(**_values(sources, "alerts", Alerts)),
        marks=(mark, *(file_mark(str(file)) for file in sources.files[1:])),
    )
    warnings = (*_warnings(config, unused_tesla=bool(tesla)), *strange_variables(environment))
    return msgspec.structs.replace(config, warnings=warnings)


def _is_there(place: Path) -> bool:
    """Whether a file can be seen here; a folder that may not be entered has none for us."""
    try:
        return place.exists() and not place.is_dir()
    except OSError:
        return False


_settings = cache(msgspec.structs.fields)
"""A section's keys with their types: worked out once, for whoever loads many configurations in one process."""


def _values(sources: Sources, section: str, kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Give a section's values as far as they were given; ConfigurationRefused for a wrong or a missing one."""
    values: dict[str, Any] = {}
    for setting in _settings(kind):
        key, wanted = f"{section}.{setting.name}", without_none(setting.type)
        given = sources.pick(section, setting.name)
        if given is None and setting.required:
            raise ConfigurationRefused("is missing", place=str(sources.path), key=key, right=right(wanted, ""))
        if given is None:
            continue
        try:
            values[setting.name] = typed(given.text, wanted, sources.resolve)
        except ValueError:
            shown = given.text if isinstance(given.text, str) else ", ".join(given.text)
            problem = "is not right" if is_secret(wanted) else f"is {shown[:_SHOWN]}"
            raise ConfigurationRefused(problem, place=given.place, key=key, right=right(wanted, shown)) from None
    return values


def _tesla(path: Path, values: dict[str, Any]) -> Tesla | None:
    """Make the section, None where the battery cannot be reached with what was given."""
    tesla = Tesla(**values)
    if tesla.backend == "v1r":
        for key in ("gateway_host", "gateway_password", "rsa_key_path"):
            if key not in values:
                hint = "The backend v1r needs gateway_host, gateway_password and rsa_key_path"
                raise ConfigurationRefused("is missing", place=str(path), key=f"tesla.{key}", right=hint)
    return None if tesla.backend == "cloud" and tesla.account_email is None else tesla


def _warnings(config: Config, *, unused_tesla: bool) -> Iterator[str]:
    """Say what is allowed but hardly meant, each with its mend."""
    if S_IMODE(config.path.stat().st_mode) & OTHERS:
        yield f"{config.path} holds secrets that other users can read. Run `chmod 600 {config.path}`."
    if unused_tesla and config.tesla is None:
        yield "tesla.account_email is missing, so nothing is ever written to the Powerwall. Add it."
    yield from _control_warnings(config.control)
    yield from _mail_warnings(config)


def _control_warnings(control: Control) -> Iterator[str]:
    if control.shadow:
        yield "control.shadow is true, so the Powerwall is read and never set. Take it out when nothing else sets it."
    begins, ends = (timedelta(hours=at.hour, minutes=at.minute) for at in control.cheap_period)
    length = (ends - begins) % timedelta(days=1)
    if length > _HALF_A_DAY:
        says = f"control.cheap_period lasts {length / timedelta(hours=1):.0f} h, in which nothing is held"
        yield f"{says}. Turn its two times round if it should not."
    if control.release_lead_seconds < _MINUTE_SECONDS:
        says = f"control.release_lead_seconds is {control.release_lead_seconds}"
        yield f"{says}, so with a run a minute a release may come after its half hour. Make it 60 or more."


def _mail_warnings(config: Config) -> Iterator[str]:
    mail = config.gcal
    if mail and (mail.smtp_user is None) != (mail.smtp_pass is None):
        missing = "smtp_user" if mail.smtp_user is None else "smtp_pass"
        yield f"gcal.{missing} is missing, so no invites are sent. Add it."
    if config.invites and mail and mail.invite_to is None:
        yield "gcal.invite_to is missing, so invites go to their own sender. Add the address of your calendar."
    if config.alerts.email and config.invites is None:
        yield "alerts.email is set, but there is no mail account to send from. Add gcal.smtp_user and gcal.smtp_pass."
