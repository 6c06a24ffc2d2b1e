"""Noise: trouble is told once when it begins and once when it is over, never in between.

An episode is one kind of trouble in one command. What the owner must mend is told at once; what may
pass is told at the fifth failure running, or at once when it holds back a release that is due.
"""

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta

from smartcharge import wiring
from smartcharge.errors import Busy, ConfigurationRefused, DatabaseRefused, SignInRefused, Trouble
from smartcharge.store import episodes, journal, outbox, transaction
from smartcharge.toolbox import Toolbox

PATIENCE = 5
WAITING = "waiting"
MAIL, LOCK = "mail", "the lock"
SIGN_IN = " sign-in"
"""A refused sign-in needs the owner: it is an episode of its own, and does not hide in an outage that may pass."""
NAMES = uuid.UUID("5b9f7a5e-6d0c-4f53-9d35-3a1f0d1f3b44")
"""The same line of the same moment gives the same mail."""


def failed(tools: Toolbox, command: str, kind: str, trouble: Trouble, *, urgent: bool = False) -> None:
    """Count a failed attempt, and tell the owner where it is time; the run's exit code remembers it."""
    tools.exit_codes.append(trouble.exit_code)
    tools.detail(f"{command}: {trouble}")
    if tools.dry_run:
        return
    kind = f"{kind}{SIGN_IN}" if isinstance(trouble, SignInRefused) else kind
    with transaction(tools.db):
        episode = episodes.count_failure(tools.db, command, kind, tools.now)
        at_once = urgent or isinstance(trouble, (ConfigurationRefused, DatabaseRefused, SignInRefused))
        due = episode.told_at is None and (at_once or episode.count >= PATIENCE)
        line = f"smartcharge {command}: {trouble}{_tally(episode.count)}"
        if due:
            episodes.mark_told(tools.db, command, kind, tools.now)
            journal.append(tools.db, at=tools.now, command=command, outcome="trouble", error=str(trouble))
            _mail(tools, kind, line)
    if due:
        tools.warn(line)


@contextmanager
def alone(tools: Toolbox, command: str) -> Iterator[None]:
    """Hold the one lock; another run that never lets go of it is trouble like any other."""
    with ExitStack() as held:
        try:
            held.enter_context(tools.alone())
        except Busy as busy:
            failed(tools, command, LOCK, Busy(busy.message, hint="`smartcharge doctor` says who, if it stays so"))
            raise
        yield
        went_well(tools, command, LOCK)  # last: on a full disk it cannot be noted, and a release must not wait for that


def went_well(tools: Toolbox, command: str, kind: str) -> None:
    """A real success ends an episode, and one of a refused sign-in; it is told where its beginning was."""
    _end(tools, command, kind)
    _end(tools, command, f"{kind}{SIGN_IN}")


def _end(tools: Toolbox, command: str, kind: str) -> None:
    if tools.dry_run or not episodes.is_open(tools.peek, command, kind):
        return
    with transaction(tools.db):
        episode = episodes.end(tools.db, command, kind)
        if episode is None or episode.told_at is None:
            return
        line = f"smartcharge {command}: {kind} is well again after {_span(tools.now - episode.since)}."
        journal.append(tools.db, at=tools.now, command=command, outcome="well again", detail=kind)
        _mail(tools, kind, line)
    tools.warn(line)


def waiting(tools: Toolbox, command: str, line: str) -> None:
    """An outside power has the battery: told once when that begins; it is nobody's failure."""
    tools.detail(f"{command}: {line}")
    if episodes.is_open(tools.peek, command, WAITING):
        return
    with transaction(tools.db):
        episodes.count_failure(tools.db, command, WAITING, tools.now)
        episodes.mark_told(tools.db, command, WAITING, tools.now)
        journal.append(tools.db, at=tools.now, command=command, outcome=WAITING, detail=line)
        _mail(tools, WAITING, f"smartcharge {command}: {line}.")
    tools.warn(f"smartcharge {command}: {line}.")


def waited(tools: Toolbox, command: str, line: str = "the battery is free again") -> None:
    """The outside power has let go, or nothing is wanted of the battery any more: told once."""
    if not episodes.is_open(tools.peek, command, WAITING):
        return
    with transaction(tools.db):
        episodes.end(tools.db, command, WAITING)
        journal.append(tools.db, at=tools.now, command=command, outcome="waited")
    tools.warn(f"smartcharge {command}: {line}.")


def _mail(tools: Toolbox, kind: str, line: str) -> None:
    """Let a line wait in the outbox for the address that wants to hear of trouble; in the change's transaction.

    Trouble with the mail itself is not told by mail.
    """
    account, recipient = tools.config.invites, tools.config.alerts.email
    if account is None or recipient is None or kind.startswith(MAIL):
        return
    key = str(uuid.uuid5(NAMES, f"{tools.now.isoformat()} {line}"))
    message = wiring.alert_message(sender=account.smtp_user, recipient=recipient, line=line, at=tools.now, key=key)
    outbox.queue_message(tools.db, key, message, recipient, tools.now)


def _tally(count: int) -> str:
    return f" ({count} times running.)" if count > 1 else ""


def _span(elapsed: timedelta) -> str:
    minutes = max(round(elapsed.total_seconds() / 60), 1)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.0f} h"  # noqa: PLR2004  # two hours
