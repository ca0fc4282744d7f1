"""The code length of a text: what is added up, how it is told, and what is refused."""

import lzma
import math
from dataclasses import replace

import numpy as np
import pytest

import charnn
from charnn.corpus.tokenizers import CharTokenizer
from charnn.corpus.tokenizers.telling import tell_tokenizer
from charnn.errors import OptionError, TextError
from charnn.model.ngram import count_ngrams
from charnn.model.ngram_scores import score_adaptive
from charnn.training import code_length as module
from charnn.training.code_length import CodeOptions, code_length
from charnn.training.prequential import block_ends
from charnn.training.texts import Text

OPTIONS = CodeOptions(size="tiny", threads=1)


def shrink(patch: pytest.MonkeyPatch) -> None:
    """12 units and 4 rows of 16 tokens."""
    made = module.make_recipe

    def make_recipe(options, *rest):
        return made(replace(options, hidden=12, batch_size=4, seq_len=16), *rest)

    patch.setattr(module, "make_recipe", make_recipe)


@pytest.fixture(autouse=True)
def tiny_network(monkeypatch) -> None:
    shrink(monkeypatch)


def measure(path, steps=2, options=OPTIONS):
    text = Text((str(path),))
    return code_length(text, options, lambda: 0.0, None, lambda start, stop: steps)


@pytest.fixture(scope="module")
def measured(story, tmp_path_factory):
    path = tmp_path_factory.mktemp("measured") / "story.txt"
    path.write_text(story, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch)
        return measure(path)


def test_what_is_added_up(measured, story) -> None:
    tokenizer = CharTokenizer.train(lambda: [story], min_count=1)
    data = story.encode()
    assert (measured.characters, measured.text_bytes) == (len(story), len(data))
    assert measured.tokens == len(tokenizer.encode(story))
    assert measured.vocabulary_bytes == len(tell_tokenizer(tokenizer))
    parts = measured.vocabulary_bytes + measured.header_bytes
    assert measured.bytes == parts + math.ceil(measured.token_bits / 8) + 2
    assert measured.bits_per_char == 8 * measured.bytes / len(story)
    assert measured.xz_bytes == len(
        lzma.compress(data, check=lzma.CHECK_NONE, preset=9 | lzma.PRESET_EXTREME)
    )
    assert measured.steps == 2 * (len(block_ends(measured.tokens)) - 1)
    assert measured.header_bytes < 40


def test_the_counts_alone_are_those_of_every_beginning(measured, story) -> None:
    tokenizer = CharTokenizer.train(lambda: [story], min_count=1)
    text = np.concatenate([[0], tokenizer.encode(story)]).astype(np.int64)
    nats, start = 0.0, 0
    for stop in block_ends(len(text) - 1):
        ngram = count_ngrams(text[: start + 1], tokenizer.vocab_size)
        nats -= score_adaptive(ngram, text[: start + 1], text[start + 1 : stop + 1]).sum()
        start = stop
    assert measured.ngram_bits == pytest.approx(nats / math.log(2))


def test_both_are_better_than_each_and_two_stretches_are_proved(measured) -> None:
    assert measured.token_bits < measured.network_bits
    assert measured.token_bits < 1.02 * measured.ngram_bits
    assert [stretch.start for stretch in measured.stretches] == [0, block_ends(measured.tokens)[-2]]


def test_the_same_steps_give_the_same_number(text, measured) -> None:
    again = measure(text)
    assert again.token_bits == measured.token_bits
    assert measure(text, options=replace(OPTIONS, seed=2)).token_bits != measured.token_bits
    assert measure(text, steps=3).token_bits != measured.token_bits


def test_the_numbers_as_json(measured) -> None:
    data = measured.to_json()
    assert data["bytes"] == measured.bytes
    assert data["bits_per_char"] == measured.bits_per_char
    assert [part["tokens"] for part in data["verified"]] == [
        stretch.stop - stretch.start for stretch in measured.stretches
    ]


def test_several_documents_are_one_text(tmp_path, story) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(story[:700], encoding="utf-8")
    result = measure(tmp_path)
    assert (result.characters, result.tokens) == (1400, result.tokens)
    tokenizer = CharTokenizer.train(lambda: [story[:700]], min_count=1)
    assert result.tokens == 2 * len(tokenizer.encode(story[:700])) + 1


def test_from_python(text) -> None:
    told = []
    result = charnn.code_length(text, minutes=0.01, size="tiny", threads=1, on_record=told.append)
    assert result.steps == 0
    assert {(record.stage, record.unit) for record in told} == {("coding", "seconds")}
    with pytest.raises(OptionError, match="there is no option 'hidden'"):
        charnn.code_length(text, hidden=4)


def test_a_short_text_is_refused(tmp_path) -> None:
    path = tmp_path / "short.txt"
    path.write_text("가" * 999, encoding="utf-8")
    with pytest.raises(TextError) as error:
        measure(path)
    assert str(error.value) == (
        "short has 999 characters, too few for a code length: use a text of 1,000 or more"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"minutes": 0.0}, "minutes must be > 0, got 0.0"),
        (
            {"size": "classic"},
            "size must be one of auto, tiny, small, medium, large, got 'classic'",
        ),
        ({"seed": -1}, "seed must be in [0, 2**64), got -1"),
        ({"threads": 0}, "threads must be >= 1, got 0"),
    ],
)
def test_a_wrong_option_is_refused(options, message) -> None:
    with pytest.raises(OptionError) as error:
        CodeOptions(**options)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("tokens", "minutes", "adapts"), [(40_000, 2.0, True), (330_000, 2.0, False)]
)
def test_it_adapts_where_there_is_time(tokens, minutes, adapts) -> None:
    options = CodeOptions(minutes=minutes)
    shape = module._recipe(options, tokens, 1000).shape(1000)
    shape = replace(shape, hidden_size=256, embedding_size=256)
    assert module._adapts(options, shape, tokens) is adapts
