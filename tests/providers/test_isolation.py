"""Whatever goes wrong inside a provider's library, the run hears of it as one of its own errors, and goes on."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path

import httpx
import pytest
from battery_backends import BACKENDS, BackendCase
from controlled_time_limit import Share
from zappi_hub import ACTIVE_SERVER, make_charger

from smartcharge.deadline import DeadlineExceeded, service_boundary
from smartcharge.errors import AppError, UnexpectedError, UnreachableError
from smartcharge.providers.kraken import KrakenTariff
from smartcharge.providers.kraken.account import KrakenAccount
from smartcharge.providers.smtp import SmtpMailer
from smartcharge.simulator.simulator import Simulator

Fault = Callable[[], BaseException]


class PanicException(BaseException):
    """As a library written in Rust raises it."""


def overflow_stack() -> BaseException:
    """A true one, with a deep traceback."""
    try:
        return overflow_stack()
    except RecursionError as failure:
        return failure


FAULTS: dict[str, tuple[Fault, type[AppError]]] = {
    "memory": (MemoryError, UnreachableError),
    "recursion": (overflow_stack, UnreachableError),
    "a mistake": (lambda: KeyError("secret"), AppError),
    "a panic": (lambda: PanicException("secret"), UnexpectedError),
    "an exit": (lambda: SystemExit(3), UnexpectedError),
    "a cancellation": (lambda: asyncio.CancelledError("secret"), AppError),
    "a group": (lambda: BaseExceptionGroup("g", [PanicException("secret"), ValueError("secret")]), UnexpectedError),
    "a group of one": (lambda: BaseExceptionGroup("g", [BaseExceptionGroup("h", [MemoryError()])]), UnreachableError),
}


def raiser(fault: Fault) -> Callable[..., object]:
    """A function of a library that fails."""

    def fail(*_given: object, **_named: object) -> object:
        raise fault()

    return fail


def ask_zappi(simulator: Simulator, _folder: Path) -> object:
    return make_charger(simulator, host=ACTIVE_SERVER).read(simulator.now)


def ask_kraken(simulator: Simulator, folder: Path) -> object:
    account = KrakenAccount("eon-next", "A-12345678", folder / ".kraken.json", "a@example.com", "x")
    return KrakenTariff(account).plan((), simulator.now)


def post_mail(_simulator: Simulator, _folder: Path) -> object:
    return SmtpMailer(host="127.0.0.1", port=1, user="a@example.com", password="x").send(b"", "b@example.com")


SERVICES: dict[str, tuple[str, Callable[[Simulator, Path], object]]] = {
    "zappi": ("httpx.AsyncClient.request", ask_zappi),
    "kraken": ("requests.Session.post", ask_kraken),
    "mail": ("smtplib.SMTP", post_mail),
}


@pytest.mark.parametrize(("fault", "expected"), FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize(("function", "ask"), SERVICES.values(), ids=SERVICES)
def test_a_failure_of_any_kind_in_a_library_is_an_error_of_that_service(
    simulator: Simulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    function: str,
    ask: Callable[[Simulator, Path], object],
    fault: Fault,
    expected: type[AppError],
) -> None:
    monkeypatch.setattr(function, raiser(fault))

    with pytest.raises(expected) as raised:
        ask(simulator, tmp_path)

    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("function", ["__init__", "set_mode"])
def test_a_panic_in_the_battery_s_library_is_an_error_of_tesla_s(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str, function: str
) -> None:
    simulator.sign_in_to_tesla(tmp_path, backend)
    case = BackendCase(backend, simulator, tmp_path)
    name = "post" if (backend, function) == ("v1r", "set_mode") else function
    monkeypatch.setattr(f"pypowerwall.Powerwall.{name}", raiser(lambda: PanicException("secret")))

    with pytest.raises(UnexpectedError, match="PanicException"), case.battery() as powerwall:
        powerwall.set_mode("backup")


def test_a_time_out_in_a_task_group_is_a_time_out(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch, share: Share
) -> None:
    """The time is used up while one task of the HTTP library's group computes, as on a slow processor."""
    from anyio._backends._asyncio import AsyncIOBackend  # noqa: PLC0415  # loaded by the library anyhow

    async def stall(*_given: object, **_named: object) -> object:
        share.use_up()
        while True:
            pass

    monkeypatch.setattr(AsyncIOBackend, "connect_tcp", stall)
    zappi = make_charger(simulator, host=ACTIVE_SERVER, timeout_seconds=share.ROOMY_SECONDS)
    zappi.prepare()

    with pytest.raises(DeadlineExceeded), share.used_up_once(lambda: False):
        zappi.read(simulator.now)
    assert zappi.host is None


def test_a_time_out_that_a_library_turned_into_its_own_error_is_a_time_out(share: Share) -> None:
    def library() -> None:
        try:
            share.use_up()
            while True:
                pass
        except BaseException as failure:
            raise asyncio.CancelledError from failure

    with pytest.raises(DeadlineExceeded), share.used_up_once(lambda: False):
        library()


def test_an_interruption_by_the_owner_is_never_swallowed() -> None:
    group = BaseExceptionGroup("g", [ValueError(), BaseExceptionGroup("h", [KeyboardInterrupt()])])

    with pytest.raises(KeyboardInterrupt), service_boundary("zappi", "myenergi"):
        raise group


def test_what_a_library_leaves_unfinished_prints_nothing(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x"
        finally:
            await asyncio.sleep(0)

    async def abandon(*_given: object, **_named: object) -> object:
        async with aclosing(pieces()) as chunks:  # type: ignore[type-var]
            await anext(chunks)
            held.append(pieces())
            await anext(held[-1])
            raise httpx.ConnectError("x")

    held: list[AsyncIterator[bytes]] = []
    monkeypatch.setattr("httpx.AsyncClient.request", abandon)
    with pytest.raises(UnreachableError):
        ask_zappi(simulator, Path())
    held.clear()

    assert sys.exc_info() == (None, None, None)
    assert capfd.readouterr() == ("", "")
