"""A sign of life for a watchdog in the manner of healthchecks.io; the address is a secret."""

from smartcharge.deadline import service_boundary
from smartcharge.errors import AppError
from smartcharge.providers.http import HTTP_SUCCESS, ca_bundle, limit_http_libraries

PING_TIMEOUT_SECONDS = 3.0


def ping_healthcheck(url: str, stage: str) -> bool:
    """Call the address, or its `/start` and `/fail`; whether the watchdog took it. Raises no error of the network.

    Only the status of the answer is read: nobody needs the rest, and it might have no end.
    """
    address = f"{url.rstrip('/')}/{stage}".rstrip("/")
    try:
        with service_boundary("watchdog", "the watchdog"):
            return _get_status(address) in HTTP_SUCCESS
    except AppError:
        return False


def _get_status(address: str) -> int:
    import requests

    limit_http_libraries()
    with requests.get(
        address, timeout=PING_TIMEOUT_SECONDS, allow_redirects=False, stream=True, verify=ca_bundle()
    ) as answer:
        return answer.status_code
