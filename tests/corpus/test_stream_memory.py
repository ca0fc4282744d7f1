"""A text of any size is prepared in the same memory: its tokens are never all in it."""

import tracemalloc
from pathlib import Path

import pytest

from charnn.corpus.preparing import prepare_stream
from charnn.text.reading import open_texts


def peak(path: Path, cache: Path, **options: str) -> int:
    """Bytes that Python and NumPy hold at once while a text becomes a stream."""
    tracemalloc.start()
    try:
        with open_texts([path]) as source:
            prepare_stream(source, cache, **options)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", ["char", "jamo", "byte"])
def test_memory_does_not_grow_with_the_text(tmp_path, novella, kind):
    million = novella.read_text("utf-8") * 26
    peaks = []
    for millions in (2, 8):
        path = tmp_path / f"{millions}.txt"
        path.write_text(million * millions, encoding="utf-8")
        peaks.append(peak(path, tmp_path / "streams", kind=kind))
    assert peaks[1] < 1.2 * peaks[0]
    assert peaks[1] < 40 << 20
