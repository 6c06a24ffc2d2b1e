"""The charger's cloud as the unmodified pymyenergi meets it."""

import asyncio
import json
from datetime import timedelta

import httpx
import pytest
from pymyenergi.client import MyenergiClient
from pymyenergi.connection import Connection
from pymyenergi.exceptions import MyenergiException, TimeoutException, WrongCredentials

from smartcharge.world.street import Street
from smartcharge.world.zappi import Zappi

Answer = dict[str, list[dict[str, object]]]


async def _get(street: Street, path: str, key: str, timeout_s: float) -> Answer:
    async with httpx.AsyncClient() as client:
        connection = Connection(street.house.hub_serial, key, None, None, timeout_s, client)
        answer: Answer = await connection.get(path)
        return answer


def get(street: Street, path: str = "/cgi-jstatus-Z", *, key: str | None = None, timeout_s: float = 30) -> Answer:
    return asyncio.run(_get(street, path, key or street.house.hub_key, timeout_s))


def test_a_zappi_is_read_through_the_director(street: Street) -> None:
    street.myenergi.zappis[0].watts, street.myenergi.zappis[0].pst = 7150, "C2"

    record = get(street)["zappi"][0]

    assert (record["ectp1"], record["div"], record["pst"], record["sno"]) == (7150, 7150, "C2", 17000001)
    assert f"{record['dat']} {record['tim']}" == f"{street.now - timedelta(seconds=3):%d-%m-%Y %H:%M:%S}"
    assert [(each.operation, each.status) for each in street.requests] == [
        ("director cgi-jstatus-E", 401),
        ("director cgi-jstatus-E", 200),
        ("cgi-jstatus-Z", 401),
        ("cgi-jstatus-Z", 200),
    ]


def test_the_library_s_own_client_finds_names_and_devices(street: Street) -> None:
    street.myenergi.zappis = [Zappi(17000001, 0, "B2"), Zappi(17000002, 3600, "C2")]

    async def zappis() -> list[tuple[str, float]]:
        async with httpx.AsyncClient() as client:
            connection = Connection(street.house.hub_serial, street.house.hub_key, asyncClient=client)
            found = await MyenergiClient(connection).get_devices("zappi")
            return sorted((each.name, each.ct1.power) for each in found)

    assert asyncio.run(zappis()) == [("Zappi 1", 0), ("Zappi 2", 3600)]


def test_a_move_of_the_account_is_followed(street: Street) -> None:
    street.myenergi.asn = "s99.myenergi.net"

    assert get(street)["zappi"]


def test_a_wrong_key_is_refused(street: Street) -> None:
    with pytest.raises(WrongCredentials):
        get(street, key="wrong")


def failing(street: Street, kind: str) -> Answer:
    with street.fault("myenergi", kind, only="cgi-jstatus-Z"):
        return get(street, timeout_s=0.3 if kind == "hang" else 30)


@pytest.mark.parametrize("kind", ["http-429", "http-503"])
def test_trouble_keeps_the_header_that_tells_it_from_a_wrong_key(street: Street, kind: str) -> None:
    with pytest.raises(MyenergiException) as caught:
        failing(street, kind)

    assert not isinstance(caught.value, WrongCredentials)
    assert caught.value.code == int(kind[-3:])


def test_a_missing_header_looks_like_a_wrong_key(street: Street) -> None:
    with pytest.raises(WrongCredentials), street.fault("myenergi", "no-asn"):
        get(street)


def test_a_hanging_server_runs_into_the_time_out(street: Street) -> None:
    with pytest.raises(TimeoutException):
        failing(street, "hang")


def test_a_cut_connection_is_seen_as_one(street: Street) -> None:
    with pytest.raises(httpx.HTTPError):
        failing(street, "drop")


def test_a_page_instead_of_json_is_no_json(street: Street) -> None:
    with pytest.raises(json.JSONDecodeError):
        failing(street, "html")


def test_odd_answers_come_as_they_are(street: Street) -> None:
    assert failing(street, "status-object") == {"status": -26, "statustext": ""}
    with street.fault("myenergi", "no-zappi"):
        assert get(street) == {"zappi": []}


def test_a_fault_that_strikes_once_is_gone_the_second_time(street: Street) -> None:
    with street.fault("myenergi", "http-503", only="cgi-jstatus-Z", times=1):
        with pytest.raises(MyenergiException):
            get(street)
        assert get(street)["zappi"]


def test_a_stale_or_silent_charger_shows_in_its_stamps(street: Street) -> None:
    with street.fault("myenergi", "stale", amount=600):
        stale = get(street)["zappi"][0]
    street.myenergi.zappis[0].silent_since = street.now
    street.set_time(street.now + timedelta(minutes=30))
    silent = get(street)["zappi"][0]

    assert stale["tim"] == "11:49:57"
    assert silent["tim"] == "11:59:57"


def test_raw_keys_may_be_changed_and_left_out(street: Street) -> None:
    zappi = street.myenergi.zappis[0]
    zappi.changes, zappi.without = {"div": None, "sta": 4}, ("ectp1", "ectt1")

    record = get(street)["zappi"][0]

    assert record["div"] is None
    assert record["sta"] == 4
    assert not {"ectp1", "ectt1"} & record.keys()


def test_a_session_s_energy_grows_with_time_and_leaves_with_the_car(street: Street) -> None:
    street.myenergi.zappis[0].watts, street.myenergi.zappis[0].pst = 7200, "C2"
    street.set_time(street.now + timedelta(minutes=30))
    charged = get(street)["zappi"][0]["che"]
    street.myenergi.zappis[0].watts, street.myenergi.zappis[0].pst = 0, "A"
    street.set_time(street.now + timedelta(minutes=1))

    assert charged == 3.6
    assert get(street)["zappi"][0]["che"] == 0


def test_a_write_is_remembered_against_its_author(street: Street) -> None:
    get(street, "/cgi-boost-time-Z17000001")
    get(street, "/cgi-zappi-mode-Z17000001-1-0-0-0000")

    assert street.writes_to_zappi == ["/cgi-zappi-mode-Z17000001-1-0-0-0000"]
