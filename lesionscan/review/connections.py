"""Connections of the review server: how many there may be, and whose bodies are read.

Every program on this machine can connect, whether or not it knows the address's secret. Waitress
alone stops accepting at its limit until connections time out, and stores a request's body before
the application sees the request. Here a new connection replaces the one that has been silent the
longest, and a body is read only if its headers, secret included, allow it.
"""

import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer

MOST_CONNECTIONS = 100
"""A browser opens six; a process may often have no more than 1,024 files and connections open."""
_MOST_HEADER_BYTES = 64_000
"""For a film's name, percent-encoded, and the cookies of other servers on 127.0.0.1."""

MaySendBody = Callable[[str, str, Mapping[str, str]], bool]
"""Takes method, path, and headers by lower-case name."""


class _RequestParser(HTTPRequestParser):  # type: ignore[misc]  # it has no types
    """Reads a request; leaves a body that may not be sent unread.

    Parameters
    ----------
    adjustments
        The server's.
    may_send_body
        Says whose body is read.
    """

    def __init__(self, adjustments: Adjustments, may_send_body: MaySendBody) -> None:
        super().__init__(adjustments)
        self.body_rcv: Any
        self._may_send_body = may_send_body

    def parse_header(self, header_plus: bytes) -> None:
        """Parse the header; called once, before any of the body is stored."""
        super().parse_header(header_plus)
        if self.body_rcv is None:
            return
        headers = {name.lower().replace("_", "-"): value for name, value in self.headers.items()}
        if self._may_send_body(self.command, self.path, headers):
            return
        # answered as if it had no body: the connection ends with the answer, since the body follows
        self.body_rcv = None
        self.content_length = 0
        self.expect_continue = False
        self.headers["CONTENT_LENGTH"] = "0"
        self.headers["CONNECTION"] = "close"


class _Channel(HTTPChannel):  # type: ignore[misc]  # it has no types
    """A connection."""

    def parser_class(self, adjustments: Adjustments) -> _RequestParser:
        """Return what reads the next request."""
        return _RequestParser(adjustments, self.server.may_send_body)

    def end(self) -> None:
        """Close it in the next round of the server's loop, whatever it waits for."""
        self.will_close = True
        with suppress(OSError):  # the other side was quicker
            self.socket.shutdown(socket.SHUT_RDWR)


class BoundedServer(TcpWSGIServer):  # type: ignore[misc]  # it has no types
    """A waitress server that any number of idle connections leaves reachable.

    Parameters
    ----------
    application
        What answers (PEP 3333).
    listening
        The bound socket.
    may_send_body
        Says whose request may have a body.
    threads
        Requests that are answered at once.
    most_body_bytes
        Larger bodies are refused.
    """

    channel_class = _Channel

    def __init__(
        self,
        application: Callable[..., Any],
        listening: socket.socket,
        *,
        may_send_body: MaySendBody,
        threads: int,
        most_body_bytes: int,
    ) -> None:
        self.may_send_body = may_send_body
        adjustments = Adjustments(
            sockets=[listening],
            ident=None,
            threads=threads,
            # waitress's own limit, at which it stops accepting, is never reached
            connection_limit=10 * MOST_CONNECTIONS,
            max_request_header_size=_MOST_HEADER_BYTES,
            max_request_body_size=most_body_bytes,
        )
        super().__init__(
            application,
            _sock=listening,
            adj=adjustments,
            bind_socket=False,
            sockinfo=(listening.family, listening.type, listening.proto, listening.getsockname()),
        )

    def handle_accept(self) -> None:
        """Accept a connection; where there are too many, the longest silent one ends."""
        # not those whose request is being answered
        open_ones = [one for one in self.active_channels.values() if not one.will_close]
        waiting = [one for one in open_ones if not one.requests]
        if len(open_ones) >= MOST_CONNECTIONS and waiting:
            min(waiting, key=lambda one: one.last_activity).end()
        super().handle_accept()
