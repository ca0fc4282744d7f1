"""A text may be as long as one likes: memory does not grow with it."""

import tracemalloc
from itertools import islice

import pytest

from charnn.generation.sampler import SamplingOptions, sample_text

CHARACTERS = 3000
TABLES = 30_000  # bytes: masks that are made when they are first wanted


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "options"),
    [("char", {"repeat_penalty": 1.1, "stop": ("never written",)}), ("jamo", {}), ("subword", {})],
)
def test_nothing_is_kept_of_what_was_written(tokenizers, experts, kind, options):
    tokenizer = tokenizers[kind]
    network = experts.network(tokenizer.vocab_size)
    pieces = sample_text(network, tokenizer, "", SamplingOptions(length=10**9, **options), 1)
    used = []
    tracemalloc.start()
    try:
        for length in (500, CHARACTERS):
            for _ in islice(pieces, length):
                pass
            used.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    # A piece alone, its text and its bits, would be 150 bytes a character.
    assert used[1] - used[0] < TABLES
