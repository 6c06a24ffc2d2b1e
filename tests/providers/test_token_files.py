"""Which files are taken for a sign-in, and what a folder that cannot be written stops."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from battery_backends import BackendCase
from fake_kraken import ACCOUNT_NUMBER, EMAIL, NOW

from smartcharge.errors import AppError, ConfigurationError, SignInRefusedError, UnreachableError
from smartcharge.providers.kraken import KrakenTariff
from smartcharge.providers.kraken.account import KrakenAccount
from smartcharge.simulator.simulator import Simulator

TOKEN_FILES = {"cloud": ".pypowerwall.auth", "fleetapi": ".pypowerwall.fleetapi", "v1r": "tedapi_rsa_private.pem"}


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_folder(path: Path) -> None:
    path.mkdir()


def link_to_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


ODD_FILES: dict[str, Callable[[Path], None]] = {"pipe": make_pipe, "folder": make_folder, "device": link_to_device}


@pytest.mark.parametrize("make", ODD_FILES.values(), ids=ODD_FILES)
@pytest.mark.parametrize("backend", TOKEN_FILES)
def test_what_is_no_regular_file_is_refused_as_a_tesla_sign_in(
    simulator: Simulator, tmp_path: Path, backend: str, make: Callable[[Path], None]
) -> None:
    simulator.sign_in_to_tesla(tmp_path, backend)
    (tmp_path / TOKEN_FILES[backend]).unlink()
    make(tmp_path / TOKEN_FILES[backend])

    with pytest.raises((ConfigurationError, SignInRefusedError), match="cannot be read"):
        BackendCase(backend, simulator, tmp_path).battery().__enter__()


@pytest.mark.parametrize("make", ODD_FILES.values(), ids=ODD_FILES)
def test_what_is_no_regular_file_is_refused_as_a_supplier_s_sign_in(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / ".kraken.json")
    account = KrakenAccount("eon-next", ACCOUNT_NUMBER, tmp_path / ".kraken.json", EMAIL, "x")

    with pytest.raises(ConfigurationError, match=r"\.kraken\.json"):
        KrakenTariff(account).plan((), NOW)


SITE_CONTENTS: dict[str, Callable[[Path], object]] = {
    **ODD_FILES,
    "bytes": lambda path: path.write_bytes(b"\xff\xfe"),
    "words": lambda path: path.write_text("my house"),
    "nothing": lambda path: path.write_text(""),
    "far too much": lambda path: path.write_bytes(b"1" * 100_000),
}


@pytest.mark.parametrize("make", SITE_CONTENTS.values(), ids=SITE_CONTENTS)
def test_a_site_file_without_a_number_is_refused(
    simulator: Simulator, tmp_path: Path, make: Callable[[Path], object]
) -> None:
    simulator.sign_in_to_tesla(tmp_path, "cloud")
    make(tmp_path / ".pypowerwall.site")

    with pytest.raises(ConfigurationError, match=r"\.pypowerwall\.site"):
        BackendCase("cloud", simulator, tmp_path).battery().__enter__()


@pytest.mark.parametrize("backend", ["cloud", "fleetapi"])
def test_a_refused_command_is_no_refused_sign_in_where_questions_are_answered(
    simulator: Simulator, tmp_path: Path, backend: str
) -> None:
    simulator.sign_in_to_tesla(tmp_path, backend)
    case = BackendCase(backend, simulator, tmp_path)
    with case.battery() as powerwall:
        powerwall.read_settings()
        with simulator.fault("tesla", "http-401", only="operation"), pytest.raises(AppError) as raised:
            powerwall.set_mode("autonomous")
        assert powerwall.read_settings().mode == "autonomous"

    assert type(raised.value) is UnreachableError
    assert "401" in str(raised.value)


PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1
HOLD = """
import sys
from datetime import datetime
from pathlib import Path
from smartcharge.errors import AppError
from smartcharge.providers.tesla import BatteryAddress, connect_battery
backend, folder, email, now = sys.argv[1:5]
address = BatteryAddress(backend=backend, auth_folder=Path(folder), account_email=email)
try:
    with connect_battery(address, datetime.fromisoformat(now)) as powerwall:
        powerwall.set_mode("backup")
        print(powerwall.read_settings().mode)
except AppError as error:
    print(error)
"""


def obey_file_modes() -> None:
    """Take from a program that root starts the right to write where the modes forbid it (capabilities(7))."""
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)


@pytest.mark.parametrize("backend", ["cloud", "fleetapi"])
@pytest.mark.parametrize("hours", [0, 12], ids=["the access token lasts", "the access token is over"])
def test_a_folder_that_cannot_be_written_stops_only_what_needs_a_renewed_token(
    simulator: Simulator, tmp_path: Path, backend: str, hours: int
) -> None:
    folder = tmp_path / "auth"
    folder.mkdir()
    simulator.sign_in_to_tesla(folder, backend)
    now = simulator.now + timedelta(hours=hours)
    for file in folder.iterdir():
        file.chmod(0o400)
    folder.chmod(0o500)

    command = [sys.executable, "-c", HOLD, backend, str(folder), simulator.house.tesla_email, now.isoformat()]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=obey_file_modes)
    folder.chmod(0o700)

    assert ended.stderr == ""
    assert ("may not be written" if hours else "backup\n") in ended.stdout
