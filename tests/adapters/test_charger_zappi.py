"""The hub's adapter with the real library, against a pretend cloud over TLS."""

import subprocess
import sys

import pytest
from hub_case import HOSTS, S18, Scripted, charger, refusal

from smartcharge.core.model import ChargerState
from smartcharge.errors import ConfigurationRefused, SignInRefused, Unreachable
from smartcharge.world.street import Street
from smartcharge.world.wire import json_reply

pytestmark = pytest.mark.usefixtures("charging")


def test_a_charging_car_is_read(street: Street) -> None:
    reading = charger(street).read(street.now)

    assert (reading.state, reading.watts, reading.serials) == (ChargerState.CHARGING, 7150, ("17000001",))


def test_a_fresh_start_costs_four_requests_and_finds_the_server(street: Street) -> None:
    zappi = charger(street)

    zappi.read(street.now)

    assert (zappi.host, street.count("myenergi")) == (S18, 4)


def test_a_remembered_server_costs_two_requests(street: Street) -> None:
    zappi = charger(street, host=S18)

    assert zappi.read(street.now).state is ChargerState.CHARGING
    assert (zappi.host, street.count("myenergi")) == (S18, 2)


def test_one_object_can_be_asked_again(street: Street) -> None:
    zappi = charger(street)

    readings = [zappi.read(street.now) for _ in range(3)]

    assert {reading.state for reading in readings} == {ChargerState.CHARGING}
    assert street.count("myenergi") == 4 + 2 + 2


def test_nothing_but_the_one_question_is_asked(street: Street) -> None:
    charger(street).read(street.now)

    assert {request.path for request in street.requests} == {"/cgi-jstatus-E", "/cgi-jstatus-Z"}
    assert street.writes_to_zappi == []


def test_a_pinned_zappi_that_is_not_there_is_unknown(street: Street) -> None:
    assert charger(street, pinned="17000009").read(street.now).state is ChargerState.UNKNOWN


# -- sign-in --------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)
def test_a_wrong_key_is_refused(street: Street, host: str | None) -> None:
    assert isinstance(refusal(street, key="wrongkey", host=host), SignInRefused)


def test_a_wrong_serial_is_refused(street: Street) -> None:
    assert isinstance(refusal(street, serial="87654321"), SignInRefused)


def test_a_refusal_says_what_to_check_and_nothing_secret(street: Street) -> None:
    told = str(refusal(street, key="wrongkey"))

    assert "myenergi.api_key" in told
    assert "wrongkey" not in told
    assert street.house.hub_serial not in told


@pytest.mark.parametrize("status", [-1, -12, -13, -15, -19, "-15"])
def test_an_error_number_that_means_a_wrong_key_is_a_refusal(
    street: Street, scripted: Scripted, status: int | str
) -> None:
    scripted(json_reply({"status": status, "statustext": ""}))

    assert isinstance(refusal(street), SignInRefused)


@pytest.mark.parametrize("status", [-4, -5, -14, -23, -26, "-26", 7])
def test_any_other_error_number_is_an_outage(street: Street, scripted: Scripted, status: int | str) -> None:
    scripted(json_reply({"status": status, "statustext": ""}))

    assert type(refusal(street)) is Unreachable


# -- outages ----------------------------------------------------------------------------------------

OUTAGES = ("http-403", "http-500", "http-502", "http-503", "html", "empty", "drop")


@pytest.mark.parametrize("unsigned", [0, None], ids=["with a server named", "without"])
@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)
@pytest.mark.parametrize("kind", OUTAGES)
def test_an_outage_is_never_taken_for_a_wrong_key(
    street: Street, kind: str, host: str | None, unsigned: int | None
) -> None:
    with street.fault("myenergi", "no-asn", times=unsigned), street.fault("myenergi", kind):
        assert type(refusal(street, host=host)) is Unreachable


@pytest.mark.parametrize("kind", ["http-502", "http-503", "http-401"])
def test_a_director_in_trouble_that_names_the_server_does_not_matter(street: Street, kind: str) -> None:
    with street.fault("myenergi", kind, only="director"):
        assert charger(street).read(street.now).state is ChargerState.CHARGING


@pytest.mark.parametrize("kind", ["drop", "http-502"])
def test_a_lost_director_does_not_matter_where_the_server_is_remembered(street: Street, kind: str) -> None:
    with street.fault("myenergi", kind, only="director"):
        assert charger(street, host=S18).read(street.now).state is ChargerState.CHARGING


def test_a_good_answer_that_names_no_server_is_not_trusted(street: Street) -> None:
    with street.fault("myenergi", "no-asn"):
        assert type(refusal(street)) is Unreachable


def test_a_director_that_cannot_be_reached_is_an_outage(street: Street) -> None:
    with street.fault("myenergi", "drop", only="director"):
        assert "director" in str(refusal(street))


def test_a_server_with_a_foreign_certificate_is_not_reached(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")

    assert type(refusal(street, host=S18)) is Unreachable


@pytest.mark.parametrize("kind", ["null", "list", "no-zappi", "stale"])
def test_an_answer_that_proves_nothing_is_unknown(street: Street, kind: str) -> None:
    with street.fault("myenergi", kind):
        reading = charger(street).read(street.now)

    assert reading.state is ChargerState.UNKNOWN
    assert reading.why


# -- the surroundings -------------------------------------------------------------------------------


def test_certificates_that_are_not_there_are_a_matter_of_configuration(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")

    trouble = refusal(street)

    assert isinstance(trouble, ConfigurationRefused)
    assert "SSL_CERT_FILE" in str(trouble)


def test_nothing_is_printed(street: Street, capfd: pytest.CaptureFixture[str]) -> None:
    charger(street).read(street.now)
    refusal(street, key="wrongkey")

    assert capfd.readouterr() == ("", "")


def test_the_library_is_not_loaded_before_it_is_needed() -> None:
    program = (
        "import sys, smartcharge.adapters.charger_zappi; sys.exit(bool({'httpx', 'pymyenergi'} & set(sys.modules)))"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
