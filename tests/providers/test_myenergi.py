"""The hub's adapter with the real library, against a pretend cloud over TLS."""

import subprocess
import sys

import pytest
from zappi_hub import ACTIVE_SERVER, HOSTS, SetHubReply, make_charger, read_error

from smartcharge.errors import ConfigurationError, SignInRefusedError, UnreachableError
from smartcharge.policy.model import ChargerState
from smartcharge.simulator.http_messages import json_reply
from smartcharge.simulator.simulator import Simulator

pytestmark = pytest.mark.usefixtures("charging")


def test_a_charging_car_is_read(simulator: Simulator) -> None:
    reading = make_charger(simulator).read(simulator.now)

    assert (reading.state, reading.watts, reading.serials) == (ChargerState.CHARGING, 7150, ("17000001",))


def test_a_fresh_start_costs_four_requests_and_finds_the_server(simulator: Simulator) -> None:
    zappi = make_charger(simulator)

    zappi.read(simulator.now)

    assert (zappi.host, simulator.count("myenergi")) == (ACTIVE_SERVER, 4)


def test_a_remembered_server_costs_two_requests(simulator: Simulator) -> None:
    zappi = make_charger(simulator, host=ACTIVE_SERVER)

    assert zappi.read(simulator.now).state is ChargerState.CHARGING
    assert (zappi.host, simulator.count("myenergi")) == (ACTIVE_SERVER, 2)


def test_one_object_can_be_asked_again(simulator: Simulator) -> None:
    zappi = make_charger(simulator)

    readings = [zappi.read(simulator.now) for _ in range(3)]

    assert {reading.state for reading in readings} == {ChargerState.CHARGING}
    assert simulator.count("myenergi") == 4 + 2 + 2


def test_nothing_but_the_one_question_is_asked(simulator: Simulator) -> None:
    make_charger(simulator).read(simulator.now)

    assert {request.path for request in simulator.requests} == {"/cgi-jstatus-E", "/cgi-jstatus-Z"}
    assert simulator.writes_to_zappi == []


def test_a_pinned_zappi_that_is_not_there_is_unknown(simulator: Simulator) -> None:
    assert make_charger(simulator, pinned="17000009").read(simulator.now).state is ChargerState.UNKNOWN


# -- sign-in --------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)
def test_a_wrong_key_is_refused(simulator: Simulator, host: str | None) -> None:
    assert isinstance(read_error(simulator, key="wrongkey", host=host), SignInRefusedError)


def test_a_wrong_serial_is_refused(simulator: Simulator) -> None:
    assert isinstance(read_error(simulator, serial="87654321"), SignInRefusedError)


def test_a_refusal_says_what_to_check_and_nothing_secret(simulator: Simulator) -> None:
    told = str(read_error(simulator, key="wrongkey"))

    assert "myenergi.api_key" in told
    assert "wrongkey" not in told
    assert simulator.house.hub_serial not in told


@pytest.mark.parametrize("status", [-1, -12, -13, -15, -19, "-15"])
def test_an_error_number_that_means_a_wrong_key_is_a_refusal(
    simulator: Simulator, scripted: SetHubReply, status: int | str
) -> None:
    scripted(json_reply({"status": status, "statustext": ""}))

    assert isinstance(read_error(simulator), SignInRefusedError)


@pytest.mark.parametrize("status", [-4, -5, -14, -23, -26, "-26", 7])
def test_any_other_error_number_is_an_outage(simulator: Simulator, scripted: SetHubReply, status: int | str) -> None:
    scripted(json_reply({"status": status, "statustext": ""}))

    assert type(read_error(simulator)) is UnreachableError


# -- outages ----------------------------------------------------------------------------------------

OUTAGES = ("http-403", "http-500", "http-502", "http-503", "html", "empty", "drop")


@pytest.mark.parametrize("unsigned", [0, None], ids=["with a server named", "without"])
@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)
@pytest.mark.parametrize("kind", OUTAGES)
def test_an_outage_is_never_taken_for_a_wrong_key(
    simulator: Simulator, kind: str, host: str | None, unsigned: int | None
) -> None:
    with simulator.fault("myenergi", "no-asn", times=unsigned), simulator.fault("myenergi", kind):
        assert type(read_error(simulator, host=host)) is UnreachableError


@pytest.mark.parametrize("kind", ["http-502", "http-503", "http-401"])
def test_a_director_in_trouble_that_names_the_server_does_not_matter(simulator: Simulator, kind: str) -> None:
    with simulator.fault("myenergi", kind, only="director"):
        assert make_charger(simulator).read(simulator.now).state is ChargerState.CHARGING


@pytest.mark.parametrize("kind", ["drop", "http-502"])
def test_a_lost_director_does_not_matter_where_the_server_is_remembered(simulator: Simulator, kind: str) -> None:
    with simulator.fault("myenergi", kind, only="director"):
        assert make_charger(simulator, host=ACTIVE_SERVER).read(simulator.now).state is ChargerState.CHARGING


def test_a_good_answer_that_names_no_server_is_not_trusted(simulator: Simulator) -> None:
    with simulator.fault("myenergi", "no-asn"):
        assert type(read_error(simulator)) is UnreachableError


def test_a_director_that_cannot_be_reached_is_an_outage(simulator: Simulator) -> None:
    with simulator.fault("myenergi", "drop", only="director"):
        assert "could not be reached" in str(read_error(simulator))


def test_a_server_with_a_foreign_certificate_is_not_reached(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")

    assert type(read_error(simulator, host=ACTIVE_SERVER)) is UnreachableError


@pytest.mark.parametrize("kind", ["null", "list", "no-zappi", "stale"])
def test_an_answer_that_proves_nothing_is_unknown(simulator: Simulator, kind: str) -> None:
    with simulator.fault("myenergi", kind):
        reading = make_charger(simulator).read(simulator.now)

    assert reading.state is ChargerState.UNKNOWN
    assert reading.why


# -- the surroundings -------------------------------------------------------------------------------


def test_certificates_that_are_not_there_are_a_matter_of_configuration(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")

    trouble = read_error(simulator)

    assert isinstance(trouble, ConfigurationError)
    assert "SSL_CERT_FILE" in str(trouble)


def test_nothing_is_printed(simulator: Simulator, capfd: pytest.CaptureFixture[str]) -> None:
    make_charger(simulator).read(simulator.now)
    read_error(simulator, key="wrongkey")

    assert capfd.readouterr() == ("", "")


def test_the_library_is_not_loaded_before_it_is_needed() -> None:
    program = "import sys, smartcharge.providers.myenergi; sys.exit(bool({'httpx', 'pymyenergi'} & set(sys.modules)))"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
