"""The family's calendar, through the real commands and a real mail server in the pretend street."""

import ics_linter
import pytest
import yaml
from ics_linter import Told
from town_case import Town

from smartcharge import budget


def told(town: Town) -> list[Told]:
    """Every mail that arrived, found without fault."""
    return [ics_linter.check(mail.raw) for mail in town.street.mails]


def in_short(town: Town) -> list[str]:
    """What the mails say: "REQUEST 0 13:00-16:00"."""
    return [f"{each.method} {each.sequence} {each.starts_at:%H:%M}-{each.ends_at:%H:%M}" for each in told(town)]


def configure(town: Town, **gcal: object) -> None:
    """Change the gcal section of the house's configuration."""
    path = town.folder / "config.yaml"
    settings = yaml.safe_load(path.read_text())
    settings["gcal"] |= gcal
    path.write_text(yaml.safe_dump({**settings, "gcal": {k: v for k, v in settings["gcal"].items() if v is not None}}))


def charge(town: Town) -> None:
    """A window is planned at one o'clock, and the car charges five minutes later; nothing is posted yet."""
    town.plan("13:00-16:00")
    town.drive(7200)
    town.run("13:01", "fetch-dispatches")
    town.run("13:05", "reconcile")


def status(town: Town, clock: str) -> dict[str, int]:
    outbox: dict[str, int] = yaml.safe_load(town.run(clock, "status", "--json").stdout)["outbox"]
    return outbox


def test_an_evening_is_told_once_and_trimmed_to_what_was_charged(town: Town) -> None:
    charge(town)
    first = town.run("13:05", "send-invites")
    again = [town.run(f"13:{minute:02}", "send-invites") for minute in range(6, 16)]
    town.run("13:28", "fetch-dispatches")
    town.run("13:29", "reconcile")
    town.drive(0)
    town.run("13:58", "fetch-dispatches")
    town.run("13:59", "reconcile")
    last = town.run("13:59", "send-invites")

    assert (first.exit_code, first.stdout, first.stderr) == (0, "invite sent: Wed 13:00-16:00\n", "")
    assert {(each.exit_code, each.stdout, each.stderr) for each in again} == {(0, "", "")}
    assert last.stdout == "invite updated: Wed 13:00-14:00\n"
    assert in_short(town) == ["REQUEST 0 13:00-16:00", "REQUEST 1 13:00-14:00"]
    assert len({each.uid for each in told(town)}) == 1
    assert status(town, "14:00") == {"waiting": 0, "sent": 2, "failed": 0}


def test_a_tick_does_it_all(town: Town) -> None:
    town.plan("13:00-16:00")
    town.drive(7200)
    outcome = town.run("13:05", "tick")

    assert outcome.exit_code == 0
    assert in_short(town) == ["REQUEST 0 13:00-16:00"]
    assert town.street.mails[0].recipients == (town.street.house.invite_to,)


def test_a_window_that_moves_is_told_at_the_latest_five_minutes_later(town: Town) -> None:
    charge(town)
    town.run("13:05", "send-invites")
    for minute, end in ((6, "15:00"), (8, "15:30"), (9, "14:30")):
        town.plan(f"13:00-{end}")
        town.run(f"13:{minute:02}", "fetch-dispatches", "--now")
        town.run(f"13:{minute:02}", "send-invites")
    assert in_short(town) == ["REQUEST 0 13:00-16:00"]
    town.run("13:10", "send-invites")

    assert in_short(town) == ["REQUEST 0 13:00-16:00", "REQUEST 3 13:00-14:30"]


def test_the_intent_is_stored_with_the_hold_and_outlives_its_run(town: Town) -> None:
    charge(town)

    assert status(town, "13:05") == {"waiting": 1, "sent": 0, "failed": 0}


def test_where_asked_for_a_plan_is_announced_and_taken_back(town: Town) -> None:
    configure(town, invite_when="planned")
    town.plan("13:00-16:00")
    town.run("12:00", "fetch-dispatches")
    town.run("12:00", "send-invites")
    town.plan()
    town.run("12:03", "fetch-dispatches", "--now")
    town.run("12:06", "fetch-dispatches", "--now")
    outcome = town.run("12:07", "send-invites")

    assert in_short(town) == ["REQUEST 0 13:00-16:00", "CANCEL 1 13:00-16:00"]
    assert outcome.stdout == "invite cancelled: Wed 13:00-16:00\n"


def test_a_plan_taken_back_before_anybody_heard_of_it_is_nobodys_business(town: Town) -> None:
    configure(town, invite_when="planned")
    town.plan("13:00-16:00")
    town.run("12:00", "fetch-dispatches")
    town.plan()
    town.run("12:03", "fetch-dispatches", "--now")
    town.run("12:06", "fetch-dispatches", "--now")
    outcome = town.run("12:07", "send-invites")

    assert (outcome.exit_code, outcome.stdout) == (0, "")
    assert town.street.mails == []


def test_a_battery_that_was_held_by_hand_is_no_news(town: Town) -> None:
    town.street.powerwall.set_by_hand(mode="backup")
    town.plan("13:00-16:00")
    town.drive(7200)
    for clock in ("13:05", "13:06"):
        town.run(clock, "tick")

    assert town.street.mails == []


def test_the_owner_pausing_trims_to_the_half_hour(town: Town) -> None:
    charge(town)
    town.run("13:05", "send-invites")
    town.run("13:12", "pause")
    town.run("13:12", "send-invites")

    assert in_short(town) == ["REQUEST 0 13:00-16:00", "REQUEST 1 13:00-13:30"]


def test_a_dry_run_names_what_would_be_posted_and_speaks_to_nobody(town: Town) -> None:
    charge(town)
    before = {path: path.read_bytes() for path in town.folder.iterdir() if path.is_file()}
    asked = town.street.count("mail")
    outcome = town.run("13:05", "send-invites", "--dry-run")

    assert outcome.exit_code == 0
    for word in ("REQUEST", town.street.house.invite_to, "Wed 13:00-16:00", "uid ", "sequence 0"):
        assert word in outcome.stdout
    assert {path: path.read_bytes() for path in town.folder.iterdir() if path.is_file()} == before
    assert (town.street.count("mail"), town.street.mails) == (asked, [])


def test_a_dry_run_tells_of_what_was_not_written_down_yet(town: Town) -> None:
    town.plan("13:00-16:00")
    town.run("12:00", "fetch-dispatches")
    configure(town, invite_when="planned")

    assert "would send REQUEST" in town.run("12:01", "send-invites", "--dry-run").stdout


PASSING = {"greeting-421": 3, "auth-454": 3, "rcpt-450": 3, "no-starttls": 3, "auth-535": 5}


@pytest.mark.parametrize("kind", PASSING)
def test_a_mail_that_was_not_taken_is_posted_once_when_the_server_is_well(town: Town, kind: str) -> None:
    charge(town)
    with town.street.fault("mail", kind):
        failed = town.run("13:05", "send-invites")
        soon = town.run("13:06", "send-invites")
    if kind == "auth-535":
        configure(town, smtp_host="127.0.0.1")
    well = town.run("13:10", "send-invites")

    assert failed.exit_code == PASSING[kind]
    assert failed.stdout == ""
    assert (soon.exit_code, soon.stdout, soon.stderr) == ((5 if kind == "auth-535" else 0), "", "")
    assert (well.exit_code, well.stdout) == (0, "invite sent: Wed 13:00-16:00\n")
    assert in_short(town) == ["REQUEST 0 13:00-16:00"]


def test_a_passing_trouble_is_told_at_the_fifth_failure_and_when_it_is_over(town: Town) -> None:
    charge(town)
    with town.street.fault("mail", "greeting-421"):
        tries = [town.run(clock, "send-invites") for clock in ("13:05", "13:10", "13:20", "13:50", "14:50", "15:50")]
    well = town.run("16:50", "send-invites")

    assert [bool(each.stderr) for each in tries] == [False, False, False, False, True, False]
    assert "421" in tries[4].stderr
    assert "mail is well again" in well.stderr


def test_a_refused_sign_in_is_told_at_once_and_never_repeated(town: Town) -> None:
    charge(town)
    with town.street.fault("mail", "auth-535"):
        first = town.run("13:05", "send-invites")
        asked = town.street.count("mail")
        later = [town.run(clock, "send-invites") for clock in ("13:20", "15:00", "19:00")]

    assert "535 5.7.8" in first.stderr
    assert "App Password" in first.stderr
    assert town.street.house.mail_password not in first.stderr
    assert {(each.exit_code, each.stdout, each.stderr) for each in later} == {(5, "", "")}
    assert town.street.count("mail") == asked


def test_a_mistyped_sender_is_not_in_the_mail_that_goes_out_in_the_end(town: Town) -> None:
    right = town.street.house.mail_user
    configure(town, smtp_user="mistyped@example.com")
    charge(town)
    assert town.run("13:05", "send-invites").exit_code == 5
    configure(town, smtp_user=right)
    town.run("13:06", "send-invites")

    assert in_short(town) == ["REQUEST 0 13:00-16:00"]
    assert right.encode() in town.street.mails[0].raw


def test_a_link_cut_after_the_final_dot_brings_the_same_mail_again(town: Town) -> None:
    charge(town)
    with town.street.fault("mail", "cut-after-dot", times=1):
        cut = town.run("13:05", "send-invites")
    again = town.run("13:10", "send-invites")

    assert (cut.exit_code, again.exit_code) == (3, 0)
    first, second = town.street.mails
    assert first.raw == second.raw
    assert status(town, "13:11") == {"waiting": 0, "sent": 1, "failed": 0}


def test_after_a_cut_link_a_newer_revision_goes_out_instead(town: Town) -> None:
    charge(town)
    with town.street.fault("mail", "cut-after-dot", times=1):
        town.run("13:05", "send-invites")
    town.plan("13:00-15:00")
    town.run("13:07", "fetch-dispatches", "--now")
    town.run("13:10", "send-invites")

    assert in_short(town) == ["REQUEST 0 13:00-16:00", "REQUEST 1 13:00-15:00"]


def test_an_address_that_does_not_exist_is_the_owners_to_mend(town: Town) -> None:
    charge(town)
    with town.street.fault("mail", "rcpt-550"):
        outcome = town.run("13:05", "send-invites")
    later = town.run("13:15", "send-invites")

    assert outcome.exit_code == 4
    assert "gcal.invite_to" in outcome.stderr
    assert "550 5.1.1" in outcome.stderr
    assert (later.exit_code, later.stdout) == (0, "")
    assert status(town, "13:16") == {"waiting": 0, "sent": 0, "failed": 1}


def test_a_refused_mail_does_not_stand_in_the_way_of_the_next(town: Town) -> None:
    charge(town)
    with town.street.fault("mail", "data-550"):
        outcome = town.run("13:05", "send-invites")
    town.plan("13:00-15:00")
    town.run("13:07", "fetch-dispatches", "--now")
    town.run("13:11", "send-invites")

    assert outcome.exit_code == 3
    assert in_short(town) == ["REQUEST 1 13:00-15:00"]


def test_a_flapping_plan_costs_fifty_mails_a_day_and_ends_right(town: Town) -> None:
    configure(town, invite_when="planned")
    for minute in range(56 * 5):
        if minute % 5 == 0:
            town.plan(f"18:00-{19 + minute // 5 % 2}:00")
            town.run(f"{6 + minute // 60:02}:{minute % 60:02}", "fetch-dispatches", "--now")
            town.run(f"{6 + minute // 60:02}:{minute % 60:02}", "send-invites")
    assert len(town.street.mails) == 50
    town.day = town.day.replace(day=town.day.day + 1)
    town.run("00:05", "send-invites")

    assert in_short(town)[50:] == ["CANCEL 56 18:00-20:00"]


MAIL_TROUBLES = ("greeting-421", "auth-535", "cut-after-dot", "data-550")


@pytest.mark.parametrize("kind", MAIL_TROUBLES)
def test_mail_trouble_changes_nothing_of_what_the_battery_does(town: Town, kind: str) -> None:
    town.plan("13:00-13:30")
    town.drive(7200)
    with town.street.fault("mail", kind):
        for clock in ("13:05", "13:06", "13:29", "13:30"):
            town.run(clock, "tick")
            town.drive(7200 if clock < "13:06" else 0)

    assert [(write.kind, write.value) for write in town.street.powerwall.writes] == [
        ("mode", "backup"), ("reserve", 100), ("mode", "autonomous"), ("reserve", 20),
    ]  # fmt: skip


def test_a_mail_server_that_takes_all_day_takes_its_share_of_the_run(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    charge(town)
    monkeypatch.setattr(budget, "MAIL_SECONDS", 0.001)
    outcome = town.run("13:05", "send-invites")
    monkeypatch.undo()
    town.run("13:10", "send-invites")

    assert (outcome.exit_code, outcome.stdout) == (3, "")
    assert in_short(town)[0] == "REQUEST 0 13:00-16:00"
    assert len({mail.raw for mail in town.street.mails}) == 1


def test_without_a_mail_account_there_are_no_invites_and_no_trouble(town: Town) -> None:
    configure(town, smtp_pass=None)
    charge(town)
    outcome = town.run("13:05", "send-invites")

    assert (outcome.exit_code, outcome.stdout, outcome.stderr) == (0, "", "")
    assert status(town, "13:06") == {"waiting": 0, "sent": 0, "failed": 0}


def test_a_feed_shows_the_same_events_and_is_readable_by_a_web_server(town: Town) -> None:
    feed = town.folder / "house.ics"
    configure(town, feed_path=str(feed))
    charge(town)
    town.run("13:05", "send-invites")
    written = feed.read_bytes()

    assert list(ics_linter.about_object(written)) == []
    assert told(town)[0].uid in written.decode()
    assert feed.stat().st_mode & 0o777 == 0o644
    assert [path.name for path in town.folder.iterdir() if path.name.startswith(".house")] == []


def test_a_feed_needs_no_mail_account_and_is_written_when_there_is_news(town: Town) -> None:
    feed = town.folder / "house.ics"
    configure(town, feed_path=str(feed), smtp_user=None, smtp_pass=None)
    charge(town)
    town.run("13:05", "send-invites")
    first = (feed.read_bytes(), feed.stat().st_mtime_ns)
    town.run("13:06", "send-invites")
    assert (feed.read_bytes(), feed.stat().st_mtime_ns) == first
    town.plan("13:00-15:00")
    town.run("13:07", "fetch-dispatches", "--now")
    town.run("13:07", "send-invites")

    assert b"DTEND:20261209T150000Z" in feed.read_bytes()
    assert town.street.mails == []


def test_a_feed_that_was_deleted_is_written_again(town: Town) -> None:
    feed = town.folder / "house.ics"
    configure(town, feed_path=str(feed))
    charge(town)
    town.run("13:05", "send-invites")
    feed.unlink()
    town.run("13:06", "send-invites")

    assert feed.exists()


def test_a_feed_that_cannot_be_written_is_told_once_and_the_mail_goes_out(town: Town) -> None:
    configure(town, feed_path=str(town.folder / "nowhere" / "house.ics"))
    charge(town)
    first, second = (town.run(clock, "send-invites") for clock in ("13:05", "13:06"))
    (town.folder / "nowhere").mkdir()
    third = town.run("13:07", "send-invites")

    assert (first.exit_code, second.exit_code, third.exit_code) == (4, 4, 0)
    assert "gcal.feed_path" in first.stderr
    assert second.stderr == ""
    assert "feed is well again" in third.stderr
    assert in_short(town) == ["REQUEST 0 13:00-16:00"]
