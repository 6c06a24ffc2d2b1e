"""The family's calendar, through the real commands and a real mail server in the pretend street."""

import pytest
import yaml
from ics_linter import InviteMail, check_mail, find_object_errors
from simulation import Simulation

from smartcharge import deadline


def told(simulation: Simulation) -> list[InviteMail]:
    """Every mail that arrived, found without fault."""
    return [check_mail(mail.raw) for mail in simulation.simulator.mails]


def in_short(simulation: Simulation) -> list[str]:
    """What the mails say: "REQUEST 0 13:00-16:00"."""
    return [f"{each.method} {each.sequence} {each.starts_at:%H:%M}-{each.ends_at:%H:%M}" for each in told(simulation)]


def configure(simulation: Simulation, **gcal: object) -> None:
    """Change the gcal section of the house's configuration."""
    path = simulation.folder / "config.yaml"
    settings = yaml.safe_load(path.read_text())
    settings["gcal"] |= gcal
    path.write_text(yaml.safe_dump({**settings, "gcal": {k: v for k, v in settings["gcal"].items() if v is not None}}))


def charge(simulation: Simulation) -> None:
    """A window is planned at one o'clock, and the car charges five minutes later; nothing is posted yet."""
    simulation.plan("13:00-16:00")
    simulation.drive(7200)
    simulation.run("13:01", "fetch-dispatches")
    simulation.run("13:05", "reconcile")


def status(simulation: Simulation, clock: str) -> dict[str, int]:
    outbox: dict[str, int] = yaml.safe_load(simulation.run(clock, "status", "--json").stdout)["outbox"]
    return outbox


def test_an_evening_is_told_once_and_trimmed_to_what_was_charged(simulation: Simulation) -> None:
    charge(simulation)
    first = simulation.run("13:05", "send-invites")
    again = [simulation.run(f"13:{minute:02}", "send-invites") for minute in range(6, 16)]
    simulation.run("13:28", "fetch-dispatches")
    simulation.run("13:29", "reconcile")
    simulation.drive(0)
    simulation.run("13:58", "fetch-dispatches")
    simulation.run("13:59", "reconcile")
    last = simulation.run("13:59", "send-invites")

    assert (first.exit_code, first.stdout, first.stderr) == (0, "invite sent: Wed 13:00-16:00\n", "")
    assert {(each.exit_code, each.stdout, each.stderr) for each in again} == {(0, "", "")}
    assert last.stdout == "invite updated: Wed 13:00-14:00\n"
    assert in_short(simulation) == ["REQUEST 0 13:00-16:00", "REQUEST 1 13:00-14:00"]
    assert len({each.uid for each in told(simulation)}) == 1
    assert status(simulation, "14:00") == {"waiting": 0, "sent": 2, "failed": 0}


def test_a_tick_does_it_all(simulation: Simulation) -> None:
    simulation.plan("13:00-16:00")
    simulation.drive(7200)
    outcome = simulation.run("13:05", "tick")

    assert outcome.exit_code == 0
    assert in_short(simulation) == ["REQUEST 0 13:00-16:00"]
    assert simulation.simulator.mails[0].recipients == (simulation.simulator.house.invite_to,)


def test_a_window_that_moves_is_told_at_the_latest_five_minutes_later(simulation: Simulation) -> None:
    charge(simulation)
    simulation.run("13:05", "send-invites")
    for minute, end in ((6, "15:00"), (8, "15:30"), (9, "14:30")):
        simulation.plan(f"13:00-{end}")
        simulation.run(f"13:{minute:02}", "fetch-dispatches", "--now")
        simulation.run(f"13:{minute:02}", "send-invites")
    assert in_short(simulation) == ["REQUEST 0 13:00-16:00"]
    simulation.run("13:10", "send-invites")

    assert in_short(simulation) == ["REQUEST 0 13:00-16:00", "REQUEST 3 13:00-14:30"]


def test_the_intent_is_stored_with_the_hold_and_outlives_its_run(simulation: Simulation) -> None:
    charge(simulation)

    assert status(simulation, "13:05") == {"waiting": 1, "sent": 0, "failed": 0}


def test_where_asked_for_a_plan_is_announced_and_taken_back(simulation: Simulation) -> None:
    configure(simulation, invite_when="planned")
    simulation.plan("13:00-16:00")
    simulation.run("12:00", "fetch-dispatches")
    simulation.run("12:00", "send-invites")
    simulation.plan()
    simulation.run("12:03", "fetch-dispatches", "--now")
    simulation.run("12:06", "fetch-dispatches", "--now")
    outcome = simulation.run("12:07", "send-invites")

    assert in_short(simulation) == ["REQUEST 0 13:00-16:00", "CANCEL 1 13:00-16:00"]
    assert outcome.stdout == "invite cancelled: Wed 13:00-16:00\n"


def test_a_plan_taken_back_before_anybody_heard_of_it_is_nobodys_business(simulation: Simulation) -> None:
    configure(simulation, invite_when="planned")
    simulation.plan("13:00-16:00")
    simulation.run("12:00", "fetch-dispatches")
    simulation.plan()
    simulation.run("12:03", "fetch-dispatches", "--now")
    simulation.run("12:06", "fetch-dispatches", "--now")
    outcome = simulation.run("12:07", "send-invites")

    assert (outcome.exit_code, outcome.stdout) == (0, "")
    assert simulation.simulator.mails == []


def test_a_battery_that_was_held_by_hand_is_no_news(simulation: Simulation) -> None:
    simulation.simulator.powerwall.set_manually(mode="backup")
    simulation.plan("13:00-16:00")
    simulation.drive(7200)
    for clock in ("13:05", "13:06"):
        simulation.run(clock, "tick")

    assert simulation.simulator.mails == []


def test_the_owner_pausing_trims_to_the_half_hour(simulation: Simulation) -> None:
    charge(simulation)
    simulation.run("13:05", "send-invites")
    simulation.run("13:12", "pause")
    simulation.run("13:12", "send-invites")

    assert in_short(simulation) == ["REQUEST 0 13:00-16:00", "REQUEST 1 13:00-13:30"]


def test_a_dry_run_names_what_would_be_posted_and_speaks_to_nobody(simulation: Simulation) -> None:
    charge(simulation)
    before = {path: path.read_bytes() for path in simulation.folder.iterdir() if path.is_file()}
    asked = simulation.simulator.count("mail")
    outcome = simulation.run("13:05", "send-invites", "--dry-run")

    assert outcome.exit_code == 0
    for word in ("REQUEST", simulation.simulator.house.invite_to, "Wed 13:00-16:00", "uid ", "sequence 0"):
        assert word in outcome.stdout
    assert {path: path.read_bytes() for path in simulation.folder.iterdir() if path.is_file()} == before
    assert (simulation.simulator.count("mail"), simulation.simulator.mails) == (asked, [])


def test_a_dry_run_tells_of_what_was_not_written_down_yet(simulation: Simulation) -> None:
    simulation.plan("13:00-16:00")
    simulation.run("12:00", "fetch-dispatches")
    configure(simulation, invite_when="planned")

    assert "would send REQUEST" in simulation.run("12:01", "send-invites", "--dry-run").stdout


PASSING = {"greeting-421": 3, "auth-454": 3, "rcpt-450": 3, "no-starttls": 3, "auth-535": 5}


@pytest.mark.parametrize("kind", PASSING)
def test_a_mail_that_was_not_taken_is_posted_once_when_the_server_is_well(simulation: Simulation, kind: str) -> None:
    charge(simulation)
    with simulation.simulator.fault("mail", kind):
        failed = simulation.run("13:05", "send-invites")
        soon = simulation.run("13:06", "send-invites")
    if kind == "auth-535":
        configure(simulation, smtp_host="127.0.0.1")
    well = simulation.run("13:10", "send-invites")

    assert failed.exit_code == PASSING[kind]
    assert failed.stdout == ""
    assert (soon.exit_code, soon.stdout, soon.stderr) == ((5 if kind == "auth-535" else 0), "", "")
    assert (well.exit_code, well.stdout) == (0, "invite sent: Wed 13:00-16:00\n")
    assert in_short(simulation) == ["REQUEST 0 13:00-16:00"]


def test_a_passing_trouble_is_told_at_the_fifth_failure_and_when_it_is_over(simulation: Simulation) -> None:
    charge(simulation)
    with simulation.simulator.fault("mail", "greeting-421"):
        tries = [
            simulation.run(clock, "send-invites") for clock in ("13:05", "13:10", "13:20", "13:50", "14:50", "15:50")
        ]
    well = simulation.run("16:50", "send-invites")

    assert [bool(each.stderr) for each in tries] == [False, False, False, False, True, False]
    assert "421" in tries[4].stderr
    assert "email works again" in well.stderr


def test_a_refused_sign_in_is_told_at_once_and_never_repeated(simulation: Simulation) -> None:
    charge(simulation)
    with simulation.simulator.fault("mail", "auth-535"):
        first = simulation.run("13:05", "send-invites")
        asked = simulation.simulator.count("mail")
        later = [simulation.run(clock, "send-invites") for clock in ("13:20", "15:00", "19:00")]

    assert "535 5.7.8" in first.stderr
    assert "App Password" in first.stderr
    assert simulation.simulator.house.mail_password not in first.stderr
    assert {(each.exit_code, each.stdout, each.stderr) for each in later} == {(5, "", "")}
    assert simulation.simulator.count("mail") == asked


def test_a_mistyped_sender_is_not_in_the_mail_that_goes_out_in_the_end(simulation: Simulation) -> None:
    right = simulation.simulator.house.mail_user
    configure(simulation, smtp_user="mistyped@example.com")
    charge(simulation)
    assert simulation.run("13:05", "send-invites").exit_code == 5
    configure(simulation, smtp_user=right)
    simulation.run("13:06", "send-invites")

    assert in_short(simulation) == ["REQUEST 0 13:00-16:00"]
    assert right.encode() in simulation.simulator.mails[0].raw


def test_a_link_cut_after_the_final_dot_brings_the_same_mail_again(simulation: Simulation) -> None:
    charge(simulation)
    with simulation.simulator.fault("mail", "cut-after-dot", times=1):
        cut = simulation.run("13:05", "send-invites")
    again = simulation.run("13:10", "send-invites")

    assert (cut.exit_code, again.exit_code) == (3, 0)
    first, second = simulation.simulator.mails
    assert first.raw == second.raw
    assert status(simulation, "13:11") == {"waiting": 0, "sent": 1, "failed": 0}


def test_after_a_cut_link_a_newer_revision_goes_out_instead(simulation: Simulation) -> None:
    charge(simulation)
    with simulation.simulator.fault("mail", "cut-after-dot", times=1):
        simulation.run("13:05", "send-invites")
    simulation.plan("13:00-15:00")
    simulation.run("13:07", "fetch-dispatches", "--now")
    simulation.run("13:10", "send-invites")

    assert in_short(simulation) == ["REQUEST 0 13:00-16:00", "REQUEST 1 13:00-15:00"]


def test_an_address_that_does_not_exist_is_the_owners_to_mend(simulation: Simulation) -> None:
    charge(simulation)
    with simulation.simulator.fault("mail", "rcpt-550"):
        outcome = simulation.run("13:05", "send-invites")
    later = simulation.run("13:15", "send-invites")

    assert outcome.exit_code == 4
    assert "gcal.invite_to" in outcome.stderr
    assert "550 5.1.1" in outcome.stderr
    assert (later.exit_code, later.stdout) == (0, "")
    assert status(simulation, "13:16") == {"waiting": 0, "sent": 0, "failed": 1}


def test_a_refused_mail_does_not_stand_in_the_way_of_the_next(simulation: Simulation) -> None:
    charge(simulation)
    with simulation.simulator.fault("mail", "data-550"):
        outcome = simulation.run("13:05", "send-invites")
    simulation.plan("13:00-15:00")
    simulation.run("13:07", "fetch-dispatches", "--now")
    simulation.run("13:11", "send-invites")

    assert outcome.exit_code == 3
    assert in_short(simulation) == ["REQUEST 1 13:00-15:00"]


def test_a_flapping_plan_costs_fifty_mails_a_day_and_ends_right(simulation: Simulation) -> None:
    configure(simulation, invite_when="planned")
    for minute in range(56 * 5):
        if minute % 5 == 0:
            simulation.plan(f"18:00-{19 + minute // 5 % 2}:00")
            simulation.run(f"{6 + minute // 60:02}:{minute % 60:02}", "fetch-dispatches", "--now")
            simulation.run(f"{6 + minute // 60:02}:{minute % 60:02}", "send-invites")
    assert len(simulation.simulator.mails) == 50
    simulation.day = simulation.day.replace(day=simulation.day.day + 1)
    simulation.run("00:05", "send-invites")

    assert in_short(simulation)[50:] == ["CANCEL 56 18:00-20:00"]


MAIL_TROUBLES = ("greeting-421", "auth-535", "cut-after-dot", "data-550")


@pytest.mark.parametrize("kind", MAIL_TROUBLES)
def test_mail_trouble_changes_nothing_of_what_the_battery_does(simulation: Simulation, kind: str) -> None:
    simulation.plan("13:00-13:30")
    simulation.drive(7200)
    with simulation.simulator.fault("mail", kind):
        for clock in ("13:05", "13:06", "13:29", "13:30"):
            simulation.run(clock, "tick")
            simulation.drive(7200 if clock < "13:06" else 0)

    assert [(write.kind, write.value) for write in simulation.simulator.powerwall.writes] == [
        ("mode", "backup"), ("reserve", 100), ("mode", "autonomous"), ("reserve", 20),
    ]  # fmt: skip


def test_a_mail_server_that_takes_all_day_takes_its_share_of_the_run(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    charge(simulation)
    monkeypatch.setattr(deadline, "MAIL_LIMIT_SECONDS", 0.001)
    outcome = simulation.run("13:05", "send-invites")
    monkeypatch.undo()
    simulation.run("13:10", "send-invites")

    assert (outcome.exit_code, outcome.stdout) == (3, "")
    assert in_short(simulation)[0] == "REQUEST 0 13:00-16:00"
    assert len({mail.raw for mail in simulation.simulator.mails}) == 1


def test_without_a_mail_account_there_are_no_invites_and_no_trouble(simulation: Simulation) -> None:
    configure(simulation, smtp_pass=None)
    charge(simulation)
    outcome = simulation.run("13:05", "send-invites")

    assert (outcome.exit_code, outcome.stdout, outcome.stderr) == (0, "", "")
    assert status(simulation, "13:06") == {"waiting": 0, "sent": 0, "failed": 0}


def test_a_feed_shows_the_same_events_and_is_readable_by_a_web_server(simulation: Simulation) -> None:
    feed = simulation.folder / "house.ics"
    configure(simulation, feed_path=str(feed))
    charge(simulation)
    simulation.run("13:05", "send-invites")
    written = feed.read_bytes()

    assert list(find_object_errors(written)) == []
    assert told(simulation)[0].uid in written.decode()
    assert feed.stat().st_mode & 0o777 == 0o644
    assert [path.name for path in simulation.folder.iterdir() if path.name.startswith(".house")] == []


def test_a_feed_needs_no_mail_account_and_is_written_when_there_is_news(simulation: Simulation) -> None:
    feed = simulation.folder / "house.ics"
    configure(simulation, feed_path=str(feed), smtp_user=None, smtp_pass=None)
    charge(simulation)
    simulation.run("13:05", "send-invites")
    first = (feed.read_bytes(), feed.stat().st_mtime_ns)
    simulation.run("13:06", "send-invites")
    assert (feed.read_bytes(), feed.stat().st_mtime_ns) == first
    simulation.plan("13:00-15:00")
    simulation.run("13:07", "fetch-dispatches", "--now")
    simulation.run("13:07", "send-invites")

    assert b"DTEND:20261209T150000Z" in feed.read_bytes()
    assert simulation.simulator.mails == []


def test_a_feed_that_was_deleted_is_written_again(simulation: Simulation) -> None:
    feed = simulation.folder / "house.ics"
    configure(simulation, feed_path=str(feed))
    charge(simulation)
    simulation.run("13:05", "send-invites")
    feed.unlink()
    simulation.run("13:06", "send-invites")

    assert feed.exists()


def test_a_feed_that_cannot_be_written_is_told_once_and_the_mail_goes_out(simulation: Simulation) -> None:
    configure(simulation, feed_path=str(simulation.folder / "nowhere" / "house.ics"))
    charge(simulation)
    first, second = (simulation.run(clock, "send-invites") for clock in ("13:05", "13:06"))
    (simulation.folder / "nowhere").mkdir()
    third = simulation.run("13:07", "send-invites")

    assert (first.exit_code, second.exit_code, third.exit_code) == (4, 4, 0)
    assert "gcal.feed_path" in first.stderr
    assert second.stderr == ""
    assert "the calendar file works again" in third.stderr
    assert in_short(simulation) == ["REQUEST 0 13:00-16:00"]
