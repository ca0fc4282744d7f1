import hashlib
import io
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charnn.errors import CharnnError, EncodingError, OptionError, TextError
from charnn.text.reading import TextSource, open_texts

BOM = b"\xef\xbb\xbf"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, with temporary files in a folder of their own."""
    folder, spools = tmp_path / "here", tmp_path / "spools"
    folder.mkdir()
    spools.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(tempfile, "tempdir", str(spools))
    return folder


@pytest.fixture
def spools(tmp_path: Path) -> Path:
    return tmp_path / "spools"


def write(path: str, data: bytes | str) -> str:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def documents(source: TextSource, piece_chars: int = 1 << 20) -> list[str]:
    texts: list[str] = []
    for text, new_document in source.pieces(piece_chars):
        assert 0 < len(text) <= piece_chars
        if new_document:
            texts.append("")
        texts[-1] += text
    return texts


def refusal(error: type[CharnnError], texts: Any, **options: Any) -> str:
    """The message of the error, and that pieces and survey agree in it."""
    messages = []
    for read in (TextSource.survey, documents):
        with pytest.raises(error) as caught, open_texts(texts, **options) as source:
            read(source)
        assert type(caught.value) is error
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
    assert "\n" not in messages[0]
    return messages[0]


@settings(max_examples=200)
@given(
    files=st.lists(
        st.lists(st.sampled_from(["a", "가", "𠀀", "\r", "\n", "\ufeff", "--"])), max_size=3
    ),
    marked=st.booleans(),
    piece_chars=st.integers(1, 7),
    separator=st.sampled_from([None, "--", "\r\n", "a"]),
)
def test_everything_is_as_an_obvious_reading_has_it(
    files: list[list[str]], marked: bool, piece_chars: int, separator: str | None
) -> None:
    names, expected = [], []
    for number, parts in enumerate([*files, ["end"]]):
        text = "".join(parts)
        marked_here = marked and not text.startswith("\ufeff")
        names.append(write(f"{number}.txt", (BOM if marked_here else b"") + text.encode()))
        text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
        cut = text.split(separator.replace("\r\n", "\n")) if separator else [text]
        expected += [document for document in cut if document]
    source = open_texts(names, document_separator=separator)
    assert documents(source, piece_chars) == expected
    survey = source.survey()
    encoded = [document.encode() for document in expected]
    assert survey.characters == sum(map(len, expected))
    assert survey.bytes == sum(map(len, encoded))
    assert survey.documents == len(expected)
    assert survey.sha256 == hashlib.sha256(b"\xff".join(encoded)).hexdigest()


def test_every_file_loses_its_own_byte_order_mark_and_nothing_else() -> None:
    names = [write("a.txt", BOM + "가\ufeff나".encode()), write("b.txt", BOM + BOM + b"b")]
    source = open_texts(names)
    assert documents(source) == ["가\ufeff나", "\ufeffb"]
    assert source.survey().notes == ("byte order marks removed: 2",)


def test_newlines_across_blocks() -> None:
    for text in ("a\r\nb", "a\rb", "a\r", "\r\n\r\r\n\n", "가\r\n"):
        name = write("a.txt", text)
        for piece_chars in range(1, 6):
            expected = text.replace("\r\n", "\n").replace("\r", "\n")
            assert documents(open_texts([name]), piece_chars) == [expected]
    assert open_texts([write("a.txt", "1\r\n2\r3\r\n")]).survey().notes == (
        "line ends made LF: 2 CRLF, 1 CR",
    )


@pytest.mark.parametrize("encoding", ["cp949", "johab", "utf-16", "utf-16-be", "utf-8-sig"])
def test_other_encodings_when_they_are_asked_for(encoding: str) -> None:
    text = "눈이 지붕까지\r\n쌓였단다.\r\n" * 3
    name = write("a.txt", text.encode(encoding))
    with open_texts([name], encoding=encoding) as source:
        for piece_chars in (1, 2, 3, 1000):
            assert documents(source, piece_chars) == [text.replace("\r", "")]
        notes = source.survey().notes
    assert (f"read as {encoding}" in notes) == (encoding != "utf-8-sig")


def test_another_encoding_than_utf8_is_named() -> None:
    name = write("old.txt", "눈이 지붕까지 쌓였단다. 그때는 말이다.".encode("cp949"))
    assert refusal(EncodingError, [name]) == (
        "old.txt is not UTF-8 (byte 0xB4 at offset 0); it looks like CP949, "
        "as older Korean Windows files are: try --encoding cp949"
    )


def test_notes_tell_what_was_met() -> None:
    names = [write("a.txt", "가\0" + "나" * 1000 + "\ufffd"), write("b.txt", b""), "a.txt"]
    write("c.txt", BOM)
    assert open_texts([*names, "c.txt"]).survey().notes == (
        "byte order marks removed: 1",
        "empty files left out: 2 (b.txt is the first)",
        "files named more than once are read as often: 1",
        "NUL characters kept: 2",
        "U+FFFD kept: 2; an earlier conversion has lost characters there",
    )
    assert open_texts([write("d.txt", "d")]).survey().notes == ()


@pytest.mark.parametrize("data", [b"", BOM])
def test_an_empty_file(data: bytes) -> None:
    name = write("a.txt", data)
    assert refusal(TextError, [name]) == (
        "a.txt is empty, there is nothing to learn from: name a file with text"
    )
    assert refusal(TextError, [name, write("b.txt", "")]) == (
        "all the files are empty, there is nothing to learn from: name a file with text"
    )


def test_a_file_of_nothing_but_separators() -> None:
    assert "a.txt is empty" in refusal(TextError, [write("a.txt", "====")], document_separator="==")


def test_binary_files() -> None:
    assert refusal(TextError, [write("a.png", b"\x89PNG\r\n\x1a\n\0\0\0\r")]) == (
        "a.png is a PNG image, not plain text: save its text as a .txt file"
    )
    assert refusal(TextError, [write("a.bin", bytes(range(256)) * 9)]) == (
        "a.bin is binary (it has NUL bytes), not text: name a plain text file"
    )


def test_missing_files() -> None:
    missing = " does not exist: check its path"
    assert refusal(TextError, ["no.txt"]) == "no.txt" + missing
    assert refusal(TextError, ["no\n\x1b.txt"]) == "no\ufffd\ufffd.txt" + missing
    assert refusal(TextError, ["a\0b"]) == "a\ufffdb" + missing
    assert "(Not a directory)" in refusal(TextError, [write("a.txt", "a") + "/b"])


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_unreadable_files() -> None:
    Path(write("a.txt", "a")).chmod(0)
    assert refusal(TextError, ["a.txt"]) == (
        "a.txt cannot be read (Permission denied): check what it is and who may read it"
    )


def test_an_unreadable_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    write("books/a.txt", "a")

    def scandir(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert refusal(TextError, ["books"]) == (
        "books cannot be read (Permission denied): check what it is and who may read it"
    )


def test_a_folder_is_its_text_files_in_order_of_path() -> None:
    for name in ("b.txt", "a/z.TXT", "a/b/c.txt", "a.txt", "a-b/x.txt", "notes.md", "가.txt"):
        write(f"books/{name}", name)
    for name in (".hidden.txt", ".git/a.txt", "a/.x/a.txt"):
        write(f"books/{name}", name)
    source = open_texts(["books"])
    expected = ["a/b/c.txt", "a/z.TXT", "a-b/x.txt", "a.txt", "b.txt", "가.txt"]
    assert documents(source) == expected
    assert source.files == tuple(Path("books", name) for name in expected)
    assert source.name == "books"
    assert documents(open_texts([Path("books")], suffixes=(".md",))) == ["notes.md"]


def test_a_folder_without_texts() -> None:
    write("books/a/notes.md", "a")
    assert refusal(TextError, ["books"]) == (
        "books has no .txt file in it or below: name the files themselves"
    )


def test_links() -> None:
    write("books/a.txt", "a")
    write("far/b.txt", "b")
    Path("books/b.txt").symlink_to(Path("../far/b.txt"))
    Path("books/self").symlink_to(Path("../books"))
    assert documents(open_texts(["books"])) == ["a", "b"]
    Path("books/loop.txt").symlink_to("loop.txt")
    too_many = "books/loop.txt cannot be read (Too many levels of symbolic links): "
    assert refusal(TextError, ["books"]).startswith(too_many)
    assert refusal(TextError, ["books/loop.txt"]).startswith(too_many)
    Path("books/loop.txt").unlink()
    Path("books/gone.txt").symlink_to("nowhere")
    assert refusal(TextError, ["books"]) == "books/gone.txt does not exist: check its path"


def test_stdin_is_read_once_and_kept_until_close(spools: Path) -> None:
    stdin = io.BytesIO(BOM + "가\r\n나".encode())
    with open_texts(["-"], stdin=stdin) as source:
        assert source.name == "stdin"
        assert source.files == (Path("-"),)
        assert documents(source, 1) == ["가\n나"]
        assert source.survey().characters == 3
        first, second = source.pieces(1), source.pieces(1)
        assert [next(first).text, next(second).text, next(first).text] == ["가", "가", "\n"]
        assert len(list(spools.iterdir())) == (0 if Path("/proc/self/fd").exists() else 1)
    assert list(spools.iterdir()) == []
    with pytest.raises(TextError, match=r"^stdin is closed: open it again to read it$"):
        source.survey()
    source.close()


def test_a_copy_of_stdin_vanishes_with_its_source(spools: Path) -> None:
    source = open_texts(["-"], stdin=io.BytesIO(b"text"))
    source.survey()
    del source
    assert list(spools.iterdir()) == []


def test_stdin_that_is_no_text_leaves_nothing_behind(spools: Path) -> None:
    with pytest.raises(TextError, match=r"^stdin is binary"):
        open_texts(["-"], stdin=io.BytesIO(bytes(1000))).survey()
    assert list(spools.iterdir()) == []
    with pytest.raises(EncodingError, match=r"^stdin is not UTF-8 \(byte 0xFF at offset 1\)"):
        open_texts(["-"], stdin=io.BytesIO(b"a\xff")).survey()
    assert list(spools.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="needs select on pipes")
def test_a_signal_is_heeded_while_stdin_has_nothing_to_read() -> None:
    """Also one that came before the read was begun: the handler runs before the next wait."""

    class StopError(Exception):
        pass

    def stop(number: int, frame: object) -> None:
        raise StopError

    reading, writing = os.pipe()
    before = signal.signal(signal.SIGALRM, stop)
    real, waits = select.select, []

    def late(*arguments: object) -> object:
        waits.append(arguments[-1])
        if len(waits) == 1:  # as if it had come between the last look and the wait
            threading.Timer(0, os.kill, (os.getpid(), signal.SIGALRM)).start()
        return real(*arguments)

    try:
        with os.fdopen(reading, "rb") as stdin, pytest.MonkeyPatch.context() as patch:
            patch.setattr(select, "select", late)
            os.write(writing, "글".encode())
            with open_texts(["-"], stdin=stdin) as source, pytest.raises(StopError):
                source.survey()
    finally:
        signal.signal(signal.SIGALRM, before)
        os.close(writing)
    assert all(0 < seconds <= 0.5 for seconds in waits)


def test_stdin_in_small_pieces_is_read_whole() -> None:
    reading, writing = os.pipe()
    text = "바람이 분다. " * 50_000

    def write() -> None:
        with os.fdopen(writing, "wb") as pipe:
            for start in range(0, len(text), 999):
                pipe.write(text[start : start + 999].encode())

    threading.Thread(target=write).start()
    with os.fdopen(reading, "rb") as stdin, open_texts(["-"], stdin=stdin) as source:
        assert "".join(piece for piece, _ in source.pieces()) == text


def test_interrupted_stdin_leaves_nothing_behind(spools: Path) -> None:
    class Interrupted(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_texts(["-"], stdin=Interrupted()).survey()
    assert list(spools.iterdir()) == []


def test_no_room_for_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(28, "No space left on device")

    message = (
        "stdin cannot be copied to a temporary file ({}): "
        "make room for it, or name another folder with TMPDIR"
    )
    assert refusal(TextError, ["-"], stdin=Full()) == message.format("No space left on device")
    monkeypatch.setattr(tempfile, "tempdir", "nowhere")
    assert refusal(TextError, ["-"], stdin=io.BytesIO(b"text")) == message.format(
        "No such file or directory"
    )


def test_stdin_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"text")))
    with open_texts(["-"]) as source:
        assert documents(source) == ["text"]
    monkeypatch.setattr(sys, "stdin", None)
    assert refusal(TextError, ["-"]) == "stdin is closed: name a file instead of -"


def test_stdin_among_files() -> None:
    write("-", "dash")
    with open_texts(["./-", "-", write("b.txt", "b")], stdin=io.BytesIO(b"in")) as source:
        assert documents(source) == ["dash", "in", "b"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_read_once(spools: Path) -> None:
    os.mkfifo("pipe.txt")
    writer = threading.Thread(target=lambda: Path("pipe.txt").write_text("가나", "utf-8"))
    writer.start()
    with open_texts(["pipe.txt"]) as source:
        assert source.survey().characters == 2
        writer.join()
        assert documents(source, 1) == ["가나"]
    assert list(spools.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs devices")
def test_an_endless_device_is_refused() -> None:
    assert refusal(TextError, ["/dev/zero"]) == (
        "/dev/zero is binary (it has NUL bytes), not text: name a plain text file"
    )
    assert refusal(TextError, ["/dev/null"]).startswith("/dev/null is empty")


def test_progress_covers_all_bytes() -> None:
    names = [write("a.txt", "가" * 500_000), write("b.txt", BOM + b"b\r\n" * 1000)]
    calls: list[tuple[int, int | None]] = []
    open_texts(names).survey(lambda done, total: calls.append((done, total)))
    size = sum(Path(name).stat().st_size for name in names)
    assert calls == sorted(calls)
    assert len(calls) > 2
    assert calls[-1] == (size, size)
    assert {total for _, total in calls} == {size}


def test_progress_of_stdin_has_no_total_until_it_is_copied() -> None:
    calls: list[tuple[int, int | None]] = []
    with open_texts(["-"], stdin=io.BytesIO(b"text")) as source:
        source.survey(lambda done, total: calls.append((done, total)))
        source.survey(lambda done, total: calls.append((done, total)))
    assert calls == [(4, None), (4, 4), (4, 4)]


def test_a_file_that_changes_is_noticed() -> None:
    source = open_texts([write("a.txt", "before")])
    source.survey()
    write("a.txt", "after it grew")
    changed = "a.txt changed while it was in use: start again when nothing writes to it"
    with pytest.raises(TextError, match=f"^{changed}$"):
        source.survey()
    Path("a.txt").unlink()
    with pytest.raises(TextError, match=r"^a.txt does not exist: check its path$"):
        source.survey()


@pytest.mark.parametrize(
    ("texts", "options", "message"),
    [
        ([], {}, "texts must name at least one file, folder or - (stdin), got none"),
        ([""], {}, "texts must name files, folders or - (stdin), got an empty name"),
        (["-", "a.txt", "-"], {}, "texts may name - (stdin) once, got it twice"),
        (
            ["no.txt"],
            {"encoding": "klingon"},
            "encoding must be a character set such as utf-8 or cp949, got 'klingon'",
        ),
        (
            ["no.txt"],
            {"document_separator": ""},
            "document_separator must have at least one character, got ''",
        ),
    ],
)
def test_options_are_checked_before_any_file(
    texts: list[str], options: dict[str, str], message: str
) -> None:
    assert refusal(OptionError, texts, **options) == message


def test_piece_chars_is_checked() -> None:
    source = open_texts([write("a.txt", "a")])
    with pytest.raises(OptionError, match=re.escape("piece_chars must be >= 1, got 0")):
        source.pieces(0)


def test_a_single_name_is_taken_as_a_list_of_one() -> None:
    assert documents(open_texts(write("ab.txt", "text"))) == ["text"]
    assert documents(open_texts(Path("ab.txt"))) == ["text"]  # type: ignore[arg-type]


def test_names() -> None:
    for name in ("novel.txt", "x/songs.txt", "x/y.z.txt", "d.txt"):
        write(name, name)
    assert open_texts(["novel.txt"]).name == "novel"
    assert open_texts(["x"]).name == "x"
    assert open_texts(["."]).name == "here"
    assert open_texts(["novel.txt", "x/songs.txt", "x/y.z.txt"]).name == "novel+songs+y.z"
    assert open_texts(["novel.txt", "x", "d.txt", "d.txt"]).name == "novel+3"


def test_memory_does_not_grow_with_the_file() -> None:
    name = write("a.txt", "가나다라마바사\r\n" * 1_000_000)
    tracemalloc.start()
    try:
        open_texts([name], document_separator="\n\n").survey()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert Path(name).stat().st_size > 20 << 20
    assert peak < 12 << 20


def test_reading_imports_no_detector_until_it_is_needed() -> None:
    command = (
        "import sys, charnn.text.reading\n"
        "heavy = {'charset_normalizer', 'torch'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", command], check=True, env=environment)


@pytest.mark.texts
@pytest.mark.parametrize(
    ("name", "characters"),
    [
        ("mujeong", 324_950),
        ("tinyshakespeare", 1_115_394),
        ("bible_mixed_script", 1_785_314),
        ("honggildong_1860", 30_666),
    ],
)
def test_real_texts(texts_dir: Path, name: str, characters: int) -> None:
    path = texts_dir / f"{name}.txt"
    survey = open_texts([path]).survey()
    assert survey.characters == characters
    assert survey.bytes == path.stat().st_size
    assert survey.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert survey.documents == 1
    assert survey.notes == ()
