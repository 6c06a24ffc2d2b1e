"""The owner's configuration: found, read, completed from environment and files, checked, frozen."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from stat import S_IMODE
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from smartcharge.config.find import SYSTEM_CONFIG_FOLDER, config_file_candidates, file_signature
from smartcharge.config.schema import (
    CONFIG_SECTIONS,
    DEFAULT_CHEAP_PERIODS,
    AlertsConfig,
    ControlConfig,
    DatabaseConfig,
    EonNextConfig,
    MailConfig,
    MyenergiConfig,
    Secret,
    TeslaConfig,
    is_one_line,
)
from smartcharge.config.settings import SETTINGS, Setting, closest_name
from smartcharge.config.yaml_file import RawValue, read_config_sections, read_config_text
from smartcharge.errors import ConfigurationError

ENVIRONMENT_PREFIX: Final = "SMARTCHARGE"
TESLA_TOKEN_FILE: Final = ".pypowerwall.auth"  # noqa: S105
FLEET_TOKEN_FILE: Final = ".pypowerwall.fleetapi"  # noqa: S105
GROUP_AND_OTHERS_MODE_BITS: Final = 0o077
"""The mode bits that let group and others at a file."""
GATEWAY_KEYS: Final = ("gateway_host", "gateway_password", "rsa_key_path")
MAX_SHOWN_CHARACTERS: Final = 60
HALF_DAY: Final = timedelta(hours=12)
SECONDS_PER_MINUTE: Final = 60

ValueLayer = Mapping[str, Mapping[str, RawValue]]
"""Section -> key -> value, as one place gives it."""


class MailAccount(Struct, frozen=True, kw_only=True):
    """A complete account for sending mail; TLS from the start on port 465, STARTTLS on every other."""

    smtp_user: str
    smtp_pass: Secret
    invite_to: str
    smtp_host: str
    smtp_port: int


class Config(Struct, frozen=True, kw_only=True):
    """Everything one installation has decided; tesla and gcal are None where they are not set up.

    path: the file it was read from. marks: of that file and all that it names, as each was before it was read.
    warnings: sentences for `doctor`, each with its fix.
    """

    path: Path
    eon_next: EonNextConfig
    myenergi: MyenergiConfig
    tesla: TeslaConfig | None
    gcal: MailConfig | None
    database: DatabaseConfig
    control: ControlConfig
    alerts: AlertsConfig
    marks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def database_path(self) -> Path:
        """Where the database lies."""
        return self.database.path

    @property
    def folder(self) -> Path:
        """The folder of the database, and of everything that lies beside it."""
        return self.database.path.parent

    @property
    def auth_folder(self) -> Path:
        """The folder of Tesla's token files: as configured, else beside the database.

        An existing installation kept them beside its configuration file; there they are found, too.
        """
        if self.tesla and self.tesla.auth_path:
            return self.tesla.auth_path
        beside = (self.folder, self.path.parent)
        return next((folder for folder in beside if (folder / self._tesla_token_file).exists()), self.folder)

    @property
    def tesla_credentials_file(self) -> Path:
        """The file that signs in to the Powerwall: tokens, or the private key of a gateway."""
        key = self.tesla.rsa_key_path if self.tesla and self.tesla.backend == "v1r" else None
        return key or self.auth_folder / self._tesla_token_file

    @property
    def _tesla_token_file(self) -> str:
        return FLEET_TOKEN_FILE if self.tesla and self.tesla.backend == "fleetapi" else TESLA_TOKEN_FILE

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Everything that must never be shown, for whoever makes sure of it."""
        sections = (getattr(self, name) for name in CONFIG_SECTIONS)
        values = (getattr(section, key) for section in sections if section for key in section.__struct_fields__)
        return tuple(value for value in values if isinstance(value, Secret))

    @property
    def invites(self) -> MailAccount | None:
        """The mail account that invites are sent from; None where it is incomplete and there are no invites."""
        mail = self.gcal
        if mail is None or mail.smtp_user is None or mail.smtp_pass is None:
            return None
        return MailAccount(
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
    system: Path = Path(SYSTEM_CONFIG_FOLDER),
) -> Path:
    """Find the configuration file; one named by option or by $SMARTCHARGE_CONFIG is not searched for elsewhere.

    ConfigurationError names the places that were searched.
    """
    names = config_file_candidates(explicit, environment, str(cwd), str(home), str(system))
    found = next((place for place in map(Path, names) if _is_visible_file(place)), None)
    if found is None:
        fix = "Run `smartcharge init`, or copy config.example.yaml to one of these places and fill it in"
        raise ConfigurationError("there is no configuration file", place=", ".join(names), right=fix)
    return found


def _is_visible_file(place: Path) -> bool:
    """Whether a file can be seen here; a folder that may not be entered has none for us."""
    try:
        return place.exists() and not place.is_dir()
    except OSError:
        return False


def load_config(path: Path, environment: Mapping[str, str]) -> Config:
    """Read the configuration and everything it names; ConfigurationError says what is wrong and where.

    environment: SMARTCHARGE_<SECTION>_<KEY> wins over the file; HOME is what ~ means.
    """
    path = path.absolute()
    sources = _gather_sources(path, environment)
    values = {section: _section_values(sources, section) for section in CONFIG_SECTIONS}
    values["database"].setdefault("path", sources.resolve(str(DatabaseConfig().path)))
    supplier = values["eon_next"].get("supplier", "eon-next")
    values["control"].setdefault("cheap_period", DEFAULT_CHEAP_PERIODS[supplier])
    config = Config(
        path=path,
        eon_next=EonNextConfig(**values["eon_next"]),
        myenergi=MyenergiConfig(**values["myenergi"]),
        tesla=_tesla_section(path, values["tesla"]),
        gcal=MailConfig(**values["gcal"]) if values["gcal"] else None,
        database=DatabaseConfig(**values["database"]),
        control=ControlConfig(**values["control"]),
        alerts=AlertsConfig(**values["alerts"]),
        marks=tuple(sources.marks),
    )
    warnings = (*_find_oddities(config, unused_tesla=bool(values["tesla"])), *_variable_warnings(environment))
    return replace(config, warnings=warnings)


class ConfigSources(Struct, frozen=True):
    """All that was given for one installation.

    path: the configuration file; layers: the first that has a value wins; home: what ~ means, None for the account's;
    marks: signatures of the files read so far, each taken before it was read.
    """

    path: Path
    layers: tuple[ValueLayer, ...]
    home: str | None
    marks: list[str]

    def resolve(self, text: str) -> Path:
        """Read a path as seen from the configuration file; ValueError where it is none."""
        if not is_one_line(text):
            raise ValueError("not one line of text")
        if self.home and (text == "~" or text.startswith("~/")):
            return Path(self.home, text[2:])
        try:
            return self.path.parent / Path(text).expanduser()
        except RuntimeError:
            raise ValueError("no such home folder") from None

    def find_value(self, section: str, key: str) -> RawValue | None:
        """Give what was given for a key, None where nothing was; ConfigurationError where it was given twice."""
        for layer in self.layers:
            entries = layer.get(section, {})
            direct, named = (
                value if (value := entries.get(name)) and value.is_given else None for name in (key, f"{key}_file")
            )
            if direct and named:
                fix = f"Keep either {key} or {key}_file"
                raise ConfigurationError("is given twice", place=named.place, key=f"{section}.{key}", right=fix)
            if named:
                return self._read_named_file(f"{section}.{key}_file", named)
            if direct:
                return direct
        return None

    def _read_named_file(self, key: str, named: RawValue) -> RawValue:
        """Read the file that holds a value; an empty one is a slip, not a value left out."""
        try:
            path = self.resolve(named.text if isinstance(named.text, str) else "")
        except ValueError:
            fix = "Use the path of the file that holds the value"
            raise ConfigurationError("is no path", place=named.place, key=key, right=fix) from None
        self.marks.append(file_signature(str(path)))
        text = read_config_text(path, key).strip()
        if not text:
            raise ConfigurationError("is empty", place=str(path), key=key, right="The file should hold the value")
        return RawValue(text, str(path))


def _gather_sources(path: Path, environment: Mapping[str, str]) -> ConfigSources:
    """Read the file and the environment; ConfigurationError for a section or key in the file that does not exist."""
    marks = [file_signature(str(path))]
    written = read_config_sections(path)
    _refuse_unknown_keys(path, written)
    given = {
        section: {
            key: RawValue(environment[variable], f"${variable}")
            for key in _section_keys(section)
            if (variable := _variable_name(section, key)) in environment
        }
        for section in CONFIG_SECTIONS
    }
    return ConfigSources(path, (given, written), environment.get("HOME"), marks)


def _refuse_unknown_keys(path: Path, written: ValueLayer) -> None:
    for section, entries in written.items():
        if section not in CONFIG_SECTIONS:
            fix = _right_section_hint(section) or _spelling_hint(section, list(CONFIG_SECTIONS))
            raise ConfigurationError("is not a section", place=str(path), key=section, right=fix)
        for key, given in entries.items():
            if key not in _section_keys(section):
                fix = _right_section_hint(key) or _spelling_hint(key, list(SETTINGS[section]))
                raise ConfigurationError("is not a key", place=given.place, key=f"{section}.{key}", right=fix)


def _right_section_hint(key: str) -> str | None:
    """Say where a key belongs that stands in the wrong place."""
    sections = [section for section in CONFIG_SECTIONS if key in _section_keys(section)]
    return f"It belongs under {' or '.join(sections)}" if sections else None


def _spelling_hint(name: str, names: list[str]) -> str:
    near = closest_name(name, names)
    return f"Did you mean {near}?" if near else f"Use one of {', '.join(names)}"


def _section_keys(section: str) -> list[str]:
    """List a section's keys, each followed by the one that names a file instead."""
    return [key for name in SETTINGS[section] for key in (name, f"{name}_file")]


def _variable_name(section: str, key: str) -> str:
    return f"{ENVIRONMENT_PREFIX}_{section}_{key}".upper()


def _section_values(sources: ConfigSources, section: str) -> dict[str, Any]:
    """Give a section's values as far as they were given; ConfigurationError for a wrong or a missing one."""
    values: dict[str, Any] = {}
    for key, setting in SETTINGS[section].items():
        raw = sources.find_value(section, key)
        if raw is not None:
            values[key] = _parse_value(sources, setting, raw)
        elif setting.is_required:
            fix = setting.describe_valid_value("")
            raise ConfigurationError("is missing", place=str(sources.path), key=setting.name, right=fix)
    return values


def _parse_value(sources: ConfigSources, setting: Setting, raw: RawValue) -> object:
    try:
        return setting.parse(raw.text, sources.resolve)
    except ValueError:
        shown = raw.text if isinstance(raw.text, str) else ", ".join(raw.text)
    problem = "is not right" if setting.is_secret else f"is {shown[:MAX_SHOWN_CHARACTERS]}"
    fix = setting.describe_valid_value(shown)
    raise ConfigurationError(problem, place=raw.place, key=setting.name, right=fix)


def _tesla_section(path: Path, values: dict[str, Any]) -> TeslaConfig | None:
    """Make the section, None where the battery cannot be reached with what was given."""
    tesla = TeslaConfig(**values)
    missing = next((key for key in GATEWAY_KEYS if key not in values), None)
    if tesla.backend == "v1r" and missing:
        fix = "The backend v1r needs gateway_host, gateway_password and rsa_key_path"
        raise ConfigurationError("is missing", place=str(path), key=f"tesla.{missing}", right=fix)
    return None if tesla.backend == "cloud" and tesla.account_email is None else tesla


def _variable_warnings(environment: Mapping[str, str]) -> Iterator[str]:
    """Warn of variables that look like ours but name no key; they may be another program's, so none is refused."""
    known = {_variable_name(section, key) for section in CONFIG_SECTIONS for key in _section_keys(section)}
    prefixes = tuple(_variable_name(section, "") for section in CONFIG_SECTIONS)
    for variable in sorted(environment):
        if variable.startswith(prefixes) and variable not in known:
            near = closest_name(variable, known)
            yield f"${variable} names no key and is ignored. {f'Did you mean ${near}?' if near else 'Remove it.'}"


def _find_oddities(config: Config, *, unused_tesla: bool) -> Iterator[str]:
    """Say what is allowed but hardly meant, each with its fix."""
    if S_IMODE(config.path.stat().st_mode) & GROUP_AND_OTHERS_MODE_BITS:
        yield f"{config.path} holds secrets that other users can read. Run `chmod 600 {config.path}`."
    if unused_tesla and config.tesla is None:
        yield "tesla.account_email is missing, so nothing is ever written to the Powerwall. Add it."
    yield from _control_oddities(config.control)
    yield from _mail_oddities(config)


def _control_oddities(control: ControlConfig) -> Iterator[str]:
    if control.shadow:
        yield "control.shadow is true, so the Powerwall is read and never set. Take it out when nothing else sets it."
    begins, ends = (timedelta(hours=at.hour, minutes=at.minute) for at in control.cheap_period)
    length = (ends - begins) % timedelta(days=1)
    if length > HALF_DAY:
        message = f"control.cheap_period lasts {length / timedelta(hours=1):.0f} h, in which nothing is held"
        yield f"{message}. Turn its two times round if it should not."
    if control.release_lead_seconds < SECONDS_PER_MINUTE:
        message = f"control.release_lead_seconds is {control.release_lead_seconds}"
        yield f"{message}, so with a run a minute a release may come after its half hour. Make it 60 or more."


def _mail_oddities(config: Config) -> Iterator[str]:
    mail = config.gcal
    if mail and (mail.smtp_user is None) != (mail.smtp_pass is None):
        missing = "smtp_user" if mail.smtp_user is None else "smtp_pass"
        yield f"gcal.{missing} is missing, so no invites are sent. Add it."
    if config.invites and mail and mail.invite_to is None:
        yield "gcal.invite_to is missing, so invites go to their own sender. Add the address of your calendar."
    if config.alerts.email and config.invites is None:
        yield "alerts.email is set, but there is no mail account to send from. Add gcal.smtp_user and gcal.smtp_pass."
