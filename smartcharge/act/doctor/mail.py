"""The mail path: who posts to whom, what waits, and whether the mail server takes the sign-in."""

from collections.abc import Iterator

from smartcharge import wiring
from smartcharge.act.doctor.findings import Finding
from smartcharge.act.doctor.standing import Account, hindrance
from smartcharge.core.invite_remarks import remarks
from smartcharge.store import outbox
from smartcharge.toolbox import Toolbox

HERE = Account.MAIL.area


def remembered(tools: Toolbox) -> Iterator[Finding]:
    """What is known without asking."""
    if tools.config.invites is None:
        yield HERE.ok("account", "no complete account is set up, so no invites are sent")
        return
    posted = outbox.counts(tools.peek)
    yield from _addresses(tools, is_proven=posted.sent > 0)
    if posted.failed:
        mend = "`smartcharge history` tells why; often it is the address in gcal.invite_to"
        yield HERE.warning("outbox", f"invites that the mail server will never take: {posted.failed}", mend)
    else:
        yield HERE.ok("outbox", f"{posted.waiting} wait, {posted.sent} were sent")
    yield from _hindrance(tools)


def asked(tools: Toolbox) -> Iterator[Finding]:
    """Connect, TLS, sign-in; nothing is posted."""
    account = tools.config.invites
    if account is None or any(_hindrance(tools)):
        return
    tools.mailer.check()
    yield HERE.ok("sign-in", f"{account.smtp_host} takes it, over a verified connection")


def _hindrance(tools: Toolbox) -> Iterator[Finding]:
    return hindrance(tools, Account.MAIL, wiring.mail_fingerprint(tools.config))


def _addresses(tools: Toolbox, *, is_proven: bool) -> Iterator[Finding]:
    """What may keep invites off the calendar; once some were sent the owner has seen it, except to their own sender."""
    mail = tools.config.gcal
    if mail is None or mail.smtp_user is None:
        return
    is_own = mail.invite_to is None or mail.invite_to.lower() == mail.smtp_user.lower()
    for remark in remarks(mail.smtp_user, mail.invite_to):
        if remark in tools.config.warnings:
            continue
        says, _, mend = remark.partition(". ")
        if is_own or not is_proven:
            yield HERE.warning("addresses", says, mend)
        else:
            yield HERE.ok("addresses", says)
