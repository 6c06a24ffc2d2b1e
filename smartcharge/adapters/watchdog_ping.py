"""A sign of life for a watchdog in the manner of healthchecks.io; the address is a secret."""


def ping(url: str, stage: str) -> bool:
    """Call the address, or its `/start` and `/fail`; whether it was heard. Never raises for the network's sake."""
    import requests

    try:
        answer = requests.get(f"{url.rstrip('/')}/{stage}".rstrip("/"), timeout=3, allow_redirects=False)
    except (requests.RequestException, OSError):
        return False
    return answer.ok
