"""How many requests the library really sends to Tesla: it tells nobody, but the transports beneath it log each one."""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from smartcharge.adapters._powerwall_hearing import tuned_in

SENT = re.compile(r"send_request_headers\.started request=<Request \[b'(?!CONNECT')")
"""httpcore as it sends one, a proxy's own left out: the library's usual way."""
CONNECTS = "Starting new HTTPS connection"
ANSWERED = re.compile(r'https://\S+ "[A-Z]+ ')
"""urllib3, which renews tokens, and tries once more what got no answer: it tells of connections and of answers."""
TRANSPORTS = ("httpcore", "urllib3")


class _Requests(logging.Handler):
    """Counts a new connection as the request that it is made for, and an answer that needed none as one, too."""

    def __init__(self, count: Callable[[], None]) -> None:
        super().__init__(logging.DEBUG)
        self._count = count
        self._is_counted = False

    def emit(self, record: logging.LogRecord) -> None:
        told = record.getMessage()
        connects, answered = told.startswith(CONNECTS), ANSWERED.match(told)
        if SENT.match(told) or connects or (answered and not self._is_counted):
            self._count()
        if connects or answered:
            self._is_counted = connects


@contextmanager
def requests_heard(count: Callable[[], None]) -> Iterator[None]:
    """Call `count` for every request during the block; whatever else the transports tell is dropped."""
    with ExitStack() as tuned:
        for name in TRANSPORTS:
            tuned.enter_context(tuned_in(name, _Requests(count)))
        yield
