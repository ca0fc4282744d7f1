"""A small MediaWiki on the loopback interface, and a clock that does not wait."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pytest_socket import enable_socket, socket_allow_hosts

from charnn.text.fetch.transport import Patience

Handler = BaseHTTPRequestHandler
LICENCE = {"url": "https://example.org/by-sa/4.0/", "text": "Share and share alike"}


@dataclass
class Wiki:
    """What the server knows, what it was asked, and how it is to misbehave.

    Attributes:
        pages: the revisions of each page by its title, the newest last.
        rendered: HTML of revisions.
        redirects: a title and where it leads.
        faults: taken one a request; each answers in place of the wiki.
        before: called with the query before each answer.
    """

    pages: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    rendered: dict[int, str] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    faults: list[Callable[[Handler], None]] = field(default_factory=list)
    before: Callable[[dict[str, str]], None] = lambda query: None
    batch: int = 50
    asked: list[dict[str, str]] = field(default_factory=list)
    agents: list[str] = field(default_factory=list)
    under_way: int = 0
    at_once: int = 0
    api: str = ""
    told: list[str] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    now: float = 0.0

    def put(self, title: str, text: str) -> int:
        """A new revision of a page."""
        number = 1 + sum(len(revisions) for revisions in self.pages.values())
        self.pages.setdefault(title, []).append((100 + number, text))
        return 100 + number

    @staticmethod
    def say(handler: Handler, body: bytes, status: int = 200, **headers: str) -> None:
        """Answer with a body."""
        handler.send_response(status)
        headers.setdefault("Content_Length", str(len(body)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    @property
    def patience(self) -> Patience:
        """A clock that goes on when somebody sleeps."""

        def sleep(seconds: float) -> None:
            self.slept.append(seconds)
            self.now += seconds

        return Patience(
            between=1.0, timeout=30.0, sleep=sleep, clock=lambda: self.now, tell=self.told.append
        )

    def answer(self, query: dict[str, str]) -> dict[str, Any]:
        """What a MediaWiki answers."""
        if query["action"] == "parse":
            number = int(query["oldid"])
            return {"parse": {"revid": number, "text": self.rendered[number]}}
        if "titles" in query:
            return self._info(query["titles"])
        if query.get("generator") == "allpages":
            return self._all_pages(query)
        if query.get("list") == "search":
            like = [title for title in self.pages if query["srsearch"][:2] in title]
            return {"query": {"search": [{"title": title} for title in like]}}
        return self._revisions(query)

    def _info(self, title: str) -> dict[str, Any]:
        title = self.redirects.get(title, title)
        page: dict[str, Any] = {"title": title, "missing": True}
        if title in self.pages:
            url = f"https://wiki.example.org/wiki/{title}"
            page = {"title": title, "lastrevid": self.pages[title][-1][0], "fullurl": url}
        return {"query": {"pages": [page], "rightsinfo": LICENCE}}

    def _all_pages(self, query: dict[str, str]) -> dict[str, Any]:
        titles = sorted(title for title in self.pages if title.startswith(query["gapprefix"]))
        start = int(query.get("gapcontinue", "0"))
        some = titles[start : start + self.batch]
        if not some:
            return {"batchcomplete": True}
        pages = [{"title": title, "lastrevid": self.pages[title][-1][0]} for title in some]
        answer: dict[str, Any] = {"query": {"pages": pages}}
        if start + self.batch < len(titles):
            answer["continue"] = {
                "gapcontinue": str(start + self.batch),
                "continue": "gapcontinue||",
            }
        return answer

    def _revisions(self, query: dict[str, str]) -> dict[str, Any]:
        wanted = [int(number) for number in query["revids"].split("|")]
        there = {n: (title, text) for title, rs in self.pages.items() for n, text in rs}
        pages = [
            {
                "title": there[number][0],
                "revisions": [
                    {
                        "revid": number,
                        "timestamp": "2026-01-02T03:04:05Z",
                        "slots": {"main": {"content": there[number][1]}},
                    }
                ],
            }
            for number in wanted
            if number in there
        ]
        return {"query": {"pages": pages}}


@pytest.fixture
def wiki() -> Iterator[Wiki]:
    """The server, with nothing in it yet."""
    enable_socket()
    socket_allow_hosts(["127.0.0.1"], allow_unix_socket=True)
    known = Wiki()

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            known.under_way += 1
            known.at_once = max(known.at_once, known.under_way)
            query = {
                name: values[-1] for name, values in parse_qs(urlsplit(self.path).query).items()
            }
            known.asked.append(query)
            known.agents.append(self.headers.get("User-Agent", ""))
            self.close_connection = True
            fault = known.faults.pop(0) if known.faults else None
            try:
                if fault is None:
                    known.before(query)
                answer = b"" if fault else json.dumps(known.answer(query)).encode()
            finally:
                known.under_way -= 1  # who has the answer may ask again at once
            if fault:
                fault(self)
            else:
                known.say(self, answer)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.daemon_threads = True
    known.api = f"http://127.0.0.1:{server.server_address[1]}/w/api.php"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield known
    server.shutdown()
    server.server_close()
    thread.join()
