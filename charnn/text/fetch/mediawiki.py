"""What is asked of a MediaWiki: which pages a work has, and what they say at one revision.

The requests themselves are left to transport.py, markup to wikitext.py and rendered.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from charnn.text.fetch.transport import FetchError, Transport

BATCH: Final = 10  # texts in one answer; wikis throttle those who ask for many
MOST_PAGES: Final = 2_000
_MOST_ANSWERS: Final = 500
_SUGGESTIONS: Final = 5


class RevisionGoneError(Exception):
    """A revision that was listed is not there any more."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page and its revision at the time of listing."""

    title: str
    revision: int


@dataclass(frozen=True, slots=True)
class Listing:
    """What there is of a work.

    Attributes:
        main: its page.
        url: where a person reads that.
        parts: its sub-pages, in no particular order.
        licence: of what the wiki's people write, in the wiki's words.
        licence_url: where that licence is.
    """

    main: Page
    url: str
    parts: tuple[Page, ...]
    licence: str
    licence_url: str


@dataclass(frozen=True, slots=True)
class Revision:
    """One page at one moment; `wikitext` is what its transcribers wrote."""

    title: str
    revision: int
    timestamp: str
    wikitext: str


def list_pages(wiki: Transport, title: str) -> Listing:
    """The page of a title and its sub-pages, redirects followed.

    Raises:
        FetchError: there is no such page; the message says which are like it.
    """
    data = wiki.ask(
        action="query",
        titles=title,
        redirects=1,
        prop="info",
        inprop="url",
        meta="siteinfo",
        siprop="rightsinfo",
    )
    found = _at(wiki, data, "query", "pages", kind=list)
    page = found[0] if found else {}
    if not isinstance(page, dict) or "lastrevid" not in page:
        raise FetchError(_missing(wiki, title))
    rights = data["query"].get("rightsinfo")
    rights = rights if isinstance(rights, dict) else {}
    main = _page(wiki, page)
    return Listing(
        main=main,
        url=str(page.get("fullurl", "")),
        parts=tuple(_sub_pages(wiki, main.title)),
        licence=str(rights.get("text", "")),
        licence_url=str(rights.get("url", "")),
    )


def read_revisions(wiki: Transport, pages: Sequence[Page]) -> Iterator[Revision]:
    """What pages say at the listed revisions, in the order of the pages.

    Whoever changes a page meanwhile makes a new revision; these stay what they are.

    Raises:
        RevisionGoneError: one was deleted or hidden meanwhile.
        FetchError: the wiki cannot be reached, or answers with something else.
    """
    for start in range(0, len(pages), BATCH):
        batch = pages[start : start + BATCH]
        found = {revision.revision: revision for revision in _revisions(wiki, batch)}
        for page in batch:
            if page.revision not in found:
                raise RevisionGoneError(page.title)
            yield found[page.revision]


def read_rendered(wiki: Transport, revision: int) -> str:
    """The HTML that the wiki makes of a revision, what it takes from other pages included.

    Raises:
        FetchError: the wiki cannot be reached, or answers with something else.
    """
    data = wiki.ask(
        action="parse",
        oldid=revision,
        prop="text|revid",
        disableeditsection=1,
        disabletoc=1,
        disablelimitreport=1,
    )
    if _at(wiki, data, "parse", "revid", kind=int) != revision:
        raise FetchError(f"{wiki.host} answers with another revision than {revision}")
    text: str = _at(wiki, data, "parse", "text", kind=str)
    return text


def _sub_pages(wiki: Transport, title: str) -> Iterator[Page]:
    """The pages below a page, with their newest revisions."""
    count = 0
    for data in _answers(
        wiki,
        action="query",
        generator="allpages",
        gapprefix=f"{title}/",
        gapnamespace=0,
        gapfilterredir="nonredirects",
        gaplimit=50,
        prop="info",
    ):
        if "query" not in data:  # none at all
            return
        for page in _at(wiki, data, "query", "pages", kind=list):
            count += 1
            if count > MOST_PAGES:
                raise FetchError(f"{title} has more than {MOST_PAGES:,} sub-pages, as no book has")
            yield _page(wiki, page)


def _revisions(wiki: Transport, pages: Sequence[Page]) -> Iterator[Revision]:
    for data in _answers(
        wiki,
        action="query",
        prop="revisions",
        revids="|".join(str(page.revision) for page in pages),
        rvprop="ids|timestamp|content",
        rvslots="main",
    ):
        query = _at(wiki, data, "query", kind=dict)
        for page in _list_in(query, "pages"):
            for revision in _list_in(page, "revisions"):
                yield from _revision(page, revision)


def _revision(page: dict[str, Any], revision: Any) -> Iterator[Revision]:
    """One revision, if its text came with it: a long answer leaves texts for the next one."""
    number = _in(revision, "revid")
    text = _in(_in(_in(revision, "slots"), "main"), "content")
    if not isinstance(text, str) or not isinstance(number, int):
        return
    yield Revision(str(_in(page, "title")), number, str(_in(revision, "timestamp")), text)


def _answers(wiki: Transport, **parameters: str | int) -> Iterator[dict[str, Any]]:
    """An answer and those that continue it."""
    more: dict[str, Any] = {}
    for _ in range(_MOST_ANSWERS):
        data = wiki.ask(**{**parameters, **more})
        yield data
        goes_on = data.get("continue")
        if not isinstance(goes_on, dict):
            return
        more = {str(name): str(value) for name, value in goes_on.items()}
    raise FetchError(f"{wiki.host} never comes to an end of its answer")


def _missing(wiki: Transport, title: str) -> str:
    """What to say of a title that is not there."""
    data = wiki.ask(action="query", list="search", srsearch=title, srlimit=_SUGGESTIONS, srprop="")
    hits = [hit for hit in _list_in(data.get("query"), "search") if isinstance(hit, dict)]
    like = ", ".join(str(hit.get("title"))[:80] for hit in hits[:_SUGGESTIONS])
    if not like:
        return (
            f"{wiki.host} has no page {title!r}: look there for its title, and give it as --title"
        )
    return f"{wiki.host} has no page {title!r}, but {like}: give the right one as --title"


def _page(wiki: Transport, data: Any) -> Page:
    return Page(_at(wiki, data, "title", kind=str), _at(wiki, data, "lastrevid", kind=int))


def _in(data: Any, name: str) -> Any:
    """What an object has by a name; None if it is no object, or has nothing by that name."""
    return data.get(name) if isinstance(data, dict) else None


def _list_in(data: Any, name: str) -> list[Any]:
    """A list in an object, empty if it is not there."""
    found = _in(data, name)
    return found if isinstance(found, list) else []


def _at(wiki: Transport, data: Any, *path: str, kind: type) -> Any:
    """What stands at a path of an answer.

    Raises:
        FetchError: something else does.
    """
    for name in path:
        data = _in(data, name)
    if not isinstance(data, kind) or isinstance(data, bool):
        raise FetchError(
            f"{wiki.host} does not answer as a MediaWiki does (no {'.'.join(path)} in it)"
        )
    return data
