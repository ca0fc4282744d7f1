"""Reading a prompt: text -> where writing goes on from. Writing is left to sampler.py."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from charnn.corpus.tokenizers.base import Tokenizer
from charnn.errors import OptionError, RunDamagedError
from charnn.model.expert import Expert

Floats = npt.NDArray[np.floating[Any]]

RECENT = 64  # tokens the repeat penalty looks back on


@dataclass(frozen=True, slots=True)
class Start:
    """A model that has read a prompt: where texts go on from, as many as one likes.

    Attributes:
        log_probs: of the next token in nats, (1, vocab_size).
        state: of the expert, one row.
        recent: the last tokens read.
        added: the text that was read last.
        before: what was read before that.
    """

    log_probs: Floats
    state: Any
    recent: tuple[int, ...]
    added: str = ""
    before: "Start | None" = None

    @property
    def text(self) -> str:
        """All that was read; joined when asked for, so that many turns share their beginning."""
        parts, start = [self.added], self.before
        while start is not None:
            parts.append(start.added)
            start = start.before
        return "".join(reversed(parts))


def check_prompt(prompt: str) -> None:
    """Refuse a prompt that cannot be read.

    Raises:
        OptionError: it is no valid Unicode.
    """
    try:
        prompt.encode("utf-8")
    except UnicodeEncodeError as error:
        raise OptionError(
            f"prompt must be valid Unicode, got a lone surrogate U+{ord(prompt[error.start]):04X} "
            f"at character {error.start}; leave it out"
        ) from None


def read_prompt(
    expert: Expert, tokenizer: Tokenizer, prompt: str, after: Start | None = None
) -> Start:
    """Read a prompt once, to write on from it.

    Args:
        expert: what predicts the next token.
        tokenizer: the one the expert was trained with.
        prompt: the text to read, not empty where it comes after another.
        after: what was read before it; None is the beginning of a document.

    Raises:
        OptionError: the prompt is no valid Unicode.
        RunDamagedError: the expert's vocabulary is not the tokenizer's.
    """
    if expert.vocab_size != tokenizer.vocab_size:
        raise RunDamagedError(
            f"the model must predict the tokenizer's {tokenizer.vocab_size} tokens, got "
            f"{expert.vocab_size}; take both from the same run"
        )
    check_prompt(prompt)
    written = tokenizer.encode(prompt)
    recent = written[-RECENT:].tolist()
    if after is None:
        tokens = np.concatenate([[tokenizer.boundary], written]).astype(np.intp)
        log_probs, state = expert.read(tokens, expert.initial_state(1))
    else:
        log_probs, state = expert.read(written.astype(np.intp), after.state)
        recent = [*after.recent, *recent][-RECENT:]
    return Start(log_probs, state, tuple(recent), prompt, after)
