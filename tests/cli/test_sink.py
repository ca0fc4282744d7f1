"""Where text goes when there is no room for it."""

from pathlib import Path
from typing import TextIO

import pytest

from charnn.cli import sink
from charnn.cli.sink import Sink, save_text
from charnn.errors import OptionError, TextError

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
MESSAGE = "No space left on device: make room, or write elsewhere"


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every new file lies on a full disk; what is written is held in a buffer first."""

    def new_file(output: str, advice: str) -> TextIO:
        Path(output).touch()
        return FULL.open("w", encoding="utf-8")

    monkeypatch.setattr(sink, "new_file", new_file)


@needs_full
@pytest.mark.usefixtures("full")
def test_a_full_disk_behind_a_file() -> None:
    with pytest.raises(TextError) as caught, Sink("out.txt") as out:
        out.write("가")
    assert str(caught.value) == f"cannot write out.txt: {MESSAGE}"
    assert out.failed


@needs_full
@pytest.mark.usefixtures("full")
def test_a_text_that_cannot_be_saved_leaves_no_file(here: Path) -> None:
    with pytest.raises(TextError) as caught:
        save_text("가", "story.txt", "give another name")
    message = "cannot write story.txt: No space left on device: give another name"
    assert str(caught.value) == message
    assert not Path("story.txt").exists()


def test_a_name_that_no_file_can_have() -> None:
    with pytest.raises(TextError) as caught:
        save_text("가", "a\0b", "give another name")
    message = r"cannot write 'a\x00b': no file can be called so: give another name"
    assert str(caught.value) == message


def test_a_text_is_saved_once(here: Path) -> None:
    save_text("가\n", "story.txt", "give another name")
    assert Path("story.txt").read_bytes() == "가\n".encode()
    with pytest.raises(OptionError, match="is there already"):
        save_text("나", "story.txt", "give another name")
    assert Path("story.txt").read_bytes() == "가\n".encode()
