"""Samples beside real text, measured."""

import pytest

from charnn.text.quality import NAMES, Comparison, Measure, compare

TRAINING = (
    "길을 가던 사람은 나무를 보았다. 나무에 새가 앉았고 나무도 사람도 말이 없었다. 사람에게.\n"
)


@pytest.mark.parametrize(
    ("samples", "heldout", "ratio"),
    [(1.0, 0.5, 2.0), (0.0, 0.5, 0.0), (0.5, 0.0, None), (None, 0.5, None), (0.5, None, None)],
)
def test_a_ratio(samples: float | None, heldout: float | None, ratio: float | None) -> None:
    measure = Measure(samples, heldout)
    assert measure.to_json() == {"samples": samples, "heldout": heldout, "ratio": ratio}


def test_every_measure_of_both_sides() -> None:
    real = "그 나무는 말을 잃은 사람은 누구를 위하여 그"
    written = "그 나무를 보았다. 나무은 나무을 사람은 나무를 그"
    found = compare([written], [real], [real], [TRAINING])
    assert tuple(found.measures) == NAMES
    assert (found.span, found.span_share) == (6, 0.0)  # " 사람은 " is in both
    expected = {
        "known_words": (4 / 6, 1 / 6),
        "copied": ((12 + 9) / 28, 0.0),  # " 나무를 보았다. 나무", " 사람은 나무를 "
        "longest_copy": (12, 5),
        "distinct_words": (5 / 6, 1.0),
        "distinct_word_pairs": (1.0, 1.0),
        "particles": (2 / 3, 1.0),
        "noun_particles": (1 / 2, 1.0),
    }
    for name, (of_samples, of_real) in expected.items():
        measure = found.measures[name]
        assert (measure.samples, measure.heldout) == pytest.approx((of_samples, of_real)), name


def test_a_text_in_english_has_no_particles() -> None:
    found = compare(["a b c d"], ["a b d e"], ["a b d e"], ["a b c"])
    assert found.measures["particles"] == Measure(None, None)
    assert found.measures["noun_particles"] == Measure(None, None)


def test_the_numbers_as_json() -> None:
    found = Comparison(12, 0.001, {"copied": Measure(0.2, 0.1)})
    assert found.to_json() == {
        "span": 12,
        "span_share": 0.001,
        "measures": {"copied": {"samples": 0.2, "heldout": 0.1, "ratio": 2.0}},
    }


@pytest.mark.texts
def test_real_text_beside_real_text_is_as_good(texts_dir) -> None:
    """Two parts of the novel that both were not trained on."""
    text = (texts_dir / "mujeong.txt").read_text("utf-8")
    cut = len(text) * 8 // 10
    heldout = text[cut:]
    first, second = heldout[: len(heldout) // 2], heldout[len(heldout) // 2 :]
    found = compare([first], [second], [heldout], [text[:cut]])
    assert 16 <= found.span <= 22
    assert found.span_share <= 0.002
    for name in set(NAMES) - {"copied", "longest_copy"}:
        assert found.measures[name].ratio == pytest.approx(1, abs=0.06), name
    for name in ("particles", "noun_particles"):
        assert found.measures[name].samples >= 0.98
