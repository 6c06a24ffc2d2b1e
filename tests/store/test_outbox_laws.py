"""Laws of the calendar over histories that nobody thought of, through the real database."""

from datetime import timedelta
from itertools import combinations, pairwise

from calendar_histories import DAY, HISTORY_STRATEGY, POLICY, HistoryStep, SimulatedCalendar
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smartcharge.policy.calendar import InviteMethod, due_revisions
from smartcharge.store.control import load_hold_history

THOROUGH = settings(
    max_examples=80, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)


def lived(history: list[HistoryStep], *, show_planned: bool) -> SimulatedCalendar:
    family = SimulatedCalendar(show_planned)
    for step in history:
        family.live(step)
    return family


@THOROUGH
@given(HISTORY_STRATEGY, st.booleans())
def test_once_the_mail_is_well_the_calendar_shows_what_it_should(
    history: list[HistoryStep],
    show_planned: bool,  # noqa: FBT001
) -> None:  # noqa: FBT001, RUF100
    family = lived(history, show_planned=show_planned)
    family.catch_up()

    for uid, wanted in family.events().items():
        has = family.calendar.get(uid)
        if wanted.revision.method is InviteMethod.CANCEL:
            assert has is None or has.revision.method is InviteMethod.CANCEL
        else:
            assert has == wanted
    assert family.calendar.keys() <= family.events().keys()


@THOROUGH
@given(HISTORY_STRATEGY, st.booleans())
def test_no_older_revision_arrives_after_a_newer_and_a_repeat_is_the_same_mail(
    history: list[HistoryStep],
    show_planned: bool,  # noqa: FBT001
) -> None:
    family = lived(history, show_planned=show_planned)
    family.catch_up()

    for uid in family.calendar:
        mails = [(invite.revision.sequence, mail) for _, invite, mail in family.arrived if invite.uid == uid]
        for (sequence, mail), (later_sequence, later_mail) in pairwise(mails):
            assert later_sequence > sequence or (later_sequence == sequence and later_mail == mail)


@THOROUGH
@given(HISTORY_STRATEGY, st.booleans())
def test_an_event_has_one_new_mail_in_five_minutes(history: list[HistoryStep], show_planned: bool) -> None:  # noqa: FBT001
    family = lived(history, show_planned=show_planned)
    family.catch_up()

    for uid in family.calendar:
        mails = [(when, invite) for when, invite, _ in family.arrived if invite.uid == uid]
        for (when, invite), (later, later_invite) in pairwise(mails):
            assert invite == later_invite or (later - when).total_seconds() >= 300


@THOROUGH
@given(HISTORY_STRATEGY, st.booleans())
def test_sequence_and_stamp_grow_with_every_revision_and_deciding_again_changes_nothing(
    history: list[HistoryStep],
    show_planned: bool,  # noqa: FBT001
) -> None:
    family = SimulatedCalendar(show_planned)
    for step in history:
        family.live(step)
        if step[0] in {"plan", "tick"}:
            assert due_revisions(family.evidence) == ()

    for uid in family.events():
        rows = family.db.execute("SELECT * FROM events WHERE uid = ? ORDER BY sequence", (uid,)).fetchall()
        assert [row["sequence"] for row in rows] == list(range(len(rows)))
        assert all(a["stamped_at"] < b["stamped_at"] for a, b in pairwise(rows))
        assert all(
            (a["starts_at"], a["ends_at"], a["method"]) != (b["starts_at"], b["ends_at"], b["method"])
            for a, b in pairwise(rows)
        )
        assert {row["first_start"] for row in rows} == {rows[0]["first_start"]}


@THOROUGH
@given(HISTORY_STRATEGY, st.booleans())
def test_no_two_events_show_the_same_time_and_none_the_night(history: list[HistoryStep], show_planned: bool) -> None:  # noqa: FBT001
    family = SimulatedCalendar(show_planned)
    for step in history:
        family.live(step)
        for one, other in combinations(family.shown(), 2):
            assert one.ends_at <= other.starts_at or other.ends_at <= one.starts_at
    for span in family.shown():
        night = POLICY.cheap_period.containing(span.starts_at)
        assert night is None
        assert span.ends_at <= POLICY.cheap_period.next_start(span.starts_at)


@THOROUGH
@given(HISTORY_STRATEGY, st.booleans())
def test_every_moment_that_was_charged_is_shown_once(history: list[HistoryStep], show_planned: bool) -> None:  # noqa: FBT001
    family = lived(history, show_planned=show_planned)

    for row in load_hold_history(family.db, family.now - DAY, family.now + DAY):
        end = min(row.closed_at or row.hold.until, row.hold.until)
        for moment in (row.opened_at, end - timedelta(seconds=1)):
            if row.opened_at <= moment:
                assert sum(span.covers(moment) for span in family.shown()) == 1
