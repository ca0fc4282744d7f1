"""What is in a text, as it really is: nothing is refused but what is no text, nothing changed.

The whole is counted; words, repeats, entropies and compressors look at a sample of it. What the
tokenizers make of it is left to the corpus room, what to train to the training room.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from charnn.errors import TextError
from charnn.text.classes import Composition, Counted, compose
from charnn.text.counting import Counts
from charnn.text.detection import Certainty
from charnn.text.encodings import text_encoding
from charnn.text.entropy import conditional_entropies
from charnn.text.files import find_files
from charnn.text.gathering import FileFacts, Gatherer, Tell
from charnn.text.lenient import is_mark
from charnn.text.measures import words_of
from charnn.text.repeats import RepeatedLines, Repeats, repeated_lines, repeated_passages
from charnn.text.sampling import MOST_BYTES, Sample
from charnn.text.spool import ANY_ENCODING, Copies
from charnn.text.yardsticks import Yardstick, yardsticks

MOST_FREQUENT: Final = 24


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a sample, punctuation at their ends left off.

    Attributes:
        total: how many there are.
        distinct: how many different ones.
        most: the most frequent ones.
    """

    total: int
    distinct: int
    most: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Inspection:
    """What is in a text.

    Attributes:
        files: each as it was found, empty ones among them.
        counts: of the whole text, newlines made LF and byte order marks left out.
        composition: the sorts of its characters, of the whole text.
        characters: the most frequent ones of the whole text.
        utf8_bytes: what the whole text takes in UTF-8.
        sample: what the rest is about.
        words: of the sample; so are the repeats.
        entropies: of order 0 to 3, in bits per character of the sample.
        yardsticks: what compressors make of the sample.
    """

    files: tuple[FileFacts, ...]
    counts: Counts = field(repr=False)
    composition: Composition
    characters: tuple[Counted, ...]
    utf8_bytes: int
    sample: Sample
    words: Words
    lines: RepeatedLines
    passages: Repeats
    entropies: tuple[float, ...]
    yardsticks: tuple[Yardstick, ...]

    @property
    def encoding(self) -> str:
        """The encoding of all files that are not empty, or "mixed"."""
        return "mixed" if len(self.encodings) > 1 else next(iter(self.encodings), "utf-8")

    @property
    def encoding_option(self) -> str | None:
        """What --encoding has to say to train on the text; None where nothing has to be said."""
        if self.encoding in ("utf-8", "mixed"):
            return None
        marked = all(file.byte_order_mark for file in self.files if file.bytes)
        base = self.encoding.removesuffix("-le").removesuffix("-be")
        return base if marked else self.encoding

    @property
    def undecodable(self) -> int:
        """Bytes that are not valid in the encoding of their file."""
        return sum(file.undecodable for file in self.files)

    @property
    def encodings(self) -> dict[str, int]:
        """How many files are in each encoding, the most frequent first; empty files left out."""
        found = Counter(file.detected.encoding for file in self.files if file.bytes)
        return dict(found.most_common())

    @property
    def certainty(self) -> Certainty:
        """How sure the least sure encoding is."""
        order = list(Certainty)
        found = [file.detected.certainty for file in self.files if file.bytes]
        return max(found, key=order.index, default=Certainty.CERTAIN)

    @property
    def distinct(self) -> int:
        """How many different characters there are."""
        return int((self.counts.code_points > 0).sum())

    @property
    def once(self) -> int:
        """How many of them stand in the text once."""
        return int((self.counts.code_points == 1).sum())

    @property
    def normal_form(self) -> str:
        """NFC, NFD, "NFC and NFD" where they are the same, or "neither"."""
        forms = [name for name in ("nfc", "nfd") if getattr(self.counts, name)]
        return " and ".join(forms).upper().replace("AND", "and") or "neither"


def inspect_texts(
    texts: Sequence[str | Path],
    *,
    encoding: str | None = None,
    full: bool = False,
    stdin: BinaryIO | None = None,
    tell: Tell | None = None,
) -> Inspection:
    """Look into texts, good and bad ones.

    Args:
        texts: paths of files and folders (their .txt files); the string "-" is stdin.
        encoding: what all of them are in; None finds out.
        full: whether what looks at a sample looks at the whole text instead; memory grows with it.
        stdin: where to read "-" from; None is the stdin of the process.
        tell: told of the progress.

    Raises:
        OptionError: the encoding is unknown, or no text is named.
        TextError: something is missing, unreadable, empty or no text.
    """
    given = None if encoding is None else text_encoding(encoding)
    named = [texts] if isinstance(texts, str | Path) else list(texts)
    tell = tell or (lambda stage, done, total: None)
    reader = Gatherer(find_files(named, (".txt",)), given, tell)
    copies = Copies(stdin)
    try:
        copies.make(
            reader.files, given or ANY_ENCODING, lambda done, total: tell("copying", done, 0)
        )
        counts, sample = reader.read(copies, None if full else MOST_BYTES)
    finally:
        copies.close()
    if not counts.characters:
        names = [file.name for file in reader.facts]
        what = f"{names[0]} is" if len(names) == 1 else "all the files are"
        raise TextError(f"{what} empty, there is nothing to inspect: name a file with text")
    return _inspection(tuple(reader.facts), counts, sample, tell)


def _inspection(
    files: tuple[FileFacts, ...], counts: Counts, sample: Sample, tell: Tell
) -> Inspection:
    """What the counts and the sample say."""
    by_code_point = counts.by_code_point()
    steps = ("words", "lines", "passages", "entropies", "compressors")

    def step(name: str) -> None:
        tell(name, steps.index(name), len(steps))

    step("words")
    words = _words(sample.texts)
    step("lines")
    lines = repeated_lines(sample.texts)
    step("passages")
    passages = repeated_passages(sample.texts)
    step("entropies")
    entropies = conditional_entropies(sample.texts)
    step("compressors")
    measured = yardsticks("".join(sample.texts))
    return Inspection(
        files=files,
        counts=counts,
        composition=compose(by_code_point),
        characters=_most_frequent(by_code_point),
        utf8_bytes=sum(_utf8_length(point) * count for point, count in by_code_point.items()),
        sample=sample,
        words=words,
        lines=lines,
        passages=passages,
        entropies=entropies,
        yardsticks=measured,
    )


def _words(texts: Sequence[str]) -> Words:
    """The words, each distinct one looked at once."""
    raw: Counter[str] = Counter()
    for text in texts:
        raw.update(text.split())
    counts: Counter[str] = Counter()
    for found, count in raw.items():
        for word in words_of(found):
            counts[word] += count
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MOST_FREQUENT]
    return Words(counts.total(), len(counts), tuple(most))


def _most_frequent(counts: dict[int, int]) -> tuple[Counted, ...]:
    """Those that occur most, bytes that could not be decoded left out."""
    decoded = (item for item in counts.items() if not is_mark(item[0]))
    ordered = sorted(decoded, key=lambda item: (-item[1], item[0]))
    return tuple(Counted(chr(point), count) for point, count in ordered[:MOST_FREQUENT])


def _utf8_length(code_point: int) -> int:
    """Bytes of a character in UTF-8; a byte that could not be decoded is one.

    >>> [_utf8_length(ord(character)) for character in "aé형𠀀"]
    [1, 2, 3, 4]
    """
    if is_mark(code_point):
        return 1
    return 1 + sum(code_point >= limit for limit in (0x80, 0x800, 0x10000))
