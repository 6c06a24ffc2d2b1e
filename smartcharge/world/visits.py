"""What the street remembers of its visitors: requests and accepted mails."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Request:
    """One request that reached the street.

    service: kraken, kraken-auth, myenergi, tesla, tesla-auth or mail.
    operation: what was asked, in the service's words: root fields, CGI name, Tesla command, SMTP verb.
    status: HTTP or SMTP status told; 0 where none was (hung, cut).  host: by name, "" for mail.
    """

    at: datetime
    service: str
    method: str
    path: str
    operation: str
    status: int
    host: str = ""


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail the street accepted, byte for byte as it came."""

    at: datetime
    recipients: tuple[str, ...]
    raw: bytes
