"""Streams: split, tokens, boundaries, reuse, damage and interruption."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charnn.corpus.encoding import encode_source
from charnn.corpus.preparing import prepare_stream
from charnn.corpus.split import MOST_VALIDATION_CHARACTERS, PARTS, Split, split_pieces, split_text
from charnn.corpus.stream import TokenStream, checksum_of, open_stream
from charnn.corpus.tokenizers import CharTokenizer, Tokenizer, train_tokenizer
from charnn.errors import OptionError, StreamError, TextError
from charnn.records import Preparing
from charnn.text.documents import Piece
from charnn.text.reading import Survey, TextSource, open_texts

STORY = (
    "달빛이 마당에 가득하였다. 할머니는 마루 끝에 앉아 먼 산(山)을 바라보았다.\n"
    "“달빛이 참 밝구나.” 하고 할머니가 말하였다. 뷁 \U00020000 the moon\n"
) * 4
DOCUMENTS = st.lists(
    st.text(
        st.sampled_from("가각나ㄱ\u1100\u1161\u11a8 \n善\U00020000ab뷁"), min_size=1, max_size=30
    ),
    min_size=1,
    max_size=5,
).filter(lambda documents: sum(map(len, documents)) >= 20)
SHARES = st.sampled_from([0.0, 0.1, 0.25, 0.4])


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits for the disk."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "streams"


@pytest.fixture
def story(tmp_path: Path) -> Path:
    path = tmp_path / "story.txt"
    path.write_text(STORY, encoding="utf-8")
    return path


class Told(list[Preparing]):
    """What a preparation told of its progress."""

    @property
    def stages(self) -> set[str]:
        return {record.stage for record in self}


def prepare(paths: Any, cache: Path, **options: Any) -> tuple[TokenStream, Survey, Told]:
    """The stream of files, the survey of their text, and what was told meanwhile."""
    told = Told()
    encoding = options.pop("encoding", None)
    separator = options.pop("document_separator", None)
    with open_texts(paths, encoding=encoding, document_separator=separator) as source:
        stream, notes = prepare_stream(source, cache, progress=told.append, **options)
        survey = source.survey()
    assert notes == survey.notes
    return stream, survey, told


def write(folder: Path, documents: list[str]) -> list[Path]:
    """A file for each document."""
    paths = [folder / f"{number}.txt" for number in range(len(documents))]
    for path, document in zip(paths, documents, strict=True):
        path.write_text(document, encoding="utf-8", newline="")
    return paths


def listing(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir()) if cache.exists() else []


# -- the split ----------------------------------------------------------------------------------


@given(st.integers(0, 10**10), st.none() | st.floats(0, 0.5), st.floats(0, 0.49))
def test_a_split_leaves_nothing_out(characters, validation, test):
    split = split_text(characters, validation, test)
    assert split.train + split.validation + split.test == characters
    assert min(asdict(split).values()) >= 0
    share = 0.1 if validation is None else validation
    assert 0 <= characters * test - split.test < 1 + 1e-5
    if validation is not None or characters < 10 * MOST_VALIDATION_CHARACTERS:
        assert 0 <= characters * share - split.validation < 1 + 1e-5


def test_the_last_tenth_but_at_most_two_million_characters_validate():
    assert split_text(1009) == Split(909, 100, 0)
    assert split_text(10**9) == Split(10**9 - 2_000_000, 2_000_000, 0)
    assert split_text(10**9, 0.1) == Split(9 * 10**8, 10**8, 0)
    assert split_text(1000, 0, 0.25) == Split(750, 0, 250)


@pytest.mark.parametrize("share", [-0.01, 0.51, 1.0, float("nan")])
def test_shares_outside_their_range_are_refused(share):
    with pytest.raises(OptionError) as error:
        split_text(100, validation_fraction=share)
    assert str(error.value) == f"val-fraction must be in [0, 0.5], got {share}"
    with pytest.raises(OptionError) as error:
        split_text(100, test_fraction=share)
    assert str(error.value) == f"test-fraction must be in [0, 0.5], got {share}"


def test_shares_that_leave_nothing_to_train_on_are_refused():
    with pytest.raises(OptionError) as error:
        split_text(100, 0.5, 0.5)
    assert str(error.value) == (
        "val-fraction and test-fraction must be below 1 together, got 0.5 and 0.5: "
        "nothing is left to train on"
    )


def split_by_characters(documents: list[str], split: Split) -> list[tuple[str, int, str]]:
    """The slow twin of `split_pieces`: one character at a time; part, document, character."""
    ends = np.cumsum([split.train, split.validation, split.test])
    cut, position, part = [], 0, PARTS[0]
    for number, document in enumerate(documents):
        if number:
            cut.append((part, number, ""))
        for character in document:
            part = next((p for p, end in zip(PARTS, ends, strict=True) if position < end), "test")
            cut.append((part, number, character))
            position += 1
    return cut


@given(DOCUMENTS, SHARES, SHARES, st.integers(1, 12))
def test_pieces_are_cut_where_the_parts_meet(documents, validation, test, size):
    split = split_text(sum(map(len, documents)), validation, test)
    pieces = [
        Piece(document[start : start + size], start == 0)
        for document in documents
        for start in range(0, len(document), size)
    ]
    cut = []
    for part, number, text in split_pieces(pieces, split):
        assert len(text) <= size
        cut += [(part, number, character) for character in text] or [(part, number, "")]
    assert cut == split_by_characters(documents, split)


# -- tokens -------------------------------------------------------------------------------------


def expected_tokens(documents: list[str], split: Split, tokenizer: Tokenizer) -> dict[str, list]:
    """The slow twin: each document's share of each part, encoded by itself."""
    tokens: dict[str, list[int]] = {name: [] for name in PARTS}
    stretches: list[tuple[str, int, str]] = []
    for part, number, character in split_by_characters(documents, split):
        if stretches and character and stretches[-1][:2] == (part, number) and stretches[-1][2]:
            stretches[-1] = (part, number, stretches[-1][2] + character)
        else:
            stretches.append((part, number, character))
    for part, _, text in stretches:
        tokens[part] += tokenizer.encode(text).tolist() if text else [tokenizer.boundary]
    return tokens


@pytest.mark.parametrize("kind", ["char", "jamo", "byte"])
@settings(max_examples=25)
@given(documents=DOCUMENTS, validation=SHARES, test=SHARES)
def test_a_stream_is_the_text(kind, documents, validation, test):
    with TemporaryDirectory() as name:
        paths = write(Path(name), documents)
        cache = Path(name) / "cache"
        shares = {"validation_fraction": validation, "test_fraction": test}
        stream, survey, _ = prepare(paths, cache, kind=kind, **shares)
        text = "".join(documents)
        split = split_text(len(text), **shares)
        expected = expected_tokens(documents, split, stream.tokenizer)
        position = start = 0
        for part in PARTS:
            info, tokens = stream.parts[part], stream.part(part)
            wanted = text[position : position + getattr(split, part)]
            assert tokens.tolist() == expected[part]
            assert stream.tokenizer.decode(tokens) == wanted
            assert (info.start, info.stop) == (start, start + len(tokens))
            assert (info.characters, info.bytes) == (len(wanted), len(wanted.encode()))
            position, start = position + len(wanted), info.stop
        assert start == len(stream.tokens)
        assert stream.tokens.dtype == stream.tokenizer.dtype
        assert not stream.tokens.flags.writeable
        assert stream.characters == survey.characters == len(text)
        assert sum(part.bytes for part in stream.parts.values()) == survey.bytes
        assert stream.documents == survey.documents == len(documents)
        assert stream.text_sha256 == survey.sha256
        del stream, tokens


def test_subwords_too(cache, tmp_path):
    paths = write(tmp_path, [STORY, "한 편 더 있다.\n" * 20])
    stream, survey, _ = prepare(paths, cache, kind="subword", vocab_size=400)
    text = STORY + "한 편 더 있다.\n" * 20
    split = split_text(len(text))
    assert stream.tokenizer.decode(stream.part("train")) == text[: split.train]
    assert stream.tokenizer.decode(stream.part("validation")) == text[split.train :]
    assert sum(part.bytes for part in stream.parts.values()) == survey.bytes
    assert (np.asarray(stream.tokens) == 0).sum() == 1


def test_a_text_longer_than_a_piece_and_a_block(cache, tmp_path):
    text = STORY * 700
    assert len(text) > 3 << 16
    stream, _, told = prepare(write(tmp_path, [text]), cache, validation_fraction=0.3)
    split = split_text(len(text), 0.3)
    assert stream.tokenizer.decode(stream.part("train")) == text[: split.train]
    assert stream.tokenizer.decode(stream.part("validation")) == text[split.train :]
    whole = stream.tokenizer.encode(text[: split.train])
    assert np.array_equal(stream.part("train"), whole)
    assert told.stages == {"reading", "learning the char vocabulary", "tokenising"}


@pytest.mark.parametrize(
    ("lengths", "train", "validation"),
    [
        ([10, 10], "x" * 10 + "|", "x" * 10),  # a document ends where the training part does
        ([10, 5, 5], "x" * 10 + "|", "x" * 5 + "|" + "x" * 5),
        ([9, 11], "x" * 9 + "|x", "x" * 10),
        ([11, 9], "x" * 10, "x|" + "x" * 9),
        ([20], "x" * 10, "x" * 10),
    ],
)
def test_a_boundary_belongs_to_what_went_before(cache, tmp_path, lengths, train, validation):
    paths = write(tmp_path, ["x" * length for length in lengths])
    stream, _, _ = prepare(paths, cache, kind="byte", validation_fraction=0.5)
    shown = {0: "|", ord("x") + 1: "x"}
    assert "".join(shown[t] for t in stream.part("train").tolist()) == train
    assert "".join(shown[t] for t in stream.part("validation").tolist()) == validation
    assert not stream.part("test").size


def test_the_separator_makes_documents_as_files_do(cache, tmp_path):
    (tmp_path / "one.txt").write_text("첫째\n=\n둘째\n=\n셋째" * 4, encoding="utf-8")
    stream, survey, _ = prepare(tmp_path / "one.txt", cache, document_separator="\n=\n")
    assert survey.documents == stream.documents == 9
    assert (np.asarray(stream.tokens) == 0).sum() == 8
    assert stream.tokenizer.decode(stream.tokens) == "첫째둘째셋째" * 4


def test_only_the_training_part_makes_the_vocabulary(cache, tmp_path):
    text = "달" * 3 + "별" * 2 + "가나" * 20 + "별" * 9 + "뷁" * 9
    path = write(tmp_path, [text])
    stream, _, _ = prepare(path, cache, validation_fraction=18 / len(text))
    assert stream.parts["validation"].characters == 18
    assert stream.tokenizer.characters == "가나달"
    more, _, _ = prepare(path, cache, validation_fraction=17 / len(text))
    assert more.tokenizer.characters == "가나달별"
    untested, _, _ = prepare(path, cache, validation_fraction=0.1, test_fraction=9 / len(text))
    assert "뷁" not in untested.tokenizer.characters


def test_a_tokenizer_that_is_given_is_used(cache, story):
    tokenizer = CharTokenizer("달빛")
    stream, _, told = prepare(story, cache, tokenizer=tokenizer, kind="byte")
    assert stream.tokenizer.fingerprint == tokenizer.fingerprint
    assert np.array_equal(
        stream.part("train"), tokenizer.encode(STORY[: split_text(len(STORY)).train])
    )
    assert told.stages == {"reading", "tokenising"}


@settings(max_examples=25)
@given(documents=DOCUMENTS, kind=st.sampled_from(["char", "jamo", "byte"]))
def test_a_source_is_encoded_without_being_stored(documents, kind):
    tokenizer = train_tokenizer(kind, lambda: documents)
    with TemporaryDirectory() as name:
        with open_texts(write(Path(name), documents)) as source:
            chunks = list(encode_source(source, tokenizer))
        assert len(listing(Path(name))) == len(documents)
    tokens = np.concatenate(chunks)
    assert tokens.dtype == tokenizer.dtype
    whole = Split(sum(map(len, documents)), 0, 0)
    assert tokens.tolist() == expected_tokens(documents, whole, tokenizer)["train"]


# -- what is told -------------------------------------------------------------------------------


def test_each_stage_is_told_to_its_end(cache, story):
    stream, survey, told = prepare(story, cache)
    ends = {record.stage: (record.done, record.total, record.unit) for record in told}
    train = stream.parts["train"].characters
    assert ends == {
        "reading": (survey.bytes, survey.bytes, "bytes"),
        "learning the char vocabulary": (train, train, "characters"),
        "tokenising": (survey.characters, survey.characters, "characters"),
    }


def test_notes_of_the_reading_come_along(cache, tmp_path):
    path = tmp_path / "story.txt"
    path.write_bytes(STORY.replace("\n", "\r\n").encode("utf-8-sig"))
    with open_texts(path) as source:
        _, notes = prepare_stream(source, cache)
    assert notes == ("byte order marks removed: 1", "line ends made LF: 8 CRLF, 0 CR")


# -- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("characters", "shares"),
    [(9, {}), (1, {"validation_fraction": 0}), (2, {"validation_fraction": 0.5})],
)
def test_a_text_too_short_for_its_parts_is_refused(cache, tmp_path, characters, shares):
    with pytest.raises(TextError) as error:
        prepare(write(tmp_path, ["가" * characters]), cache, **shares)
    assert str(error.value) == (
        f"the text has {characters} characters, too few to split into a training and a "
        "validation part: use a longer text or --val-fraction 0"
    )
    assert listing(cache) == []


def test_the_shortest_texts_there_are(cache, tmp_path):
    stream, _, _ = prepare(write(tmp_path, ["가" * 10]), cache)
    assert [part.characters for part in stream.parts.values()] == [9, 1, 0]
    stream, _, _ = prepare(write(tmp_path, ["가나"]), cache, validation_fraction=0)
    assert [part.characters for part in stream.parts.values()] == [2, 0, 0]


def test_a_text_that_changes_while_it_is_read_is_refused(cache, story, monkeypatch):
    read = TextSource.pieces
    passes: list[int] = []

    def pieces(source: TextSource) -> Iterator[Piece]:
        passes.append(1)
        for text, new_document in read(source):
            yield Piece(text[: -len(passes) + 1 or None], new_document)

    monkeypatch.setattr(TextSource, "pieces", pieces)
    with pytest.raises(TextError) as error:
        prepare(story, cache)
    assert str(error.value) == "story changed while it was read: start again"
    assert listing(cache) == []


def test_a_cache_that_cannot_be_written_is_refused(story, tmp_path):
    cache = tmp_path / "file"
    cache.write_text("")
    with pytest.raises(StreamError) as error:
        prepare(story, cache)
    assert str(error.value) == f"cannot write tokens to {cache}: File exists"


@pytest.mark.parametrize("name", ["fsync", "rename"])
def test_a_disk_that_fails_leaves_nothing_behind(cache, story, monkeypatch, name):
    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((os, "fsync") if name == "fsync" else (Path, "rename")), fail)
    with pytest.raises(StreamError, match=r"^cannot write .*: No space left on device$"):
        prepare(story, cache)
    assert listing(cache) == []


# -- reuse --------------------------------------------------------------------------------------


def was_reused(first: TokenStream, again: tuple[TokenStream, Survey, Told]) -> bool:
    stream, _, told = again
    same = stream.folder == first.folder
    assert same == (told.stages == {"reading"})
    if same:
        assert np.array_equal(stream.tokens, first.tokens)
        assert stream.parts == first.parts
        assert stream.tokenizer.fingerprint == first.tokenizer.fingerprint
    return same


def test_the_same_text_is_reused_wherever_it_lies(cache, story, tmp_path):
    first, _, _ = prepare(story, cache)
    inode = (first.folder / "tokens.bin").stat().st_ino
    os.utime(story, (1, 1))
    assert was_reused(first, prepare(story, cache))
    moved = story.rename(tmp_path / "moved.text")
    assert was_reused(first, prepare(moved, cache))
    folder = tmp_path / "folder"
    folder.mkdir()
    moved.rename(folder / "a.txt")
    assert was_reused(first, prepare(folder, cache))
    assert (first.folder / "tokens.bin").stat().st_ino == inode
    assert listing(cache) == [first.key]


def test_the_same_text_is_reused_however_it_is_written(cache, tmp_path):
    text = "달빛이 마당에 가득하였다.\n" * 9
    path = tmp_path / "a.txt"
    path.write_text(text, encoding="utf-8")
    first, _, _ = prepare(path, cache)
    path.write_bytes(text.replace("\n", "\r\n").encode("utf-8-sig"))
    assert was_reused(first, prepare(path, cache))
    path.write_bytes(text.encode("cp949"))
    assert was_reused(first, prepare(path, cache, encoding="cp949"))


@pytest.mark.parametrize(
    "change",
    [
        {"text": STORY.replace("산(山)", "산(川)", 1)},
        {"text": STORY + " "},
        {"kind": "jamo"},
        {"vocab_size": 1000},
        {"validation_fraction": 0.2},
        {"test_fraction": 0.1},
        {"tokenizer": CharTokenizer("")},
        {"document_separator": "\n"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_text_split_or_tokenizer_is_another_stream(cache, story, change):
    first, _, _ = prepare(story, cache)
    change = dict(change)
    story.write_text(change.pop("text", STORY), encoding="utf-8")
    other = prepare(story, cache, **change)
    assert not was_reused(first, other)
    assert listing(cache) == sorted([first.key, other[0].key])
    assert np.array_equal(open_stream(first.folder).tokens, first.tokens)


def test_the_same_characters_in_other_documents_are_another_text(cache, tmp_path):
    one, _, _ = prepare(write(tmp_path, ["가나다라마" * 6]), cache)
    two, _, _ = prepare(write(tmp_path, ["가나다라마" * 3] * 2), cache)
    assert one.key != two.key
    assert len(two.tokens) == len(one.tokens) + 1


def test_the_default_split_and_the_same_in_words_are_one(cache, story):
    first, _, _ = prepare(story, cache)
    assert was_reused(first, prepare(story, cache, validation_fraction=0.1))


def test_a_stream_that_another_process_has_made_meanwhile_is_left_whole(cache, story):
    made: list[TokenStream] = []
    files: list[int] = []

    def progress(record: Preparing) -> None:
        if record.stage == "tokenising" and not made:
            made.append(prepare(story, cache)[0])
            files.append((made[0].folder / "tokens.bin").stat().st_ino)

    with open_texts(story) as source:
        stream, _ = prepare_stream(source, cache, progress=progress)
    assert stream.folder == made[0].folder
    assert (stream.folder / "tokens.bin").stat().st_ino == files[0]
    assert np.array_equal(stream.tokens, made[0].tokens)
    assert listing(cache) == [stream.key]


# -- damage -------------------------------------------------------------------------------------

FILES = ["stream.json", "tokenizer.json", "tokens.bin"]


def damaged(folder: Path, why: str) -> str:
    return f"{folder} is damaged ({why}): delete it and it is made again from the text"


def refusal(folder: Path) -> str:
    with pytest.raises(StreamError) as error:
        open_stream(folder)
    return str(error.value)


def same_stream(one: TokenStream, other: TokenStream) -> bool:
    plain = ("folder", "key", "text_sha256", "characters", "documents", "parts")
    return (
        all(getattr(one, name) == getattr(other, name) for name in plain)
        and np.array_equal(one.tokens, other.tokens)
        and one.tokenizer.fingerprint == other.tokenizer.fingerprint
    )


def test_what_is_opened_is_what_was_prepared(cache, story):
    stream, _, _ = prepare(story, cache)
    assert same_stream(open_stream(stream.folder), stream)
    assert listing(stream.folder) == FILES


@pytest.mark.parametrize("name", FILES)
def test_an_altered_byte_is_noticed_or_means_nothing(cache, story, name):
    stream, _, _ = prepare(story, cache)
    path = stream.folder / name
    content = path.read_bytes()
    noticed = 0
    places = np.linspace(0, len(content) - 1, 60).astype(int)
    for place, bit in zip(places, np.resize([1, 2, 4, 16, 32, 128], len(places)), strict=True):
        altered = bytearray(content)
        altered[place] ^= bit
        path.write_bytes(altered)
        try:
            assert same_stream(open_stream(stream.folder), stream)
        except StreamError as error:
            noticed += 1
            assert str(error).startswith(f"{stream.folder} ")
            assert "\n" not in str(error)
    assert noticed >= (60 if name == "tokens.bin" else 50)


@pytest.mark.parametrize("name", FILES)
def test_a_cut_or_missing_file_is_noticed(cache, story, name):
    stream, _, _ = prepare(story, cache)
    path = stream.folder / name
    content = path.read_bytes()
    for length in (0, 1, 2, len(content) // 2, len(content) // 2 + 1, len(content) - 2):
        path.write_bytes(content[:length])
        assert refusal(stream.folder).startswith(f"{stream.folder} is damaged (")
    path.unlink()
    assert refusal(stream.folder).startswith(f"{stream.folder} is damaged (")


def test_a_subword_model_is_guarded_too(cache, story):
    stream, _, _ = prepare(story, cache, kind="subword", vocab_size=400)
    path = stream.folder / "subword.model"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert refusal(stream.folder).startswith(f"{stream.folder} is damaged (")


def test_what_is_damaged_is_said(cache, story, tmp_path):
    folder = prepare(story, cache)[0].folder
    (folder / "tokens.bin").write_bytes(b"\0" + (folder / "tokens.bin").read_bytes()[1:])
    assert refusal(folder) == damaged(folder, "its checksum does not match")
    there = tmp_path / "nothing"
    why = f"[Errno 2] No such file or directory: '{there}/stream.json'"
    assert refusal(there) == damaged(there, why)


def test_tokens_of_another_tokenizer_are_refused(cache, story):
    folder = prepare(story, cache)[0].folder
    path = folder / "tokenizer.json"
    data = json.loads(path.read_text("utf-8"))
    data["characters"] = data["characters"].replace("할", "핡")
    path.write_text(json.dumps(data), encoding="utf-8")
    assert refusal(folder) == damaged(folder, "its tokenizer is another one")


def test_an_altered_description_is_refused(cache, story):
    folder = prepare(story, cache)[0].folder
    path = folder / "stream.json"
    data = json.loads(path.read_text("utf-8"))
    data["parts"]["train"]["stop"] -= 1
    path.write_text(json.dumps(data), encoding="utf-8")
    assert refusal(folder) == damaged(folder, "its description was altered")


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Alter the description as a program that knows the format would."""
    path = folder / "stream.json"
    data = json.loads(path.read_text("utf-8"))
    change(data)
    data["checksum"] = checksum_of(data)
    path.write_text(json.dumps(data), encoding="utf-8")


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_an_unknown_version_is_refused(cache, story, version):
    folder = prepare(story, cache)[0].folder
    rewrite(folder, lambda data: data.update(format=version))
    assert refusal(folder) == (
        f"{folder} has stream format {version}, this charnn reads 1: "
        "delete the folder and it is made again from the text"
    )


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda data: data.pop("key"), "'key'"),
        (lambda data: data.update(dtype="float16"), "tokens of type float16"),
        (lambda data: data.update(dtype="(1,i4"), "tokens of type (1,i4"),
        (lambda data: data.update(dtype="<u2"), "tokens of type <u2"),
        (lambda data: data.update(dtype=["a"] * 999), f"tokens of type {['a'] * 9!s:.40}"),
        (lambda data: data.update(characters="5"), "'5' is no count"),
        (lambda data: data.update(documents=-1), "-1 is no count"),
        (lambda data: data.update(documents=1 << 53), f"{1 << 53} is no count"),
        (lambda data: data["parts"].update(train=5), "'int' object is not subscriptable"),
        (lambda data: data["parts"]["train"].update(start=-1), "-1 is no count"),
        (lambda data: data["parts"]["train"].update(stop=1.5), "1.5 is no count"),
        (lambda data: data["parts"]["train"].update(bytes=None), "None is no count"),
        (lambda data: data["parts"]["train"].pop("characters"), "'characters'"),
        (
            lambda data: data["parts"]["test"].update(start=9, stop=5),
            "a part from token 9 to 5 of TOKENS",
        ),
        (
            lambda data: data["parts"]["validation"].update(stop=5000),
            "a part from token START to 5,000 of TOKENS",
        ),
        (lambda data: data["parts"].pop("test"), "'test'"),
    ],
)
def test_a_description_that_makes_no_sense_is_refused(cache, story, change, why):
    stream, _, _ = prepare(story, cache)
    why = why.replace("START", str(stream.parts["validation"].start))
    why = why.replace("TOKENS", str(len(stream.tokens)))
    rewrite(stream.folder, change)
    assert refusal(stream.folder) == damaged(stream.folder, why)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "device"])
def test_only_plain_files_are_opened(cache, story, name, kind):
    if not hasattr(os, "mkfifo"):
        pytest.skip("needs named pipes")
    folder = prepare(story, cache)[0].folder
    path = folder / name
    aside = path.rename(cache / "aside")
    if kind == "link":
        path.symlink_to(aside)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    assert refusal(folder) == damaged(folder, f"{name} is no plain file")


@pytest.mark.parametrize(("name", "most"), [("stream.json", 1 << 16), ("tokenizer.json", 1 << 23)])
def test_what_describes_a_stream_is_short(cache, story, name, most):
    folder = prepare(story, cache)[0].folder
    with (folder / name).open("ab") as file:
        file.truncate(1 << 34)
    why = f"{name} has {1 << 34:,} bytes, at most {most:,} are read"
    assert refusal(folder) == damaged(folder, why)


def test_tokens_that_no_vocabulary_has_are_refused(cache, story):
    stream, _, _ = prepare(story, cache)
    size, folder = stream.tokenizer.vocab_size, stream.folder
    for token in (size - 1, size):
        tokens = np.array(stream.tokens)
        tokens[-1] = token
        (folder / "tokens.bin").write_bytes(tokens.tobytes())
        rewrite(folder, lambda data: data.update(sha256=hashlib.sha256(tokens).hexdigest()))  # noqa: B023
        if token < size:
            assert open_stream(folder).tokens[-1] == token
    why = f"it has tokens that a vocabulary of {size} has not"
    assert refusal(folder) == damaged(folder, why)


@pytest.mark.parametrize("content", ["[]", "{}", "null", "[" * 100_000, "\ud83d", '{"format": 1}'])
def test_a_description_that_is_none_is_refused(cache, story, content):
    folder = prepare(story, cache)[0].folder
    (folder / "stream.json").write_bytes(content.encode("utf-8", "surrogatepass"))
    assert refusal(folder).startswith(f"{folder} is damaged (")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("harm", ["flip", "cut", "remove", "format"])
def test_a_damaged_stream_is_made_again(cache, story, name, harm):
    stream, _, _ = prepare(story, cache)
    expected = {file: (stream.folder / file).read_bytes() for file in FILES}
    path = stream.folder / name
    content = bytearray(expected[name])
    if harm == "remove":
        path.unlink()
    elif harm == "format":
        rewrite(stream.folder, lambda data: data.update(format=7))
    else:
        content[len(content) // 2] ^= 4
        path.write_bytes(content if harm == "flip" else content[:-3])
    again, _, told = prepare(story, cache)
    assert "tokenising" in told.stages
    assert {file: (again.folder / file).read_bytes() for file in FILES} == expected
    assert listing(cache) == [stream.key]


# -- interruption -------------------------------------------------------------------------------


def test_an_interrupted_preparation_leaves_nothing_behind(cache, story):
    _, _, told = prepare(story, cache / "whole")
    for count in range(1, len(told) + 1):
        left = count

        def progress(record: Preparing) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                raise KeyboardInterrupt

        with open_texts(story) as source, pytest.raises(KeyboardInterrupt):
            prepare_stream(source, cache / "broken", progress=progress)
        assert listing(cache / "broken") == []
    assert len(told) >= 3


@pytest.mark.parametrize("reading", [1, 2])
@pytest.mark.parametrize("after", [0, 1])
def test_a_source_that_breaks_off_leaves_nothing_behind(cache, story, monkeypatch, reading, after):
    read, readings = TextSource.pieces, iter(range(1, 9))

    def pieces(source: TextSource) -> Iterator[Piece]:
        breaks = next(readings) == reading
        for number, piece in enumerate(read(source, 100)):
            if breaks and number == after:
                raise KeyboardInterrupt
            yield piece

    monkeypatch.setattr(TextSource, "pieces", pieces)
    with open_texts(story) as source, pytest.raises(KeyboardInterrupt):
        prepare_stream(source, cache)
    assert listing(cache) == []


def test_an_interruption_leaves_the_streams_of_others(cache, story, tmp_path):
    kept, _, _ = prepare(story, cache)
    (tmp_path / "other.txt").write_text(STORY * 2, encoding="utf-8")

    def progress(record: Preparing) -> None:
        if record.stage == "tokenising":
            raise KeyboardInterrupt

    with open_texts(tmp_path / "other.txt") as source, suppress(KeyboardInterrupt):
        prepare_stream(source, cache, progress=progress)
    assert listing(cache) == [kept.key]
    assert same_stream(open_stream(kept.folder), kept)


def test_a_stream_made_again_has_its_key_if_the_text_gives_its_tokenizer(
    story: Path, cache: Path
) -> None:
    with open_texts([story]) as source:
        first, _ = prepare_stream(source, cache)
        first_key, own = first.key, first.tokenizer
        shutil.rmtree(first.folder)
        again, _ = prepare_stream(source, cache, tokenizer=own, again=first_key)
        assert again.key == first_key
        assert prepare_stream(source, cache)[0].folder == again.folder
        shutil.rmtree(again.folder)
        # a stranger's, which must not be found by who trains on this text later
        foreign, _ = prepare_stream(source, cache, tokenizer=CharTokenizer(""), again=first_key)
        assert foreign.key != first_key
        assert prepare_stream(source, cache)[0].tokenizer.fingerprint == own.fingerprint
