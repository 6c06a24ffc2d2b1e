"""The lanes of a report's picture that tell what was said: mail, and trouble from its beginning to its end."""

from collections.abc import Iterable, Iterator

from smartcharge.act.report.words import View, times
from smartcharge.core.report import Lane, Look, Mark
from smartcharge.store.episodes import Episode
from smartcharge.store.journal import JournalRow

MAIL_COMMAND = "send-invites"
SENT, FAILED = "sent", "failed"
TROUBLED = {"trouble", FAILED}
WELL = {"well again": "well again", "waited": "the battery is free again"}


def mail(view: View, rows: Iterable[JournalRow]) -> Lane:
    """Invites, and what else went out."""
    sent = (row for row in rows if row.command == MAIL_COMMAND and row.outcome == SENT)
    return Lane("Mail", tuple(view.moment(Look.MAIL, row.at, row.detail or "sent") for row in sent))


def trouble(view: View, rows: Iterable[JournalRow], open_episodes: Iterable[Episode]) -> Lane:
    """What was told as trouble or noted as failed, what became well again, and what goes on."""
    return Lane("Trouble", (*_noted(view, rows), *_going_on(view, open_episodes)))


def is_trouble(row: JournalRow) -> bool:
    """Whether a row tells that something went wrong, or that an outside power had the battery."""
    return row.outcome in TROUBLED or row.outcome == "waiting"


def _noted(view: View, rows: Iterable[JournalRow]) -> Iterator[Mark]:
    told: set[tuple[object, ...]] = set()
    for row in rows:
        words = row.error or row.detail or row.outcome
        if is_trouble(row) and (row.at, words) not in told:  # what failed and was told of at once is one trouble
            told.add((row.at, words))
            yield view.moment(Look.TROUBLE, row.at, f"{row.command}: {words}")
        elif row.outcome in WELL:
            detail = f" ({row.detail})" if row.detail else ""
            yield view.moment(Look.WELL, row.at, f"{row.command}: {WELL[row.outcome]}{detail}")


def _going_on(view: View, episodes: Iterable[Episode]) -> Iterator[Mark]:
    for episode in episodes:
        if episode.since < view.known.ends_at:
            what = f"{episode.command}: {episode.kind}, {times(episode.count)} so far"
            yield view.stretch(Look.TROUBLE, episode.since, view.known.ends_at, what)
