"""How strict the index of --max-copy is: on text that copies nothing, and beside an exact search.

    python benchmarks/copies.py mujeong.txt

The last tenth of the text is held against an index of the rest. A character counts where it ends a
stretch of more than N characters that stands in the rest ("copies"), or would be refused because
the index takes it for one ("refused").
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from machine import heading

from charnn.corpus.tokenizers import train_tokenizer
from charnn.generation.copies import WINDOW, CopyIndex, index_tokens

LIMITS = (10, 12, 15, 20, 30)


def longest_copies(text: str, training: str) -> Iterator[int]:
    """For each character the longest stretch up to it that stands in the training text."""
    length = 0
    for end in range(1, len(text) + 1):
        length += 1
        while length and text[end - length : end] not in training:
            length -= 1
        yield length


def runs(text: str, index: CopyIndex) -> Iterator[int]:
    """For each character how many windows in a row up to it the index holds."""
    state = index.begin()
    for character in text:
        state = index.follow(state, character)
        yield max(state.runs)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", type=Path)
    parser.add_argument("--held-out", type=int, default=20_000, help="characters to look at")
    given = parser.parse_args()
    text = given.text.read_text("utf-8")
    cut = len(text) * 9 // 10
    training, held_out = text[:cut], text[cut : cut + given.held_out]
    tokenizer = train_tokenizer("char", lambda: [training])
    tokens = tokenizer.encode(training)
    start = time.perf_counter()
    index = CopyIndex([index_tokens(tokens, tokenizer, len(training))])
    seconds = time.perf_counter() - start
    (table,) = index.tables
    print(heading())
    print(
        f"{len(training):,} characters, {len(table):,} bytes, "
        f"{np.unpackbits(table).mean():.1%} of the bits set, indexed in {seconds:.2f} s"
    )
    exact = np.array([*longest_copies(held_out, training)])
    found = np.array([*runs(held_out, index)])
    print(
        f"\n|   N | copies | refused |  of {len(held_out):,} characters\n|----:|-------:|--------:|"
    )
    for limit in LIMITS:
        copied, refused = exact > limit, found >= limit + 2 - WINDOW
        if (copied & ~refused).any():
            raise SystemExit(f"a copy of more than {limit} characters was let through")
        print(f"| {limit:3d} | {copied.mean():6.2%} | {refused.mean():7.2%} |")


if __name__ == "__main__":
    main()
