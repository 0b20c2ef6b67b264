"""HTTP server of the report page, for this machine only."""

import secrets
import socket
from contextlib import suppress
from pathlib import Path

from lesionscan.results.atomic import remove_leftovers
from lesionscan.results.paths import PAGE_NAME
from lesionscan.review.application import ReviewApplication
from lesionscan.review.connections import BoundedServer
from lesionscan.review.record import MOST_BYTES, ReviewError
from lesionscan.review.store import ReviewStore

_HOST = "127.0.0.1"
_THREADS = 8
"""A page that opens requests a film, thumbnails and scripts concurrently."""
_TOKEN_BYTES = 24
"""192 random bits, which cannot be guessed."""


class ReviewServer:
    """Serves the page of a results folder at an address that only this machine can reach.

    Parameters
    ----------
    results
        The results folder.
    port
        Port to listen on; 0 lets the system choose a free one.

    Attributes
    ----------
    address
        Address of the page, including the secret.
    kept_at
        The file in which decisions are saved.

    Raises
    ------
    lesionscan.review.record.ReviewError
        If the folder cannot be reviewed, or the port is in use.
    """

    def __init__(self, results: Path, *, port: int = 0) -> None:
        store = ReviewStore(results)
        remove_leftovers(results, within=results)  # of servers that were killed while saving
        try:
            listening = socket.create_server((_HOST, port))
        except OSError as error:
            raise ReviewError(
                f"port {port} cannot be used ({error.strerror}); choose another (--port)"
            ) from error
        chosen: int = listening.getsockname()[1]
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        application = ReviewApplication(
            results, store, token=token, hosts=[f"{_HOST}:{chosen}", f"localhost:{chosen}"]
        )
        self.address = f"http://{_HOST}:{chosen}/{token}/{PAGE_NAME}"
        self.kept_at = store.path
        self._server = BoundedServer(
            application,
            listening,
            may_send_body=application.may_send_body,
            threads=_THREADS,
            # the application refuses large reviews with its own message; this is the hard limit
            most_body_bytes=2 * MOST_BYTES,
        )

    def run(self) -> None:
        """Serve until Ctrl-C; requests in progress are finished."""
        with suppress(KeyboardInterrupt):  # a second one
            self._server.run()
        self.close()

    def close(self) -> None:
        """Release the port."""
        self._server.task_dispatcher.shutdown()
        self._server.close()
