"""`smartcharge init`: asks questions, writes the configuration, and shows the next steps."""

import json
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import closing
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import click
from msgspec import Struct

from smartcharge.app import App
from smartcharge.cli_context import CliContext
from smartcharge.commands.crontab import SEPARATE_COMMANDS, crontab_lines, detect_installation
from smartcharge.commands.options import has_terminal, prompt_hidden, prompt_text
from smartcharge.config.find import EXAMPLE_CONFIG, config_file_candidates
from smartcharge.config.load import load_config
from smartcharge.config.schema import DEFAULT_CHEAP_PERIODS, ControlConfig, MailConfig, TimeRange
from smartcharge.config.settings import SETTINGS, Setting
from smartcharge.errors import ConfigurationError
from smartcharge.files import UNWRITABLE_FIX, create_private_file

CONFIG_FILE_HEADER: Final = (
    "# Written by `smartcharge init`. This file holds secrets, and only you can read it (mode 0600). Keep it private."
)
SECTION_PATTERN: Final = re.compile(r"(\w+):")
ENTRY_PATTERN: Final = re.compile(r'(  (\w+): +)("[^"]*"|\S+)( *)(.*)')
PLAIN_VALUE_PATTERN: Final = re.compile(r"[0-9.]+|[a-z-]+")


def find_setting(key: str) -> Setting:
    """Find the setting that a key such as "control.hold" names."""
    section, _, name = key.partition(".")
    return SETTINGS[section][name]


def answer_problem(key: str, text: str) -> str | None:
    """Return a sentence that says what would be valid instead of this answer; None if it is valid."""
    setting = find_setting(key)
    try:
        setting.parse(_normalize_answer(key, text), Path)
    except ValueError:
        return f"{setting.describe_valid_value(text)}."
    return None


def require_new_file(path: Path) -> None:
    """Make sure that a new file can be made there; raises `ConfigurationError` if one exists already."""
    if os.path.lexists(path):
        right = "Edit that file, or name another one with --config. Nothing was changed"
        raise ConfigurationError("exists already and is not overwritten", place=str(path), right=right)
    folder = next(place for place in path.parents if place.exists())
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
        raise ConfigurationError("cannot be made by this user", place=str(path), right=UNWRITABLE_FIX)


def create_config(path: Path, answers: Mapping[str, str]) -> None:
    """Make the file, whole or not at all, after checking that it is valid. Raises as `require_new_file` does."""
    text = fill_example(answers)
    with TemporaryDirectory() as folder:
        tried = Path(folder, path.name)
        tried.touch(mode=0o600)
        tried.write_text(text, encoding="utf-8")
        load_config(tried, {})
    require_new_file(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        create_private_file(path, text.encode())
    except FileExistsError:
        require_new_file(path)
        raise
    except OSError as odd:
        raise ConfigurationError(f"cannot be written ({odd.strerror})", place=str(path), right=UNWRITABLE_FIX) from odd


def fill_example(answers: Mapping[str, str]) -> str:
    """Return the example with these answers in it and all its comments."""
    lines, section = [CONFIG_FILE_HEADER], ""
    for line in files("smartcharge").joinpath(EXAMPLE_CONFIG).read_text(encoding="utf-8").splitlines()[1:]:
        section = found[1] if (found := SECTION_PATTERN.match(line)) else section
        entry = ENTRY_PATTERN.fullmatch(line)
        key = f"{section}.{entry[2]}" if entry else ""
        lines.append(_filled_line(entry, key, answers[key]) if entry and key in answers else line)
    return "\n".join(lines) + "\n"


def _filled_line(entry: re.Match[str], key: str, answer: str) -> str:
    value = _yaml_scalar(key, answer, is_quoted=entry[3].startswith('"'))
    room = len(entry[3]) + len(entry[4]) - len(value)
    return f"{entry[1]}{value}{' ' * max(room, 2) if entry[5] else ''}{entry[5]}"


def _yaml_scalar(key: str, answer: str, *, is_quoted: bool) -> str:
    if find_setting(key).value_type == TimeRange:
        return json.dumps([part.strip() for part in _normalize_answer(key, answer).split(",")])
    return answer if PLAIN_VALUE_PATTERN.fullmatch(answer) and not is_quoted else json.dumps(answer, ensure_ascii=False)


def _normalize_answer(key: str, text: str) -> str:
    """Return an answer as a file would have it: two times may be typed as 00:00-06:00."""
    return re.sub(r"[\[\]\"' ]", "", text).replace("-", ",") if find_setting(key).value_type == TimeRange else text


InitAnswers = Mapping[str, str]
"""The answers so far, by the keys of the configuration."""
EON_NEXT: Final = "eon-next"
"""The supplier whose prices are the defaults, and whose sign-in works with a browser."""


class InitQuestion(Struct, frozen=True):
    """One question. default: the value of an empty answer; required: without a default, an empty answer is refused."""

    key: str
    words: str
    default: str = ""
    required: bool = False


def init_questions(answers: InitAnswers) -> Iterator[InitQuestion]:
    """Yield the questions one after the other; later ones depend on the answers so far."""
    yield InitQuestion("eon_next.supplier", "Your electricity supplier (eon-next, octopus or edf)", default=EON_NEXT)
    yield InitQuestion("eon_next.import_account", "Your account number, as on the bill (A-...)", required=True)
    yield from _sign_in_questions(answers)
    yield InitQuestion("myenergi.hub_serial", "Serial number of the myenergi hub, as printed on it", required=True)
    yield InitQuestion("myenergi.api_key", "API key of the hub, from myaccount.myenergi.com", required=True)
    yield InitQuestion(
        "tesla.account_email",
        "Email address of your Tesla account (leave empty if smartcharge must not set the Powerwall)",
    )
    yield from _mail_questions(answers)
    reserve_pct = str(ControlConfig().default_reserve_pct)
    yield InitQuestion(
        "control.default_reserve_pct",
        "Backup Reserve of the Powerwall in normal mode, in per cent",
        default=reserve_pct,
    )
    yield from _tariff_questions(answers)


def _sign_in_questions(answers: InitAnswers) -> Iterator[InitQuestion]:
    supplier = answers["eon_next.supplier"]
    if supplier == "octopus":
        yield InitQuestion(
            "eon_next.api_key", "Your Octopus API key (in your Octopus account, under API access)", required=True
        )
        return
    is_needed = supplier == "edf"
    later = "" if is_needed else " (leave empty to sign in with a browser later)"
    yield InitQuestion("eon_next.email", f"Email address you sign in with{later}", required=is_needed)
    if "eon_next.email" in answers:
        yield InitQuestion("eon_next.password", f"Password{later}", required=is_needed)


def _mail_questions(answers: InitAnswers) -> Iterator[InitQuestion]:
    yield InitQuestion("gcal.smtp_user", "Gmail address to send calendar invites from (leave empty for no invites)")
    if sender := answers.get("gcal.smtp_user", ""):
        yield InitQuestion("gcal.smtp_pass", "App Password of that Gmail account (16 letters)", required=True)
        yield InitQuestion("gcal.invite_to", "Email address whose calendar gets the invites", default=sender)


def _tariff_questions(answers: InitAnswers) -> Iterator[InitQuestion]:
    supplier = answers["eon_next.supplier"]
    night = "-".join(f"{each:%H:%M}" for each in DEFAULT_CHEAP_PERIODS[supplier])
    yield InitQuestion("control.cheap_period", "Off-peak hours of your tariff, local time", default=night)
    is_known, prices = supplier == EON_NEXT, MailConfig()
    for key, words in (
        ("cheap_rate_pence", "Off-peak rate in pence per kWh"),
        ("standard_rate_pence", "Peak rate in pence per kWh"),
    ):
        default = str(getattr(prices, key)) if is_known else ""
        yield InitQuestion(f"gcal.{key}", words, default=default, required=not is_known)
    if supplier == "octopus":
        cap = "Most off-peak hours for the car from noon to noon, such as 6 (leave empty if there is no limit)"
        yield InitQuestion("control.max_hours_per_day", cap)


INIT_INTRODUCTION = (
    "Answer a few questions about your house. Press Enter to accept the value in [brackets].\n"
    "Press Ctrl-C to stop; nothing is written then.\n"
)
ANSWER_REQUIRED = "An answer is needed."


@click.command("init")
@click.pass_obj
def init_command(session: CliContext) -> None:
    """Ask a few questions and write the configuration.

    The file is --config PATH, or ./config.yaml; an existing file is never overwritten. Without a terminal the answers
    are read from standard input, one on each line.
    """
    path = Path(config_file_candidates(session.config, os.environ, str(Path.cwd()), str(Path.home()))[0])
    require_new_file(path)
    if has_terminal():
        click.echo(INIT_INTRODUCTION)
    answers: dict[str, str] = {}
    for question in init_questions(answers):
        if answer := _ask_until_valid(question):
            answers[question.key] = answer
    create_config(path, answers)
    click.echo(f"\nWritten to {path.absolute()}. Only you can read it.")
    with closing(session.open_app(read_only=True)) as app:
        for line in _next_step_lines(app):
            click.echo(line)


def _ask_until_valid(question: InitQuestion) -> str:
    """Ask until the answer is valid; "" if it is empty."""
    while True:
        answer = _prompt_answer(question) or question.default
        wrong = answer_problem(question.key, answer) if answer else ANSWER_REQUIRED if question.required else None
        if wrong is None:
            return answer
        click.echo(f"{question.key}: {wrong}", err=True)


def _prompt_answer(question: InitQuestion) -> str:
    is_hidden = find_setting(question.key).is_secret
    words = f"{question.words} [{question.default}]" if question.default else question.words
    given = prompt_hidden(words) if is_hidden else prompt_text(words)
    if given == "" and not has_terminal():  # an empty line would still have its line end
        raise click.UsageError(f"standard input ended before the answer for {question.key}. Nothing was written")
    return given.rstrip("\r\n") if is_hidden else given.strip()


def _next_step_lines(app: App) -> Iterator[str]:
    here = detect_installation(app)
    logins = (("login", "kraken"), ("login", "tesla")) if app.config.tesla else (("login", "kraken"),)
    yield "\nNext, run these commands in this order:"
    for words in (*logins, ("doctor",), ("tick", "--dry-run")):
        yield f"  {shlex.join(here.line(*words))}"
    yield "\nThen let cron run smartcharge every minute. Run `crontab -e` and paste these lines:\n"
    yield from crontab_lines(here, SEPARATE_COMMANDS)
