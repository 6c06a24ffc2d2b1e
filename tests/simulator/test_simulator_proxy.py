"""The proxy: who is let in, and the faults every service can have."""

import pytest
import requests

from smartcharge.simulator.faults import make_fault
from smartcharge.simulator.simulator import Simulator

URL = "https://api.eonnext-kraken.energy/v1/graphql/"


def test_a_host_that_is_not_in_the_street_is_refused_and_remembered(simulator: Simulator) -> None:
    with pytest.raises(requests.exceptions.ProxyError):
        requests.get("https://example.org/", timeout=60)

    assert simulator.refused == ["example.org"]
    assert simulator.requests == []


def test_a_client_that_does_not_know_the_authority_is_turned_away(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")

    with pytest.raises(requests.exceptions.SSLError):
        requests.post(URL, json={}, timeout=60)
    assert simulator.requests == []


BODIES = {"null": b"null", "list": b"[]", "empty": b"", "http-403": b"Request blocked", "html": b"<!DOCTYPE html>"}


@pytest.mark.parametrize("kind", BODIES)
def test_an_odd_body_is_what_the_client_gets(simulator: Simulator, kind: str) -> None:
    with simulator.fault("kraken", kind):
        answer = requests.post(URL, json={}, timeout=60)

    assert BODIES[kind] in answer.content
    assert bool(answer.content) == bool(BODIES[kind])


def test_too_many_requests_come_with_a_time_to_wait(simulator: Simulator) -> None:
    with simulator.fault("kraken", "http-429", amount=45):
        answer = requests.post(URL, json={}, timeout=60)

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "45")
    assert answer.headers["Content-Type"].startswith("text/html")


def test_a_huge_body_is_as_long_as_the_fault_says(simulator: Simulator) -> None:
    """Below 4 MB, where the providers' own limit, once it is set in this process, would cut it off."""
    with simulator.fault("kraken", "huge", amount=3.0):
        content = requests.post(URL, json={}, timeout=60).content

    assert len(content) == len(b'{"data":"') + 3_000_000


def test_a_client_may_leave_in_the_middle_of_a_huge_body(simulator: Simulator) -> None:
    with simulator.fault("kraken", "huge", amount=400.0):
        answer = requests.post(URL, json={}, timeout=60, stream=True)
        start = answer.raw.read(1000)
        answer.close()

    assert len(start) == 1000
    assert requests.post(URL, json={}, timeout=60).status_code == 400


def test_a_hanging_server_and_a_cut_line_leave_no_status(simulator: Simulator) -> None:
    with simulator.fault("kraken", "hang"), pytest.raises(requests.exceptions.ReadTimeout):
        requests.post(URL, json={}, timeout=(60, 1))
    with simulator.fault("kraken", "drop"), pytest.raises(requests.exceptions.ConnectionError):
        requests.post(URL, json={}, timeout=60)

    assert [each.status for each in simulator.requests] == [0, 0]


def test_a_dripping_server_outlasts_a_time_out_per_read(simulator: Simulator) -> None:
    """It sends a byte, and the next one only after a while; the client hears the first while the rest is kept back."""
    simulator.proxy_server.drip_interval_s = 0.01
    with simulator.fault("kraken", "drip"), requests.post(URL, json={}, timeout=60, stream=True) as answer:
        answer.raw.decode_content = False
        pieces = [len(piece) for piece in iter(lambda: answer.raw.read1(2**16), b"")]

    assert answer.status_code == 400
    assert len(pieces) > sum(pieces) / 10


def test_a_connection_carries_many_requests(simulator: Simulator) -> None:
    with requests.Session() as session:
        answers = [session.post(URL, json={}, timeout=60).status_code for _ in range(3)]

    assert answers == [400, 400, 400]
    assert simulator.count("kraken") == 3


def test_a_fault_that_does_not_exist_is_named_with_its_neighbour() -> None:
    with pytest.raises(ValueError, match="did you mean 'http-503'"):
        make_fault("kraken", "http-533")
    with pytest.raises(ValueError, match="no service 'gas'"):
        make_fault("gas", "http-503")
