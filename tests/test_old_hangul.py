"""Old Hangul and mixed script train, show and write with every tokenizer; no syllable is cut."""

import os
from pathlib import Path
from typing import Any

import pytest

import charnn
from charnn.records import Sample, Validation
from charnn.text.hangul import ends_inside_cluster, is_conjoining, is_hanja
from charnn.view.display_text import safe_text

TOKENIZERS = ("char", "jamo", "byte", "subword")
TEXTS = ("honggildong_1860.txt", "bible_mixed_script.txt")
SIZES = {"hidden": 16, "batch_size": 4, "seq_len": 32, "sample_length": 24, "threads": 1}
LENGTHS = range(20, 44)
LONGEST_CLUSTER = 16  # code points, only of leads that an untrained model writes without end


@pytest.fixture(scope="module")
def runs(texts_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Any]:
    """A model of each text with each tokenizer, and the records of its training."""
    folder, made = tmp_path_factory.mktemp("old"), {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        for name in TEXTS:
            path = folder / name
            path.write_text((texts_dir / name).read_text("utf-8")[:4000], encoding="utf-8")
            for tokenizer in TOKENIZERS:
                records: list[Any] = []
                vocab = {"vocab_size": 700} if tokenizer == "subword" else {}
                model = charnn.train(
                    path,
                    run=f"{path.stem}-{tokenizer}",
                    checkpoints=folder / "checkpoints",
                    tokenizer=tokenizer,
                    steps=6,
                    on_record=records.append,
                    **vocab,
                    **SIZES,
                )
                made[name, tokenizer] = (model, records)
    return made


@pytest.mark.texts
@pytest.mark.slow
@pytest.mark.parametrize("tokenizer", TOKENIZERS)
@pytest.mark.parametrize("name", TEXTS)
def test_it_trains_shows_and_writes(
    runs: dict[tuple[str, str], Any], texts_dir: Path, name: str, tokenizer: str
) -> None:
    model, records = runs[name, tokenizer]
    validations = [r for r in records if isinstance(r, Validation)]
    assert validations and 0 < validations[-1].bits_per_char < 20
    samples = [r for r in records if isinstance(r, Sample)]
    assert samples
    for sample in samples:
        assert len(sample.text) >= 1
        assert safe_text(safe_text(sample.text)) == safe_text(sample.text)
    prompt = (texts_dir / name).read_text("utf-8")[20:40]
    while ends_inside_cluster(prompt, (texts_dir / name).read_text("utf-8")[20 + len(prompt)]):
        prompt = prompt[:-1]
    text = model.generate(prompt, length=400, seed=3, temperature=1.0)
    assert 400 <= len(text) <= 400 + LONGEST_CLUSTER
    wanted = is_conjoining if name.startswith("hong") else is_hanja
    assert any(wanted(ord(character)) for character in prompt + text)


@pytest.mark.texts
@pytest.mark.slow
@pytest.mark.parametrize("tokenizer", TOKENIZERS)
@pytest.mark.parametrize("name", TEXTS)
def test_no_syllable_is_cut_at_the_end(
    runs: dict[tuple[str, str], Any], name: str, tokenizer: str
) -> None:
    """What a longer text of the same seed goes on with does not belong to the last syllable.

    A syllable is finished first, so that a text may be a few jamo longer than was asked for.
    """
    model, _ = runs[name, tokenizer]
    whole = model.generate("", length=80, seed=5, temperature=0.9)
    for length in LENGTHS:
        text = model.generate("", length=length, seed=5, temperature=0.9)
        assert length <= len(text) <= length + LONGEST_CLUSTER
        assert whole.startswith(text)
        assert not ends_inside_cluster(text, whole[len(text) :])
