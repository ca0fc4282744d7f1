"""What a text costs from nothing, without a run."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from charnn.api.arguments import StrPath, ignore, import_numpy, known, paths, stopwatch
from charnn.records import Record

if TYPE_CHECKING:
    from charnn.training.code_length import CodeLength


def code_length(
    texts: StrPath | Sequence[StrPath],
    *,
    encoding: str | None = None,
    document_separator: str | None = None,
    on_record: Callable[[Record], None] | None = None,
    clock: Callable[[], float] | None = None,
    **options: Any,
) -> "CodeLength":
    """The bytes that tell a whole text, from nothing: no run, and no part that is held out.

    Args:
        texts: files, folders, or "-" for stdin; every file is a document of its own.
        encoding: of the texts; None is UTF-8.
        document_separator: cuts each file into documents.
        on_record: told how far it is.
        clock: seconds since the whole command began; `minutes` are counted by it.
        options: fields of `charnn.training.code_length.CodeOptions`: minutes, size, seed,
            threads.

    Raises:
        CharnnError: an option breaks its rule, or the text cannot be used.
    """
    import_numpy()
    from charnn.training.code_length import CodeOptions, code_length
    from charnn.training.texts import Text

    checked = CodeOptions(**known(options, CodeOptions))
    text = Text(paths(texts), encoding, document_separator)
    return code_length(text, checked, clock or stopwatch(), on_record or ignore)
