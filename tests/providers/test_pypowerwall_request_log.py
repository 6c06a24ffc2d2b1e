"""The transports' own words, as they stand in the logs of httpcore 1.0 and urllib3 2."""

import logging

import pytest

from smartcharge.providers.tesla.pypowerwall import count_requests

GET = "send_request_headers.started request=<Request [b'GET']>"
TOLD = {
    "a request": (
        [("httpcore.http11", GET), ("httpcore.http11", "send_request_body.started request=<Request [b'GET']>")], 1),
    "over HTTP/2": ([("httpcore.http2", f"{GET} stream_id=1"), ("httpcore.http2", f"{GET} stream_id=3")], 2),
    "a proxy's own": ([("httpcore.http11", "send_request_headers.started request=<Request [b'CONNECT']>")], 0),
    "a renewed token": (
        [("urllib3.connectionpool", "Starting new HTTPS connection (1): auth.tesla.com:443"),
         ("urllib3.connectionpool", 'https://auth.tesla.com:443 "POST /oauth2/v3/token HTTP/1.1" 200 None')], 1),
    "two over one connection": (
        [("urllib3.connectionpool", "Starting new HTTPS connection (1): auth.tesla.com:443"),
         ("urllib3.connectionpool", 'https://auth.tesla.com:443 "POST /a HTTP/1.1" 200 None'),
         ("urllib3.connectionpool", 'https://auth.tesla.com:443 "GET /b HTTP/1.1" 404 None')], 2),
    "one without an answer": ([("urllib3.connectionpool", "Starting new HTTPS connection (1): auth.tesla.com:443")], 1),
    "somebody else": ([("pypowerwall", GET)], 0),
}  # fmt: skip


@pytest.mark.parametrize(("told", "count"), TOLD.values(), ids=TOLD)
def test_requests_are_counted_by_what_the_transports_tell(told: list[tuple[str, str]], count: int) -> None:
    heard: list[None] = []

    with count_requests(lambda: heard.append(None)):
        for name, line in told:
            logging.getLogger(name).debug(line)

    assert len(heard) == count


def test_the_logs_are_as_they_were_afterwards(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("httpcore")
    before = (log.level, log.propagate, list(log.handlers))

    with count_requests(lambda: None):
        log.debug("a header with a token")

    assert (log.level, log.propagate, list(log.handlers)) == before
    assert caplog.text == ""
