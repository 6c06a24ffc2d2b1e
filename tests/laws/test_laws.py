"""Every law notices when it is broken, and only then: each case is a short record of minutes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from laws.battery_laws import CommandLaws, MissedHoldLaws, ReturnLaws
from laws.journal_laws import judge_evidence
from laws.message_laws import MailLaws, OutputLaws, QuestionLaws
from laws.record import HOLDING_VALUES, MINUTE, Command, Mail, Minute, Outcome, Question

from smartcharge.policy.model import ChargerState, DispatchWindow, Hold, HoldKind, Policy, State
from smartcharge.policy.slots import CheapPeriod

BEGINS_AT = datetime(2026, 12, 9, 13, 0, 2, tzinfo=UTC)
SITE = "2252000001"
HELD = Hold(BEGINS_AT.replace(hour=15, second=0), HoldKind.WINDOW)
ATTEMPT_MINUTES = (0, 1, 2, 3, 5, 9, 14, 19, 24, 29, 34, 39, 44, 49, 54, 59)


def at(number: int) -> datetime:
    return BEGINS_AT + number * MINUTE


def minute(number: int, *commands: Command, hold: Hold | None = None, **details: object) -> Minute:
    """A minute with one run, in which these commands were given."""
    return replace(Minute(at=at(number), clock=at(number), hold=hold, commands=commands), **details)


def command(
    number: int, kind: str = "mode", outcome: Outcome = Outcome.REFUSED, *, hold: bool = False, site: str = SITE
) -> Command:
    """A command of a hold or of a return."""
    value: str | int = ("backup" if hold else "autonomous") if kind == "mode" else (100 if hold else 20)
    return Command(at(number), kind, value, outcome, site)


def judge_commands(*minutes: Minute) -> list[str]:
    """What the laws of commands say to these minutes; between them nothing happened."""
    laws, given = CommandLaws(SITE), {each.at: each for each in minutes}
    return [sentence for number in range(120) for sentence in laws.minute(given.get(at(number), minute(number)))]


ACCEPTED = Outcome.ACCEPTED
BROKEN_COMMANDS = {
    "another battery": ([minute(0, command(0, site="1"))], "only the held battery is written to"),
    "twice in one run": ([minute(0, command(0), command(0))], "a run commands each value once"),
    "again after a minute": (
        [minute(n, command(n, outcome=ACCEPTED)) for n in (0, 1)],
        "a command gets its time",
    ),
    "a flood": (
        [minute(n, command(n), command(n, "reserve")) for n in range(7)],
        "Tesla is not flooded: 14 commands in 0:10:00",
    ),
    "a start tried every minute": (
        [minute(n, command(n, hold=True), hold=HELD) for n in range(12)],
        "Tesla is not flooded: 12 commands in 0:30:00",
    ),
    "a hold that nobody asked for": ([minute(0, command(0, hold=True))], "only for a hold"),
    "a return in a hold": ([minute(0, command(0), hold=HELD)], "only where nothing is held"),
    "the reserve first": (
        [minute(0, command(0, "reserve", ACCEPTED), command(0, outcome=ACCEPTED))],
        "the mode comes first",
    ),
}
KEPT_COMMANDS = {
    "both values in one run": [minute(0, command(0, outcome=ACCEPTED), command(0, "reserve", ACCEPTED))],
    "no rate plan": [
        minute(0, command(0, outcome=Outcome.NO_RATE_PLAN), command(0), command(0, "reserve")),
    ],
    "again after two minutes": [minute(n, command(n, outcome=ACCEPTED)) for n in (0, 2)],
    "a return tried every minute for an hour": [minute(n, command(n)) for n in range(60)],
    "a start tried ever more seldom": [minute(n, command(n, hold=True), hold=HELD) for n in ATTEMPT_MINUTES],
}


@pytest.mark.parametrize(("minutes", "law"), BROKEN_COMMANDS.values(), ids=BROKEN_COMMANDS)
def test_a_broken_law_of_commands_is_named(minutes: list[Minute], law: str) -> None:
    assert any(sentence.startswith(law) for sentence in judge_commands(*minutes))


@pytest.mark.parametrize("minutes", KEPT_COMMANDS.values(), ids=KEPT_COMMANDS)
def test_commands_within_the_laws_are_not_complained_about(minutes: list[Minute]) -> None:
    assert judge_commands(*minutes) == []


STILL_HELD = {"mode": "backup", "reserve": 100}


def returned(minutes: list[Minute]) -> list[str]:
    laws = ReturnLaws()
    return [sentence for each in minutes for sentence in laws.minute(each)]


@pytest.mark.parametrize(
    ("minutes", "law"),
    [
        ([minute(n, still_held=STILL_HELD) for n in range(2)], "the battery comes back"),
        (
            [minute(0, hold=Hold(HELD.until, HoldKind.EXTENSION), car_stopped=True)],
            "an extension ends with the car",
        ),
        ([minute(0, owned=True, hold_file=False)], "the hold file is there while something is owned"),
        ([minute(0, owned=False, hold_file=True)], "the hold file is there while something is owned"),
        (
            [minute(n, command(n), owned=True, still_held=STILL_HELD, tesla_works=False) for n in range(8)],
            "a release waits for no other value: the reserve",
        ),
        (
            [
                minute(n, command(n), command(n, "reserve"), owned=True, still_held=STILL_HELD, tesla_works=False)
                for n in range(8)
            ],
            "a release tries another way out of backup",
        ),
    ],
)
def test_a_broken_law_of_the_return_is_named(minutes: list[Minute], law: str) -> None:
    assert any(sentence.startswith(law) for sentence in returned(minutes))


def test_one_run_is_not_yet_too_long_for_a_return() -> None:
    assert returned([minute(0, still_held=STILL_HELD), minute(1, tesla_works=False, still_held=STILL_HELD)]) == []
    assert returned([minute(n, hold=HELD, owned=True, hold_file=True, still_held=STILL_HELD) for n in range(3)]) == []


def test_a_window_that_passes_unprotected_is_named() -> None:
    laws = MissedHoldLaws()

    assert [bool(list(laws.minute(minute(n, must_hold=True), wait=2))) for n in range(3)] == [False, False, True]
    assert list(laws.minute(minute(3, must_hold=True, settings=("backup", 20)), wait=2)) == []


def test_a_line_of_trouble_comes_once() -> None:
    laws = OutputLaws(timedelta(minutes=20))

    assert list(laws.minute(minute(0, errors=("down",)))) == []
    assert list(laws.minute(minute(19, errors=("down",)))) == ["trouble is told once: down"]
    assert list(laws.minute(minute(40, errors=("down",)))) == []


def questions(*asked: tuple[int, Outcome], service: str = "tesla", hold: Hold | None = HELD) -> list[str]:
    laws, wait = QuestionLaws(), timedelta(minutes=10)
    return [
        sentence
        for number, outcome in asked
        for sentence in laws.minute(
            minute(number, hold=hold, questions=(Question(at(number), service, outcome, wait),))
        )
    ]


def test_a_wait_that_a_service_asks_for_is_respected() -> None:
    throttled = (0, Outcome.THROTTLED)

    assert questions(throttled, (9, ACCEPTED))[0].startswith("a wait is respected")
    assert questions(throttled, (10, ACCEPTED)) == []
    assert questions(throttled, (2, ACCEPTED), hold=None)[0].startswith("a wait is respected")
    assert questions(throttled, (3, ACCEPTED), hold=None) == []


def test_questions_are_seldom_and_a_refused_sign_in_rests() -> None:
    refused = (0, Outcome.SIGN_IN_REFUSED)
    failing = [(n, Outcome.NO_ANSWER) for n in range(0, 60, 2)]

    assert questions(*((n, ACCEPTED) for n in range(32)), service="kraken")[0].startswith("seldom asked: kraken 32")
    assert questions(*failing, service="kraken")[0].startswith("seldom asked while it fails")
    assert questions(refused, (1, ACCEPTED), service="kraken")[0].startswith("a refused sign-in rests")
    assert questions(refused, (61, ACCEPTED), service="kraken") == []


def test_mails_come_in_order_and_are_no_flood() -> None:
    laws, first = MailLaws(datetime.date), Mail(at(0), at(0), "e", 1, b"one")

    def judge(**changes: object) -> list[str]:
        return [sentence.partition(":")[0] for sentence in laws.mail(replace(first, is_delivered=False, **changes))]

    assert list(laws.mail(first)) == []
    assert judge(at=at(9), true_at=at(9), sequence=0) == ["nothing old after something new"]
    assert judge(at=at(9), true_at=at(9), content=b"two") == ["a repeat is the same mail"]
    assert judge(at=at(2), true_at=at(2), sequence=2) == ["no flood of mails"]
    assert judge(at=at(9), true_at=at(9), sequence=2) == []
    flood = [list(laws.mail(replace(first, event=str(n)))) for n in range(50)]
    assert [bool(each) for each in flood] == [False] * 49 + [True]


def test_evidence_must_have_been_given() -> None:
    window = (at(0), at(90))
    state = State(
        at(10),
        Policy(CheapPeriod(at(0).time(), at(1).time(), "Europe/London")),
        (DispatchWindow(*window, at(9)),),
        ChargerState.CHARGING,
    )

    assert list(judge_evidence(state, [at(9)], {window})) == []
    assert len(list(judge_evidence(state, [at(5)], set()))) == 2
    assert {"backup", 100} == HOLDING_VALUES
