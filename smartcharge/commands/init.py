"""`smartcharge init`: a configuration from questions, and what to do next."""

import os
import shlex
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import click

from smartcharge.act import first_config, schedule
from smartcharge.act.first_questions import Question, questions
from smartcharge.commands import _asking
from smartcharge.places import config_places
from smartcharge.session import Session
from smartcharge.toolbox import Toolbox

WELCOME = "Questions about your house; an empty answer takes what stands in brackets. Ctrl-C leaves nothing behind.\n"
NEEDED = "This is needed."


@click.command("init")
@click.pass_obj
def command(session: Session) -> None:
    """Ask what is needed, and write the configuration.

    It goes to --config PATH, or to ./config.yaml, and never over a file that is there. Without a terminal the answers
    are read from standard input, one a line.
    """
    path = Path(config_places(session.config, os.environ, str(Path.cwd()), str(Path.home()))[0])
    first_config.require_free(path)
    if _asking.has_terminal():
        click.echo(WELCOME)
    answers: dict[str, str] = {}
    for question in questions(answers):
        if answer := _answer(question):
            answers[question.key] = answer
    first_config.write(path, answers)
    click.echo(f"\nWritten to {path.absolute()}, readable by you alone.")
    with closing(session.toolbox(looking=True)) as tools:
        for line in _next(tools):
            click.echo(line)


def _answer(question: Question) -> str:
    """Ask until the answer will do; "" where there is none."""
    while True:
        answer = _given(question) or question.default
        wrong = first_config.mend(question.key, answer) if answer else NEEDED if question.needed else None
        if wrong is None:
            return answer
        click.echo(f"{question.key}: {wrong}", err=True)


def _given(question: Question) -> str:
    is_hidden = first_config.is_hidden(question.key)
    words = f"{question.words} [{question.default}]" if question.default else question.words
    given = _asking.hidden(words) if is_hidden else _asking.shown(words)
    if given == "" and not _asking.has_terminal():  # an empty line has its end
        raise click.UsageError(f"the answers ended before that for {question.key}; nothing was written")
    return given.rstrip("\r\n") if is_hidden else given.strip()


def _next(tools: Toolbox) -> Iterator[str]:
    here = schedule.installation(tools)
    logins = (("login", "kraken"), ("login", "tesla")) if tools.config.tesla else (("login", "kraken"),)
    yield "\nNext, in this order:"
    for words in (*logins, ("doctor",), ("tick", "--dry-run")):
        yield f"  {shlex.join(here.line(*words))}"
    yield "\nThen let it run every minute: `crontab -e`, and paste these lines:\n"
    yield from schedule.crontab(here, schedule.FOUR)
