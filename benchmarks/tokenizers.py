"""How fast each tokenizer reads and writes a text, in MB of UTF-8 per second.

    python benchmarks/tokenizers.py corpora/mujeong.txt

The tokenizers take turns, so that a machine that slows down slows all of them; the numbers are
medians over the turns. Learning is timed once. Every decoded text is compared with the original.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from machine import heading

from charnn.corpus.tokenizers import TOKENIZERS, Tokenizer, train_tokenizer
from charnn.text.reading import open_texts


def main() -> None:
    """Print machine, versions, command and the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=Path, help="a UTF-8 text")
    parser.add_argument("--turns", type=int, default=9, help="how often each tokenizer runs")
    arguments = parser.parse_args()
    with open_texts([arguments.text]) as source:
        text = "".join(piece.text for piece in source.pieces())
    print(heading())
    print(f"          sentencepiece {version('sentencepiece')}")
    print(f"{arguments.text.name}: {len(text):,} characters, {len(text.encode()):,} bytes")
    print()
    print_table(measure(text, arguments.turns))


def measure(text: str, turns: int) -> list[tuple[str, ...]]:
    """A row of the table for each tokenizer."""
    learned = {kind: timed(partial(train_tokenizer, kind, lambda: [text])) for kind in TOKENIZERS}
    times: dict[str, list[tuple[float, float]]] = {kind: [] for kind in TOKENIZERS}
    for _ in range(turns):
        for kind, (_, tokenizer) in learned.items():
            times[kind].append(turn(tokenizer, text))
    size = len(text.encode()) / 1e6
    return [
        (
            kind,
            f"{tokenizer.vocab_size:,}",
            f"{len(text) / len(tokenizer.encode(text)):.3f}",
            f"{seconds:.2f}",
            f"{size / median(encode for encode, _ in times[kind]):.1f}",
            f"{size / median(decode for _, decode in times[kind]):.1f}",
        )
        for kind, (seconds, tokenizer) in learned.items()
    ]


def turn(tokenizer: Tokenizer, text: str) -> tuple[float, float]:
    """Seconds to encode a text and to decode it, after a look at whether it is the same."""
    encoding, tokens = timed(lambda: tokenizer.encode(text))
    decoding, decoded = timed(lambda: tokenizer.decode(tokens))
    if decoded != text:
        raise SystemExit(f"the {tokenizer.kind} tokenizer changed the text")
    return encoding, decoding


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds that something took, and what came out."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def print_table(rows: list[tuple[str, ...]]) -> None:
    """Print a Markdown table."""
    head = (
        "tokenizer",
        "tokens",
        "characters per token",
        "learning s",
        "encode MB/s",
        "decode MB/s",
    )
    print(f"| {' | '.join(head)} |")
    print(f"|---|{'---:|' * (len(head) - 1)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
