"""A hold that the gateway itself ends, where it can: the battery comes back even if this computer dies.

The settings are left as they were; what is asked for is Tesla's own timed Max Backup, to the end of the hold.
"""

from datetime import timedelta

from msgspec.structs import replace

from smartcharge.act.conversation import Conversation
from smartcharge.core.stance import BACKUP, FULL_PCT, Stance, Write, agrees, is_near
from smartcharge.errors import LeaseUnknown
from smartcharge.ports import DirectBattery

EARLY = timedelta(seconds=30)
"""A gateway that hears of a lease late ends it late; one that is over so long before its time was ended by hand."""


def take(talk: Conversation, lease: Write) -> bool:
    """Have the gateway hold by itself; False where it cannot. The caller has remembered that it is ours.

    Only over settings that are as they were found: what was written there is held, and brought back, from there.
    """
    if not isinstance(talk.powerwall, DirectBattery) or not _is_untouched(talk):
        return False
    try:
        if not lease.is_seen_in(talk.seen):
            talk.write(lease)
    except LeaseUnknown:
        talk.remember(replace(talk.memory, leased_until=None))
        return False
    talk.remember(
        replace(
            talk.memory,
            confirmed_mode=BACKUP,
            confirmed_reserve_pct=FULL_PCT,
            in_doubt_since=None,
            unproven_until=None,
            leased_until=lease.until,
        )
    )
    return True


def end(talk: Conversation) -> None:
    """End a lease of ours; from here on the battery is known by what lay beneath it."""
    doubt = talk.memory.in_doubt_since
    if talk.seen.leased_until and is_ours(talk):
        talk.write(Write(ends_lease=True))
        unproven_until = talk.memory.unproven_until if doubt else None
        talk.remember(replace(talk.memory, in_doubt_since=doubt, unproven_until=unproven_until))
    _lay_bare(talk)


def is_ours(talk: Conversation) -> bool:
    """Whether the lease that is read is the one that was asked for; in doubt it may be the one before."""
    memory = talk.memory
    asked_for = memory.leased_until is not None
    return asked_for and (memory.in_doubt_since is not None or is_near(talk.seen.leased_until, memory.leased_until))


def is_cut_short(talk: Conversation) -> bool:
    """Whether the owner ended our lease in his app; where he changed the settings beneath it, it is ended here."""
    memory, seen = talk.memory, talk.seen
    if memory.leased_until is None or memory.in_doubt_since is not None:
        return False
    if seen.leased_until is None:
        _lay_bare(talk)
        return talk.tools.now < memory.leased_until - EARLY
    if not _is_untouched(talk):
        end(talk)
    return False


def _is_untouched(talk: Conversation) -> bool:
    """Whether the settings, beneath a lease or without one, are as they were before anything was ours."""
    before, seen = talk.memory.before, talk.seen
    settings = seen.beneath or Stance(seen.mode or "", round(seen.reserve_pct or 0))
    if before is None:
        return True
    near = agrees(settings.reserve_pct, before.reserve_pct, clamped=False, within=seen.exact_to_pct)
    return near and settings.mode == before.mode


def _lay_bare(talk: Conversation) -> None:
    """While a lease is in doubt it may still begin, so it is not forgotten then."""
    memory, before = talk.memory, talk.memory.before
    if memory.leased_until is not None:
        talk.remember(
            replace(
                memory,
                confirmed_mode=before.mode if before else None,
                confirmed_reserve_pct=before.reserve_pct if before else None,
                leased_until=memory.leased_until if memory.in_doubt_since else None,
            )
        )
