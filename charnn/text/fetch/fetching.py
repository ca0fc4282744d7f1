"""A work by name into a text file, with a file beside it that says where it comes from."""

import hashlib
import json
import os
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from charnn._version import __version__
from charnn.errors import OptionError
from charnn.text.fetch.blocks import Block, as_text
from charnn.text.fetch.catalogue import NAMES, Work
from charnn.text.fetch.mediawiki import (
    Listing,
    Page,
    Revision,
    RevisionGoneError,
    list_pages,
    read_rendered,
    read_revisions,
)
from charnn.text.fetch.rendered import read_rendered_page
from charnn.text.fetch.transport import FetchError, Patience, Transport
from charnn.text.fetch.wikitext import Read, read_wikitext
from charnn.text.new_file import make_folder, new_file, refuse_existing, refuse_no_room

SOURCE_SUFFIX: Final = ".source.json"
_RELISTS: Final = 2
_A_LITTLE: Final = 200  # characters that a page of contents may have beside its links
_LINK: Final = re.compile(r"\[\[[^\[\]]*\]\]")
_DIGITS: Final = re.compile(r"(\d+)")
_NUMERALS: Final = {c: n for n, c in enumerate("〇一二三四五六七八九")} | {"零": 0, "○": 0}
_NUMERAL: Final = re.compile("[〇零○一二三四五六七八九十百]+")


@dataclass(slots=True)
class Fetched:
    """What came of it.

    Attributes:
        path: the text.
        source: the file beside it.
        characters: how long the text is.
        pages: of how many pages it was made.
        notes: what a person should know, a line each.
    """

    path: Path
    source: Path
    characters: int
    pages: int
    notes: list[str] = field(default_factory=list)


def find_work(name: str) -> Work:
    """The work of a name.

    Raises:
        OptionError: there is none in the catalogue.
    """
    if name not in NAMES:
        raise OptionError(
            f"there is no work {name!r} in the catalogue: 'charnn corpus fetch' lists them"
        )
    return NAMES[name]


def fetch(
    work: Work,
    output: str | Path | None = None,
    *,
    title: str | None = None,
    contact: str | None = None,
    api: str | None = None,
    patience: Patience | None = None,
) -> Fetched:
    """Fetch a work from its Wikisource, a request at a time.

    Args:
        work: from the catalogue.
        output: the new text; None is corpora/<name>.txt, in a folder that is made if need be.
        title: of its page, where it is another than the catalogue's.
        contact: an address of whoever runs this, told to the wiki.
        api: the address of api.php; None is that of the work's Wikisource.
        patience: how long to wait for what.

    Raises:
        OptionError: `output` names no file, or one of the two files is there already.
        TextError: a file cannot be written, or (FetchError) the wiki cannot be reached, has no such
            page, or does not answer as a MediaWiki.
    """
    path, source = _places(work, output)
    patience = patience or Patience()
    wiki = Transport(api or f"https://{work.host}/w/api.php", contact, patience)
    book = _read_book(wiki, work, title or work.title, patience)
    text = book.text()
    if not text:
        raise FetchError(f"{wiki.host}: {book.listing.main.title!r} has no text that can be read")
    if output is None:
        make_folder(path.parent)
    data = text.encode()
    origin = {**_origin(work, book), "characters": len(text)}
    origin["sha256"] = hashlib.sha256(data).hexdigest()
    with new_file(source) as stream, new_file(path) as body:
        body.write(data)
        stream.write(json.dumps(origin, ensure_ascii=False, indent=1).encode() + b"\n")
    return Fetched(path, source, len(text), len(book.revisions), book.notes())


def _places(work: Work, output: str | Path | None) -> tuple[Path, Path]:
    """Where the text goes and what tells of it, once both can be written; nothing is made yet."""
    path = work.file if output is None else Path(output)
    if not path.name:
        raise OptionError(f"output must name a file, got {str(output)!r}")
    source = path.with_name(path.stem + SOURCE_SUFFIX)
    for one in (path, source):
        refuse_existing(one)
    to_be_made = output is None and not os.path.lexists(path.parent)
    refuse_no_room(path.parent if to_be_made else path)
    return path, source


@dataclass(slots=True)
class _Book:
    """A work as it was read.

    Attributes:
        listing: what there is of it.
        in_order_of: how its sub-pages were put in order.
        revisions: its pages, in order.
        blocks: the paragraphs of each.
        reads: what was met in each.
        skipped: the titles of sub-pages that are not the work.
        not_taken: characters of its own page, where its text is that of the sub-pages.
    """

    listing: Listing
    in_order_of: str
    revisions: list[Revision] = field(default_factory=list)
    blocks: list[list[Block]] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    not_taken: int = 0

    def text(self) -> str:
        """The pages one after another, a blank line between them."""
        return "\n".join(text for blocks in self.blocks if (text := as_text(blocks)))

    @property
    def left_out(self) -> Counter[str]:
        """Templates nobody knows, how often they were left out."""
        return sum((read.left_out for read in self.reads), Counter())

    @property
    def licences(self) -> list[str]:
        """The templates on the pages that tell of copyright."""
        about = (name for read in self.reads for name in read.about)
        return sorted({name for name in about if re.match("PD|저작권|public", name, re.IGNORECASE)})

    def notes(self) -> list[str]:
        """What a person should know."""
        notes = []
        if footnotes := sum(read.notes_left_out for read in self.reads):
            notes.append(f"footnotes left out: {footnotes:,}")
        if self.left_out:
            most = ", ".join(f"{name} ({n:,})" for name, n in self.left_out.most_common(5))
            notes.append(f"templates left out that may show text: {most}")
        if self.skipped:
            notes.append(f"sub-pages left out: {', '.join(self.skipped[:5])}")
        if self.not_taken > _A_LITTLE:
            notes.append(
                f"text of {self.listing.main.title} itself left out "
                f"({self.not_taken:,} characters beside its links): its sub-pages are the work"
            )
        if not self.licences:
            notes.append("no template on the pages tells of copyright: check it yourself")
        return notes


def _read_book(wiki: Transport, work: Work, title: str, patience: Patience) -> _Book:
    """The whole work at one moment; listed anew if a page vanishes meanwhile."""
    for _ in range(_RELISTS):
        listing = list_pages(wiki, title)
        patience.tell(f"{listing.main.title}: {max(1, len(listing.parts)):,} pages on {wiki.host}")
        try:
            return _read_listed(wiki, work, listing, patience)
        except RevisionGoneError as error:
            gone = str(error)
            patience.tell(f"{gone} was deleted meanwhile; listing the pages again")
    raise FetchError(f"{wiki.host} lists {gone!r} but does not give it: try again later")


def _read_listed(wiki: Transport, work: Work, listing: Listing, patience: Patience) -> _Book:
    main = next(iter(read_revisions(wiki, [listing.main])))
    contents = read_wikitext(main.wikitext)
    parts = [p for p in listing.parts if not any(word in p.title for word in work.skip)]
    ordered, in_order_of = _in_order(listing.main.title, parts, contents.links)
    book = _Book(listing, in_order_of)
    book.skipped = [p.title for p in listing.parts if p not in parts]
    if not ordered:
        _add(wiki, book, main)
        return book
    book.reads.append(contents)  # the page of contents has the licence, and no text of the work
    book.not_taken = len(as_text(read_wikitext(_LINK.sub("", main.wikitext)).blocks))
    for number, revision in enumerate(read_revisions(wiki, ordered), 1):
        patience.tell(f"{number:,}/{len(ordered):,} {revision.title}")
        _add(wiki, book, revision)
    return book


def _add(wiki: Transport, book: _Book, revision: Revision) -> None:
    """One more page; the wiki puts it together where its text lies elsewhere."""
    read = read_wikitext(revision.wikitext)
    blocks = read.blocks
    if read.transcluded:
        blocks = read_rendered_page(read_rendered(wiki, revision.revision))
    book.revisions.append(revision)
    book.reads.append(read)
    book.blocks.append(blocks)


def _in_order(main: str, parts: Sequence[Page], links: Sequence[str]) -> tuple[list[Page], str]:
    """Sub-pages in the order of the table of contents if it has them all, else by their numbers."""
    place: dict[str, int] = {}
    for link in links:
        full = f"{main}{link}" if link.startswith("/") else link
        place.setdefault(full.replace("_", " ").rstrip("/"), len(place))
    if parts and all(part.title in place for part in parts):
        return sorted(parts, key=lambda part: place[part.title]), "table of contents"
    return sorted(parts, key=lambda part: natural_key(part.title)), "numbers in the titles"


def natural_key(title: str) -> list[tuple[int, str]]:
    """What sorts titles as a person would: numbers by their value, Chinese numerals too.

    >>> sorted(["무정/101장~120장", "무정/21장~40장", "무정/1장~20장"], key=natural_key)
    ['무정/1장~20장', '무정/21장~40장', '무정/101장~120장']
    """
    western = _NUMERAL.sub(lambda numeral: str(_value(numeral[0])), title)
    parts = _DIGITS.split(western)
    return [(int(p), "") if p.isdecimal() and p.isascii() else (-1, p) for p in parts if p]


def _value(numeral: str) -> int:
    """The value of a Chinese numeral below a thousand, in either way of writing.

    >>> _value("百二十"), _value("十二"), _value("一〇六"), _value("三")
    (120, 12, 106, 3)
    """
    if not {"十", "百"} & set(numeral):
        return int("".join(str(_NUMERALS[c]) for c in numeral))
    total = digit = 0
    for character in numeral:
        if character in "十百":
            total += max(1, digit) * (10 if character == "十" else 100)
            digit = 0
        else:
            digit = _NUMERALS[character]
    return total + digit


def _origin(work: Work, book: _Book) -> dict[str, Any]:
    """Where a text comes from, for the file beside it."""
    listing = book.listing
    base = listing.url.split("/wiki/")[0]
    died = f"died in {work.died}" if work.died else "not known by name"
    return {
        "format": "charnn source",
        "version": 1,
        "fetched": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "program": f"charnn {__version__}",
        "work": {**asdict(work), "skip": list(work.skip)},
        "title": listing.main.title,
        "url": listing.url,
        "licence": {
            "text": f"{work.author}, {died}; printed {work.year}",
            "text_templates": book.licences,
            "transcription": listing.licence,
            "transcription_url": listing.licence_url,
        },
        "pages": [
            {
                "title": revision.title,
                "revision": revision.revision,
                "timestamp": revision.timestamp,
                "url": f"{base}/w/index.php?oldid={revision.revision}",
            }
            for revision in book.revisions
        ],
        "order": book.in_order_of,
        "left_out": {
            "templates": dict(book.left_out),
            "footnotes": sum(read.notes_left_out for read in book.reads),
            "pages": book.skipped,
        },
    }
