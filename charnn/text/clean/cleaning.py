"""All repairs of a text in one pass, in the order in which none undoes or reawakens another.

Bytes to characters are left to encodings.py, what a repair does to the modules beside this one,
what a person sees of the report to the command line.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from charnn.errors import EncodingError, OptionError, TextError
from charnn.text.clean import characters, composition, glosses, lines, pages
from charnn.text.clean.streams import Tally
from charnn.text.detection import Certainty, detect_encoding
from charnn.text.encodings import NULS_ALLOWED, NULS_MENDED, decode_stream, text_encoding
from charnn.text.files import TextFile, find_files, shown_path, unreadable
from charnn.text.new_file import new_file, refuse_existing
from charnn.text.spool import ANY_ENCODING, Copies, Progress

AUTO: Final = "auto"
_BLOCK_BYTES: Final = 1 << 20

Repair = Callable[[Iterable[str], Tally], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Repairs:
    """Which repairs are asked for; `glosses` is "keep", "drop" or "swap"."""

    newlines: bool = False
    controls: bool = False
    hanyang: bool = False
    half_width: bool = False
    hanja: bool = False
    nfc_hangul: bool = False
    nfc: bool = False
    glosses: str | None = None
    trailing_spaces: bool = False
    page_lines: bool = False
    blank_lines: bool = False

    def __post_init__(self) -> None:
        if self.glosses not in (None, *glosses.HOW):
            rule = ", ".join(glosses.HOW)
            raise OptionError(f"glosses must be one of {rule}, got {self.glosses!r}")

    @property
    def names(self) -> tuple[str, ...]:
        """Those that are asked for, in the order in which they are done."""
        return tuple(one.name for one in fields(self) if getattr(self, one.name))


ALL_REPAIRS: Final = Repairs(
    **{one.name: True for one in fields(Repairs) if one.name != "glosses"}, glosses="drop"
)


class Stage(NamedTuple):
    """One repair of one text."""

    name: str
    tally: Tally
    repair: Callable[[Iterable[str]], Iterator[str]]


@dataclass(slots=True)
class Report:
    """What cleaning a text came to.

    Attributes:
        source: what it is called.
        encoding: what it was read as.
        characters_before: code points read, a byte order mark not counted.
        characters_after: code points written.
        byte_order_mark: whether there was one; it is not written.
        tallies: what each repair did, by its name, in the order in which they were done.
    """

    source: str
    encoding: str
    characters_before: int = 0
    characters_after: int = 0
    byte_order_mark: bool = False
    tallies: dict[str, Tally] = field(default_factory=dict)

    @property
    def changes(self) -> int:
        """How many places were changed in all."""
        return sum(tally.count for tally in self.tallies.values())


def clean_text(texts: Iterable[str], repairs: Repairs) -> tuple[str, dict[str, Tally]]:
    r"""A text in memory, repaired; and what each repair did.

    >>> clean_text(["a \r\n\uf9e1"], Repairs(newlines=True, hanja=True))[0]
    'a \n李'
    """
    whole = list(texts)
    stages = _stages(repairs, lambda: whole)
    return "".join(_through(stages, whole)), {stage.name: stage.tally for stage in stages}


def clean(
    source: str | Path,
    output: str | Path | None,
    repairs: Repairs,
    *,
    encoding: str | None = None,
    stdin: BinaryIO | None = None,
    progress: Progress | None = None,
) -> Report:
    """Repair a file into a new one, in constant memory but for what one line or word needs.

    Args:
        source: a file, or "-" for stdin.
        output: the new file, in UTF-8; None reads and counts only.
        repairs: those that are asked for.
        encoding: of the source; UTF-8 if None, found out if "auto".
        stdin: where to read "-" from; None is the stdin of the process.
        progress: called with the bytes read and the bytes there are in all.

    Raises:
        OptionError: the encoding is unknown, or something is at `output` already.
        TextError: the source is missing, unreadable or no text, or the output cannot be written.
        EncodingError: the source is not in the encoding it is read with.
    """
    codec = text_encoding(None if encoding == AUTO else encoding)
    if output is not None:
        refuse_existing(Path(output))
    file = _the_file(source)
    with closing(Copies(stdin)) as copies:
        nuls_allowed = NULS_MENDED if repairs.controls else NULS_ALLOWED
        copies.make([file], ANY_ENCODING if encoding == AUTO else codec, progress, nuls_allowed)
        original = _Original(file, copies, codec, nuls_allowed, progress)
        if encoding == AUTO:
            original.encoding = original.find_encoding()
        report = Report(file.shown, original.encoding)
        stages = _stages(repairs, original.read)
        report.tallies = {stage.name: stage.tally for stage in stages}
        with nullcontext() if output is None else new_file(Path(output)) as stream:
            for text in _through(stages, _counted(original.read(), report)):
                report.characters_after += len(text)
                if stream is not None:
                    stream.write(text.encode())
        report.byte_order_mark = original.byte_order_mark
    return report


class _Original:
    """The characters of a file as they are, as often as they are wanted."""

    def __init__(
        self,
        file: TextFile,
        copies: Copies,
        encoding: str,
        nuls_allowed: float,
        progress: Progress | None,
    ) -> None:
        self.encoding = encoding
        self.byte_order_mark = False
        self._shown = file.shown
        self._path = copies.path(file)
        self._size = copies.size(file)
        self._nuls_allowed = nuls_allowed
        self._progress = progress

    def read(self) -> Iterator[str]:
        """Stretches of the text from its beginning, without its byte order mark."""
        at_start = True
        try:
            with self._path.open("rb") as stream:
                for text in decode_stream(
                    stream, self._shown, self.encoding, _BLOCK_BYTES, self._nuls_allowed
                ):
                    marked = at_start and text[0] == "\N{ZERO WIDTH NO-BREAK SPACE}"
                    self.byte_order_mark |= marked
                    at_start = False
                    if self._progress:
                        self._progress(stream.tell(), self._size)
                    yield text[1:] if marked else text
        except OSError as error:
            raise unreadable(self._shown, error) from None

    def find_encoding(self) -> str:
        """What the file is in, by all that its bytes tell.

        Raises:
            EncodingError: nothing fits.
        """
        with self._path.open("rb") as stream:
            found = detect_encoding(stream, self._shown)
        if found.certainty is Certainty.UNKNOWN:
            raise EncodingError(
                f"{self._shown} is in no encoding that can be told, or is damaged: "
                "name its encoding with --encoding"
            )
        return found.encoding


def _the_file(source: str | Path) -> TextFile:
    if source != "-" and Path(source).is_dir():
        raise TextError(f"{shown_path(source)} is a folder: name one file")
    return find_files([source], (".txt",))[0]


def _counted(texts: Iterable[str], report: Report) -> Iterator[str]:
    for text in texts:
        report.characters_before += len(text)
        yield text


def _stages(repairs: Repairs, original: Callable[[], Iterable[str]]) -> list[Stage]:
    """The repairs that are asked for, in order.

    Args:
        repairs: those that are asked for.
        original: the text as it is; page lines are looked for before they are removed.
    """
    done: list[Stage] = []
    repair: Callable[[Iterable[str]], Iterator[str]]
    for name in repairs.names:
        tally = Tally()
        if name == "page_lines":
            silent = _stages(_those_before(repairs, name), original)
            found = pages.find_page_lines(_through(silent, original()))
            repair = partial(pages.drop_page_lines, tally=tally, found=found)
        else:
            which = f"glosses {repairs.glosses}" if name == "glosses" else name
            repair = partial(_tallied, _REPAIRS[which], tally)
        done.append(Stage(name, tally, repair))
    return done


def _tallied(repair: Repair, tally: Tally, texts: Iterable[str]) -> Iterator[str]:
    return repair(texts, tally)


def _those_before(repairs: Repairs, name: str) -> Repairs:
    """The repairs that are done before one of them."""
    names = repairs.names[: repairs.names.index(name)]
    return Repairs(**{one: getattr(repairs, one) for one in names})


def _through(stages: Iterable[Stage], texts: Iterable[str]) -> Iterator[str]:
    """The text behind the last of the stages."""
    for stage in stages:
        texts = stage.repair(texts)
    return iter(texts)


_REPAIRS: Final[dict[str, Repair]] = {
    "newlines": lines.mend_newlines,
    "controls": characters.drop_unseen,
    "hanyang": characters.hanyang_to_jamo,
    "half_width": characters.halve_width,
    "hanja": characters.unify_hanja,
    "nfc_hangul": composition.compose_hangul,
    "nfc": composition.normalise,
    "glosses keep": glosses.count_glosses,
    "glosses drop": glosses.drop_glosses,
    "glosses swap": glosses.swap_glosses,
    "trailing_spaces": lines.drop_trailing_spaces,
    "blank_lines": lines.join_blank_lines,
}
