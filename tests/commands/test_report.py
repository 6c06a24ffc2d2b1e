import email.policy
import json
import re
from collections.abc import Iterator
from contextlib import closing
from email import message_from_bytes
from email.message import EmailMessage
from pathlib import Path

import pytest
from sample_days import (
    GCAL_CONFIG,
    NEXT_MORNING,
    at,
    fill_forty_revisions,
    fill_nothing,
    fill_ordinary_day,
    fill_shadow_day,
    make_house,
    run_report,
)
from simulation import Simulation
from test_lazy_imports import loaded, run, store_recent_answer

from smartcharge.cli import run_cli
from smartcharge.store.database import open_store

DAY = ("--day", "2026-12-09")
TEXT = {"jinja2", "email", "smartcharge.providers", "requests", "ssl"}
"""What a report in text has no use for."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return make_house(tmp_path, fill_ordinary_day)


def letters(config: Path) -> Iterator[tuple[str, str, EmailMessage]]:
    """What waits in the outbox: state, recipient, message."""
    with closing(open_store(config.parent / "smartcharge.db", read_only=True)) as db:
        for row in db.execute("SELECT * FROM outbox ORDER BY id"):
            message = message_from_bytes(row["message"], policy=email.policy.default)
            assert isinstance(message, EmailMessage)
            yield row["state"], row["recipient"], message


def test_a_day_is_told_by_half_hours_and_sums(home: Path) -> None:
    lines = run_report(home, *DAY).stdout.splitlines()

    assert lines[0] == "Wednesday 9 December 2026"
    assert lines[1].startswith("Charged for 2 h 16 min; £")
    (first,) = (line for line in lines if line.startswith("13:00-13:30"))
    assert first.split()[1:] == ["off-peak", "26", "min", "3.6", "kWh", "reported", *first.split()[7:]]
    assert any(line.split() == ["Powerwall", "charged", "2", "h", "16", "min", "counted"] for line in lines)
    assert any(line.startswith("15:00-15:30") and "20 min (extra)" in line for line in lines)
    assert any(line.startswith("The saving: for each half hour") for line in lines)
    assert max(map(len, lines)) <= 120


def test_a_month_is_told_by_days(home: Path) -> None:
    lines = run_report(home, "--month", "this").stdout.splitlines()

    days = [line for line in lines if line[4:6].strip().isdigit()]
    assert lines[0] == "December 2026"
    assert len(days) == 10  # the tenth has begun, the eleventh has not
    assert "2 h 16 min" in days[8]
    assert [line.split()[-1] for line in days[:8]] == ["-"] * 8


def test_a_day_has_names(home: Path) -> None:
    written = run_report(home, *DAY).stdout

    assert run_report(home, "--day", "yesterday").stdout == written
    assert run_report(home, "--day", "today").stdout == run_report(home).stdout != written
    assert run_report(home, "--at", "2026-12-09T23:59").stdout.splitlines()[0] == written.splitlines()[0]
    assert run_report(home, "--month", "last").stdout.splitlines()[0] == "November 2026"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--day", "2026-12-09", "--month", "2026-12"), "not both"),
        (("--day", "2026-13-09"), "is not a valid day. Write 2026-11-22, today or yesterday"),
        (("--day", "9999-12-31"), "is not a valid day"),
        (("--month", "2026-00"), "is not a valid month. Write 2026-11, this or last"),
        (("--month", "0001-01"), "is not a valid month"),
        (("--mail", "--at", "12:00"), "cannot be used with --mail"),
        (("--mail", "--day", "today"), "is not over"),
        (("--mail", "--month", "this"), "is not over"),
        ((*DAY, "--html", "/nowhere/at/all.html"), "cannot be written: No such file or directory"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(home: Path, arguments: tuple[str, ...], words: str) -> None:
    outcome = run_report(home, *arguments)

    assert outcome.exit_code == 2
    assert words in outcome.stderr
    assert list(letters(home)) == []


def test_a_page_is_written_whole_and_for_its_owner_only(home: Path) -> None:
    file = home.parent / "day.html"
    file.write_text("an older one", encoding="utf-8")

    outcome = run_report(home, *DAY, "--html", str(file))

    assert outcome.exit_code == 0
    assert outcome.stdout == f"The report of Wednesday 9 December 2026 is in {file}\n"
    assert file.read_text(encoding="utf-8") == run_report(home, *DAY, "--html", "-").stdout
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in home.parent.iterdir() if path.name.startswith(".day")] == []


def test_looking_changes_nothing(home: Path) -> None:
    before = (home.parent / "smartcharge.db").read_bytes()

    run_report(home, *DAY)
    run_report(home, *DAY, "--html", "-")

    assert (home.parent / "smartcharge.db").read_bytes() == before


def test_a_house_without_a_memory_has_a_report_all_the_same(tmp_path: Path) -> None:
    config = make_house(tmp_path, fill_nothing)
    (tmp_path / "smartcharge.db").unlink()

    assert "The Powerwall was not charged; no problems." in run_report(config).stdout


def test_without_prices_there_is_no_money(tmp_path: Path) -> None:
    said = run_report(make_house(tmp_path, fill_ordinary_day, mail=""), *DAY).stdout

    assert "£" not in said
    assert "set gcal.cheap_rate_pence and gcal.standard_rate_pence" in said
    assert "Charged for 2 h 16 min; no problems." in said


def test_a_window_in_which_nobody_saw_the_car_is_told_so(tmp_path: Path) -> None:
    said = run_report(make_house(tmp_path, fill_forty_revisions), *DAY).stdout

    assert "car was not charging" in said


def test_a_day_in_the_shadow_is_told_as_what_would_have_been(tmp_path: Path) -> None:
    config = make_house(tmp_path, fill_shadow_day)
    lines = run_report(config, *DAY).stdout.splitlines()
    sums = {name: words for name, *words in (re.split("  +", line) for line in lines)}

    assert lines[1] == "The Powerwall was not charged; would have charged for 2 h 16 min; no problems."
    assert sums["13:00-13:30"][1:3] == ["26 min (would have)", "3.6 kWh reported"]
    assert sums["13:00-13:30"][-1] == "72 p saved by the other controller"
    assert sums["Saving"][0] == "none"
    assert sums["Powerwall charged"] == ["never"]
    assert sums["Off-peak half hour missed"][0] == "none"
    assert sums["Compared with another controller: would have charged"] == ["2 h 16 min", "counted"]
    assert sums["Compared with another controller: saved by it"][0] == "£2.86"
    assert "With control.shadow: true, smartcharge only compares itself" in " ".join(lines)
    assert "26 min (would have)" not in run_report(make_house(tmp_path / "own", fill_ordinary_day), *DAY).stdout


def test_a_month_after_the_shadow_tells_the_shadow_apart(tmp_path: Path) -> None:
    said = run_report(make_house(tmp_path, fill_shadow_day), "--month", "this").stdout

    assert re.search(r"^Wed  9 +2 h 16 min \(would have\)$", said, re.MULTILINE)
    assert re.search(r"^Powerwall charged +never$", said, re.MULTILINE)


def test_the_mail_is_the_text_and_the_page_of_yesterday(home: Path) -> None:
    outcome = run_report(home, "--mail")

    ((state, recipient, mail),) = letters(home)
    text, page = mail.get_body(("plain",)), mail.get_body(("html",))
    assert (outcome.exit_code, outcome.stdout, outcome.stderr) == (0, "", "")
    assert (state, recipient) == ("queued", "calendar@example.com")
    assert mail["Subject"] == "smartcharge: Wednesday 9 December 2026"
    assert mail.get_content_type() == "multipart/alternative"
    assert text is not None
    assert text.get_content().split() == run_report(home, *DAY).stdout.split()
    assert page is not None
    assert page.get_content().split() == run_report(home, *DAY, "--html", "-").stdout.split()
    assert all(len(line) <= 998 for line in mail.as_bytes().splitlines())  # RFC 5322, section 2.1.1


def test_the_mail_of_a_period_is_the_same_one_however_often_it_is_asked_for(home: Path) -> None:
    for _ in range(2):
        run_report(home, "--mail")
        run_report(home, "--mail", "--month", "last")
    run_report(home, "--mail", *DAY, now=NEXT_MORNING.replace(day=17))

    subjects = [mail["Subject"] for _, _, mail in letters(home)]
    assert subjects == ["smartcharge: Wednesday 9 December 2026", "smartcharge: November 2026"]
    assert len({mail["Message-ID"] for _, _, mail in letters(home)}) == 2


def test_the_mail_goes_to_who_hears_of_trouble(tmp_path: Path) -> None:
    config = make_house(tmp_path, fill_nothing, mail=f"{GCAL_CONFIG}alerts: {{email: family@example.com}}\n")

    run_report(config, "--mail")

    assert [recipient for _, recipient, _ in letters(config)] == ["family@example.com"]


@pytest.mark.parametrize(
    ("gcal", "key"),
    [("", "gcal.smtp_user"), ("gcal: {smtp_user: sender@example.com}\n", "gcal.smtp_pass")],
    ids=["no section", "no password"],
)
def test_without_a_mail_account_the_missing_key_is_named(tmp_path: Path, gcal: str, key: str) -> None:
    config = make_house(tmp_path, fill_nothing, mail=gcal)

    outcome = run_report(config, "--mail")

    assert outcome.exit_code == 4
    assert f"{config}: {key} is missing" in outcome.stderr
    assert list(letters(config)) == []


def test_send_invites_posts_the_report(simulation: Simulation) -> None:
    assert simulation.run("12:00", "report", "--mail").exit_code == 0

    would = simulation.run("12:00", "send-invites", "--dry-run").stdout
    first, second = simulation.run("12:01", "send-invites"), simulation.run("12:02", "send-invites")

    (mail,) = simulation.simulator.mails
    assert would == "would send a report to calendar@example.com\n"
    assert (first.exit_code, first.stdout) == (0, "report sent by email\n")
    assert (second.exit_code, second.stdout) == (0, "")
    assert b"Subject: smartcharge: Tuesday 8 December 2026" in mail.raw
    assert json.loads(simulation.run("12:03", "status", "--json").stdout)["outbox"]["sent"] == 1


def test_a_report_in_text_loads_nothing_that_pages_and_mails_need(tmp_path: Path) -> None:
    store_recent_answer(tmp_path)

    ran = run(tmp_path, "report")

    assert ran.returncode == 0, ran.stderr
    assert loaded(ran) & TEXT == set()


def test_the_demo_leaves_the_page_of_its_day(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "demo.html"

    code = run_cli(["demo", "--story", "left-as-it-was", "--html", str(file)], clock=lambda: NEXT_MORNING)

    assert code == 0
    assert capsys.readouterr().out.endswith(f"The report of Wednesday 9 December 2026 is in {file}\n")
    assert "<h1>Wednesday 9 December 2026</h1>" in file.read_text(encoding="utf-8")


def test_a_day_that_goes_on_is_drawn_up_to_now(home: Path) -> None:
    page = run_report(home, "--html", "-", now=at("14:45")).stdout

    assert '<line class="now" x1="61.458%"' in page
    assert '<line class="now"' not in run_report(home, *DAY, "--html", "-").stdout
