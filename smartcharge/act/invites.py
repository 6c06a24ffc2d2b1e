"""Calendar invites: what is due is written down with the change that causes it, and posted when it may be.

Nothing of this can delay the battery or change what it does: in a run it comes last, and what goes wrong here
stays here.
"""

import sqlite3

from smartcharge.act import invite_feed
from smartcharge.act.invite_post import may_post, post_all
from smartcharge.act.words import span
from smartcharge.core.calendar import Method, Revision
from smartcharge.core.invites import due
from smartcharge.files import locked
from smartcharge.guard import attempt
from smartcharge.store import invites, outbox, transaction
from smartcharge.toolbox import Toolbox


def intend(tools: Toolbox) -> None:
    """Write down the revisions that a change of the plan or of a hold makes due, in that change's own transaction.

    What cannot be worked out is left to `run`, which looks again; the change itself stands.
    """
    tools.db.execute("SAVEPOINT invites")
    if code := attempt(lambda: _intend(tools)):
        tools.exit_codes.append(code)
        tools.db.execute("ROLLBACK TO invites")
    tools.db.execute("RELEASE invites")


def _intend(tools: Toolbox) -> None:
    account = tools.config.invites
    for revision in _due(tools, tools.db):
        invite = invites.record(tools.db, revision)
        if account:
            outbox.queue(tools.db, invite.uid, revision.sequence, revision.method, account.invite_to, tools.now)


def run(tools: Toolbox) -> None:
    """Look first, without the lock; of two runs at the same moment one posts and the other goes home."""
    if tools.dry_run:
        rehearse(tools)
        return
    if not has_work(tools, tools.peek):
        return
    with locked(tools.config.folder / "mail.lock", wait_seconds=0) as had:
        if had:
            settle(tools)


def has_work(tools: Toolbox, db: sqlite3.Connection) -> bool:
    """Whether anything is to be written down, written out, or posted."""
    return bool(_due(tools, db)) or invite_feed.is_stale(tools, db) or may_post(tools, db)


def settle(tools: Toolbox) -> None:
    """Bring outbox, feed and the family's calendar up to date. The caller holds the mail lock."""
    if _due(tools, tools.db) or outbox.has_unknown(tools.db):
        with transaction(tools.db):
            outbox.requeue_unknown(tools.db)
            intend(tools)
    if invite_feed.is_stale(tools, tools.db):
        invite_feed.write(tools)
    if may_post(tools, tools.db):
        post_all(tools)


def rehearse(tools: Toolbox) -> None:
    """Say what would be posted, and to whom; nothing is written, and nobody is spoken to."""
    db, account = tools.peek, tools.config.invites
    new = {invites.uid(db, revision.first_start): revision for revision in _due(tools, db)}
    if account:
        _rehearse_waiting(tools, set(new))
        for uid, revision in new.items():
            if revision.method is Method.REQUEST or outbox.is_known_outside(db, uid):
                _rehearse(tools, account.invite_to, uid, revision)
    if new and tools.config.gcal and tools.config.gcal.feed_path:
        tools.say(f"would write {tools.config.gcal.feed_path}")


def _rehearse_waiting(tools: Toolbox, overtaken: set[str]) -> None:
    for letter in outbox.waiting(tools.peek):
        if letter.method == outbox.ALERT:
            tools.say(f"would tell {letter.recipient} of trouble")
        elif letter.method == outbox.REPORT:
            tools.say(f"would send a report to {letter.recipient}")
        elif letter.uid not in overtaken:
            revision = invites.revision(tools.peek, letter.uid, letter.sequence).revision
            _rehearse(tools, letter.recipient, letter.uid, revision)


def _rehearse(tools: Toolbox, recipient: str, uid: str, revision: Revision) -> None:
    when = span(revision.starts_at, revision.ends_at, tools.policy.cheap_period.zone)
    tools.say(f"would send {revision.method} to {recipient}: {when}, uid {uid}, sequence {revision.sequence}")


def _due(tools: Toolbox, db: sqlite3.Connection) -> tuple[Revision, ...]:
    gcal = tools.config.gcal
    if gcal is None or not (tools.config.invites or gcal.feed_path) or tools.config.control.shadow:
        return ()
    planned = gcal.invite_when == "planned"
    return due(invites.evidence(db, tools.now, tools.policy.cheap_period, when_planned=planned))
