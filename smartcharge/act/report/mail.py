"""A report by mail: text and page in one message, which waits in the outbox, once for its period."""

from datetime import datetime
from uuid import UUID, uuid5

from smartcharge import wiring
from smartcharge.act.report import text
from smartcharge.core.report import Report
from smartcharge.errors import ConfigurationRefused
from smartcharge.store import invites, outbox, transaction
from smartcharge.toolbox import Toolbox


def queue(tools: Toolbox, report: Report, period_start: datetime) -> None:
    """Let the report wait for `send-invites`; the same period's is the same message, and waits or goes out once.

    It goes to alerts.email, or else to where the invites go. Raises `ConfigurationRefused` without a mail account.
    """
    account = tools.config.invites
    if account is None:
        raise ConfigurationRefused(
            "is missing, so there is no account to mail a report from",
            place=str(tools.config.path),
            key=missing_key(tools),
            right="Give gcal.smtp_user and gcal.smtp_pass, or write the page to a file with --html FILE.",
        )
    recipient = tools.config.alerts.email or account.invite_to
    length = "day" if report.picture else "month"
    key = str(uuid5(UUID(invites.uid(tools.db, period_start)), f"report of a {length}"))
    message = wiring.report_message(
        sender=account.smtp_user,
        recipient=recipient,
        subject=f"smartcharge: {report.title}",
        text="\n".join(text.lines(report)),
        page=tools.page_writer.page(report),
        at=tools.now,
        key=key,
    )
    with transaction(tools.db):
        outbox.queue_message(tools.db, key, message, recipient, tools.now, method=outbox.REPORT)
    tools.detail(f"report: {report.title} waits for the mail to {recipient}")


def missing_key(tools: Toolbox) -> str:
    """The key that is missing for a mail account."""
    gcal = tools.config.gcal
    return "gcal.smtp_user" if gcal is None or gcal.smtp_user is None else "gcal.smtp_pass"
