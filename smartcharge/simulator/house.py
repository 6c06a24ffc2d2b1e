"""The one house in the simulator: its account numbers, serials and pretend secrets."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SimulatedHouse:
    """Everything the pretend vendors know about their customer; all of it invented."""

    kraken_email: str = "owner@example.com"
    kraken_password: str = "pretend password"  # noqa: S105 - opens nothing outside the simulator
    kraken_api_key: str = "sk_live_pretend"
    account_number: str = "A-1A2B3C4D"
    device_id: str = "5e1f0c7a-0000-4000-8000-0000000000e1"
    hub_serial: str = "12345678"
    hub_key: str = "pretendhubkey"
    zappi_serial: int = 17000001
    tesla_email: str = "owner@example.com"
    site_id: int = 2252000001
    gateway_id: str = "1232100-00-E--TG0000000000P1"
    fleet_client_id: str = "f1ee7000-0000-4000-8000-00000000c11e"
    fleet_client_secret: str = "pretend fleet word"  # noqa: S105 - opens nothing outside the simulator
    gateway_host: str = "10.42.1.40"
    gateway_password: str = "PRETENDGATE"  # noqa: S105 - opens nothing outside the simulator
    mail_user: str = "sender@example.com"
    mail_password: str = "pretend mail word"  # noqa: S105 - opens nothing outside the simulator
    invite_to: str = "calendar@example.com"


DEFAULT_HOUSE = SimulatedHouse()
