"""A tokenizer in a folder: tokenizer.json, and beside it whatever else its kind needs.

The format is told in docs/formats-tokenizer.md. A file may come from a stranger: sizes are looked
at before anything is read, and nothing in a file is believed that was not checked.
"""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from charnn.corpus.tokenizers.base import FORMAT, VERSION, Tokenizer
from charnn.corpus.tokenizers.byte import ByteTokenizer
from charnn.corpus.tokenizers.char import CharTokenizer, JamoTokenizer
from charnn.corpus.tokenizers.subword import MODEL_FILE, SubwordTokenizer
from charnn.corpus.tokenizers.subword_model import MOST_BYTES
from charnn.errors import TokenizerError

TOKENIZERS: Final[Mapping[str, type[Tokenizer]]] = {
    tokenizer.kind: tokenizer
    for tokenizer in (CharTokenizer, JamoTokenizer, ByteTokenizer, SubwordTokenizer)
}

_JSON_FILE: Final = "tokenizer.json"
_JSON_MOST_BYTES: Final = 1 << 23  # a char tokenizer of all of Unicode has 4.3 MB


def save_tokenizer(tokenizer: Tokenizer, folder: str | Path) -> None:
    """Write a tokenizer into a folder that is there; each file appears whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    files = tokenizer.files()
    files[_JSON_FILE] = json.dumps(tokenizer.to_json(), ensure_ascii=False, indent=1).encode()
    for name, content in files.items():
        _write_whole(Path(folder) / name, content)


def load_tokenizer(
    folder: str | Path, read: Callable[[Path, int], bytes] | None = None
) -> Tokenizer:
    """The tokenizer that `save_tokenizer` wrote into a folder.

    Args:
        folder: where it is.
        read: gives the content of a file of at most so many bytes; None reads it from the disk.

    Raises:
        TokenizerError: a file is missing, damaged, of an unknown version or not a tokenizer.
    """
    path = Path(folder) / _JSON_FILE
    read = read or _read
    data = _parse(path, read(path, _JSON_MOST_BYTES))
    kind = _known_kind(path, data)
    files = {}
    if kind is SubwordTokenizer:
        model = path.with_name(MODEL_FILE)
        files[MODEL_FILE] = read(model, MOST_BYTES)
    try:
        tokenizer = kind.from_json(data, files)
    except TokenizerError as error:
        raise _damaged(path, str(error)) from None
    if data.get("vocab_size") != tokenizer.vocab_size:
        raise _damaged(
            path, f"vocab_size must be {tokenizer.vocab_size}, got {data.get('vocab_size')!r:.40}"
        )
    return tokenizer


def _write_whole(path: Path, content: bytes) -> None:
    """Write beside the place and move there: what was there stays until the new file is whole."""
    fresh = path.with_name(f"{path.name}.new")
    try:
        with fresh.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def _read(path: Path, most: int) -> bytes:
    try:
        if not path.is_file():
            raise TokenizerError(f"{path} is missing or no file: a run keeps its tokenizer there")
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise TokenizerError(f"{path} cannot be read: {error.strerror}") from None
    if len(content) > most:
        raise _damaged(path, f"it must have at most {most} bytes")
    return content


def _parse(path: Path, content: bytes) -> dict[str, Any]:
    try:
        data = json.loads(content.decode())
    except (ValueError, RecursionError):
        raise _damaged(path, "it is not JSON") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise _damaged(path, f'it must be an object with "format": "{FORMAT}"')
    return data


def _known_kind(path: Path, data: Mapping[str, Any]) -> type[Tokenizer]:
    version, kind = data.get("version"), data.get("kind")
    if type(version) is not int or version != VERSION:
        raise TokenizerError(
            f"{path} has version {version!r:.40}, this charnn reads version {VERSION}: "
            "use the charnn that wrote it, or a newer one"
        )
    if not isinstance(kind, str) or kind not in TOKENIZERS:
        raise TokenizerError(
            f"{path} has kind {kind!r:.40}, this charnn knows {', '.join(TOKENIZERS)}: "
            "use the charnn that wrote it, or a newer one"
        )
    return TOKENIZERS[kind]


def _damaged(path: Path, why: str) -> TokenizerError:
    return TokenizerError(f"{path} is damaged: {why}; take it from a copy of the run")
