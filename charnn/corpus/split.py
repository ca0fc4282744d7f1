"""Where a text is cut into training, validation and test part. Pure: characters, no tokens."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from charnn.errors import OptionError
from charnn.text.documents import Piece

PARTS = ("train", "validation", "test")
DEFAULT_VALIDATION_FRACTION = 0.1
MOST_VALIDATION_CHARACTERS = 2_000_000


@dataclass(frozen=True, slots=True)
class Split:
    """How many characters of the text each part has, in the order in which they stand in it."""

    train: int
    validation: int
    test: int


def split_text(
    characters: int, validation_fraction: float | None = None, test_fraction: float = 0.0
) -> Split:
    """How a text of that many characters is split: train, validation, test, in this order.

    Args:
        characters: length of the whole text.
        validation_fraction: share in [0, 0.5]; None is 0.1, at most 2 million characters.
        test_fraction: share in [0, 0.5].

    Raises:
        OptionError: a fraction is outside its range, or nothing is left to train on.

    >>> split_text(1000, test_fraction=0.1)
    Split(train=800, validation=100, test=100)
    """
    for name, share in (("val-fraction", validation_fraction), ("test-fraction", test_fraction)):
        if share is not None and not 0 <= share <= 0.5:
            raise OptionError(f"{name} must be in [0, 0.5], got {share}")
    if (validation_fraction or 0) + test_fraction >= 1:
        raise OptionError(
            "val-fraction and test-fraction must be below 1 together, got "
            f"{validation_fraction} and {test_fraction}: nothing is left to train on"
        )
    test = int(characters * test_fraction)
    if validation_fraction is None:
        validation = min(int(characters * DEFAULT_VALIDATION_FRACTION), MOST_VALIDATION_CHARACTERS)
    else:
        validation = int(characters * validation_fraction)
    return Split(characters - validation - test, validation, test)


def split_pieces(pieces: Iterable[Piece], split: Split) -> Iterator[tuple[str, int, str]]:
    """Cut pieces of text where the parts meet.

    A document's boundary belongs to the part before it, as the end of what went before: it is
    handed out as an empty text.

    Yields:
        Part name, number of the document, text; an empty text stands for a boundary.
    """
    part, document = 0, -1
    room = [split.train, split.validation, split.test]
    for text, new_document in pieces:
        if new_document:
            document += 1
            if document:
                yield PARTS[part], document, ""
        start = 0
        while start < len(text):
            while part < len(PARTS) - 1 and room[part] == 0:
                part += 1
            taken = text[start : start + room[part]] if part < len(PARTS) - 1 else text[start:]
            room[part] -= len(taken)
            start += len(taken)
            yield PARTS[part], document, taken


def check_part(part: str | None) -> None:
    """Refuse what names no part of a text; None leaves the choice open.

    Raises:
        OptionError: there is no such part.
    """
    if part is not None and part not in PARTS:
        raise OptionError(f"part must be one of {', '.join(PARTS)}, got {part!r}")
