"""WSGI application that serves the report page to one user on this machine.

Other web pages open in the same browser can send requests to this machine too. A request is
therefore answered only if its Host header names this server (which prevents DNS rebinding), its
Origin and Fetch Metadata headers show no other site, and its path starts with a secret that is
printed in the terminal. The server checks the same with `may_send_body` before it reads a body.

The results folder is not trusted: `served` decides which of its files are sent, and how.
"""

import hmac
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from werkzeug.exceptions import HTTPException
from werkzeug.http import is_resource_modified
from werkzeug.utils import send_file
from werkzeug.wrappers import Request, Response

from lesionscan.review.page_data import PageDataError
from lesionscan.review.record import MOST_BYTES, REVIEW_NAME, ReviewError, parse_review
from lesionscan.review.served import served_file, served_page
from lesionscan.review.store import ConflictError, ReviewStore, SavedReview, SaveError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

MAY_SAVE_HEADER = "Lesionscan-Review"
"""Response header that says that the page can save its review here."""

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # the address holds the secret
    # as in the page's meta element, plus frame-ancestors, which a meta element cannot set
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_OWN_SITES = {"same-origin", "none"}
"""Sec-Fetch-Site of requests by the page itself, and of addresses typed or opened by the user."""


class ReviewApplication:
    """Answer requests for the page, the results and the review.

    Parameters
    ----------
    results
        The results folder.
    store
        Store of its review.
    token
        Secret that every path starts with.
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
        self._page = served_page()

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        try:
            response = self._answer(Request(environ))
        except HTTPException as error:  # such as an invalid range
            response = _line(error.code or 500, error.name)
        except Exception as error:  # noqa: BLE001 - the last line of defence
            words = f"internal error ({type(error).__name__}); please report this"
            response = _line(500, words)
        response.headers.update(_HEADERS)
        return response(environ, start_response)

    def may_send_body(self, method: str, path: str, headers: Mapping[str, str]) -> bool:
        """Return whether a request may have a body: a PUT of the review with the right secret.

        Parameters
        ----------
        method, path
            Of the request; the path without its query.
        headers
            Its headers by lower-case name.
        """
        return (
            method == "PUT"
            and self._is_own(
                headers.get("host"), headers.get("origin"), headers.get("sec-fetch-site")
            )
            and self._name(path) == REVIEW_NAME
        )

    def _answer(self, request: Request) -> Response:
        headers = request.headers
        own = self._is_own(
            headers.get("Host"), headers.get("Origin"), headers.get("Sec-Fetch-Site")
        )
        if not own:
            return _line(403, "refused: this request comes from another site or name")
        name = self._name(request.path)
        if name is None:
            return _line(404, "not found")
        if name == REVIEW_NAME:
            return self._review(request)
        if request.method not in {"GET", "HEAD"}:
            return _not_allowed("GET, HEAD")
        if name in self._page:
            data, content_type = self._page[name]
            response = Response(data, content_type=content_type)
            response.add_etag()
            return _if_changed(response, request)
        return self._file(request, name)

    def _is_own(self, host: str | None, origin: str | None, site: str | None) -> bool:
        """Return whether a request names this server and does not come from another site."""
        return (
            host in self._hosts
            and origin in {None, f"http://{host}"}
            and (site is None or site in _OWN_SITES)
        )

    def _name(self, path: str) -> str | None:
        """Return the part of a path after the secret; None if the secret is wrong."""
        token, _, name = path.removeprefix("/").partition("/")
        known = hmac.compare_digest(token.encode(), self._token.encode())
        return name if known else None

    def _file(self, request: Request, name: str) -> Response:
        found = served_file(self._results, name)
        if found is None:
            return _line(404, "not found")
        path, kind = found
        try:
            if kind.convert is None:
                response = send_file(
                    path,
                    request.environ,
                    mimetype="text/plain",
                    # the film's name may have characters that are not allowed in headers
                    download_name="file",
                    conditional=True,
                )
                response.headers.remove("Content-Disposition")
            else:
                response = _converted(path, kind.convert, request)
        except PageDataError as error:
            return _line(500, str(error))
        except OSError:  # deleted meanwhile, or not readable
            return _line(404, "not found")
        response.headers["Content-Type"] = kind.content_type
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
            return _line(428, "If-Match is missing: state the ETag of the review that was changed")
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


def _converted(path: Path, convert: Callable[[Path], bytes], request: Request) -> Response:
    """Return the converted file; it is not converted if the browser has the current version."""
    facts = path.stat()
    response = Response()
    response.set_etag(f"{facts.st_mtime_ns}-{facts.st_size}")
    if is_resource_modified(request.environ, response.headers["ETag"], ignore_if_range=True):
        response.data = convert(path)
    return _if_changed(response, request)


def _if_changed(response: Response, request: Request) -> Response:
    """Return the response, or 304 if the browser has the current version."""
    response.cache_control.no_cache = True  # the browser must revalidate
    return response.make_conditional(request)


def _json(status: int, review: SavedReview) -> Response:
    headers = {"ETag": review.etag, "Content-Type": "application/json; charset=utf-8"}
    return Response(review.data, status, headers)


def _line(status: int, words: str) -> Response:
    return Response(f"{words}\n", status, content_type="text/plain; charset=utf-8")


def _not_allowed(methods: str) -> Response:
    response = _line(405, f"only {methods}")
    response.headers["Allow"] = methods
    return response
