"""A text becomes a token stream: surveyed, split, tokenised; or found as it was made before.

It is written beside its place and moved there whole. What a preparation that was interrupted has
done is gone on with: the text is always read from its beginning, which proves that it is still the
same, but its vocabulary is not learned again, and what has been tokenised is not tokenised again.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from itertools import chain, islice
from pathlib import Path

from charnn.corpus.split import Split, split_pieces, split_text
from charnn.corpus.stream import FORMAT, TokenStream, open_if_good, open_stream
from charnn.corpus.tokenizers import Tokenizer, train_tokenizer
from charnn.corpus.workshop import Progress, Workshop
from charnn.errors import TextError
from charnn.records import Preparing
from charnn.text.reading import Survey, TextSource


def prepare_stream(
    source: TextSource,
    cache: Path,
    *,
    kind: str = "char",
    vocab_size: int | None = None,
    tokenizer: Tokenizer | None = None,
    validation_fraction: float | None = None,
    test_fraction: float = 0.0,
    progress: Progress | None = None,
    refuse: Callable[[str], None] | None = None,
    again: str | None = None,
) -> tuple[TokenStream, tuple[str, ...]]:
    """Turn a text into a token stream, or find the one that was made of the same text before.

    Args:
        source: the text.
        cache: folder of streams; made if it is not there.
        kind: tokenizer to train on the training part: "char", "jamo", "byte" or "subword".
        vocab_size: its largest vocabulary; None leaves it to the tokenizer.
        tokenizer: use this one instead of training one.
        validation_fraction: see `split_text`.
        test_fraction: see `split_text`.
        progress: told how far slow steps are.
        refuse: told the SHA-256 of the text before anything is written; may raise an error.
        again: the key that a stream made again with this tokenizer had; it gets that one where the
            tokenizer is what the text itself gives, so that who looks for it finds it.

    Returns:
        The stream, and what was met on the way, a line each.

    Raises:
        TextError: the text is too short to have a training and a validation part, or it changed
            while it was read.
        OptionError: a fraction is outside its range.
        StreamError: the stream cannot be written, or there is no room for it.
    """
    report = progress or _ignore
    survey = source.survey(lambda done, total: report(Preparing("reading", done, total, "bytes")))
    if refuse:
        refuse(survey.sha256)
    split = split_text(survey.characters, validation_fraction, test_fraction)
    _check_length(survey, split, validation_fraction)
    key = trained_key = _key(survey, split, f"{kind} {vocab_size}")
    if tokenizer:
        own = again == trained_key and _train(source, split, kind, vocab_size, report)
        if not own or own.fingerprint != tokenizer.fingerprint:
            key = _key(survey, split, tokenizer.fingerprint)
    if (found := open_if_good(cache / key)) is not None:
        return found, survey.notes
    with Workshop(cache, key, survey, report) as workshop:
        trained = None
        if not workshop.go_on():
            trained = tokenizer or _train(source, split, kind, vocab_size, report)
        pieces = split_pieces(source.pieces(), split)
        first = list(islice(pieces, 1))
        if trained is not None:
            workshop.begin(trained, "".join(text for _, _, text in first), source.name)
        parts = workshop.write(chain(first, pieces))
        if sum(part.characters for part in parts.values()) != survey.characters:
            raise TextError(f"{source.name} changed while it was read: start again")
        workshop.finish(parts)
    return open_stream(cache / key), (*survey.notes, *workshop.notes)


def _train(
    source: TextSource, split: Split, kind: str, vocab_size: int | None, report: Progress
) -> Tokenizer:
    """A tokenizer trained on the training part alone."""

    def training_texts() -> Iterator[str]:
        left = split.train
        for text, _ in source.pieces():
            yield text[:left]
            left -= len(text[:left])
            report(Preparing(f"learning the {kind} vocabulary", split.train - left, split.train))
            if left == 0:
                return

    return train_tokenizer(kind, training_texts, vocab_size=vocab_size)


def _check_length(survey: Survey, split: Split, validation_fraction: float | None) -> None:
    wants_validation = validation_fraction is None or validation_fraction > 0
    if split.train < 2 or (wants_validation and split.validation < 1):
        raise TextError(
            f"the text has {survey.characters} characters, too few to split into a training and "
            "a validation part: use a longer text or --val-fraction 0"
        )


def _key(survey: Survey, split: Split, made_by: str) -> str:
    content = [FORMAT, survey.sha256, split.train, split.validation, split.test, made_by]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]


def _ignore(_: Preparing) -> None:
    return None
