"""What the lanes of a report's picture say, from rows of the memory."""

from datetime import UTC, date, datetime, timedelta

import pytest
from msgspec.structs import replace

from smartcharge.formatting import settings_text
from smartcharge.policy.battery import BatterySettings
from smartcharge.policy.energy import Basis, Energy
from smartcharge.policy.ledger import LedgerEntry, LedgerTotals, TariffRates, sum_entries
from smartcharge.policy.model import BatteryLevel, ChargerReading, ChargerState, Hold, HoldKind, Reason
from smartcharge.policy.slots import SLOT
from smartcharge.report.lanes import (
    MAX_LANE_MARKS,
    battery_confirmed_lane,
    battery_level_lane,
    battery_requested_lane,
    car_lane,
    hold_lane,
    limit_lane_marks,
    mail_lane,
    plan_lane,
    problem_lane,
    rate_lane,
)
from smartcharge.report.load import day_span, month_days, month_span, report_figures
from smartcharge.report.model import ChartLane, MarkStyle
from smartcharge.report.words import (
    MAX_NOTE_LENGTH,
    DayView,
    date_time_text,
    energy_sum_text,
    hours_text,
    money_text,
    shorten_text,
    times_text,
)
from smartcharge.store.control import HoldRow
from smartcharge.store.dispatches import DispatchRow
from smartcharge.store.events import NO_DETAIL, Event, EventDetail
from smartcharge.store.journal import JournalRow
from smartcharge.store.services import Alert

LONDON = "Europe/London"
MIDNIGHT = datetime(2026, 12, 9, tzinfo=UTC)
PRICES = TariffRates(6.0, 26.0)
FILL, NORMAL = EventDetail(mode="backup", reserve_pct=100), EventDetail(mode="autonomous", reserve_pct=20)
BACKUP, REST = (settings_text(BatterySettings(each.mode or "", each.reserve_pct or 0)) for each in (FILL, NORMAL))


def at(clock: str, day: int = 9) -> datetime:
    """A moment of December 2026."""
    return datetime.fromisoformat(f"2026-12-{day:02}T{clock}:00Z")


def view(now: datetime = MIDNIGHT + timedelta(days=2)) -> DayView:
    """The ninth, looked at later."""
    return DayView(day_span(date(2026, 12, 9), LONDON), LONDON, now)


def told(lane: ChartLane) -> list[tuple[str, str, str]]:
    """A lane as look, when, what."""
    return [(str(mark.look), mark.when, mark.what) for mark in lane.marks]


def row(
    clock: str,
    outcome: str,
    detail: EventDetail | str = NO_DETAIL,
    *,
    day: int = 9,
    command: str = "reconcile",
    error: str | None = None,
    reason: Reason | None = None,
) -> JournalRow:
    """A row of the journal."""
    detail = EventDetail(text=detail) if isinstance(detail, str) else detail
    return JournalRow(1, at(clock, day), command, Event(outcome), reason, error=error, detail=detail)


def reading(clock: str, state: ChargerState, watts: float | None = 0) -> ChargerReading:
    """A reading of the charger."""
    return ChargerReading(state, at(clock), watts, "a clause")


def hold(opened: str, until: str, closed: str | None, kind: HoldKind = HoldKind.WINDOW) -> HoldRow:
    """A hold, released because the car stopped."""
    ended = {"closed_at": at(closed), "closed_reason": Reason.CAR_STOPPED} if closed else {}
    ended |= {"confirmed_at": at(opened)}
    return HoldRow(1, Hold(at(until), kind), at(opened), Reason.CHARGING_IN_WINDOW, **ended)  # type: ignore[arg-type]


def window(
    starts_at: datetime,
    ends_at: datetime,
    seen_at: datetime,
    energy_kwh: float | None = None,
    *,
    kind: str = "planned",
    withdrawn_at: datetime | None = None,
    superseded_by: int | None = None,
) -> DispatchRow:
    """A dispatch as the memory lists it."""
    return DispatchRow(
        1, kind, "car", starts_at, ends_at, energy_kwh, withdrawn_at is None, seen_at, withdrawn_at, superseded_by
    )


def day(**marked: LedgerEntry) -> list[LedgerEntry]:
    """The half hours of the day; some of them are given by their clock, as h1300."""
    slots = [MIDNIGHT + n * SLOT for n in range(48)]
    return [marked.get(f"h{start:%H%M}", LedgerEntry(start)) for start in slots]


def test_the_rate_is_told_in_stretches_with_its_reason() -> None:
    entries = day(
        h0000=LedgerEntry(at("00:00"), night=True, cheap=True),
        h0030=LedgerEntry(at("00:30"), night=True, cheap=True),
        h1300=LedgerEntry(at("13:00"), cheap=True, completed=True, held=SLOT),
        h1330=LedgerEntry(at("13:30"), cheap=True, planned=True, started=True, held=SLOT),
        h1400=LedgerEntry(at("14:00"), cheap=True, completed=True),
        h1500=LedgerEntry(at("15:00"), held=SLOT, battery=Energy(2.0, Basis.MEASURED)),
    )

    assert told(rate_lane(view(), entries)) == [
        ("night", "00:00-01:00", "off-peak hours"),
        ("cheap", "13:00-13:30", "off-peak, as the supplier reports"),
        ("believed", "13:30-14:00", "off-peak as scheduled, not yet confirmed"),
        ("cheap", "14:00-14:30", "off-peak, as the supplier reports, but the Powerwall was not charged"),
        ("dear", "15:00-15:30", "charged at the peak rate"),
    ]


def test_every_revision_of_a_window_keeps_its_fate() -> None:
    rows = [
        window(at("13:00"), at("15:00"), at("13:20")),
        window(at("13:00"), at("14:30"), at("11:51"), 10.8, withdrawn_at=at("13:20"), superseded_by=2),
        window(at("23:30"), at("04:30", 10), at("20:00", 8), 7.2, withdrawn_at=at("17:08")),
        window(at("13:00"), at("13:30"), at("16:00"), 3.6, kind="completed"),
    ]

    assert told(plan_lane(view(), rows)) == [
        (
            "withdrawn",
            "23:30 - Thu 10 Dec 04:30",
            "slot announced at Tue 08 Dec 20:00, about 7.2 kWh, withdrawn at 17:08",
        ),
        ("replaced", "13:00-14:30", "slot announced at 11:51, about 10.8 kWh, moved at 13:20"),
        ("live", "13:00-15:00", "slot announced at 13:20"),
    ]


def test_what_goes_beyond_the_day_is_cut_in_the_picture_and_true_in_words() -> None:
    (mark,) = plan_lane(view(), [window(at("22:00", 8), at("01:00"), at("20:00", 8))]).marks

    assert (mark.span.starts_at, mark.span.ends_at) == (MIDNIGHT, at("01:00"))
    assert mark.when == "Tue 08 Dec 22:00 - 01:00"


def test_a_hold_is_told_in_its_parts_and_with_its_release() -> None:
    entries = day(h1430=LedgerEntry(at("14:30"), extension=True))

    lane = hold_lane(view(), [hold("13:04", "15:00", "14:50", HoldKind.EXTENSION)], entries)

    assert told(lane) == [
        ("hold", "13:04-14:30", "charged for 1 h 26 min"),
        ("extension", "14:30-14:50", "charged for 20 min longer, because the car was still charging"),
        ("release", "14:50", f"back to normal: {Reason.CAR_STOPPED.sentence}"),
    ]


def test_a_hold_in_the_shadow_is_told_as_what_would_have_been() -> None:
    entries = day(h1400=LedgerEntry(at("14:00"), in_shadow=True), h1430=LedgerEntry(at("14:30"), in_shadow=True))

    lane = hold_lane(view(), [hold("13:04", "15:00", "14:50")], entries)

    assert told(lane) == [
        ("hold", "13:04-14:00", "charged for 56 min"),
        ("rehearsed", "14:00-14:50", "would have charged for 50 min"),
        ("release", "14:50", f"would have been back to normal: {Reason.CAR_STOPPED.sentence}"),
    ]


def test_an_open_hold_says_how_long_it_stands() -> None:
    now = view(at("13:10"))

    assert told(hold_lane(now, [hold("13:04", "13:30", None)], day())) == [
        ("hold", "13:04-13:30", "charged for 26 min, continues until 13:30")
    ]


def test_what_is_asked_of_the_battery_is_what_it_confirmed() -> None:
    now, held = view(at("13:10")), [hold("13:04", "13:30", None)]
    preserve = EventDetail(mode="self_consumption", reserve_pct=60, until=at("13:30"))
    confirmed = row("13:05", "confirmed", preserve, reason=Reason.CHARGING_IN_WINDOW)

    ((look, when, what),) = told(battery_requested_lane(now, held, [confirmed]))
    assert (look, when) == ("asked", "13:04-13:10")
    assert "60 %" in what
    assert told(battery_requested_lane(now, held, [])) == [("asked", "13:04-13:10", "asked for, not confirmed")]


def test_readings_that_say_the_same_are_one_stretch() -> None:
    idle, charging, unknown = ChargerState.IDLE, ChargerState.CHARGING, ChargerState.UNKNOWN
    lane = car_lane(
        view(),
        [
            reading("13:00", idle),
            reading("13:02", idle),
            reading("13:04", charging, 7000),
            reading("13:29", charging, 7240),
            reading("13:40", unknown, None),
            reading("20:00", idle),
        ],
    )

    assert told(lane) == [
        ("idle", "13:00-13:04", "the car was not charging (2 readings)"),
        ("charging", "13:04-13:40", "the car was charging at 7.0 to 7.2 kW (2 readings)"),
        ("unknown", "13:40-13:41", "no reading of the Zappi: a clause (1 reading)"),
        ("idle", "20:00-20:01", "the car was not charging (1 reading)"),
    ]
    assert [(point.at, point.value) for point in lane.marks[1].points] == [
        (at("13:04"), 7.0),
        (at("13:29"), 7.24),
        (at("13:40"), 7.24),
    ]
    assert lane.top == 7.4


def test_a_charger_of_three_phases_raises_the_scale() -> None:
    assert car_lane(view(), [reading("13:00", ChargerState.CHARGING, 22_000)]).top == 22


def test_the_level_is_one_course_as_long_as_it_is_read() -> None:
    readings = [BatteryLevel(at(clock), soe_pct) for clock, soe_pct in (("13:04", 29), ("13:29", 44), ("16:00", 80))]

    assert told(battery_level_lane(view(), [*readings, BatteryLevel(at("16:05"), None)])) == [
        ("level", "13:04-13:29", "from 29 to 44 % full"),
        ("level", "16:00", "80 % full"),
    ]


def test_a_stance_stands_from_its_reading_to_the_next() -> None:
    rows = [
        row("00:00", "already at rest", day=8, command="midnight-reset", detail=NORMAL),
        row("13:04", "decided"),
        row("13:05", "failed", error="Tesla does not answer."),
        row("13:06", "confirmed", replace(FILL, until=at("13:30")), reason=Reason.CHARGING_IN_WINDOW),
        row("13:29", "confirmed", replace(FILL, until=at("14:00")), reason=Reason.CHARGING_IN_WINDOW),
        row("13:40", "changed by hand", detail="the battery was changed by hand"),
        row("13:50", "waiting", detail="Storm Watch has the battery"),
        row("14:10", "waited"),
        row("14:20", "confirmed", NORMAL, reason=Reason.SLOT_ENDS),
    ]

    assert told(battery_confirmed_lane(view(at("15:00")), rows)) == [
        ("rest", "Tue 08 Dec 00:00 - 13:05", REST),
        ("doubt", "13:05-13:06", "not confirmed: Tesla does not answer."),
        ("backup", "13:06-13:40", BACKUP),
        ("hand", "13:40-13:50", "the battery was changed by hand"),
        ("hand", "13:50-14:10", "Storm Watch has the battery"),
        ("rest", "14:20-15:00", REST),
    ]


def test_mail_that_failed_says_nothing_of_the_battery() -> None:
    assert (
        battery_confirmed_lane(view(), [row("13:20", "failed", command="send-invites", error="refused (550).")]).marks
        == ()
    )


def test_mail_that_failed_is_trouble_and_mail_that_went_is_none() -> None:
    rows = [
        row("13:04", "sent", command="send-invites", detail="invite sent: Wed 13:00-14:30"),
        row("13:20", "failed", command="send-invites", detail="invite updated", error="refused (550)."),
    ]

    assert told(mail_lane(view(), rows)) == [("mail", "13:04", "invite sent: Wed 13:00-14:30")]
    assert told(problem_lane(view(), rows, [])) == [("trouble", "13:20", "send-invites: refused (550).")]


def test_trouble_is_told_once_and_so_is_its_end() -> None:
    rows = [
        row("13:00", "failed", error="Tesla does not answer."),
        row("13:00", "trouble", error="Tesla does not answer."),
        row("13:30", "well again", EventDetail(subject="tesla")),
        row("14:00", "waiting", detail="a power cut has the battery"),
        row("14:30", "waited"),
    ]
    open_ones = [
        Alert("reconcile", "zappi", at("22:00"), 7, at("22:05")),
        Alert("reconcile", "zappi", at("09:00", 10), 1),
    ]

    assert told(problem_lane(view(), rows, open_ones)) == [
        ("trouble", "13:00", "reconcile: Tesla does not answer."),
        ("well", "13:30", "reconcile: Tesla works again"),
        ("trouble", "14:00", "reconcile: a power cut has the battery"),
        ("well", "14:30", "reconcile: the Powerwall can be controlled again"),
        ("trouble", "22:00-24:00", "reconcile: problem with the Zappi, 7 times so far"),
    ]


def test_a_lane_with_too_much_ends_in_how_much_more_there_is() -> None:
    rows = [row(f"{n // 60:02}:{n % 60:02}", "sent", command="send-invites", detail=str(n)) for n in range(120)]

    lane = limit_lane_marks(view(), mail_lane(view(), rows))

    assert len(lane.marks) == MAX_LANE_MARKS
    assert told(lane)[-1] == ("more", "00:49-01:59", "71 more; `smartcharge history` shows them all")
    assert limit_lane_marks(view(), lane) is lane


def test_a_day_is_as_long_as_the_clocks_make_it() -> None:
    lengths = [day_span(each, LONDON) for each in (date(2026, 3, 29), date(2026, 10, 25), date(2026, 12, 9))]

    assert [(span.ends_at - span.starts_at) / timedelta(hours=1) for span in lengths] == [23, 25, 24]


def test_a_month_is_all_its_days() -> None:
    for month, days in ((2, 28), (10, 31), (12, 31)):
        found = month_days(date(2026, month, days))
        span = month_span(date(2026, month, 1), LONDON)
        assert len(found) == days
        assert (found[0].day, found[-1].day) == (1, days)
        assert span.starts_at == day_span(found[0], LONDON).starts_at
        assert span.ends_at == day_span(found[-1], LONDON).ends_at


@pytest.mark.parametrize(
    ("clock", "words"),
    [("2026-10-25T00:30:00Z", "01:30 BST"), ("2026-10-25T01:30:00Z", "01:30 GMT"), ("2026-10-26T00:00:00Z", "24:00")],
)
def test_the_hour_that_comes_twice_is_told_apart(clock: str, words: str) -> None:
    autumn = DayView(day_span(date(2026, 10, 25), LONDON), LONDON, MIDNIGHT)

    assert autumn.clock_text(datetime.fromisoformat(clock)) == words


def test_amounts_are_short_and_exact_enough() -> None:
    assert [hours_text(timedelta(minutes=n)) for n in (0, 20, 60, 136)] == ["", "20 min", "1 h", "2 h 16 min"]
    assert hours_text(timedelta(seconds=10)) == "0 min"
    assert [money_text(pence) for pence in (None, 0.4, 62.4, 99.6, 192.04, 123456)] == [
        "",
        "0 p",
        "62 p",
        "£1.00",
        "£1.92",
        "£1,234.56",
    ]
    assert [times_text(n) for n in (1, 2)] == ["once", "2 times"]
    assert energy_sum_text([]) == ("not known", "")
    assert energy_sum_text([Energy(3.6, Basis.REPORTED)]) == ("3.6 kWh", "reported")
    assert energy_sum_text([Energy(3.6, Basis.REPORTED), Energy(2.4, Basis.MEASURED)]) == (
        "6.0 kWh",
        "3.6 reported, 2.4 measured",
    )
    assert date_time_text(at("15:40"), LONDON) == "Wed 9 Dec 2026 15:40"


def test_words_from_outside_stay_on_their_line_and_short() -> None:
    assert shorten_text("one\ntwo\x1b[31m three") == "one two?[31m three"
    assert len(shorten_text("word " * 200)) == MAX_NOTE_LENGTH


def test_every_sum_names_its_basis() -> None:
    entries = day(
        h1300=LedgerEntry(at("13:00"), cheap=True, completed=True, held=SLOT, car=Energy(3.0, Basis.REPORTED))
    )

    sums = {each.name: (each.amount, each.basis) for each in report_figures(sum_entries(entries, PRICES))}

    assert sums["Saving"] == ("60 p", "reported")
    assert sums["Paid for that energy"] == ("18 p", "reported")
    assert sums["The same at the peak rate"] == ("78 p", "reported")
    assert sums["Powerwall charged"] == ("30 min", "counted")
    assert sums["Into the Powerwall"] == ("not known", "")


def test_a_leak_is_priced_where_energy_is_known() -> None:
    entries = day(
        h1300=LedgerEntry(at("13:00"), held=SLOT, battery=Energy(2.0, Basis.MEASURED)),
        h1400=LedgerEntry(at("14:00"), cheap=True, completed=True),
    )

    sums = {each.name: each.amount for each in report_figures(sum_entries(entries, PRICES))}

    assert sums["Charged at the peak rate"] == "1 half hour, 2.0 kWh, 40 p"
    assert sums["Off-peak half hour missed"] == "1 half hour"
    assert sums["Saving"] == "none"


def test_the_figures_to_be_seen_first_are_four_at_most() -> None:
    assert [each.name for each in report_figures(sum_entries(day(), PRICES)) if each.chief] == [
        *("Saving", "Powerwall charged", "Into the car", "Into the Powerwall")
    ]
    assert [each.name for each in report_figures(LedgerTotals()) if each.chief] == [
        "Powerwall charged",
        "Into the car",
        "Into the Powerwall",
    ]


def test_every_look_has_words_of_its_own() -> None:
    assert len({look.sentence for look in MarkStyle}) == len(MarkStyle)
