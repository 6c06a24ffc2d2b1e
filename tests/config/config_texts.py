"""Configuration texts that the tests share."""

from collections.abc import Callable

from smartcharge.config.load import Config

LoadConfig = Callable[..., Config]
ConfigError = Callable[..., str]

LEGACY_CONFIG_TEXT = """\
eon_next:
  email: "you@example.com"
  password: "your-eon-password"
  import_account: "A-XXXXXXXX"   # from EON Next app or portal
myenergi:
  hub_serial: "12345678"   # Hub serial (starts with 10 or 11)
  api_key: "abcdef12"      # From myenergi app: Settings → myenergi hub → Advanced
tesla:
  account_email: "you@tesla.com"
  account_password: "your-tesla-password"
  energy_site_id: ""     # Optional
gcal:
  smtp_user: "sender@gmail.com"
  smtp_pass: "xxxx xxxx xxxx xxxx"   # 16-char app password
  invite_to: "your-calendar@gmail.com"
  cheap_rate_pence: 6.19
  standard_rate_pence: 26.073
database:
  path: "data/smartcharge.db"
control:
  default_reserve_pct: 20   # Battery % floor when not in BACKUP mode
"""
"""The keys that the README and the example of the earlier service name."""

REQUIRED_CONFIG_TEXT = "eon_next: {import_account: A-1234ABCD}\nmyenergi: {hub_serial: 12345678, api_key: abcdef12}\n"


def config_with_setting(key: str, typed: str) -> str:
    """Write the required keys and one more, such as "control.hold", as it might be typed."""
    section, _, name = key.partition(".")
    texts = {
        "eon_next": "eon_next:\n  import_account: A-1234ABCD\n",
        "myenergi": "myenergi:\n  hub_serial: 12345678\n  api_key: abcdef12\n",
    }
    texts[section] = texts.get(section, f"{section}:\n") + f"  {name}: {typed}\n"
    return "".join(texts.values())


def config_value(config: Config, key: str) -> object:
    section, name = key.split(".")
    return getattr(getattr(config, section), name)
