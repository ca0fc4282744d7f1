"""Text to tokens and back, exactly, for every text; which tokens may come next; save and load.

    char      one token per character, rare ones spelled out
    jamo      one token per part of a Hangul syllable
    byte      one token per byte of UTF-8
    subword   pieces of words

What stands on disk and how text is split into parts is left to `stream.py`.
"""

from charnn.corpus.tokenizers.base import Pieces, Tokenizer
from charnn.corpus.tokenizers.blocks import Progress
from charnn.corpus.tokenizers.byte import ByteTokenizer
from charnn.corpus.tokenizers.char import CharTokenizer, JamoTokenizer
from charnn.corpus.tokenizers.decoding import Decoder
from charnn.corpus.tokenizers.storage import TOKENIZERS, load_tokenizer, save_tokenizer
from charnn.corpus.tokenizers.subword import SubwordTokenizer
from charnn.errors import OptionError

__all__ = [
    "TOKENIZERS",
    "ByteTokenizer",
    "CharTokenizer",
    "Decoder",
    "JamoTokenizer",
    "SubwordTokenizer",
    "Tokenizer",
    "load_tokenizer",
    "save_tokenizer",
    "train_tokenizer",
]


def train_tokenizer(
    kind: str,
    pieces: Pieces,
    *,
    vocab_size: int | None = None,
    progress: Progress | None = None,
) -> Tokenizer:
    """The tokenizer of a kind for a text; the same text gives the same tokenizer.

    Args:
        kind: "char", "jamo", "byte" or "subword".
        pieces: gives the text, in pieces of any length; it is read at most once.
        vocab_size: the largest vocabulary; None leaves it to the kind of tokenizer.
        progress: told how many characters have been read, and None for their unknown total.

    Raises:
        OptionError: there is no such kind, or it cannot have such a vocabulary.
        TextError: a surrogate is in the text.

    >>> train_tokenizer("byte", lambda: [])
    <byte tokenizer, 257 tokens>
    """
    if kind not in TOKENIZERS:
        raise OptionError(f"tokenizer must be one of {', '.join(TOKENIZERS)}, got {kind!r}")
    return TOKENIZERS[kind].train(pieces, vocab_size, progress)
