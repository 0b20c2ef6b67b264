"""The report page over HTTP for one person on this machine: a WSGI application.

A web page of somebody else's, opened in the same browser, can send requests to this machine too.
So an answer needs all of: a Host header that names this server (a foreign name that resolves to
127.0.0.1 does not: DNS rebinding), no sign of another site (Origin, Fetch Metadata), and the
address's secret first part, which only the reader of the terminal knows.
"""

import hmac
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from werkzeug.exceptions import HTTPException
from werkzeug.utils import send_file
from werkzeug.wrappers import Request, Response

from lesionscan.review.record import MOST_BYTES, REVIEW_NAME, ReviewError, parse_review
from lesionscan.review.served import content_type, served_file
from lesionscan.review.store import ConflictError, ReviewStore, SavedReview, SaveError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

MAY_SAVE_HEADER = "Lesionscan-Review"
"""Tells the page that its review can be saved here."""

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # the address holds the secret
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_OWN_SITES = {"same-origin", "none"}
"""Sec-Fetch-Site of requests by the page itself, and of an address that was typed or opened."""


class ReviewApplication:
    """Answers requests for the page, the results and the review.

    Parameters
    ----------
    results
        The results folder.
    store
        Where its review is kept.
    token
        Secret first part of every address.
    hosts
        Host headers that name this server.
    """

    def __init__(
        self, results: Path, store: ReviewStore, *, token: str, hosts: Collection[str]
    ) -> None:
        self._results = results
        self._store = store
        self._token = token
        self._hosts = frozenset(hosts)

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        try:
            response = self._answer(Request(environ))
        except HTTPException as error:  # such as a range that the file does not have
            response = _line(error.code or 500, error.name)
        except Exception as error:  # noqa: BLE001 - the last line of defence
            words = f"internal error ({type(error).__name__}); please report this"
            response = _line(500, words)
        response.headers.update(_HEADERS)
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if not self._is_own(request):
            return _line(403, "refused: this request comes from another site or name")
        token, _, name = request.path.removeprefix("/").partition("/")
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            return _line(404, "not found")
        if name == REVIEW_NAME:
            return self._review(request)
        if request.method not in {"GET", "HEAD"}:
            return _not_allowed("GET, HEAD")
        return self._file(request, name)

    def _is_own(self, request: Request) -> bool:
        """Say whether a request names this server and comes from no other site."""
        host = request.headers.get("Host", "")
        origin = request.headers.get("Origin")
        return (
            host in self._hosts
            and origin in {None, f"http://{host}"}
            and request.headers.get("Sec-Fetch-Site", "none") in _OWN_SITES
        )

    def _file(self, request: Request, name: str) -> Response:
        path = served_file(self._results, name)
        try:
            if path is None:
                return _line(404, "not found")
            response = send_file(
                path,
                request.environ,
                mimetype="text/plain",
                # a film's own name may hold what no header may
                download_name="file",
                conditional=True,
            )
        except OSError:  # gone by now, or not for this user
            return _line(404, "not found")
        response.headers.remove("Content-Disposition")
        response.headers["Content-Type"] = content_type(path)
        return response

    def _review(self, request: Request) -> Response:
        answers: dict[str, Callable[[Request], Response]] = {
            "GET": self._read,
            "HEAD": self._read,
            "PUT": self._save,
        }
        answer = answers.get(request.method)
        response = _not_allowed("GET, HEAD, PUT") if answer is None else answer(request)
        response.headers["Cache-Control"] = "no-store"
        response.headers[MAY_SAVE_HEADER] = "1"
        return response

    def _read(self, _request: Request) -> Response:
        try:
            return _json(200, self._store.read())
        except ReviewError as error:
            return _line(500, str(error))

    def _save(self, request: Request) -> Response:
        expected = request.headers.get("If-Match")
        if expected is None:
            return _line(428, "If-Match is missing: say which review this one was made from")
        if (request.content_length or 0) > MOST_BYTES:
            return _line(413, f"a review has at most {MOST_BYTES // 1_000_000} MB")
        try:
            review = parse_review(request.get_data(cache=False))
        except ReviewError as error:
            return _line(400, f"not saved: {error}")
        try:
            saved = self._store.swap(review, expected=expected)
        except ReviewError as error:
            return _line(500, f"not saved: {error}")
        except ConflictError as conflict:
            return _json(412, conflict.current)
        except SaveError as error:
            return _line(507 if error.full else 500, f"not saved: {error}")
        return Response(status=204, headers={"ETag": saved.etag})


def _json(status: int, review: SavedReview) -> Response:
    headers = {"ETag": review.etag, "Content-Type": "application/json; charset=utf-8"}
    return Response(review.data, status, headers)


def _line(status: int, words: str) -> Response:
    return Response(f"{words}\n", status, content_type="text/plain; charset=utf-8")


def _not_allowed(methods: str) -> Response:
    response = _line(405, f"only {methods}")
    response.headers["Allow"] = methods
    return response
