"""The owner's configuration: found, read, completed from environment and files, checked, frozen."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from errno import EFBIG
from functools import cache
from pathlib import Path
from stat import S_IMODE
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import yaml
from msgspec import Meta, Struct, convert

from smartcharge.config.find import SYSTEM_CONFIG_FOLDER, config_file_candidates, file_signature
from smartcharge.config.schema import (
    CONFIG_SECTIONS,
    DEFAULT_CHEAP_PERIODS,
    AlertsConfig,
    ControlConfig,
    DatabaseConfig,
    EonNextConfig,
    FilePath,
    MailConfig,
    MyenergiConfig,
    Secret,
    TeslaConfig,
    TimeRange,
    closest_name,
    is_one_line,
)
from smartcharge.errors import ConfigurationError
from smartcharge.regular_file import read_regular_file

PathResolver = Callable[[str], Path]
"""Turns the text of a path into the path; ValueError where it is none."""

FOLDER_PATH_ENDINGS: Final = frozenset({"", ".", "..", "~"})
"""What a folder's path ends in, where it ends like one."""
_BOOLEAN_SYNONYMS: Final = {"yes": "true", "on": "true", "no": "false", "off": "false"}


def convert_value(text: str | tuple[str, ...], value_type: object, resolve: PathResolver) -> object:
    """Give the value; ValueError, whose own text must not be shown, where `kind` does not allow it."""

    def build(value_type: type, text: object) -> object:
        if not isinstance(text, str):
            raise ValueError("not text")  # noqa: TRY004  # msgspec's refusal is a ValueError too
        if issubclass(value_type, ZoneInfo):
            return _parse_time_zone(text)
        if issubclass(value_type, Secret):
            return value_type(text)
        return resolve(text)

    return convert(_prepare_text(text, value_type), value_type, strict=False, dec_hook=build)


def describe_valid_value(value_type: object, text: str) -> str:
    """Say in a sentence what would be right in place of `text`."""
    if get_origin(value_type) is Literal:
        near = closest_name(text, get_args(value_type))
        return f"{f'Did you mean {near}? ' if near else ''}It should be one of {', '.join(get_args(value_type))}"
    meta: Meta = get_args(value_type)[1]
    return f"It should be {meta.description}"


def is_secret_type(value_type: object) -> bool:
    """Whether values of this type must never be shown."""
    plain = _unannotated_type(value_type)
    return isinstance(plain, type) and issubclass(plain, Secret)


def strip_optional(value_type: object) -> object:
    """Give the type that a value has where it is given."""
    if get_origin(value_type) in {Union, UnionType}:
        return next(part for part in get_args(value_type) if part is not NoneType)
    return value_type


def _prepare_text(text: str | tuple[str, ...], value_type: object) -> object:
    """Put text into the form that msgspec reads; two equal times become none, and a folder's path is no file's."""
    if value_type == TimeRange:
        moments = [_normalise_time(part) for part in (text.split(",") if isinstance(text, str) else text)]
        return moments if len(set(moments)) == len(moments) else []
    if isinstance(text, tuple) or is_secret_type(value_type):
        return text
    plain = text.strip()
    if value_type == FilePath and plain.rpartition("/")[2] in FOLDER_PATH_ENDINGS:
        raise ValueError("a folder's path")
    return _BOOLEAN_SYNONYMS.get(plain.lower(), plain) if _unannotated_type(value_type) is bool else plain


def _normalise_time(text: str) -> str:
    """Complete H:MM to what msgspec reads as a time of day; "" for every other form."""
    found = re.fullmatch(r"([0-9]{1,2}):([0-9]{2})", text.strip())
    return f"{found[1]:0>2}:{found[2]}:00" if found else ""


def _parse_time_zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError):
        raise ValueError("no such zone") from None


def _unannotated_type(value_type: object) -> object:
    return get_args(value_type)[0] if get_origin(value_type) is Annotated else value_type


MAX_CONFIG_BYTES: Final = 64 * 1024
MAX_YAML_DEPTH: Final = 3
"""A mapping of sections, a mapping of keys, a list of values: nothing lies deeper."""

YAML_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL_WORDS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_QUOTING_HINT: Final = "Put values with special characters in quotes, and a space after each colon"


class RawValue(Struct, frozen=True):
    """A value as typed; place: the file with its line, or the environment variable; text "" where left out."""

    text: str | tuple[str, ...]
    place: str


def read_config_text(path: Path, key: str | None = None) -> str:
    """Read a small UTF-8 file, named by `key` or the configuration itself; else ConfigurationRefused."""
    try:
        text = read_regular_file(path, MAX_CONFIG_BYTES).decode("utf-8-sig")
    except OSError as error:
        if error.errno == EFBIG:
            right = f"It should hold at most {MAX_CONFIG_BYTES // 1024} KiB"
            raise ConfigurationError("is too large", place=str(path), key=key, right=right) from None
        right = "Check the path, and that the user who runs this may read the file"
        problem = f"cannot be read ({error.strerror})"
        raise ConfigurationError(problem, place=str(path), key=key, right=right) from None
    except UnicodeDecodeError:
        raise ConfigurationError("is not UTF-8 text", place=str(path), key=key, right="Save it as UTF-8") from None
    return text


def read_config_sections(path: Path) -> dict[str, dict[str, RawValue]]:
    """Read section -> key -> value; ConfigurationRefused with line and mend for anything else than that."""
    text = read_config_text(path)
    try:
        _refuse_unsupported_yaml(path, text)
        root = yaml.compose(text, Loader=YAML_LOADER)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}, line {mark.line + 1}, column {mark.column + 1}" if mark else str(path)
        raise ConfigurationError("this is not valid YAML", place=place, right=_syntax_hint(text, mark)) from None
    return {
        section: {
            key: _raw_value(path, f"{section}.{key}", value)
            for key, value in _mapping_entries(path, node, section).items()
        }
        for section, node in _mapping_entries(path, root, None).items()
    }


def _refuse_unsupported_yaml(path: Path, text: str) -> None:
    """Refuse anchors, aliases, tags and depth before anything is built from them."""
    depth = 0
    for event in yaml.parse(text, Loader=YAML_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        place = _node_location(path, event)
        if isinstance(event, yaml.NodeEvent) and event.anchor:
            raise ConfigurationError(
                "anchors and aliases (& and *) are not used here", place=place, right=_QUOTING_HINT
            )
        if getattr(event, "tag", None) not in {None, "tag:yaml.org,2002:str"}:
            right = f"{_QUOTING_HINT}; a value can come from a file by <key>_file, or from the environment"
            raise ConfigurationError("tags (!) are not used here", place=place, right=right)
        if depth > MAX_YAML_DEPTH:
            raise ConfigurationError("this is nested too deeply", place=place, right="Check the indentation")


def _mapping_entries(path: Path, node: yaml.Node | None, section: str | None) -> dict[str, yaml.Node]:
    """Give a mapping's entries, each key once; nothing for what was left empty."""
    if node is None or _is_null_node(node):
        return {}
    if not isinstance(node, yaml.MappingNode):
        right = (
            "a list of keys, each as `key: value`, two blanks further in" if section else "sections with keys in them"
        )
        raise ConfigurationError(
            "holds no keys",
            place=_node_location(path, node),
            key=section,
            right=f"It should be {right}; see config.example.yaml",
        )
    entries: dict[str, yaml.Node] = {}
    for name, value in node.value:
        if not isinstance(name, yaml.ScalarNode):
            raise ConfigurationError(
                "a key must be a word", place=_node_location(path, name), key=section, right=_QUOTING_HINT
            )
        if name.value in entries:
            key = f"{section}.{name.value}" if section else name.value
            raise ConfigurationError(
                "is given twice", place=_node_location(path, name), key=key, right="Keep one of them"
            )
        entries[name.value] = value
    return entries


def _raw_value(path: Path, key: str, node: yaml.Node) -> RawValue:
    place = _node_location(path, node)
    if isinstance(node, yaml.ScalarNode):
        return RawValue("" if _is_null_node(node) else node.value, place)
    if isinstance(node, yaml.SequenceNode) and all(isinstance(item, yaml.ScalarNode) for item in node.value):
        return RawValue(tuple(item.value for item in node.value), place)
    raise ConfigurationError(
        "is neither a value nor a list of values", place=place, key=key, right="Check the indentation"
    )


def _is_null_node(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and not node.style and node.value in _NULL_WORDS


def _node_location(path: Path, part: yaml.Node | yaml.Event) -> str:
    return f"{path}, line {part.start_mark.line + 1}" if part.start_mark else str(path)


def _syntax_hint(text: str, mark: yaml.Mark | None) -> str:
    """Guess the slip behind a syntax error; the parser's own words could quote a secret."""
    lines = text.split("\n")
    if mark and mark.line < len(lines) and "\t" in lines[mark.line]:
        return "Indent with blanks, not with tabs"
    return f"{_QUOTING_HINT}; check the indentation and the line above too"


ENVIRONMENT_PREFIX: Final = "SMARTCHARGE"

ValueLayer = Mapping[str, Mapping[str, RawValue]]
"""Section -> key -> value, as one place gives it."""


class ConfigSources(Struct, frozen=True):
    """All that was given for one installation.

    path: the configuration file; layers: the first that has a value wins; home: what ~ means, None for the account's.
    """

    path: Path
    layers: tuple[ValueLayer, ...]
    home: str | None

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

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that a value is read from, the configuration first."""
        given = (entry for layer in self.layers for keys in layer.values() for entry in keys.items())
        named = (value.text for key, value in given if key.endswith("_file") and _none_if_blank(value))
        return (self.path, *(self.resolve(text) for text in named if isinstance(text, str)))

    def find_value(self, section: str, key: str) -> RawValue | None:
        """Give what was given for a key, None where nothing was; ConfigurationRefused where it was given twice."""
        for layer in self.layers:
            entries = layer.get(section, {})
            direct, named = _none_if_blank(entries.get(key)), _none_if_blank(entries.get(f"{key}_file"))
            if direct and named:
                right = f"Keep either {key} or {key}_file"
                raise ConfigurationError("is given twice", place=named.place, key=f"{section}.{key}", right=right)
            if direct or named:
                return direct or self._content(f"{section}.{key}_file", named)
        return None

    def _content(self, key: str, named: RawValue | None) -> RawValue | None:
        """Read the file that holds a value; an empty one is a slip, not a value left out."""
        if named is None:
            return None
        try:
            path = self.resolve(named.text if isinstance(named.text, str) else "")
        except ValueError:
            right = "It should be the path of the file that holds the value"
            raise ConfigurationError("is no path", place=named.place, key=key, right=right) from None
        text = read_config_text(path, key).strip()
        if not text:
            raise ConfigurationError("is empty", place=str(path), key=key, right="The file should hold the value")
        return RawValue(text, str(path))


def gather_sources(path: Path, environment: Mapping[str, str]) -> ConfigSources:
    """Read the file and the environment; ConfigurationRefused for a section or key in the file that does not exist."""
    written = read_config_sections(path)
    _refuse_unknown_keys(path, written)
    named: dict[str, dict[str, RawValue]] = {
        section: {
            key: RawValue(environment[variable], f"${variable}")
            for key in _section_keys(section)
            if (variable := _variable_name(section, key)) in environment
        }
        for section in CONFIG_SECTIONS
    }
    return ConfigSources(path, (named, written), environment.get("HOME"))


def unknown_variable_warnings(environment: Mapping[str, str]) -> Iterator[str]:
    """Warn of variables that look like ours but name no key; they may be another program's, so none is refused."""
    known = {_variable_name(section, key) for section in CONFIG_SECTIONS for key in _section_keys(section)}
    ours = tuple(_variable_name(section, "") for section in CONFIG_SECTIONS)
    for variable in sorted(environment):
        if variable.startswith(ours) and variable not in known:
            near = closest_name(variable, known)
            yield f"${variable} names no key and is ignored. {f'Did you mean ${near}?' if near else 'Remove it.'}"


def _refuse_unknown_keys(path: Path, written: ValueLayer) -> None:
    for section, entries in written.items():
        if section not in CONFIG_SECTIONS:
            fix = _right_section_hint(section) or _spelling_hint(section, list(CONFIG_SECTIONS))
            raise ConfigurationError("is not a section", place=str(path), key=section, right=fix)
        for key, given in entries.items():
            if key not in _section_keys(section):
                fix = _right_section_hint(key) or _spelling_hint(key, _section_keys(section)[::2])
                raise ConfigurationError("is not a key", place=given.place, key=f"{section}.{key}", right=fix)


def _right_section_hint(key: str) -> str | None:
    """Say where a key belongs that stands in the wrong place."""
    homes = [section for section in CONFIG_SECTIONS if key in _section_keys(section)]
    return f"It belongs under {' or '.join(homes)}" if homes else None


def _spelling_hint(name: str, names: list[str]) -> str:
    near = closest_name(name, names)
    return f"Did you mean {near}?" if near else f"It should be one of {', '.join(names)}"


def _section_keys(section: str) -> list[str]:
    """List a section's keys, each followed by the one that names a file instead."""
    return [key for name in CONFIG_SECTIONS[section].__struct_fields__ for key in (name, f"{name}_file")]


def _variable_name(section: str, key: str) -> str:
    return f"{ENVIRONMENT_PREFIX}_{section}_{key}".upper()


def _none_if_blank(given: RawValue | None) -> RawValue | None:
    return given if given and (isinstance(given.text, tuple) or given.text.strip()) else None


TESLA_TOKEN_FILE: Final = ".pypowerwall.auth"  # noqa: S105
FLEET_TOKEN_FILE: Final = ".pypowerwall.fleetapi"  # noqa: S105
GROUP_AND_OTHERS_MODE_BITS: Final = 0o077
"""The mode bits that let group and others at a file."""

_MAX_SHOWN_CHARACTERS: Final = 60
_HALF_DAY: Final = timedelta(hours=12)
_SECONDS_PER_MINUTE: Final = 60


class MailAccount(msgspec.Struct, frozen=True, kw_only=True):
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
        return next((folder for folder in beside if (folder / self._tesla_token_file).exists()), self.folder)

    @property
    def tesla_credentials_file(self) -> Path:
        """The file that opens the way to the Powerwall: tokens, or over the wire the private key."""
        key = self.tesla.rsa_key_path if self.tesla and self.tesla.backend == "v1r" else None
        return key or self.auth_folder / self._tesla_token_file

    @property
    def _tesla_token_file(self) -> str:
        return FLEET_TOKEN_FILE if self.tesla and self.tesla.backend == "fleetapi" else TESLA_TOKEN_FILE

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Everything that must never be shown, for who makes sure of it."""
        sections = (self.eon_next, self.myenergi, self.tesla, self.gcal, self.alerts)
        values = (getattr(section, key) for section in sections if section for key in section.__struct_fields__)
        return tuple(value for value in values if isinstance(value, Secret))

    @property
    def invites(self) -> MailAccount | None:
        """The mail account that invites go out from; None where it is incomplete and there are no invites."""
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
    """Find the configuration file; what is named, by option or by $SMARTCHARGE_CONFIG, is not searched for elsewhere.

    ConfigurationRefused names the places that were looked at.
    """
    candidates = [
        Path(place) for place in config_file_candidates(explicit, environment, str(cwd), str(home), str(system))
    ]
    for place in candidates:
        if _is_visible_file(place):
            return place
    raise ConfigurationError(
        "there is no configuration file",
        place=", ".join(map(str, candidates)),
        right="Run `smartcharge init`, or copy config.example.yaml to one of these places and fill it in",
    )


def load_config(path: Path, environment: Mapping[str, str]) -> Config:
    """Read the configuration and everything it names; ConfigurationRefused says what is wrong and where.

    environment: SMARTCHARGE_<SECTION>_<KEY> wins over the file; HOME is what ~ means.
    """
    path = path.absolute()
    mark = file_signature(str(path))
    sources = gather_sources(path, environment)
    eon_next = EonNextConfig(**_section_values(sources, "eon_next", EonNextConfig))
    tesla = _section_values(sources, "tesla", TeslaConfig)
    gcal = _section_values(sources, "gcal", MailConfig)
    config = Config(
        path=path,
        eon_next=eon_next,
        myenergi=MyenergiConfig(**_section_values(sources, "myenergi", MyenergiConfig)),
        tesla=_tesla_section(path, tesla),
        gcal=MailConfig(**gcal) if gcal else None,
        database=DatabaseConfig(
            **{"path": sources.resolve(str(DatabaseConfig().path))}
            | _section_values(sources, "database", DatabaseConfig)
        ),
        control=ControlConfig(
            **{"cheap_period": DEFAULT_CHEAP_PERIODS[eon_next.supplier]}
            | _section_values(sources, "control", ControlConfig)
        ),
        alerts=AlertsConfig(**_section_values(sources, "alerts", AlertsConfig)),
        marks=(mark, *(file_signature(str(file)) for file in sources.files[1:])),
    )
    warnings = (*_config_warnings(config, unused_tesla=bool(tesla)), *unknown_variable_warnings(environment))
    return msgspec.structs.replace(config, warnings=warnings)


def _is_visible_file(place: Path) -> bool:
    """Whether a file can be seen here; a folder that may not be entered has none for us."""
    try:
        return place.exists() and not place.is_dir()
    except OSError:
        return False


_section_fields = cache(msgspec.structs.fields)
"""A section's keys with their types: worked out once, for whoever loads many configurations in one process."""


def _section_values(sources: ConfigSources, section: str, section_type: type[msgspec.Struct]) -> dict[str, Any]:
    """Give a section's values as far as they were given; ConfigurationRefused for a wrong or a missing one."""
    values: dict[str, Any] = {}
    for setting in _section_fields(section_type):
        key, value_type = f"{section}.{setting.name}", strip_optional(setting.type)
        raw = sources.find_value(section, setting.name)
        if raw is None and setting.required:
            raise ConfigurationError(
                "is missing", place=str(sources.path), key=key, right=describe_valid_value(value_type, "")
            )
        if raw is None:
            continue
        try:
            values[setting.name] = convert_value(raw.text, value_type, sources.resolve)
        except ValueError:
            shown = raw.text if isinstance(raw.text, str) else ", ".join(raw.text)
            problem = "is not right" if is_secret_type(value_type) else f"is {shown[:_MAX_SHOWN_CHARACTERS]}"
            raise ConfigurationError(
                problem, place=raw.place, key=key, right=describe_valid_value(value_type, shown)
            ) from None
    return values


def _tesla_section(path: Path, values: dict[str, Any]) -> TeslaConfig | None:
    """Make the section, None where the battery cannot be reached with what was given."""
    tesla = TeslaConfig(**values)
    if tesla.backend == "v1r":
        for key in ("gateway_host", "gateway_password", "rsa_key_path"):
            if key not in values:
                fix = "The backend v1r needs gateway_host, gateway_password and rsa_key_path"
                raise ConfigurationError("is missing", place=str(path), key=f"tesla.{key}", right=fix)
    return None if tesla.backend == "cloud" and tesla.account_email is None else tesla


def _config_warnings(config: Config, *, unused_tesla: bool) -> Iterator[str]:
    """Say what is allowed but hardly meant, each with its mend."""
    if S_IMODE(config.path.stat().st_mode) & GROUP_AND_OTHERS_MODE_BITS:
        yield f"{config.path} holds secrets that other users can read. Run `chmod 600 {config.path}`."
    if unused_tesla and config.tesla is None:
        yield "tesla.account_email is missing, so nothing is ever written to the Powerwall. Add it."
    yield from _control_warnings(config.control)
    yield from _mail_warnings(config)


def _control_warnings(control: ControlConfig) -> Iterator[str]:
    if control.shadow:
        yield "control.shadow is true, so the Powerwall is read and never set. Take it out when nothing else sets it."
    begins, ends = (timedelta(hours=at.hour, minutes=at.minute) for at in control.cheap_period)
    length = (ends - begins) % timedelta(days=1)
    if length > _HALF_DAY:
        message = f"control.cheap_period lasts {length / timedelta(hours=1):.0f} h, in which nothing is held"
        yield f"{message}. Turn its two times round if it should not."
    if control.release_lead_seconds < _SECONDS_PER_MINUTE:
        message = f"control.release_lead_seconds is {control.release_lead_seconds}"
        yield f"{message}, so with a run a minute a release may come after its half hour. Make it 60 or more."


def _mail_warnings(config: Config) -> Iterator[str]:
    mail = config.gcal
    if mail and (mail.smtp_user is None) != (mail.smtp_pass is None):
        missing = "smtp_user" if mail.smtp_user is None else "smtp_pass"
        yield f"gcal.{missing} is missing, so no invites are sent. Add it."
    if config.invites and mail and mail.invite_to is None:
        yield "gcal.invite_to is missing, so invites go to their own sender. Add the address of your calendar."
    if config.alerts.email and config.invites is None:
        yield "alerts.email is set, but there is no mail account to send from. Add gcal.smtp_user and gcal.smtp_pass."
