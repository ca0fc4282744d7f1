"""Folders that are being filled: alone in them, and cleared after whoever died."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from charnn.corpus.scratch import ScratchFolder

KEY = "0123456789abcdef" * 2

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="folders cannot be locked")


def test_a_folder_is_made_and_removed(tmp_path: Path) -> None:
    scratch = ScratchFolder(tmp_path / "streams", KEY)
    assert scratch.path.parent == tmp_path / "streams"
    (scratch.path / "tokens.bin").write_bytes(b"1")
    scratch.close()
    scratch.close()
    assert list((tmp_path / "streams").iterdir()) == []


def test_one_that_was_moved_into_its_place_stays(tmp_path: Path) -> None:
    scratch = ScratchFolder(tmp_path, KEY)
    place = scratch.path.rename(tmp_path / KEY)
    scratch.close()
    assert place.is_dir()


def test_the_living_do_not_clear_each_other(tmp_path: Path) -> None:
    scratches = [ScratchFolder(tmp_path, KEY) for _ in range(3)]
    assert len(list(tmp_path.iterdir())) == 3
    for scratch in scratches:
        scratch.close()


def test_what_a_killed_process_left_is_cleared(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path\n"
        "from charnn.corpus.scratch import ScratchFolder\n"
        f"scratch = ScratchFolder(Path({str(tmp_path)!r}), {KEY!r})\n"
        "(scratch.path / 'tokens.bin').write_bytes(b'1'); print(scratch.path, flush=True)\n"
        "time.sleep(100)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        left = Path(process.stdout.readline().decode().strip())
        ours = ScratchFolder(tmp_path, KEY)
        assert left.is_dir()  # it lives
        process.send_signal(signal.SIGKILL)
    assert left.is_dir()
    other = ScratchFolder(tmp_path, KEY)
    assert not left.exists()
    assert sorted(tmp_path.iterdir()) == sorted([ours.path, other.path])
    ours.close()
    other.close()


def test_nothing_else_is_cleared(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    cache = tmp_path / "cache"
    for name in (KEY, ".hidden", f".{KEY[:16]}", f".{KEY[:16]}-short"):
        (cache / name).mkdir(parents=True)
    (cache / f".{KEY[:16]}-abcdefgh").symlink_to(elsewhere)
    (cache / f".{KEY[:16]}-abcdefgi").write_bytes(b"a file")
    before = sorted(cache.iterdir())
    ScratchFolder(cache, KEY).close()
    assert sorted(cache.iterdir()) == before
    assert elsewhere.is_dir()


def test_where_folders_cannot_be_locked_nothing_is_cleared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f".{KEY[:16]}-abcdefgh").mkdir()
    monkeypatch.setattr("charnn.corpus.scratch._lock", lambda folder, wait=False: None)
    ScratchFolder(tmp_path, KEY).close()
    assert len(list(tmp_path.iterdir())) == 1
