"""`smartcharge init`: a configuration from questions, and what to do next."""

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
from smartcharge.config.find import config_file_candidates
from smartcharge.config.load import load_config
from smartcharge.config.schema import DEFAULT_CHEAP_PERIODS, ControlConfig, MailConfig, TimeRange
from smartcharge.config.settings import SETTINGS, Setting
from smartcharge.errors import ConfigurationError
from smartcharge.files import UNWRITABLE_FIX, create_private_file

EXAMPLE_CONFIG: Final = "config.example.yaml"
CONFIG_FILE_HEADER: Final = (
    "# Written by `smartcharge init`. It holds secrets: keep it to yourself, it is readable by you alone (0600)."
)
SECTION_PATTERN: Final = re.compile(r"(\w+):")
ENTRY_PATTERN: Final = re.compile(r'(  (\w+): +)("[^"]*"|\S+)( *)(.*)')
PLAIN_VALUE_PATTERN: Final = re.compile(r"[0-9.]+|[a-z-]+")


def find_setting(key: str) -> Setting:
    """Find the setting that a key such as "control.hold" names."""
    section, _, name = key.partition(".")
    return SETTINGS[section][name]


def answer_problem(key: str, text: str) -> str | None:
    """What would be right in place of an answer, in a sentence; None where it is right."""
    setting = find_setting(key)
    try:
        setting.parse(_normalize_answer(key, text), Path)
    except ValueError:
        return f"{setting.describe_valid_value(text)}."
    return None


def require_new_file(path: Path) -> None:
    """Make sure that a new file can be made there; raises `ConfigurationRefused` where there is one already."""
    if os.path.lexists(path):
        right = "Nothing was changed: edit it, or name another file with --config."
        raise ConfigurationError("is there already, and is never written over", place=str(path), right=right)
    folder = next(place for place in path.parents if place.exists())
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
        raise ConfigurationError("cannot be made here by this user", place=str(path), right=UNWRITABLE_FIX)


def create_config(path: Path, answers: Mapping[str, str]) -> None:
    """Make the file, once it is known to load: whole or not at all. Raises as `require_free` does."""
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
    """The example with these answers in it, its comments where they were."""
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
    """An answer as a file would have it: two times may be typed as 00:00-06:00."""
    return re.sub(r"[\[\]\"' ]", "", text).replace("-", ",") if find_setting(key).value_type == TimeRange else text


InitAnswers = Mapping[str, str]
"""What was answered so far, by the configuration's keys."""
EON_NEXT: Final = "eon-next"
"""The supplier whose prices the defaults are, and whose sign-in a browser may make."""


class InitQuestion(Struct, frozen=True):
    """One question. default: what an empty answer means; needed: an empty answer without a default will not do."""

    key: str
    words: str
    default: str = ""
    required: bool = False


def init_questions(answers: InitAnswers) -> Iterator[InitQuestion]:
    """The questions one after the other; which ones they are depends on what was answered meanwhile."""
    yield InitQuestion("eon_next.supplier", "Your electricity supplier (eon-next, octopus or edf)", default=EON_NEXT)
    yield InitQuestion("eon_next.import_account", "Your account number there, as on the bill", required=True)
    yield from _sign_in_questions(answers)
    yield InitQuestion("myenergi.hub_serial", "Serial number of the myenergi hub, as printed on it", required=True)
    yield InitQuestion("myenergi.api_key", "Its API key, made at myaccount.myenergi.com", required=True)
    yield InitQuestion("tesla.account_email", "Address of your Tesla account; empty to leave the Powerwall alone")
    yield from _mail_questions(answers)
    reserve_pct = str(ControlConfig().default_reserve_pct)
    yield InitQuestion(
        "control.default_reserve_pct", "The Powerwall's reserve at rest, in per cent", default=reserve_pct
    )
    yield from _tariff_questions(answers)


def _sign_in_questions(answers: InitAnswers) -> Iterator[InitQuestion]:
    supplier = answers["eon_next.supplier"]
    if supplier == "octopus":
        yield InitQuestion(
            "eon_next.api_key", "Your API key there (in your Octopus account, under API access)", required=True
        )
        return
    is_needed = supplier == "edf"
    later = "" if is_needed else "; empty to sign in with a browser later"
    yield InitQuestion("eon_next.email", f"The address you sign in with there{later}", required=is_needed)
    if "eon_next.email" in answers:
        yield InitQuestion("eon_next.password", f"Your password there{later}", required=is_needed)


def _mail_questions(answers: InitAnswers) -> Iterator[InitQuestion]:
    yield InitQuestion("gcal.smtp_user", "A Gmail address to send calendar invites from; empty for no invites")
    if sender := answers.get("gcal.smtp_user", ""):
        yield InitQuestion("gcal.smtp_pass", "An App Password of that Gmail account (16 letters)", required=True)
        yield InitQuestion("gcal.invite_to", "The address whose calendar gets the invites", default=sender)


def _tariff_questions(answers: InitAnswers) -> Iterator[InitQuestion]:
    supplier = answers["eon_next.supplier"]
    night = "-".join(f"{each:%H:%M}" for each in DEFAULT_CHEAP_PERIODS[supplier])
    yield InitQuestion("control.cheap_period", "The cheap hours of your tariff's night, local time", default=night)
    is_known, prices = supplier == EON_NEXT, MailConfig()
    for key, words in (("cheap_rate_pence", "Pence per kWh at the cheap rate"), ("standard_rate_pence", "and by day")):
        default = str(getattr(prices, key)) if is_known else ""
        yield InitQuestion(f"gcal.{key}", words, default=default, required=not is_known)
    if supplier == "octopus":
        cap = "Cheap hours that the car may have from noon to noon, such as 6; empty where your tariff has no such cap"
        yield InitQuestion("control.max_hours_per_day", cap)


INIT_INTRODUCTION = (
    "Questions about your house; an empty answer takes what stands in brackets. Ctrl-C leaves nothing behind.\n"
)
ANSWER_REQUIRED = "This is needed."


@click.command("init")
@click.pass_obj
def init_command(session: CliContext) -> None:
    """Ask a few questions and write the configuration.

    It goes to --config PATH, or to ./config.yaml, and never over a file that is there. Without a terminal the answers
    are read from standard input, one a line.
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
    click.echo(f"\nWritten to {path.absolute()}, readable by you alone.")
    with closing(session.open_app(read_only=True)) as app:
        for line in _next_step_lines(app):
            click.echo(line)


def _ask_until_valid(question: InitQuestion) -> str:
    """Ask until the answer will do; "" where there is none."""
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
    if given == "" and not has_terminal():  # an empty line has its end
        raise click.UsageError(f"the answers ended before that for {question.key}; nothing was written")
    return given.rstrip("\r\n") if is_hidden else given.strip()


def _next_step_lines(app: App) -> Iterator[str]:
    here = detect_installation(app)
    logins = (("login", "kraken"), ("login", "tesla")) if app.config.tesla else (("login", "kraken"),)
    yield "\nNext, in this order:"
    for words in (*logins, ("doctor",), ("tick", "--dry-run")):
        yield f"  {shlex.join(here.line(*words))}"
    yield "\nThen let it run every minute: `crontab -e`, and paste these lines:\n"
    yield from crontab_lines(here, SEPARATE_COMMANDS)
