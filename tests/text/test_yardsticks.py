"""What compressors make of a text."""

import lzma
import sys

import pytest

from charnn.text.yardsticks import PPMD, WITHOUT_PPMD, Yardstick, ppmd, xz, yardsticks

TEXT = "".join(f"{number} 형식은 영어를 가르치고 나와, {number * 7}.\n" for number in range(200))


def test_xz_is_what_lzma_says() -> None:
    def bits(text: str) -> int:
        return 8 * len(lzma.compress(text.encode(), check=lzma.CHECK_NONE))

    cut = len(TEXT) - len(TEXT) // 10
    found = xz(TEXT)
    assert found.bits_per_char == bits(TEXT) / len(TEXT)
    assert found.last_tenth == (bits(TEXT) - bits(TEXT[:cut])) / (len(TEXT) - cut)


def test_ppmd_is_what_the_package_says() -> None:
    pyppmd = pytest.importorskip("pyppmd")
    encoder = pyppmd.Ppmd7Encoder(8, 1 << 28)
    size = len(encoder.encode(TEXT.encode()) + encoder.flush())
    found = ppmd(TEXT)
    assert found.bits_per_char == pytest.approx(8 * size / len(TEXT), abs=0.01)
    assert found.last_tenth is not None and 0 < found.last_tenth < found.bits_per_char


def test_without_the_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyppmd", None)
    assert ppmd(TEXT) == Yardstick(PPMD, None, None, WITHOUT_PPMD)
    assert WITHOUT_PPMD == "needs pyppmd: pip install 'charnn[yardsticks]'"


def test_short_texts() -> None:
    for one in yardsticks(""):
        assert (one.bits_per_char, one.last_tenth) == (None, None)
    for one in yardsticks("가"):
        assert one.last_tenth is None
