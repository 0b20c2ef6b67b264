"""Connections of the review server: limit their number, and reject request bodies early.

Every program on this machine can connect, whether or not it knows the secret in the address.
Waitress stops accepting connections at its limit until some time out, and stores a request's body
before the application sees the request. Here, a new connection replaces the one that has been idle
longest, and a body is read only if the headers and the secret allow it.
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
"""A browser opens six; processes are often limited to 1,024 open files and connections."""
_MOST_HEADER_BYTES = 64_000
"""Enough for a percent-encoded film name and the cookies of other servers on 127.0.0.1."""

MaySendBody = Callable[[str, str, Mapping[str, str]], bool]
"""Takes method, path, and headers by lower-case name."""


class _RequestParser(HTTPRequestParser):  # type: ignore[misc]  # it has no types
    """Parse a request; do not read a body that may not be sent.

    Parameters
    ----------
    adjustments
        The server's settings.
    may_send_body
        Returns whether a request's body is read.
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
        # Answered as if it had no body. The connection is closed after the answer, since the body
        # is still to come.
        self.body_rcv = None
        self.content_length = 0
        self.expect_continue = False
        self.headers["CONTENT_LENGTH"] = "0"
        self.headers["CONNECTION"] = "close"


class _Channel(HTTPChannel):  # type: ignore[misc]  # it has no types
    """A connection."""

    def parser_class(self, adjustments: Adjustments) -> _RequestParser:
        """Return the parser of the next request."""
        return _RequestParser(adjustments, self.server.may_send_body)

    def end(self) -> None:
        """Close it in the next iteration of the server's loop, even if it is waiting."""
        self.will_close = True
        with suppress(OSError):  # the client has closed it already
            self.socket.shutdown(socket.SHUT_RDWR)


class BoundedServer(TcpWSGIServer):  # type: ignore[misc]  # it has no types
    """A waitress server that idle connections cannot block.

    Parameters
    ----------
    application
        The WSGI application (PEP 3333).
    listening
        The bound socket.
    may_send_body
        Returns whether a request may have a body.
    threads
        Number of requests answered concurrently.
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
            # waitress's own limit, at which it would stop accepting, is never reached
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
        """Accept a connection; if there are too many, close the one idle longest."""
        # except those whose request is being answered
        open_ones = [one for one in self.active_channels.values() if not one.will_close]
        waiting = [one for one in open_ones if not one.requests]
        if len(open_ones) >= MOST_CONNECTIONS and waiting:
            min(waiting, key=lambda one: one.last_activity).end()
        super().handle_accept()
