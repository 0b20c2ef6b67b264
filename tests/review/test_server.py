"""Real requests to the real server: what is answered or refused, and that nothing is lost."""

import json
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path

import pytest

from lesionscan.reporting.page.index import page_files
from lesionscan.review.connections import MOST_CONNECTIONS
from lesionscan.review.record import MOST_BYTES, ReviewError, parse_review
from lesionscan.review.server import ReviewServer
from tests.review.made import Answer, Served, film_review, page_folder, plain_review, served

SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve a folder in which no test saves a review."""
    results = page_folder(tmp_path_factory.mktemp("served") / "results")
    (results / "report" / "page").mkdir(parents=True)
    (results / "report" / "page" / "main.js").write_text("hacked()")
    (results / "report" / "page" / "more.js").write_text("hacked()")
    (results / "a.overlay.png").write_bytes(b"0123456789")
    (results / "ü 膝#.dcm.json").write_text("{}")
    (results / "line\nbreak.json").write_text("{}")
    (results / "candidates.csv").write_text("x")
    (results.parent / "secret.json").write_text("secret")
    (results / "out.json").symlink_to(results.parent / "secret.json")
    with served(results) as running:
        yield running


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Served]:
    """Serve a separate folder for each test."""
    with served(page_folder(tmp_path / "results")) as running:
        yield running


def page_text() -> str:
    """Return the page in the package."""
    return page_files()["report.html"].decode("utf-8")


def one_line(answer: Answer) -> str:
    """Return the text of an answer, which is one line."""
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    text = answer.body.decode("utf-8")
    assert text.count("\n") == 1
    assert text.endswith("\n")
    return text.rstrip("\n")


def test_the_page_is_served_from_the_package(server: Served) -> None:
    """Pages and scripts in the folder are not sent, since they may be anyone's code."""
    page = server.ask("report.html")
    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert b"data-served" in page.body
    assert page.body.replace(b" data-served", b"") == page_files()["report.html"]
    for name, content_type in (("main.js", "text/javascript"), ("style.css", "text/css")):
        asset = server.ask(f"report/page/{name}", Host=f"localhost:{server.port}")
        assert (asset.status, asset.body) == (200, page_files()[f"report/page/{name}"])
        assert asset.headers["Content-Type"] == f"{content_type}; charset=utf-8"
    assert server.ask("report/page/more.js").status == 404


def test_the_results_are_served(server: Served) -> None:
    """Results are served under their names, as JSON."""
    for name in ("%C3%BC%20%E8%86%9D%23.dcm.json", "line%0Abreak.json"):
        answer = server.ask(name)
        assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
        assert (answer.status, answer.body) == (200, b"{}")


def test_every_answer_has_the_whole_policy(server: Served) -> None:
    """All responses have the page's policy, without file URLs, and may not be framed."""
    (policy,) = re.findall(r'Content-Security-Policy" content="(.*?)"', page_text())
    for name in ("report.html", "report/page/main.js", "a.overlay.png", "review.json", "missing"):
        headers = server.ask(name).headers
        assert headers["Content-Security-Policy"] == (
            f"{policy.replace(' file:', '')}; frame-ancestors 'none'"
        )
        assert SAFE.items() <= headers.items()


@pytest.mark.parametrize("name", ["report.html", "report/page/main.js", "a.overlay.png"])
def test_a_file_that_the_browser_has_is_not_sent_again(server: Served, name: str) -> None:
    """A file with the browser's ETag is not sent again, and HEAD sends no body."""
    first = server.ask(name)
    again = server.ask(name, If_None_Match=first.headers["Etag"])
    assert (again.status, again.body) == (304, b"")
    head = server.ask(name, "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == str(len(first.body))


def test_a_part_of_a_picture_can_be_asked_for(server: Served) -> None:
    """Range requests return the part; a range beyond the end gives 416."""
    part = server.ask("a.overlay.png", Range="bytes=0-4")
    assert (part.status, part.body) == (206, b"01234")
    assert server.ask("a.overlay.png", Range="bytes=900-").status == 416


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "localhost", "[::1]:{port}",
     "127.0.0.1:{port}.evil.example", "127.0.0.1:{port}, evil.example", "", None],
)  # fmt: skip
def test_other_hosts_are_refused(server: Served, host: str | None) -> None:
    """Foreign host names that resolve to this machine (DNS rebinding) are refused."""
    named = None if host is None else host.format(port=server.port)
    answer = server.ask("report.html", Host=named)
    assert answer.status == 403
    assert "another site or name" in one_line(answer)


@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "https://127.0.0.1:{port}"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://localhost:{port}"},  # not the origin of the page
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},  # another port of this machine
    ],
)
def test_other_sites_are_refused(server: Served, method: str, headers: dict[str, str]) -> None:
    """Pages of other sites or other local ports can neither read nor write."""
    filled = {key: value.format(port=server.port) for key, value in headers.items()}
    answer = server.ask("review.json", method, b"{}", If_Match='"none"', **filled)
    assert answer.status == 403
    assert not (server.results / "review.json").exists()


def test_the_page_s_own_requests_are_answered(server: Served) -> None:
    """Requests with the headers of the page are answered, under both host names."""
    for host in ("127.0.0.1", "localhost"):
        name = f"{host}:{server.port}"
        for site in ("same-origin", "none"):
            answer = server.ask(
                "review.json", Host=name, Origin=f"http://{name}", Sec_Fetch_Site=site
            )
            assert answer.status == 200


@pytest.mark.parametrize(
    "path",
    ["/", "/report.html", "//report.html", "/x/report.html", "/{wrong}/report.html",
     "/{token}x/report.html", "/%2e/{token}/report.html",
     "/{token}%00/report.html", "/review.json", "/{wrong}/review.json"],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_without_the_secret_there_is_nothing(server: Served, path: str, method: str) -> None:
    """A wrong or missing secret gives the same response as a missing file."""
    wrong = server.token[:-1] + ("A" if server.token[-1] != "A" else "B")
    asked = path.format(token=server.token, wrong=wrong)
    answer = server.ask_for(asked, method, b"{}", If_Match='"none"')
    assert (answer.status, one_line(answer)) == (404, "not found")
    assert "Lesionscan-Review" not in answer.headers
    assert one_line(server.ask("missing.json")) == "not found"


def test_folders_are_not_listed(server: Served) -> None:
    """Folders are not listed, even with the secret."""
    for path in (f"/{server.token}", f"/{server.token}/", f"/{server.token}/report/"):
        assert one_line(server.ask_for(path)) == "not found"


@pytest.mark.parametrize(
    "name",
    ["candidates.csv", "out.json", "../secret.json", "%2e%2e/secret.json", "..%2fsecret.json",
     "%2e%2e%2fsecret.json", "report/..%5c..%5csecret.json", "%2fetc%2fpasswd", "report.html%00",
     ".lesionscan-review.lock", "report/%2e%2e/%2e%2e/secret.json", "%ff.json", "report/"],
)  # fmt: skip
def test_no_address_leads_out(server: Served, name: str) -> None:
    """Paths that leave the folder are not served, percent-encoded or not."""
    answer = server.ask(name)
    assert answer.status == 404
    assert b"secret" not in answer.body


@pytest.mark.parametrize("method", ["POST", "DELETE", "PATCH", "OPTIONS", "TRACE", "FROB"])
def test_other_methods_are_refused(server: Served, method: str) -> None:
    """Other methods are refused, and the response lists the allowed ones."""
    page, review = server.ask("report.html", method), server.ask("review.json", method)
    assert (page.status, page.headers["Allow"]) == (405, "GET, HEAD")
    assert (review.status, review.headers["Allow"]) == (405, "GET, HEAD, PUT")
    assert server.ask("report.html", "PUT", b"x").status == 405


def test_the_review_of_nothing_can_be_asked_for(server: Served) -> None:
    """An empty review has an ETag, and a header that tells the page that it may save."""
    answer = server.ask("review.json")
    assert (answer.status, answer.headers["Etag"]) == (200, '"none"')
    assert answer.headers["Lesionscan-Review"] == "1"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert parse_review(answer.body).films == {}
    head = server.ask("review.json", "HEAD")
    assert (head.status, head.body, head.headers["Etag"]) == (200, b"", '"none"')


def test_a_save_must_say_what_it_was_made_from(server: Served) -> None:
    """A save without If-Match gives 428."""
    answer = server.ask("review.json", "PUT", json.dumps(plain_review()).encode())
    assert answer.status == 428
    assert "If-Match is missing" in one_line(answer)
    assert not (server.results / "review.json").exists()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", json.dumps({"films": 1}).encode()])
def test_what_is_no_review_is_not_saved(server: Served, body: bytes) -> None:
    """An invalid review gives 400 with the reason, and is not saved."""
    answer = server.ask("review.json", "PUT", body, If_Match='"none"')
    assert answer.status == 400
    assert one_line(answer).startswith("not saved: ")
    assert not (server.results / "review.json").exists()


def test_what_is_too_large_is_not_saved(server: Served) -> None:
    """A body that is too large gives 413; a still larger one is rejected before it is read."""
    answer = server.ask("review.json", "PUT", b" " * (MOST_BYTES + 1), If_Match='"none"')
    assert (answer.status, one_line(answer)) == (413, "a review has at most 16 MB")
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
        raw.sendall(
            f"PUT /{server.token}/review.json HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
            f"Content-Length: {10**12}\r\n\r\n".encode()
        )
        assert raw.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_review_is_saved_and_read_again(own: Served) -> None:
    """The new ETag is returned and is that of the next read; the old one is refused."""
    saved = own.save(plain_review(b=film_review(), a=film_review(c1="unsure")), '"none"')
    assert (saved.status, saved.body) == (204, b"")
    assert saved.headers["Cache-Control"] == "no-store"
    read = own.ask("review.json")
    assert read.headers["Etag"] == saved.headers["Etag"]
    assert read.body == (own.results / "review.json").read_bytes()
    assert list(json.loads(read.body)["films"]) == ["a", "b"]
    conflict = own.save(plain_review(), '"none"')
    assert (conflict.status, conflict.body) == (412, read.body)
    assert conflict.headers["Etag"] == read.headers["Etag"]
    assert conflict.headers["Content-Type"] == "application/json; charset=utf-8"
    assert own.save(plain_review(), read.headers["Etag"]).status == 204


def test_a_damaged_review_is_told_and_stays(own: Served) -> None:
    """A review damaged meanwhile gives 500 with one line, and is not overwritten."""
    (own.results / "review.json").write_text("{")
    for answer in (own.ask("review.json"), own.save(plain_review(), '"none"')):
        assert answer.status == 500
        assert "review.json is not a usable review" in one_line(answer)
    assert (own.results / "review.json").read_text() == "{"


@pytest.mark.skipif(sys.platform == "win32", reason="limits of processes are POSIX")
def test_what_cannot_be_written_is_told_and_the_old_one_stays(tmp_path: Path) -> None:
    """A write that fails halfway gives 500 with one line; the previous review is intact."""
    resource = pytest.importorskip("resource")
    results = page_folder(tmp_path / "results")
    limit = 20_000

    def few_bytes() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    with served(results, before=few_bytes) as running:
        first = running.save(plain_review(a=film_review()), '"none"')
        kept = (results / "review.json").read_bytes()
        large = plain_review(**{f"{n}": film_review(note="x" * 900) for n in range(30)})
        answer = running.save(large, first.headers["Etag"])
        assert answer.status == 500
        assert "not saved: cannot write" in one_line(answer)
        assert "File too large" in one_line(answer)
        assert (results / "review.json").read_bytes() == kept
        assert not [path for path in results.iterdir() if path.suffix == ".tmp"]
        small = plain_review(b=film_review())
        assert running.save(small, first.headers["Etag"]).status == 204


def _add(running: Served, who: str, count: int, refused: list[int]) -> None:
    """Add films one by one like a page, and read again after a conflict."""
    answer = running.ask("review.json")
    for number in range(count):
        while True:
            review = json.loads(answer.body)
            review["films"][f"{who}{number}"] = film_review()
            saved = running.save(review, answer.headers["Etag"])
            if saved.status == 204:
                answer = running.ask("review.json")
                break
            assert saved.status == 412
            refused.append(saved.status)
            answer = saved


def test_two_servers_lose_nothing(tmp_path: Path) -> None:
    """Four clients of two processes save at once, and all their films are kept."""
    results, refused = page_folder(tmp_path / "results"), list[int]()
    with served(results) as one, served(results) as two:
        adding = [
            threading.Thread(target=_add, args=(running, who, 15, refused))
            for running, who in ((one, "a"), (one, "b"), (two, "c"), (two, "d"))
        ]
        for thread in adding:
            thread.start()
        for thread in adding:
            thread.join()
        films = json.loads(one.ask("review.json").body)["films"]
        assert one.etag() == two.etag()
    assert set(films) == {f"{who}{number}" for who in "abcd" for number in range(15)}
    assert refused  # else there were no conflicts


@pytest.mark.slow
def test_a_killed_server_leaves_whole_reviews(tmp_path: Path) -> None:
    """After SIGKILL while saving, the review is complete: the last confirmed one, or the next."""
    results = page_folder(tmp_path / "results")
    for round_ in range(3):
        answered: list[str] = []
        with served(results) as running:
            stop = threading.Timer(0.15 + 0.07 * round_, running.process.kill)
            stop.start()
            with suppress(OSError, HTTPException):  # of the killed server
                etag = running.etag()
                while True:
                    review = plain_review(
                        **{f"{n}": film_review(note=f"{len(answered)} " * 50) for n in range(99)}
                    )
                    saved = running.save(review, etag)
                    assert saved.status == 204
                    etag = saved.headers["Etag"]
                    answered.append(etag)
            stop.join()
        if answered:
            review = json.loads((results / "review.json").read_bytes())
            notes = {film["note"] for film in review["films"].values()}
            assert len(notes) == 1
            number = int(notes.pop().split()[0])
            assert number in {len(answered) - 1, len(answered)}
    assert (results / "review.json").exists()


def test_ctrl_c_says_where_the_decisions_are(own: Served) -> None:
    """Ctrl-C exits with 0, without traceback, and prints the command to apply the review."""
    own.save(plain_review(a=film_review()), '"none"')
    own.process.send_signal(signal.SIGINT)
    out, err = own.process.communicate(timeout=30)
    assert (own.process.returncode, err) == (0, "")
    kept = own.results / "review.json"
    use = f"lesionscan review {own.results} --apply {kept}"
    assert out.splitlines()[-2:] == [
        f"decisions: {kept}",
        f"next: {use} --films FOLDER (the scanned folder)",
    ]


def test_ctrl_c_before_any_decision(own: Served) -> None:
    """Ctrl-C before any decision says that none was saved."""
    own.process.send_signal(signal.SIGINT)
    out, err = own.process.communicate(timeout=30)
    assert (own.process.returncode, err, out.splitlines()[-1]) == (0, "", "no decision was saved")


def test_only_this_machine_is_listened_to(tmp_path: Path) -> None:
    """Addresses are of 127.0.0.1, each with a new secret; an occupied port is an error."""
    results = page_folder(tmp_path / "results")
    one, two = ReviewServer(results), ReviewServer(results)
    try:
        host, secret = one.address.split("/")[2:4]
        assert host.startswith("127.0.0.1:")
        assert len(secret) == 32
        assert secret != two.address.split("/")[3]
        assert one._server.socket.getsockname()[0] == "127.0.0.1"
        port = int(host.partition(":")[2])
        with pytest.raises(ReviewError, match=f"port {port} cannot be used .*--port"):
            ReviewServer(results, port=port)
    finally:
        for server in (one, two):
            server.close()


@pytest.mark.skipif(sys.platform != "linux", reason="all of 127/8 leads here on Linux")
def test_other_addresses_of_this_machine_are_not_served(server: Served) -> None:
    """Other loopback addresses, such as 127.0.0.2, are not served."""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", server.port), timeout=5)


def test_leftovers_of_killed_servers_go(tmp_path: Path) -> None:
    """Temporary files of dead processes are removed at start."""
    from lesionscan.results import atomic

    results = page_folder(tmp_path / "results")
    dead = 2**22 + os.getpid()  # above the largest process id
    left = results / f".lesionscan-{'0' * 16}-{atomic.machine()}-{dead}.tmp"
    left.touch()
    ReviewServer(results).close()
    assert not left.exists()


def idle(server: Served, count: int) -> list[socket.socket]:
    """Open connections that send nothing, or only the beginning of a request."""
    opened = [
        socket.create_connection(("127.0.0.1", server.port), timeout=10) for _ in range(count)
    ]
    for one in opened[::2]:
        with suppress(OSError):  # already closed by the server
            one.sendall(b"GET / HTTP/1.1\r\nHost: ")
    return opened


def test_idle_connections_do_not_block_the_server(own: Served) -> None:
    """If any local program opens many connections, those idle longest are closed."""
    opened = idle(own, 2 * MOST_CONNECTIONS)
    try:
        for _ in range(3):
            start = time.monotonic()
            assert own.ask("report.html").status == 200
            assert time.monotonic() - start < 2
        opened += idle(own, MOST_CONNECTIONS)
        assert own.save(plain_review(a=film_review()), '"none"').status == 204
        files = len(list(Path(f"/proc/{own.process.pid}/fd").iterdir()))
        assert files < MOST_CONNECTIONS + 50
    finally:
        for one in opened:
            one.close()


def test_a_request_in_hand_survives_idle_connections(own: Served) -> None:
    """A connection that is sending is not among those idle longest."""
    review = json.dumps(plain_review(a=film_review(note="x" * 2000))).encode()
    opened = idle(own, MOST_CONNECTIONS - 1)
    with socket.create_connection(("127.0.0.1", own.port), timeout=10) as raw:
        raw.sendall(
            f"PUT /{own.token}/review.json HTTP/1.1\r\nHost: 127.0.0.1:{own.port}\r\n"
            f'If-Match: "none"\r\nContent-Length: {len(review)}\r\n\r\n'.encode()
        )
        raw.sendall(review[:1000])
        opened += idle(own, MOST_CONNECTIONS // 2)
        raw.sendall(review[1000:])
        assert raw.recv(100).startswith(b"HTTP/1.1 204 ")
    for one in opened:
        one.close()


BODY = 50_000_000


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ("PUT /{wrong}/review.json", 404),
        ("PUT /review.json", 404),
        ("POST /{token}/review.json", 405),
        ("PUT /{token}/report.html", 405),
        ("GET /{token}/report.html", 200),
        ("PUT /{token}/review.json HTTP/1.1\r\nOrigin: http://evil.example", 403),
        ("PUT /{token}/review.json HTTP/1.1\r\nSec-Fetch-Site: cross-site", 403),
        ("PUT /{token}/review.json HTTP/1.1\r\nHost: evil.example", 403),
    ],
)
@pytest.mark.parametrize("length", [f"Content-Length: {BODY}", "Transfer-Encoding: chunked"])
def test_a_body_is_not_read_before_the_headers_allow_it(
    server: Served, request_: str, status: int, length: str
) -> None:
    """A request without permission is answered at once, without reading its body, and closed."""
    line, _, headers = request_.format(token=server.token, wrong="x" * 32).partition(
        " HTTP/1.1\r\n"
    )
    if "Host" not in headers:
        headers += f"\r\nHost: 127.0.0.1:{server.port}"
    asked = f"{line} HTTP/1.1\r\n{headers.strip()}\r\n{length}\r\nExpect: 100-continue\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
        raw.sendall(asked.encode())
        answer = b""
        while part := raw.recv(65_536):  # until the server closes the connection
            answer += part
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"\r\nConnection: close\r\n" in answer
    assert answer.count(b"HTTP/1.1 ") == 1


def test_a_refused_body_is_no_next_request(server: Served) -> None:
    """Data after a refused header are not parsed as the next request."""
    hidden = f"GET /{server.token}/report.html HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n"
    asked = f"PUT /wrong HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nContent-Length: {len(hidden)}"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
        raw.sendall(f"{asked}\r\n\r\n{hidden}".encode())
        answer = b""
        while part := raw.recv(65_536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert answer.count(b"HTTP/1.1 ") == 1


def test_headers_are_bounded(server: Served) -> None:
    """Headers are limited in size, since they are stored before the secret is checked."""
    answer = server.ask_for("/", X_Long="x" * 70_000)
    assert answer.status == 431
