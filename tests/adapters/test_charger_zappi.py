"""The hub's adapter with the real library, against a pretend cloud over TLS."""

import gc
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from smartcharge import budget
from smartcharge.adapters.charger_zappi import ZappiCharger
from smartcharge.core.model import ChargerState
from smartcharge.errors import ConfigurationRefused, SignInRefused, Throttled, Trouble, Unreachable
from smartcharge.world.street import Street
from smartcharge.world.wire import Asked, Reply, json_reply

S18 = "s18.myenergi.net"
S99 = "s99.myenergi.net"
HOSTS = {"a fresh start": None, "a remembered server": S18}

Scripted = Callable[[Reply], None]


@pytest.fixture(autouse=True)
def charging(street: Street) -> None:
    """The car draws 7 kW."""
    street.myenergi.zappis[0].watts, street.myenergi.zappis[0].pst = 7150, "C2"


@pytest.fixture
def scripted(street: Street, monkeypatch: pytest.MonkeyPatch) -> Scripted:
    """Let the pretend cloud give one and the same answer to everything."""

    def answer_with(reply: Reply) -> None:
        def answer(_asked: Asked, _now: object) -> Reply:
            return street.myenergi.signed(reply)

        monkeypatch.setattr(street.myenergi, "answer", answer)

    return answer_with


def charger(
    street: Street,
    *,
    key: str | None = None,
    serial: str | None = None,
    pinned: str | None = None,
    host: str | None = None,
    patience_seconds: float = 9.0,
) -> ZappiCharger:
    """The house's own charger."""
    return ZappiCharger(
        hub_serial=serial or street.house.hub_serial,
        api_key=key or street.house.hub_key,
        zappi_serial=pinned,
        threshold_w=500.0,
        host=host,
        patience_seconds=patience_seconds,
    )


def refusal(street: Street, **wishes: str | float | None) -> Trouble:
    """What a reading raises."""
    with pytest.raises(Trouble) as raised:
        charger(street, **wishes).read(street.now)  # type: ignore[arg-type]
    return raised.value


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


@pytest.mark.parametrize("named", [True, False], ids=["with a server named", "without"])
@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)
@pytest.mark.parametrize("kind", OUTAGES)
def test_an_outage_is_never_taken_for_a_wrong_key(street: Street, kind: str, host: str | None, named: bool) -> None:
    with street.fault("myenergi", "no-asn", times=None if not named else 0), street.fault("myenergi", kind):
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


# -- patience ---------------------------------------------------------------------------------------


def test_too_many_questions_are_throttled_for_as_long_as_is_asked(street: Street) -> None:
    with street.fault("myenergi", "http-429", amount=30):
        trouble = refusal(street)

    assert isinstance(trouble, Throttled)
    assert trouble.retry_after == timedelta(seconds=30)


def test_a_throttle_of_a_gateway_is_one_too(street: Street) -> None:
    with street.fault("myenergi", "no-asn"), street.fault("myenergi", "http-429"):
        assert isinstance(refusal(street, host=S18), Throttled)


WAITS = {
    "seconds": ("90", timedelta(seconds=90)),
    "a date": ("Wed, 09 Dec 2026 12:05:00 GMT", timedelta(minutes=5)),
    "a date that has passed": ("Wed, 09 Dec 2026 11:00:00 GMT", timedelta(0)),
    "words": ("soon", None),
    "nothing": ("", None),
}


@pytest.mark.parametrize(("told", "wait"), WAITS.values(), ids=WAITS)
def test_a_wait_is_told_in_seconds_or_as_a_date(
    street: Street, scripted: Scripted, told: str, wait: timedelta | None
) -> None:
    scripted(Reply(429, b"", (("Retry-After", told),)))

    trouble = refusal(street)

    assert isinstance(trouble, Throttled)
    assert trouble.retry_after == wait


@pytest.mark.parametrize("kind", ["hang", "drip"])
@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)
def test_patience_ends(street: Street, kind: str, host: str | None) -> None:
    with street.fault("myenergi", kind):
        assert type(refusal(street, host=host, patience_seconds=0.6)) is Unreachable


def test_a_name_look_up_that_hangs_is_not_waited_for(
    street: Street, monkeypatch: pytest.MonkeyPatch, stuck_look_up: threading.Event
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid:3128")

    trouble = refusal(street, host=S18, patience_seconds=0.4)

    assert type(trouble) is Unreachable
    assert not stuck_look_up.is_set()


@pytest.fixture
def stuck_look_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A resolver that answers nobody until the test is over."""
    over = threading.Event()

    def stuck(*_: object, **__: object) -> None:
        over.wait()
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", stuck)
    yield over
    over.set()


@pytest.mark.parametrize("kind", ["hang", "drip"])
def test_the_alarm_passes_through_and_leaves_nothing_open(street: Street, kind: str) -> None:
    with street.fault("myenergi", kind), pytest.raises(budget.OutOfTime), budget.share(0.3):
        charger(street).read(street.now)

    gc.collect()  # what is still open would be a warning here, and a warning is an error


# -- which server -----------------------------------------------------------------------------------


def test_a_server_that_is_gone_is_looked_for_once_more(street: Street) -> None:
    zappi = charger(street, host="s77.myenergi.net")

    assert zappi.read(street.now).state is ChargerState.CHARGING
    assert (zappi.host, street.refused) == (S18, ["s77.myenergi.net"])


def test_a_server_that_cuts_off_is_looked_for_once_more(street: Street) -> None:
    zappi = charger(street, host=S18)

    with street.fault("myenergi", "drop", times=1):
        assert zappi.read(street.now).state is ChargerState.CHARGING


def test_a_move_is_remembered(street: Street) -> None:
    zappi = charger(street, host=S18)
    street.myenergi.asn = S99

    zappi.read(street.now)

    assert zappi.host == S99


@pytest.mark.parametrize("kind", ["stale", "no-zappi", "http-503", "http-401", "status-object"])
def test_a_server_that_is_of_no_use_is_forgotten(street: Street, kind: str) -> None:
    zappi = charger(street, host=S18)

    with street.fault("myenergi", kind):
        try:
            zappi.read(street.now)
        except Trouble as trouble:
            assert trouble.service == "zappi"

    assert zappi.host is None


def test_a_throttling_server_is_not_forgotten(street: Street) -> None:
    zappi = charger(street, host=S18)

    with street.fault("myenergi", "http-429"), pytest.raises(Throttled):
        zappi.read(street.now)

    assert zappi.host == S18


STRANGERS = ("evil.example", "undefined", "myenergi.net.evil.example", "evilmyenergi.net", f"{S18}@evil.example")


@pytest.mark.parametrize("name", STRANGERS)
def test_a_stranger_is_never_asked(street: Street, name: str) -> None:
    street.myenergi.asn = name

    assert type(refusal(street)) is Unreachable
    assert street.refused == []


@pytest.mark.parametrize("name", STRANGERS)
def test_a_stranger_is_never_remembered(street: Street, name: str) -> None:
    zappi = charger(street, host=S18)
    street.myenergi.asn = name

    assert zappi.read(street.now).state is ChargerState.CHARGING
    assert zappi.host is None


@pytest.mark.parametrize("name", [*STRANGERS, "", "https://s18.myenergi.net", "s18.myenergi.net/x"])
def test_a_remembered_stranger_is_ignored(street: Street, name: str) -> None:
    assert charger(street, host=name).host is None


def test_a_port_may_be_named() -> None:
    zappi = ZappiCharger(hub_serial="12345678", api_key="key", threshold_w=500, host="s18.myenergi.net:8443")

    assert zappi.host == "s18.myenergi.net:8443"


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
