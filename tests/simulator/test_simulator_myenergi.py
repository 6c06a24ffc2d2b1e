"""The charger's cloud as the unmodified pymyenergi meets it."""

import asyncio
import json
from datetime import timedelta

import httpx
import pytest
from pymyenergi.client import MyenergiClient
from pymyenergi.connection import Connection
from pymyenergi.exceptions import MyenergiException, TimeoutException, WrongCredentials

from smartcharge.simulator.myenergi import SimulatedZappi
from smartcharge.simulator.simulator import Simulator

Answer = dict[str, list[dict[str, object]]]


async def _get(simulator: Simulator, path: str, key: str, timeout_s: float) -> Answer:
    async with httpx.AsyncClient() as client:
        connection = Connection(simulator.house.hub_serial, key, None, None, timeout_s, client)
        answer: Answer = await connection.get(path)
        return answer


def get(simulator: Simulator, path: str = "/cgi-jstatus-Z", *, key: str | None = None, timeout_s: float = 30) -> Answer:
    return asyncio.run(_get(simulator, path, key or simulator.house.hub_key, timeout_s))


def test_a_zappi_is_read_through_the_director(simulator: Simulator) -> None:
    simulator.myenergi.zappis[0].watts, simulator.myenergi.zappis[0].pst = 7150, "C2"

    record = get(simulator)["zappi"][0]

    assert (record["ectp1"], record["div"], record["pst"], record["sno"]) == (7150, 7150, "C2", 17000001)
    assert f"{record['dat']} {record['tim']}" == f"{simulator.now - timedelta(seconds=3):%d-%m-%Y %H:%M:%S}"
    assert [(each.operation, each.status) for each in simulator.requests] == [
        ("director cgi-jstatus-E", 401),
        ("director cgi-jstatus-E", 200),
        ("cgi-jstatus-Z", 401),
        ("cgi-jstatus-Z", 200),
    ]


def test_the_library_s_own_client_finds_names_and_devices(simulator: Simulator) -> None:
    simulator.myenergi.zappis = [SimulatedZappi(17000001, 0, "B2"), SimulatedZappi(17000002, 3600, "C2")]

    async def zappis() -> list[tuple[str, float]]:
        async with httpx.AsyncClient() as client:
            connection = Connection(simulator.house.hub_serial, simulator.house.hub_key, asyncClient=client)
            found = await MyenergiClient(connection).get_devices("zappi")
            return sorted((each.name, each.ct1.power) for each in found)

    assert asyncio.run(zappis()) == [("Zappi 1", 0), ("Zappi 2", 3600)]


def test_a_move_of_the_account_is_followed(simulator: Simulator) -> None:
    simulator.myenergi.asn = "s99.myenergi.net"

    assert get(simulator)["zappi"]


def test_a_wrong_key_is_refused(simulator: Simulator) -> None:
    with pytest.raises(WrongCredentials):
        get(simulator, key="wrong")


def failing(simulator: Simulator, kind: str) -> Answer:
    with simulator.fault("myenergi", kind, only="cgi-jstatus-Z"):
        return get(simulator, timeout_s=0.3 if kind == "hang" else 30)


@pytest.mark.parametrize("kind", ["http-429", "http-503"])
def test_trouble_keeps_the_header_that_tells_it_from_a_wrong_key(simulator: Simulator, kind: str) -> None:
    with pytest.raises(MyenergiException) as caught:
        failing(simulator, kind)

    assert not isinstance(caught.value, WrongCredentials)
    assert caught.value.code == int(kind[-3:])


def test_a_missing_header_looks_like_a_wrong_key(simulator: Simulator) -> None:
    with pytest.raises(WrongCredentials), simulator.fault("myenergi", "no-asn"):
        get(simulator)


def test_a_hanging_server_runs_into_the_time_out(simulator: Simulator) -> None:
    with pytest.raises(TimeoutException):
        failing(simulator, "hang")


def test_a_cut_connection_is_seen_as_one(simulator: Simulator) -> None:
    with pytest.raises(httpx.HTTPError):
        failing(simulator, "drop")


def test_a_page_instead_of_json_is_no_json(simulator: Simulator) -> None:
    with pytest.raises(json.JSONDecodeError):
        failing(simulator, "html")


def test_odd_answers_come_as_they_are(simulator: Simulator) -> None:
    assert failing(simulator, "status-object") == {"status": -26, "statustext": ""}
    with simulator.fault("myenergi", "no-zappi"):
        assert get(simulator) == {"zappi": []}


def test_a_fault_that_strikes_once_is_gone_the_second_time(simulator: Simulator) -> None:
    with simulator.fault("myenergi", "http-503", only="cgi-jstatus-Z", times=1):
        with pytest.raises(MyenergiException):
            get(simulator)
        assert get(simulator)["zappi"]


def test_a_stale_or_silent_charger_shows_in_its_stamps(simulator: Simulator) -> None:
    with simulator.fault("myenergi", "stale", amount=600):
        stale = get(simulator)["zappi"][0]
    simulator.myenergi.zappis[0].silent_since = simulator.now
    simulator.set_time(simulator.now + timedelta(minutes=30))
    silent = get(simulator)["zappi"][0]

    assert stale["tim"] == "11:49:57"
    assert silent["tim"] == "11:59:57"


def test_raw_keys_may_be_changed_and_left_out(simulator: Simulator) -> None:
    zappi = simulator.myenergi.zappis[0]
    zappi.changes, zappi.without = {"div": None, "sta": 4}, ("ectp1", "ectt1")

    record = get(simulator)["zappi"][0]

    assert record["div"] is None
    assert record["sta"] == 4
    assert not {"ectp1", "ectt1"} & record.keys()


def test_a_session_s_energy_grows_with_time_and_leaves_with_the_car(simulator: Simulator) -> None:
    simulator.myenergi.zappis[0].watts, simulator.myenergi.zappis[0].pst = 7200, "C2"
    simulator.set_time(simulator.now + timedelta(minutes=30))
    charged = get(simulator)["zappi"][0]["che"]
    simulator.myenergi.zappis[0].watts, simulator.myenergi.zappis[0].pst = 0, "A"
    simulator.set_time(simulator.now + timedelta(minutes=1))

    assert charged == 3.6
    assert get(simulator)["zappi"][0]["che"] == 0


def test_a_write_is_remembered_against_its_author(simulator: Simulator) -> None:
    get(simulator, "/cgi-boost-time-Z17000001")
    get(simulator, "/cgi-zappi-mode-Z17000001-1-0-0-0000")

    assert simulator.writes_to_zappi == ["/cgi-zappi-mode-Z17000001-1-0-0-0000"]
