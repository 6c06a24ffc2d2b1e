"""A sign of life for a watchdog in the manner of healthchecks.io; the address is a secret."""

import os

from smartcharge.deadline import service_boundary
from smartcharge.errors import AppError

CA_BUNDLE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
HTTP_SUCCESS = range(200, 300)


def ping_healthcheck(url: str, stage: str) -> bool:
    """Call the address, or its `/start` and `/fail`; whether it was heard. Never raises for the network's sake.

    What is answered beside the status is never read: nobody needs it, and it might have no end.
    """
    import requests

    trusted = next(filter(None, map(os.environ.get, CA_BUNDLE_VARIABLES)), True)  # the library itself ignores the last
    address = f"{url.rstrip('/')}/{stage}".rstrip("/")
    try:
        with (
            service_boundary("watchdog", "the watchdog"),
            requests.get(address, timeout=3, allow_redirects=False, stream=True, verify=trusted) as answer,
        ):
            return answer.status_code in HTTP_SUCCESS
    except AppError:
        return False
