import io
import subprocess
import sys
from contextlib import suppress

import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from charnn.corpus.tokenizers import SubwordTokenizer, train_tokenizer
from charnn.corpus.tokenizers.subword import MODEL_FILE, SAMPLE_CHARACTERS
from charnn.corpus.tokenizers.subword_model import read_model, write_model
from charnn.errors import OptionError, TextError, TokenizerError


def split_slowly(text, pieces):
    """Byte-pair encoding as in the paper: of all neighbours join those that make the first piece.

    Returns the tokens: pieces count from 257 on, bytes from 1 on.
    """
    rank = {piece: place for place, piece in enumerate(pieces)}
    parts = list(text)
    while True:
        joined = [parts[i] + parts[i + 1] for i in range(len(parts) - 1)]
        found = [(rank[pair], place) for place, pair in enumerate(joined) if pair in rank]
        if not found:
            break
        _, place = min(found)
        parts[place : place + 2] = [joined[place]]
    tokens = []
    for part in parts:
        tokens += [257 + rank[part]] if part in rank else [1 + byte for byte in part.encode()]
    return tokens


@pytest.fixture(scope="module")
def trained(story):
    return train_tokenizer("subword", lambda: [story], vocab_size=400)


def pieces_of(tokenizer):
    return [tokenizer.token_string(token) for token in range(257, tokenizer.vocab_size)]


@settings(max_examples=100)
@given(data=st.data())
def test_encoding_is_what_the_slow_twin_splits(trained, story, texts, data):
    taken = st.tuples(st.integers(0, 300), st.integers(0, 30)).map(
        lambda cut: story[cut[0] : cut[0] + cut[1]]
    )
    text = "".join(data.draw(st.lists(st.one_of(taken, texts), max_size=5)))
    assert trained.encode(text).tolist() == split_slowly(text, pieces_of(trained))


def test_the_whole_text_is_split_as_sentencepiece_splits_it(trained, story):
    processor = sentencepiece.SentencePieceProcessor(model_proto=trained.files()[MODEL_FILE])
    assert trained.encode(story).tolist() == processor.encode(story)
    assert processor.decode(processor.encode(story)) == story


def test_frequent_words_are_pieces(trained):
    assert trained.vocab_size == 400
    assert {" 달빛이", "하였다", "우물"} <= set(pieces_of(trained))
    assert len(trained.encode(" 달빛이")) == 1


@settings(max_examples=40)
@given(data=st.data())
def test_any_text_can_be_learned_from(texts, data):
    text, filler = data.draw(texts), data.draw(texts)
    tokenizer = train_tokenizer("subword", lambda: [text * 5, filler], vocab_size=320)
    assert tokenizer.decode(tokenizer.encode(text + filler)) == text + filler
    assert tokenizer.vocab_size <= 320


def test_learning_from_every_trap(nasty):
    tokenizer = train_tokenizer("subword", lambda: [nasty * 4])
    assert tokenizer.decode(tokenizer.encode(nasty)) == nasty


@pytest.mark.parametrize("text", ["", "\r\r\r", "\t\t\t", "\0\n▁▅" * 3, "<unk>" * 3])
def test_nothing_to_learn_from_gives_bytes_alone(text):
    tokenizer = train_tokenizer("subword", lambda: [text])
    assert tokenizer.vocab_size == 257
    assert tokenizer.encode("a b").tolist() == [98, 33, 99]


def test_the_pieces_depend_on_the_text_alone(trained, story):
    parts = [story[start : start + 7] for start in range(0, len(story), 7)]
    again = train_tokenizer("subword", lambda: parts, vocab_size=400)
    assert again.fingerprint == trained.fingerprint
    assert again.files() == trained.files()


def test_the_pieces_are_the_same_in_another_process(trained, story):
    code = (
        "import sys; from charnn.corpus.tokenizers import train_tokenizer;"
        "text = sys.stdin.buffer.read().decode();"
        "print(train_tokenizer('subword', lambda: [text], vocab_size=400).fingerprint)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=story.encode(), capture_output=True, check=True
    )
    assert done.stdout.decode().strip() == trained.fingerprint
    assert done.stderr == b""


def test_learning_is_silent(story, capfd):
    train_tokenizer("subword", lambda: [story]).encode(story)
    assert capfd.readouterr() == ("", "")


def test_a_long_text_is_learned_from_samples_spread_over_it(story):
    # Twice what is taken: the second half has words of its own.
    half = SAMPLE_CHARACTERS // len(story) + 1
    seen = []
    tokenizer = train_tokenizer(
        "subword",
        lambda: [story * half, "세종대왕 " * (SAMPLE_CHARACTERS // 5)],
        vocab_size=400,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert " 세종대왕" in pieces_of(tokenizer)
    assert " 달빛이" in pieces_of(tokenizer)
    assert seen[-1][0] >= 2 * SAMPLE_CHARACTERS


@pytest.mark.parametrize("vocab_size", [0, 299, 65537])
def test_a_vocabulary_that_cannot_be_is_refused(vocab_size):
    with pytest.raises(OptionError) as caught:
        train_tokenizer("subword", list, vocab_size=vocab_size)
    assert str(caught.value) == (
        "vocab-size must be in [300, 65536] for the subword tokenizer (it holds 256 bytes and the "
        f"boundary), got {vocab_size}"
    )


def test_what_sentencepiece_cannot_learn_from_is_told_in_a_line(monkeypatch, story):
    def fail(**_):
        raise RuntimeError("INTERNAL:\n  (12) too odd")

    monkeypatch.setattr(sentencepiece.SentencePieceTrainer, "train", fail)
    with pytest.raises(TextError) as caught:
        train_tokenizer("subword", lambda: [story])
    assert str(caught.value) == (
        "no subwords can be learned from this text (INTERNAL: (12) too odd): use another tokenizer"
    )


def test_training_on_surrogates_is_refused():
    with pytest.raises(TextError, match=r"^the text holds the surrogate U\+D800 at character 1,"):
        train_tokenizer("subword", lambda: ["가\ud800"])


@settings(max_examples=50)
@given(
    pieces=st.lists(
        st.tuples(
            st.sampled_from(["", " "]),
            st.text(
                st.characters(exclude_categories=["Cs"], exclude_characters="\0\n "), max_size=15
            ),
        )
        .map("".join)
        .filter(bool),
        unique=True,
    )
)
def test_a_model_is_read_back_and_opens_in_sentencepiece(pieces):
    model = write_model(pieces)
    assert read_model(model) == tuple(pieces)
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    assert [processor.id_to_piece(257 + place) for place in range(len(pieces))] == pieces
    text = "".join(pieces)
    tokenizer = SubwordTokenizer(pieces)
    assert tokenizer.decode(tokenizer.encode(text)) == text


DAMAGED = "the model is damaged, or was written by another program"


def test_every_altered_byte_of_a_model_is_noticed():
    model = write_model(["가", " 나", "가나"])
    for place in {*range(0, len(model), 23), *range(len(model) - 100, len(model))}:
        for flip in (0x01, 0x80, 0xFF):
            altered = bytearray(model)
            altered[place] ^= flip
            # A letter may have become another one: then it is another, whole model.
            with suppress(TokenizerError):
                assert write_model(read_model(bytes(altered))) == altered


def test_every_cut_model_is_refused():
    model = write_model(["가", " 나", "가나"])
    for length in {*range(0, len(model), 23), *range(len(model) - 100, len(model))}:
        with pytest.raises(TokenizerError, match=f"^{DAMAGED}$"):
            read_model(model[:length])
    with pytest.raises(TokenizerError, match=f"^{DAMAGED}$"):
        read_model(model + b"\0")


@settings(max_examples=200)
@given(data=st.binary(max_size=60), keep=st.integers(0, 60))
def test_no_other_bytes_are_a_model(data, keep):
    with pytest.raises(TokenizerError):
        read_model(write_model(["가"])[:keep] + data)


def test_a_model_of_another_program_is_refused(story):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(story.split("\n")),
        model_writer=model,
        vocab_size=350,
        byte_fallback=True,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    with pytest.raises(TokenizerError, match=f"^{DAMAGED}$"):
        read_model(model.getvalue())


def test_a_huge_model_is_refused_unread():
    with pytest.raises(TokenizerError) as caught:
        read_model(bytes((1 << 23) + 1))
    assert str(caught.value) == "the model must have at most 8388608 bytes, got 8388609"


@pytest.mark.parametrize("piece", ["<unk>", "<0x41>", "가", "a b", "a ", "a\n", "\0"])
def test_pieces_that_cannot_be_are_refused(piece):
    with pytest.raises(TokenizerError) as caught:
        SubwordTokenizer(["가", piece])
    assert str(caught.value) == (
        f"pieces must differ, have a space at most in front and no line end or NUL, got {piece!r}"
    )


@pytest.mark.parametrize("piece", ["", "가" * 17])
def test_pieces_of_no_length_are_refused(piece):
    with pytest.raises(TokenizerError) as caught:
        SubwordTokenizer([piece])
    assert str(caught.value) == f"a piece must have 1 to 16 characters, got {piece[:20]!r}"


def test_too_many_pieces_are_refused():
    with pytest.raises(TokenizerError) as caught:
        SubwordTokenizer([chr(0x20000 + i) for i in range(65280)])
    assert str(caught.value) == "there must be at most 65279 pieces, got 65280"
