"""The lines that let an installation run: they start this program, with these paths, from anywhere."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from simulation import Simulation

import smartcharge
from smartcharge.commands.crontab import SEPARATE_COMMANDS, Installation, crontab_lines, systemd_unit_lines

AWKWARD = Installation(
    ("/opt/my 100% programs/smartcharge",), Path("/home/pi/it's $mine/config.yaml"), (Path("/home/pi/a b"),), "pi"
)


def started_as(line: str) -> list[str]:
    """The words that cron's shell makes of a line: an unescaped % would end it there."""
    command = line.removeprefix("* * * * * ")
    assert command != line
    assert not re.search(r"(?<!\\)%", command)
    return shlex.split(command.replace(r"\%", "%"))


def test_four_lines_run_the_four_commands_every_minute(simulation: Simulation) -> None:
    lines = [line for line in simulation.run("12:00", "crontab").stdout.splitlines() if not line.startswith("#")]
    assert [started_as(line)[-3:] for line in lines] == [
        ["--config", str(simulation.folder / "config.yaml"), command] for command in SEPARATE_COMMANDS
    ]


def test_one_line_runs_the_tick(simulation: Simulation) -> None:
    lines = [
        line for line in simulation.run("12:00", "crontab", "--tick").stdout.splitlines() if not line.startswith("#")
    ]
    assert [started_as(line)[-1] for line in lines] == ["tick"]


def test_blanks_quotes_and_percent_signs_survive_cron() -> None:
    (*_, line) = crontab_lines(AWKWARD, ["tick"])
    assert started_as(line) == list(AWKWARD.line("tick"))


def test_a_line_starts_the_program_from_any_folder_with_no_path(simulation: Simulation, tmp_path: Path) -> None:
    package = str(Path(smartcharge.__file__).parent.parent)
    asked = [
        sys.executable,
        "-m",
        "smartcharge",
        "--config",
        str(simulation.folder / "config.yaml"),
        "crontab",
        "--tick",
    ]
    environment = {"PYTHONPATH": package, "HOME": str(tmp_path)}
    printed = subprocess.run(asked, env={**os.environ, **environment}, capture_output=True, text=True, check=True)
    line = printed.stdout.splitlines()[-1].removeprefix("* * * * * ").replace(" tick", " crontab")
    ran = subprocess.run(["/bin/sh", "-c", line], env=environment, cwd="/", capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.count("* * * * * ") == len(SEPARATE_COMMANDS)


def test_the_units_run_the_tick_every_minute_as_this_user(simulation: Simulation) -> None:
    told = simulation.run("12:00", "crontab", "--systemd").stdout
    assert re.search(
        rf"^ExecStart=\S.* --config {re.escape(str(simulation.folder))}/config.yaml tick$", told, re.MULTILINE
    )
    assert "OnCalendar=*-*-* *:*:00" in told
    assert f"ReadWritePaths={simulation.folder}" in told
    assert "User=" in told


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    here = Installation(("/bin/true",), tmp_path / "a 100% b" / "config.yaml", (tmp_path,), "root")
    name, units = "", {"service": "", "timer": ""}
    for line in systemd_unit_lines(here):
        name = line.rpartition(".")[2] if line.startswith("# /etc/systemd") else name
        units[name] += f"{line}\n"
    for kind, text in units.items():
        (tmp_path / f"smartcharge.{kind}").write_text(text)
    checked = subprocess.run(
        ["systemd-analyze", "verify", str(tmp_path / "smartcharge.timer"), str(tmp_path / "smartcharge.service")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stderr) == (0, "")


def test_awkward_words_stay_whole_in_a_unit() -> None:
    (line,) = (line for line in systemd_unit_lines(AWKWARD) if line.startswith("ExecStart="))
    assert line == ('ExecStart="/opt/my 100%% programs/smartcharge" --config "/home/pi/it\'s $$mine/config.yaml" tick')
