"""Samples while training: the text a run of that step would write, and when none comes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charnn.generation.sampler import SamplingOptions, sample_text
from charnn.model.stepper import Stepper
from charnn.training.previews import preview_seed, write_preview


@pytest.fixture
def write(stream, make_task, make_state):
    """Writes a preview; named options replace the usual ones."""
    state = make_state(make_task())
    expert = Stepper(state.model.shape, state.weights(averaged=True))

    def write(**options):
        usual = {"temperature": 0.8, "prompt": "", "length": 12, "seed": 1, "step": 40}
        clock = {"elapsed": lambda: 7.5, "stopping": lambda: False}
        return write_preview(expert, stream.tokenizer, **(usual | clock | options))

    write.expert = expert
    return write


def test_a_preview_is_what_generation_writes(write, stream):
    sample = write(prompt="배가 ", temperature=0.5)
    options = SamplingOptions(temperature=0.5, length=12)
    pieces = list(
        sample_text(write.expert, stream.tokenizer, "배가 ", options, preview_seed(1, 40))
    )
    assert sample.text == "".join(piece.text for piece in pieces)
    assert np.allclose([b for _, b in sample.pieces], [p.bits for p in pieces], atol=1e-3)
    assert (sample.step, sample.temperature, sample.prompt) == (40, 0.5, "배가 ")
    assert (sample.seed, sample.elapsed) == (preview_seed(1, 40), 7.5)


def test_a_preview_is_the_same_every_time_and_another_at_every_step(write):
    assert write() == write()
    texts = {write(step=step).text for step in range(5)}
    assert len(texts) == 5


@given(st.integers(0, 2**64 - 1), st.integers(0, 10**8))
def test_no_two_steps_of_a_run_share_a_seed(seed, step):
    assert preview_seed(seed, step) != preview_seed(seed, step + 1)
    assert 0 <= preview_seed(seed, step) < 2**64


@pytest.mark.parametrize("after", [1, 5])
def test_a_stop_breaks_it_off(write, after):
    looks = iter([False] * (after - 1) + [True])
    assert write(stopping=lambda: next(looks)) is None
