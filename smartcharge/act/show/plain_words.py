"""What the journal calls by code names, in plain words."""

from smartcharge.core.model import Because
from smartcharge.episodes import SIGN_IN
from smartcharge.store.journal import JournalRow

DECIDED = {
    Because.CHARGING_IN_WINDOW: "decided to hold the Powerwall",
    Because.OVERRUN: "decided to go on holding the Powerwall",
}
OUTCOMES = {
    "trouble": "",
    "failed": "did not work",
    "waiting": "",
    "waited": "goes on, there is nothing more to wait for",
    "changed": "",
    "sent": "",
    "already at rest": "the Powerwall was already at rest",
    "changed by hand": "stands down",
    "not ours": "stands down",
    "remarked": "noticed",
    "taken over": "took over from the earlier service",
}
"""What an entry's outcome is called; nothing where its detail says all."""
NAMES = {
    "kraken": "Kraken",
    "device": "the plan",
    "zappi": "the Zappi",
    "tesla": "the Powerwall",
    "mail": "the mail",
    "feed": "the calendar file",
    "clock": "the clock",
}
"""What an episode's kind is about."""


def entry(row: JournalRow) -> str:
    """One entry of the journal as a sentence of clauses."""
    why = row.because.sentence if row.because else None
    if row.outcome == "decided":
        return _joined(DECIDED.get(row.because or Because.SLOT_ENDS, "decided to bring the Powerwall back"), why)
    if row.outcome in {"confirmed", "written"} and row.detail:
        return _joined(f"Powerwall in {row.detail}", why)
    if row.outcome == "well again" and row.detail:
        return f"{subject(row.detail)} is well again"
    return _joined(OUTCOMES.get(row.outcome, row.outcome), row.detail, row.error or why)


def subject(kind: str) -> str:
    """What an episode of this kind is about, such as "Kraken" or "the sign-in to Kraken"."""
    name = NAMES.get(kind.removesuffix(SIGN_IN), kind)
    return f"the sign-in to {name}" if kind.endswith(SIGN_IN) else name


def _joined(*clauses: str | None) -> str:
    return ": ".join(dict.fromkeys(clause.rstrip(".") for clause in clauses if clause))
