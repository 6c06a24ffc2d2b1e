"""What the owner should know of his invite addresses before he wonders why nothing shows up."""

from collections.abc import Iterator

PLUS_FREE = ("gmail.com", "googlemail.com")
"""Here dots and plus tags make no other mailbox. Source: support.google.com/mail/answer/7436150."""


def remarks(sender: str, recipient: str | None) -> tuple[str, ...]:
    """Say what may keep invites off the calendar, a sentence with its mend each. recipient: None where not given."""
    return tuple(_remarks(sender, recipient))


def _remarks(sender: str, recipient: str | None) -> Iterator[str]:
    if recipient is None:
        yield "gcal.invite_to is missing, so invites go to their own sender. Add the address of your calendar."
    if recipient is None or _mailbox(recipient) == _mailbox(sender):
        yield (
            f"The invites of {sender} go to the same account, and Google may not put an organiser's own invites on "
            "its calendar. Send from a second account (gcal.smtp_user), or subscribe to gcal.feed_path."
        )
    else:
        yield (
            f"Google shows invites of known senders only, unless told otherwise. Add {sender} to the contacts "
            f"of {recipient} once."
        )
    if recipient is not None and "+" in recipient.partition("@")[0]:
        yield (
            f"gcal.invite_to has a plus tag ({recipient}), and many calendars take invites to the plain address "
            "only. Give the address without it."
        )


def _mailbox(address: str) -> str:
    """Spell an address as its mail server tells mailboxes apart, as far as that is known."""
    name, _, host = address.lower().rpartition("@")
    if host in PLUS_FREE:
        return f"{name.partition('+')[0].replace('.', '')}@gmail.com"
    return f"{name}@{host}"
