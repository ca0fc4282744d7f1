from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charnn.corpus.batches import Batches
from charnn.errors import OptionError, TextError

SIZES = st.tuples(st.integers(1, 200), st.integers(1, 9), st.integers(1, 40)).filter(
    lambda sizes: sizes[0] >= sizes[1]
)


def numbered(count: int) -> np.ndarray:
    """Tokens that tell their own place: token i is i + 1, so that 0 is the boundary alone."""
    return np.arange(1, count + 1, dtype=np.uint16)


@given(SIZES)
def test_every_token_is_a_target_once_an_epoch_but_for_less_than_a_row(sizes):
    count, batch_size, seq_len = sizes
    batches = Batches(numbered(count), batch_size, seq_len)
    seen = np.concatenate(
        [batches.window(step).targets.ravel() for step in range(batches.windows_per_epoch)]
    )
    assert len(seen) == len(set(seen.tolist()))
    assert count - len(seen) == count % batch_size <= batch_size - 1
    assert set(seen.tolist()) == set(range(1, len(seen) + 1))


@given(SIZES)
def test_every_input_is_the_token_before_its_target(sizes):
    count, batch_size, seq_len = sizes
    batches = Batches(numbered(count), batch_size, seq_len)
    for step in range(2 * batches.windows_per_epoch):
        inputs, targets, _ = batches.window(step)
        assert inputs.shape == targets.shape
        assert np.array_equal(inputs, targets - 1)


@given(SIZES)
def test_each_row_reads_on_and_row_r_follows_row_r_minus_1_in_the_next_epoch(sizes):
    count, batch_size, seq_len = sizes
    batches = Batches(numbered(count), batch_size, seq_len)
    steps = batches.windows_per_epoch
    windows = [batches.window(step) for step in range(steps + 1)]
    for before, after in pairwise(windows[:steps]):
        assert np.array_equal(before.targets[-1] + 1, after.targets[0])
    assert np.array_equal(windows[steps - 1].targets[-1, :-1] + 1, windows[steps].targets[0, 1:])
    assert windows[steps].inputs[0, 0] == 0
    assert [w.starts_epoch for w in windows] == [True] + [False] * (steps - 1) + [True]


def test_a_short_last_window_is_trained_too():
    batches = Batches(numbered(23), batch_size=2, seq_len=4)
    assert [len(batches.window(step).targets) for step in range(3)] == [4, 4, 3]


def test_too_few_tokens_and_wrong_sizes_are_refused():
    with pytest.raises(TextError) as too_short:
        Batches(numbered(3), batch_size=4, seq_len=2)
    assert str(too_short.value) == (
        "the training part has 3 tokens, too few for 4 rows: "
        "use a longer text or a smaller --batch-size"
    )
    with pytest.raises(OptionError, match=r"^seq_len must be >= 1, got 0$"):
        Batches(numbered(3), batch_size=1, seq_len=0)
