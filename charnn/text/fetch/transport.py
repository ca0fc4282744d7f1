"""One request to a MediaWiki at a time, with patience, and no more trust than it needs.

What to ask for is left to mediawiki.py.
"""

import http.client
import json
import platform
import string
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from typing import IO, Any, Final
from urllib.parse import quote, urlencode, urlsplit

from charnn._version import __version__
from charnn.errors import TextError

LARGEST_ANSWER: Final = 32 << 20
LONGEST_WAIT: Final = 300.0
TRIES: Final = 6
MAX_LAG: Final = 5  # seconds that the copies of the database may be behind
_BLOCK_BYTES: Final = 1 << 16
_MOST_REDIRECTS: Final = 5
_FIRST_WAIT: Final = 5.0
_BUSY: Final = (429, 500, 502, 503, 504)
_BUSY_CODES: Final = ("maxlag", "ratelimited", "readonly", "internal_api_error_DBQueryTimeoutError")
_BROKEN: Final = (http.client.HTTPException, OSError)
_PLAIN: Final = string.punctuation + " "


class FetchError(TextError):
    """A work cannot be fetched."""


class _AgainError(Exception):
    """It may be better the next time."""

    def __init__(self, why: str, wait: float | None = None) -> None:
        super().__init__(why)
        self.wait = wait


@dataclass(slots=True)
class Patience:
    """How time passes between requests; tests hand in a clock of their own.

    Attributes:
        between: seconds from one request to the next at least.
        timeout: seconds without a byte after which a connection counts as broken.
        longest_answer: seconds that one answer may take.
        sleep: waits so many seconds.
        clock: seconds since some moment.
        tell: told of every wait that a person may notice.
    """

    between: float = 1.0
    timeout: float = 30.0
    longest_answer: float = 180.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    tell: Callable[[str], None] = lambda message: None


def user_agent(contact: str | None) -> str:
    """What the program calls itself, so that those who run the wiki can reach who runs it.

    Args:
        contact: an e-mail address or a page; what is not ASCII is percent-encoded.

    >>> user_agent("me@example.org").split(" Python")[0]
    'charnn/0.1.0 (fetches single works by hand; me@example.org)'
    """
    reach = quote(contact, safe=_PLAIN) if contact else "no contact given"
    return (
        f"charnn/{__version__} (fetches single works by hand; {reach}) "
        f"Python-urllib/{platform.python_version()}"
    )


class Transport:
    """Requests to one api.php, one after another.

    Args:
        api: its address.
        contact: of whoever runs this.
        patience: how long to wait for what.
    """

    def __init__(self, api: str, contact: str | None, patience: Patience) -> None:
        self.host = urlsplit(api).hostname or ""
        self._api = api
        self._agent = user_agent(contact)
        self._patience = patience
        self._last: float | None = None
        self._opener = urllib.request.build_opener(_NearRedirects(api))

    def ask(self, **parameters: str | int) -> dict[str, Any]:
        """The answer to one request, asked again while the wiki is busy or the line is bad.

        Raises:
            FetchError: the wiki cannot be reached, refuses, or does not answer as a MediaWiki.
        """
        query = {"format": "json", "formatversion": 2, "maxlag": MAX_LAG, **parameters}
        url = f"{self._api}?{urlencode(query)}"
        for attempt in range(TRIES):
            try:
                return self._once(url)
            except _AgainError as error:
                why = str(error)
                wait = _FIRST_WAIT * 2**attempt if error.wait is None else error.wait
            if wait > LONGEST_WAIT:
                raise FetchError(
                    f"{self.host} asks to wait for {wait:,.0f} seconds: try again then"
                )
            if attempt + 1 < TRIES:
                self._patience.tell(f"{self.host}: {why}; again in {wait:.0f} s")
                self._patience.sleep(wait)
        raise FetchError(
            f"{self.host} does not answer as it should after {TRIES} tries ({why}): try again later"
        )

    def _once(self, url: str) -> dict[str, Any]:
        """One answer without an error in it."""
        self._keep_distance()
        request = urllib.request.Request(url, headers={"User-Agent": self._agent})
        try:
            with self._opener.open(request, timeout=self._patience.timeout) as response:
                return self._answer(response.headers, self._body(response))
        except urllib.error.HTTPError as error:
            with error:
                raise self._http_error(error) from None
        except urllib.error.URLError as error:
            if isinstance(error.reason, TimeoutError | ConnectionResetError):
                raise _AgainError("the connection broke") from None
            raise FetchError(
                f"{self.host} cannot be reached ({_plain(error.reason)}): is this computer online?"
            ) from None
        except _BROKEN:
            raise _AgainError("the connection broke") from None
        finally:
            self._last = self._patience.clock()

    def _keep_distance(self) -> None:
        if self._last is not None:
            left = self._last + self._patience.between - self._patience.clock()
            if left > 0:
                self._patience.sleep(left)

    def _body(self, response: http.client.HTTPResponse) -> bytes:
        """The bytes of an answer, if they come in time and are no flood."""
        end = self._patience.clock() + self._patience.longest_answer
        blocks, size = [], 0
        while block := response.read1(_BLOCK_BYTES):
            blocks.append(block)
            size += len(block)
            if size > LARGEST_ANSWER:
                raise FetchError(
                    f"{self.host} answers with more than {LARGEST_ANSWER >> 20} MiB, "
                    "as no MediaWiki does: is it the right address?"
                )
            if self._patience.clock() > end:
                raise _AgainError("the answer took too long")
        if size < _promised(response.headers):
            raise _AgainError("the answer was cut short")
        return b"".join(blocks)

    def _answer(self, headers: Message, body: bytes) -> dict[str, Any]:
        """The JSON object in an answer."""
        try:
            data = json.loads(body)
            json.dumps(data, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise FetchError(
                f"{self.host} answers with what is no text (a lone surrogate)"
            ) from None
        except (ValueError, RecursionError):
            if body.lstrip()[:1] in (b"{", b""):
                raise _AgainError("the answer was cut short") from None
            data = None
        if not isinstance(data, dict):
            raise FetchError(
                f"{self.host} does not answer as a MediaWiki does (no JSON object): "
                "is something between here and there, such as a login page?"
            )
        error = data.get("error")
        if error is None:
            return data
        code, info = (error.get("code"), error.get("info")) if isinstance(error, dict) else ("", "")
        if code in _BUSY_CODES:
            raise _AgainError(f"it is busy ({code})", _retry_after(headers))
        raise FetchError(f"{self.host} refuses: {_plain(info or code or error)}")

    def _http_error(self, error: urllib.error.HTTPError) -> Exception:
        if error.code in _BUSY:
            return _AgainError(f"it is busy (HTTP {error.code})", _retry_after(error.headers))
        hint = (
            "; it may want to know who asks: name an address with --contact"
            if error.code == 403
            else ""
        )
        return FetchError(
            f"{self.host} refuses with HTTP {error.code} {_plain(error.reason)}{hint}"
        )


class _NearRedirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect to the same wiki alone, and never from https to http."""

    max_redirections = _MOST_REDIRECTS

    def __init__(self, api: str) -> None:
        self._api = urlsplit(api)

    def http_error_302(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
    ) -> Any:
        """What the new address answers."""
        try:
            return super().http_error_302(req, fp, code, msg, headers)
        except ValueError as error:
            fp.close()
            raise FetchError(
                f"{self._api.hostname} sends on to what is no address ({_plain(error)})"
            ) from None

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """The request to go on with."""
        new = urlsplit(newurl)
        host, own = new.hostname or "", self._api.hostname or ""
        near = host == own or _site(host) == _site(own) != ""
        if not near or new.scheme not in ("https", self._api.scheme):
            fp.close()
            raise FetchError(f"{own} sends on to {_plain(newurl)}, which is not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _site(host: str) -> str:
    """What the wikis of all languages share; "" for an address of numbers.

    >>> _site("ko.m.wikisource.org"), _site("127.0.0.1")
    ('wikisource.org', '')
    """
    labels = host.split(".")
    return "" if labels[-1].isdigit() or len(labels) < 2 else ".".join(labels[-2:])


def _promised(headers: Message) -> int:
    """The bytes that an answer says it has; 0 if it does not say."""
    try:
        return int(headers.get("Content-Length", ""))
    except ValueError:
        return 0


def _retry_after(headers: Message) -> float | None:
    """The seconds that an answer asks to wait; None if it does not say, or says a date."""
    try:
        return max(0.0, float(int(headers.get("Retry-After", ""))))
    except (ValueError, OverflowError):
        return None


def _plain(what: object) -> str:
    """Anything a server said, short and on one line."""
    text = getattr(what, "strerror", None) or str(what)
    return "".join(c if c.isprintable() else " " for c in text)[:200].strip()
