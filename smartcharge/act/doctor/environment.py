"""The process's environment: proxies, certificates and name look-ups, which every connection goes through."""

import os
import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from smartcharge.act.doctor.findings import Area, Finding
from smartcharge.toolbox import Toolbox

HERE = Area("environment")
PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
BUNDLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
SCHEMES = {"http", "https", "socks5", "socks5h"}


def examine(_tools: Toolbox) -> Iterator[Finding]:
    """Values are not shown: a proxy's address may hold a password."""
    findings = [*_proxies(), *_certificates(), *_oddities()]
    yield from findings or [HERE.ok("variables", "connections go straight out, with the usual certificates")]


def _proxies() -> Iterator[Finding]:
    named = {name: os.environ[name] for name in PROXIES if os.environ.get(name)}
    for name, value in named.items():
        host = _proxy_host(value)
        if host is None:
            yield HERE.error("proxy", f"${name} is no proxy's address", "Write it as http://host:port, or unset it")
        else:
            yield HERE.ok("proxy", f"connections go through {host} (${name})")
    only_plain = {"HTTP_PROXY", "http_proxy"} & os.environ.keys()
    if only_plain and not named:
        says = f"${min(only_plain)} is set, but only HTTPS is spoken here, which does not go by it"
        yield HERE.warning("proxy", says, "Set HTTPS_PROXY if a proxy is needed")


def _proxy_host(value: str) -> str | None:
    try:
        address = urlsplit(value)
        port = address.port
    except ValueError:
        return None
    if address.scheme not in SCHEMES or not address.hostname:
        return None
    return f"{address.hostname}:{port}" if port else address.hostname


def _certificates() -> Iterator[Finding]:
    for name in BUNDLES:
        if path := os.environ.get(name):
            yield from _bundle(name, Path(path))
    folder = os.environ.get("SSL_CERT_DIR")
    if folder and not Path(folder).is_dir():
        yield HERE.error("certificates", "$SSL_CERT_DIR names no folder", "Mend it, or unset it")
    by_requests, by_httpx = (any(map(os.environ.get, names)) for names in (BUNDLES[1:], ("SSL_CERT_FILE",)))
    if by_requests and not by_httpx:
        says = f"${BUNDLES[1]} is set without $SSL_CERT_FILE, so Tesla and myenergi do not trust the same certificates"
        yield HERE.warning("certificates", says, "Set SSL_CERT_FILE to the same file")


def _bundle(name: str, path: Path) -> Iterator[Finding]:
    if path.is_dir():
        return
    try:
        ssl.create_default_context(cafile=str(path))
    except OSError as odd:  # ssl's own errors are of this kind
        why = "there is no such file" if isinstance(odd, FileNotFoundError) else "it holds no certificate"
        yield HERE.error("certificates", f"${name} cannot be used: {why}", "Mend it, or unset it")
    else:
        yield HERE.ok("certificates", f"those of {path} are trusted (${name})")


def _oddities() -> Iterator[Finding]:
    look_ups = os.environ.get("RES_OPTIONS")
    if look_ups and "timeout:" not in look_ups:
        says = "$RES_OPTIONS sets no time-out, so a name look-up may take longer than a run may last"
        yield HERE.warning("name look-ups", says, "Add timeout:2 attempts:1, or unset it")
    if os.environ.get("SSLKEYLOGFILE"):
        says = "$SSLKEYLOGFILE is set: the keys of every connection are written down"
        yield HERE.warning("certificates", says, "Unset it")
