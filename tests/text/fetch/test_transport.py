"""One request at a time: what is asked again, what is refused, what it says of itself."""

import contextlib
import http.client
import json
import socket
import ssl
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler as Handler
from typing import Any

import pytest

from charnn.text.fetch import transport
from charnn.text.fetch.transport import TRIES, FetchError, Transport

Wiki = Any  # that of conftest.py


def say(handler: Handler, body: bytes, status: int = 200, **headers: str) -> None:
    """Answer with a body."""
    handler.send_response(status)
    headers.setdefault("Content_Length", str(len(body)))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def ask(wiki: Wiki, contact: str | None = "me@example.org") -> dict[str, object]:
    return Transport(wiki.api, contact, wiki.patience).ask(action="query", titles="무정")


def refusal(wiki: Wiki) -> str:
    with pytest.raises(FetchError) as caught:
        ask(wiki)
    return str(caught.value)


def error(code: str, info: str = "", **headers: str) -> Callable[[Handler], None]:
    body = json.dumps({"error": {"code": code, "info": info}}).encode()
    return lambda handler: say(handler, body, **headers)


def test_every_request_says_who_asks_and_minds_the_lag(wiki: Wiki) -> None:
    assert ask(wiki)["query"]
    asked = {"format": "json", "formatversion": "2", "maxlag": "5", "action": "query"}
    assert wiki.asked == [{**asked, "titles": "무정"}]
    assert wiki.agents[0].startswith("charnn/")
    assert "me@example.org" in wiki.agents[0]


def test_who_asks_may_have_a_name_in_any_letters(wiki: Wiki) -> None:
    assert ask(wiki, contact="홍길동 <hong+charnn@example.org> 100%; a~b")["query"]
    name = "%ED%99%8D%EA%B8%B8%EB%8F%99"
    assert f"; {name} <hong+charnn@example.org> 100%; a~b)" in wiki.agents[0]


def test_requests_keep_their_distance(wiki: Wiki) -> None:
    line = Transport(wiki.api, None, wiki.patience)
    for _ in range(3):
        line.ask(action="query", titles="무정")
    assert wiki.slept == [1.0, 1.0]
    assert wiki.at_once == 1
    assert "no contact given" in wiki.agents[0]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_wiki_is_asked_again_when_it_says(wiki: Wiki, status: int) -> None:
    wiki.faults = [lambda handler: say(handler, b"busy", status, Retry_After="7")]
    assert ask(wiki)["query"]
    assert wiki.slept[0] == 7.0
    assert wiki.told == [f"127.0.0.1: it is busy (HTTP {status}); again in 7 s"]


def test_a_lagging_wiki_is_asked_again(wiki: Wiki) -> None:
    wiki.faults = [error("maxlag", "Waiting for db1: 6 seconds lagged.", Retry_After="5")] * 2
    assert ask(wiki)["query"]
    assert wiki.told == ["127.0.0.1: it is busy (maxlag); again in 5 s"] * 2


def test_without_a_hint_it_waits_longer_every_time(wiki: Wiki) -> None:
    wiki.faults = [error("ratelimited")] * TRIES
    assert refusal(wiki) == (
        f"127.0.0.1 does not answer as it should after {TRIES} tries (it is busy (ratelimited)): "
        "try again later"
    )
    assert len(wiki.asked) == TRIES
    assert [second for second in wiki.slept if second != 1.0] == [5, 10, 20, 40, 80]


@pytest.mark.parametrize("asked", ["301", "86400"])
def test_nobody_waits_for_minutes(wiki: Wiki, asked: str) -> None:
    wiki.faults = [lambda handler: say(handler, b"", 429, Retry_After=asked)]
    assert refusal(wiki) == f"127.0.0.1 asks to wait for {int(asked):,} seconds: try again then"
    assert len(wiki.asked) == 1


@pytest.mark.parametrize("asked", ["soon", "Wed, 21 Oct 2026 07:28:00 GMT", "-3", "9" * 400])
def test_what_cannot_be_waited_for_is_a_number_of_our_own(wiki: Wiki, asked: str) -> None:
    wiki.faults = [lambda handler: say(handler, b"", 429, Retry_After=asked)]
    assert ask(wiki)["query"]
    assert wiki.slept[0] == (0.0 if asked == "-3" else 5.0)


def shortened(handler: Handler) -> None:
    say(handler, b'{"query": {"pa', Content_Length="500")


def cut_json(handler: Handler) -> None:
    say(handler, b'{"query": {"pa')


def nothing(handler: Handler) -> None:
    say(handler, b"")


def hang_up(handler: Handler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)


def half_a_chunk(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b'1f4\r\n{"query"')


def stall(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "500")
    handler.end_headers()
    handler.wfile.write(b"{")
    handler.rfile.read(1)  # until the other side has had enough


@pytest.mark.parametrize("fault", [shortened, cut_json, nothing, hang_up, half_a_chunk])
def test_a_truncated_answer_is_asked_for_again(
    wiki: Wiki, fault: Callable[[Handler], None]
) -> None:
    wiki.faults = [fault]
    assert ask(wiki)["query"]
    assert len(wiki.asked) == 2
    assert wiki.told[0].split(": ")[1].split(";")[0] in (
        "the answer was cut short",
        "the connection broke",
    )


def test_a_connection_that_stalls_is_given_up(wiki: Wiki) -> None:
    wiki.faults = [stall]
    patience = wiki.patience
    patience.timeout = 0.5
    assert Transport(wiki.api, None, patience).ask(action="query", titles="무정")["query"]
    assert wiki.told == ["127.0.0.1: the connection broke; again in 5 s"]


def test_an_answer_that_trickles_is_given_up(wiki: Wiki) -> None:
    patience = wiki.patience
    ticks = iter(range(0, 10_000, 100))
    patience.clock = lambda: float(next(ticks))
    patience.longest_answer = 50.0
    with pytest.raises(FetchError, match="the answer took too long"):
        Transport(wiki.api, None, patience).ask(action="query", titles="무정")


def test_every_block_of_an_answer_that_trickles_is_looked_at(wiki: Wiki) -> None:
    wiki.faults = [stall] * TRIES
    patience = wiki.patience
    ticks = iter(range(0, 10_000, 100))
    patience.clock = lambda: float(next(ticks))
    patience.timeout, patience.longest_answer = 0.5, 50.0
    with pytest.raises(FetchError, match="the answer took too long"):
        Transport(wiki.api, None, patience).ask(action="query", titles="무정")


@pytest.mark.parametrize("broken", [ssl.SSLError(1, "bad record"), OSError(113, "No route")])
def test_a_line_that_breaks_within_an_answer_is_bad_luck(
    wiki: Wiki, monkeypatch: pytest.MonkeyPatch, broken: OSError
) -> None:
    line = Transport(wiki.api, None, wiki.patience)
    body, breaks = line._body, [broken]

    def read(response: http.client.HTTPResponse) -> bytes:
        if breaks:
            raise breaks.pop()
        return body(response)

    monkeypatch.setattr(line, "_body", read)
    assert line.ask(action="query", titles="무정")["query"]
    assert wiki.told == ["127.0.0.1: the connection broke; again in 5 s"]


@pytest.mark.parametrize("body", [rb'{"query": ["\ud800"]}', rb'{"\udfff": 1}', b'"\xed\xa0\x80"'])
def test_what_is_no_text_is_refused(wiki: Wiki, body: bytes) -> None:
    wiki.faults = [lambda handler: say(handler, body)]
    assert refusal(wiki) == "127.0.0.1 answers with what is no text (a lone surrogate)"


def test_a_flood_is_refused(wiki: Wiki, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "LARGEST_ANSWER", 1 << 20)

    def flood(handler: Handler) -> None:
        with contextlib.suppress(OSError):  # nobody listens any more
            say(handler, b"x" * (1 << 25))

    wiki.faults = [flood]
    assert refusal(wiki) == (
        "127.0.0.1 answers with more than 1 MiB, as no MediaWiki does: is it the right address?"
    )


@pytest.mark.parametrize(
    "body",
    [b"<html>Log in to the hotel</html>", b"[1]", b'"a"', b"\xff\xfe", b"null", b"[" * 99999],
)
def test_what_is_no_mediawiki_is_refused(wiki: Wiki, body: bytes) -> None:
    wiki.faults = [lambda handler: say(handler, body)]
    assert refusal(wiki) == (
        "127.0.0.1 does not answer as a MediaWiki does (no JSON object): "
        "is something between here and there, such as a login page?"
    )


def test_an_error_is_told_in_the_words_of_the_wiki(wiki: Wiki) -> None:
    wiki.faults = [error("badvalue", "Unrecognized value\x1b[2J\nfor parameter")]
    assert refusal(wiki) == "127.0.0.1 refuses: Unrecognized value [2J for parameter"
    wiki.faults = [lambda handler: say(handler, b'{"error": 5}')]
    assert refusal(wiki) == "127.0.0.1 refuses: 5"
    wiki.faults = [lambda handler: say(handler, b"no", 404)]
    assert refusal(wiki) == "127.0.0.1 refuses with HTTP 404 Not Found"
    wiki.faults = [lambda handler: say(handler, b"no", 403)]
    assert refusal(wiki).endswith("; it may want to know who asks: name an address with --contact")


def test_a_redirect_of_the_same_wiki_is_followed(wiki: Wiki) -> None:
    wiki.faults = [
        lambda handler: say(handler, b"", 301, Location=f"{wiki.api}?action=query&titles=x")
    ]
    assert ask(wiki)["query"]
    assert wiki.asked[1]["titles"] == "x"


@pytest.mark.parametrize(
    "target", ["http://elsewhere.example/", "ftp://127.0.0.1/x", "http://127.0.0.2/w/api.php"]
)
def test_no_other_redirect_is(wiki: Wiki, target: str) -> None:
    wiki.faults = [lambda handler: say(handler, b"", 302, Location=target)]
    assert refusal(wiki) == f"127.0.0.1 sends on to {target}, which is not followed"


def test_a_redirect_to_what_is_no_address(wiki: Wiki) -> None:
    wiki.faults = [lambda handler: say(handler, b"", 302, Location="http://[")]
    assert refusal(wiki) == "127.0.0.1 sends on to what is no address (Invalid IPv6 URL)"


def test_a_file_is_no_wiki(wiki: Wiki) -> None:
    wiki.faults = [lambda handler: say(handler, b"", 302, Location="file:///etc/passwd")]
    assert refusal(wiki).startswith("127.0.0.1 refuses with HTTP 302 ")


def test_a_ring_of_redirects_ends(wiki: Wiki) -> None:
    wiki.faults = [lambda handler: say(handler, b"", 302, Location=wiki.api)] * 99
    assert refusal(wiki).startswith("127.0.0.1 refuses with HTTP 302 ")
    assert len(wiki.asked) < 12


def test_a_computer_that_is_offline(wiki: Wiki, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert refusal(wiki) == (
        "127.0.0.1 cannot be reached (Temporary failure in name resolution): "
        "is this computer online?"
    )
    assert wiki.slept == []


def test_a_server_that_is_not_there(wiki: Wiki) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        wiki.api = f"http://127.0.0.1:{free.getsockname()[1]}/w/api.php"
        assert refusal(wiki) == (
            "127.0.0.1 cannot be reached (Connection refused): is this computer online?"
        )
