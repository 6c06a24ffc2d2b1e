"""Post what waits in the outbox, within the mail's short share of a run; whatever happens, nothing is lost."""

import sqlite3

from smartcharge import budget, episodes, wiring
from smartcharge.act import patience
from smartcharge.act.words import span
from smartcharge.core.calendar import Method
from smartcharge.core.politeness import is_blocked
from smartcharge.core.posting import DAILY_CAP, Fate, Receipt, day_start, retry_at
from smartcharge.errors import ConfigurationRefused, SignInRefused, Throttled, Trouble, Unreachable
from smartcharge.store import invites, journal, outbox, services, transaction
from smartcharge.store.outbox import Letter
from smartcharge.toolbox import Toolbox

COMMAND = "send-invites"
MAIL = "mail"
TOLD = {outbox.ALERT: "told of trouble by mail", outbox.REPORT: "report sent by mail"}


def may_post(tools: Toolbox, db: sqlite3.Connection) -> bool:
    """Whether something waits that may be posted now; a remembered refusal is silent, and exit 5."""
    if tools.config.invites is None or not (outbox.has_unknown(db) or next_letter(tools, db)):
        return False
    row = services.service(db, MAIL)
    is_refused = row.refused_for == wiring.mail_fingerprint(tools.config)
    if is_refused:
        tools.exit_codes.append(SignInRefused.exit_code)
    if is_refused or is_blocked(tools.now, row.not_before):
        patience.explain(tools, MAIL)
        return False
    return True


def next_letter(tools: Toolbox, db: sqlite3.Connection) -> Letter | None:
    """The message whose turn it is, unless the day's mails are used up."""
    letter = outbox.next_due(db, tools.now)
    if letter is None:
        return None
    today = day_start(tools.now, tools.policy.cheap_period.zone)
    return letter if outbox.posted_since(db, today) < DAILY_CAP else None


def post_all(tools: Toolbox) -> None:
    """Post until nothing waits, or the mail server is in trouble. The caller holds the mail lock."""
    try:
        with budget.share(budget.MAIL_SECONDS):
            while letter := next_letter(tools, tools.db):
                _post(tools, letter)
    except budget.OutOfTime:
        _failed(tools, Unreachable("the mail server took too long", service=MAIL))
    except (Unreachable, SignInRefused) as trouble:
        _failed(tools, trouble)


def _post(tools: Toolbox, letter: Letter) -> None:
    """Freeze, commit, then speak to the mail server: a run that dies here leaves the same mail to the next one.

    A mail that a newer one has overtaken since it was looked up is left alone.
    """
    account = tools.config.invites
    recipient = letter.recipient if letter.message or account is None else account.invite_to
    message = letter.message or _written(tools, letter)
    with transaction(tools.db):
        if not outbox.claim(tools.db, letter, message, recipient, tools.now):
            return
        tools.count(MAIL)
    try:
        receipt = tools.mailer.send(message, recipient)
    except (Unreachable, SignInRefused) as trouble:
        with transaction(tools.db):
            outbox.not_taken(tools.db, letter, str(trouble))
        raise
    _conclude(tools, letter, receipt)


def _written(tools: Toolbox, letter: Letter) -> bytes:
    invite = invites.revision(tools.db, letter.uid, letter.sequence)
    return tools.invite_writer.message(invite, is_update=not letter.is_first)


def _conclude(tools: Toolbox, letter: Letter, receipt: Receipt) -> None:
    if receipt.fate is Fate.UNKNOWN:
        raise Unreachable("the mail server was lost while it took a mail, which is posted again", service=MAIL)
    told = _told(tools, letter)
    if receipt.fate is Fate.ACCEPTED:
        with transaction(tools.db):
            outbox.sent(tools.db, letter, tools.now)
            services.succeeded(tools.db, MAIL, tools.now)
            journal.append(tools.db, at=tools.now, command=COMMAND, outcome="sent", detail=told)
        episodes.went_well(tools, COMMAND, MAIL)
        tools.say(told)
        return
    trouble = _refusal(tools, letter, receipt)
    with transaction(tools.db):
        outbox.gave_up(tools.db, letter, str(trouble))
        journal.append(tools.db, at=tools.now, command=COMMAND, outcome="failed", error=str(trouble), detail=told)
    episodes.failed(tools, COMMAND, MAIL, trouble, urgent=True)


def _refusal(tools: Toolbox, letter: Letter, receipt: Receipt) -> Trouble:
    if receipt.fate is Fate.NO_SUCH_ADDRESS:
        is_alert = letter.method == outbox.ALERT
        is_theirs = is_alert or (letter.method == outbox.REPORT and tools.config.alerts.email is not None)
        key = "alerts.email" if is_theirs else "gcal.invite_to"
        return ConfigurationRefused(
            f"is refused by the mail server ({receipt.code})",
            place=str(tools.config.path),
            key=key,
            right="Give an address that takes mail.",
        )
    return Unreachable(f"the mail server refused an invite ({receipt.code})", service=MAIL)


def _failed(tools: Toolbox, trouble: Trouble) -> None:
    """Nothing else is tried in this run: what one mail has met, the others would meet too."""
    with transaction(tools.db):
        outbox.requeue_unknown(tools.db)
        if isinstance(trouble, SignInRefused):
            services.refused(tools.db, MAIL, tools.now, wiring.mail_fingerprint(tools.config), str(trouble))
        else:
            failures = services.service(tools.db, MAIL).failures + 1
            retry_after = trouble.retry_after if isinstance(trouble, Throttled) else None
            services.failed(tools.db, MAIL, tools.now, str(trouble), retry_at(tools.now, failures, retry_after))
    episodes.failed(tools, COMMAND, MAIL, trouble)


def _told(tools: Toolbox, letter: Letter) -> str:
    if letter.method in TOLD:
        return TOLD[letter.method]
    revision = invites.revision(tools.db, letter.uid, letter.sequence).revision
    when = span(revision.starts_at, revision.ends_at, tools.policy.cheap_period.zone)
    if revision.method is Method.CANCEL:
        return f"invite cancelled: {when}"
    return f"invite {'sent' if letter.is_first else 'updated'}: {when}"
