"""What each tokenizer would make of a text: how many tokens, of what vocabulary."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from charnn.corpus.tokenizers import TOKENIZERS, Tokenizer, train_tokenizer
from charnn.errors import TextError

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Fit:
    """A tokenizer that was learned from a text, and that text in its tokens.

    Attributes:
        kind: "char", "jamo", "byte" or "subword".
        vocab_size: tokens it has.
        tokens: tokens of the text.
        characters: characters of the text.
        rare: share of the characters without a token of their own, in [0, 1]; where syllables are
            always written in parts, of the others.
    """

    kind: str
    vocab_size: int
    tokens: int
    characters: int
    rare: float

    @property
    def tokens_per_char(self) -> float:
        """Tokens for each character of the text."""
        return self.tokens / max(1, self.characters)


def compare_tokenizers(texts: Sequence[str], tell: Tell | None = None) -> tuple[Fit, ...]:
    """What each tokenizer makes of a text; one that cannot be learned from it is left out.

    Args:
        texts: stretches of the text, without surrogates.
        tell: called with the kind of tokenizer before it is learned.
    """
    fits = []
    for kind in TOKENIZERS:
        if tell:
            tell(kind)
        try:
            fits.append(_fit(train_tokenizer(kind, lambda: texts), texts))
        except TextError:
            continue
    return tuple(fits)


def _fit(tokenizer: Tokenizer, texts: Sequence[str]) -> Fit:
    """The text in the tokens of a tokenizer, counted block by block."""
    counts = np.zeros(tokenizer.vocab_size, dtype=np.int64)
    for tokens in tokenizer.encode_pieces(texts):
        counts += np.bincount(tokens, minlength=tokenizer.vocab_size)
    characters = int(counts @ tokenizer.token_characters)
    begins_a_rare_one = np.array([_is_rare(tokenizer, token) for token in range(len(counts))])
    rare = int(counts @ (tokenizer.token_characters * begins_a_rare_one)) / max(1, characters)
    return Fit(tokenizer.kind, tokenizer.vocab_size, int(counts.sum()), characters, rare)


def _is_rare(tokenizer: Tokenizer, token: int) -> bool:
    """Whether a token is the first of several for one character, where most have their own."""
    if tokenizer.kind == "byte" or tokenizer.token_string(token) is not None:
        return False
    return tokenizer.kind != "jamo" or tokenizer.token_text(token).startswith("<")
