import json
import os
import re

import numpy as np
import pytest

from charnn.corpus.tokenizers import (
    TOKENIZERS,
    ByteTokenizer,
    CharTokenizer,
    load_tokenizer,
    save_tokenizer,
    train_tokenizer,
)
from charnn.errors import OptionError, TokenizerError


def written(folder, **changes):
    """A char tokenizer in a folder, its JSON changed."""
    save_tokenizer(CharTokenizer("가나"), folder)
    path = folder / "tokenizer.json"
    data = json.loads(path.read_text("utf-8"))
    for key, value in changes.items():
        if value is None:
            del data[key]
        else:
            data[key] = value
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def refusal(folder):
    with pytest.raises(TokenizerError) as caught:
        load_tokenizer(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_saved_tokenizer_behaves_the_same(tokenizer, story, tmp_path):
    save_tokenizer(tokenizer, tmp_path)
    again = load_tokenizer(str(tmp_path))
    assert type(again) is type(tokenizer)
    assert again.fingerprint == tokenizer.fingerprint
    assert again.to_json() == tokenizer.to_json()
    assert again.vocab_size == tokenizer.vocab_size
    assert again.dtype == tokenizer.dtype
    text = story + "뷁善\U00020000\0▁"
    tokens = tokenizer.encode(text)
    assert np.array_equal(again.encode(text), tokens)
    assert again.decode(tokens) == text
    assert np.array_equal(again.token_characters, tokenizer.token_characters)
    assert np.array_equal(again.token_bytes, tokenizer.token_bytes)
    for state in range(10):
        assert np.array_equal(again.allowed(state), tokenizer.allowed(state))


def test_saving_leaves_nothing_else_and_replaces_what_was_there(tmp_path, story):
    subword = train_tokenizer("subword", lambda: [story])
    save_tokenizer(ByteTokenizer(), tmp_path)
    save_tokenizer(subword, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["subword.model", "tokenizer.json"]
    assert load_tokenizer(tmp_path).fingerprint == subword.fingerprint


def test_the_json_can_be_read_by_people(tmp_path):
    save_tokenizer(CharTokenizer("가나"), tmp_path)
    data = json.loads((tmp_path / "tokenizer.json").read_text("utf-8"))
    assert data == {
        "format": "charnn tokenizer",
        "version": 1,
        "kind": "char",
        "vocab_size": 311,
        "characters": "가나",
    }
    assert "가나" in (tmp_path / "tokenizer.json").read_text("utf-8")


def test_fingerprints_tell_tokenizers_apart(story):
    tokenizers = [train_tokenizer(kind, lambda: [story]) for kind in TOKENIZERS]
    tokenizers += [CharTokenizer(""), CharTokenizer("가"), CharTokenizer("나")]
    tokenizers += [
        train_tokenizer("subword", lambda: [story], vocab_size=size) for size in (300, 350)
    ]
    fingerprints = {tokenizer.fingerprint for tokenizer in tokenizers}
    assert len(fingerprints) == len(tokenizers)
    assert all(re.fullmatch("[0-9a-f]{64}", fingerprint) for fingerprint in fingerprints)


def test_fingerprints_stay_as_they_are():
    # A run finds its token stream by the fingerprint: if these change, so must the version.
    assert ByteTokenizer().fingerprint == (
        "4127d4bfe37040ad1d81a5a21595962e3e39dd09cd5acb6da0fa2cab4a066480"
    )
    assert CharTokenizer("가나").fingerprint == (
        "04ae4f7067020de1cc3d13c6000784448f2b69c64587801f9fa30149b3afcb24"
    )


def test_unknown_kinds_are_refused():
    with pytest.raises(OptionError) as caught:
        train_tokenizer("word", list)
    assert str(caught.value) == "tokenizer must be one of char, jamo, byte, subword, got 'word'"


def test_the_byte_tokenizer_has_one_size():
    assert train_tokenizer("byte", list, vocab_size=257).vocab_size == 257
    with pytest.raises(OptionError) as caught:
        train_tokenizer("byte", list, vocab_size=300)
    assert str(caught.value) == (
        "vocab-size must be in [257, 257] for the byte tokenizer (256 bytes, boundary), got 300"
    )


def test_a_missing_file(tmp_path):
    path = tmp_path / "tokenizer.json"
    assert refusal(tmp_path) == f"{path} is missing or no file: a run keeps its tokenizer there"
    path.mkdir()
    assert refusal(tmp_path) == f"{path} is missing or no file: a run keeps its tokenizer there"


def test_a_pipe_is_not_waited_for(tmp_path):
    path = tmp_path / "tokenizer.json"
    os.mkfifo(path)
    assert refusal(tmp_path) == f"{path} is missing or no file: a run keeps its tokenizer there"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"1" * 10_000,
        '{"format": "charnn tokenizer"}'.encode("utf-16"),
    ],
)
def test_what_is_not_json(tmp_path, content):
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    assert refusal(tmp_path) == f"{path} is damaged: it is not JSON; take it from a copy of the run"


@pytest.mark.parametrize(
    "content", ["[]", "1", "null", "{}", '{"format": 1}', '"charnn tokenizer"']
)
def test_json_of_something_else(tmp_path, content):
    path = tmp_path / "tokenizer.json"
    path.write_text(content)
    assert refusal(tmp_path) == (
        f'{path} is damaged: it must be an object with "format": "charnn tokenizer"; take it from '
        "a copy of the run"
    )


@pytest.mark.parametrize("version", [0, 2, 1.0, True, "1", [], 10**50])
def test_unknown_versions(tmp_path, version):
    path = written(tmp_path, version=version)
    assert refusal(tmp_path) == (
        f"{path} has version {version!r:.40}, this charnn reads version 1: use the charnn that "
        "wrote it, or a newer one"
    )


@pytest.mark.parametrize("kind", ["word", 1, [], {}, "x" * 1000])
def test_unknown_kinds_in_a_file(tmp_path, kind):
    path = written(tmp_path, kind=kind)
    assert refusal(tmp_path) == (
        f"{path} has kind {kind!r:.40}, this charnn knows char, jamo, byte, subword: use the "
        "charnn that wrote it, or a newer one"
    )


@pytest.mark.parametrize("vocab_size", [None, 310, 312, "311", -1, 10**30, [311]])
def test_a_vocabulary_of_another_size(tmp_path, vocab_size):
    path = written(tmp_path, vocab_size=vocab_size)
    assert refusal(tmp_path) == (
        f"{path} is damaged: vocab_size must be 311, got {vocab_size!r:.40}; take it from a copy "
        "of the run"
    )


@pytest.mark.parametrize(
    ("characters", "why"),
    [
        (None, "characters must be a string, got NoneType"),
        (["가", "나"], "characters must be a string, got list"),
        (7, "characters must be a string, got int"),
        (
            "나가",
            "characters must be in ascending order, each of them once, got U+AC00 behind "
            "U+B098 at 1",
        ),
        (
            "가가",
            "characters must be in ascending order, each of them once, got U+AC00 behind "
            "U+AC00 at 1",
        ),
        ("\ud800가", "characters of a char tokenizer cannot hold U+D800, which is at 0"),
        ("\n가", "characters of a char tokenizer cannot hold U+000A, which is at 0"),
    ],
)
def test_characters_that_cannot_be(tmp_path, characters, why):
    path = written(tmp_path, characters=characters)
    assert refusal(tmp_path) == f"{path} is damaged: {why}; take it from a copy of the run"


def test_a_huge_file_is_not_read(tmp_path):
    path = tmp_path / "tokenizer.json"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    assert refusal(tmp_path) == (
        f"{path} is damaged: it must have at most 8388608 bytes; take it from a copy of the run"
    )


@pytest.fixture
def subword_folder(tmp_path, story):
    save_tokenizer(train_tokenizer("subword", lambda: [story]), tmp_path)
    return tmp_path


def test_a_missing_model(subword_folder):
    model = subword_folder / "subword.model"
    model.unlink()
    assert refusal(subword_folder) == (
        f"{model} is missing or no file: a run keeps its tokenizer there"
    )


def test_a_model_of_another_tokenizer(subword_folder):
    model = subword_folder / "subword.model"
    model.write_bytes(train_tokenizer("subword", list).files()["subword.model"])
    assert refusal(subword_folder) == (
        f"{subword_folder / 'tokenizer.json'} is damaged: subword.model is not the file that the "
        "tokenizer was saved with; take it from a copy of the run"
    )


@pytest.mark.parametrize("place", [0, 1, 100, 5000, -1])
def test_every_altered_byte_of_a_model_is_noticed(subword_folder, place):
    model = subword_folder / "subword.model"
    content = bytearray(model.read_bytes())
    content[place] ^= 1
    model.write_bytes(content)
    assert "subword.model is not the file" in refusal(subword_folder)


def test_a_hostile_model_with_a_true_checksum_never_reaches_sentencepiece(subword_folder):
    import hashlib

    content = b"\x0a\xff\xff\xff\xff\x0f" * 100
    (subword_folder / "subword.model").write_bytes(content)
    path = subword_folder / "tokenizer.json"
    data = json.loads(path.read_text("utf-8"))
    data["model"].update(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    path.write_text(json.dumps(data), encoding="utf-8")
    assert refusal(subword_folder) == (
        f"{path} is damaged: the model is damaged, or was written by another program; take it from "
        "a copy of the run"
    )


def test_a_full_disk_leaves_the_old_tokenizer(tmp_path, monkeypatch):
    save_tokenizer(CharTokenizer("가"), tmp_path)

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save_tokenizer(CharTokenizer("나"), tmp_path)
    assert load_tokenizer(tmp_path).characters == "가"
    assert [path.name for path in tmp_path.iterdir()] == ["tokenizer.json"]
