"""What is said of a text that is not there."""

from pathlib import Path

import pytest

from charnn.errors import TextError
from charnn.text.files import find_files


@pytest.mark.parametrize(
    ("path", "way_out"),
    [
        ("corpora/mujeong.txt", "'charnn corpus fetch mujeong' brings it"),
        ("mujeong.txt", "'charnn corpus fetch mujeong -o mujeong.txt' brings it"),
        ("corpora/novel.txt", "check its path"),
        ("corpora/mujeong", "check its path"),
    ],
)
def test_a_text_of_the_catalogue_can_be_brought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, way_out: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TextError) as caught:
        find_files([path], (".txt",))
    assert str(caught.value) == f"{path} does not exist: {way_out}"


def test_a_text_that_is_there_needs_no_bringing(tmp_path: Path) -> None:
    path = tmp_path / "mujeong.txt"
    path.write_text("형식", "utf-8")
    assert [file.path for file in find_files([path], (".txt",))] == [path]
