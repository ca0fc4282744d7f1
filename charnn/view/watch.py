"""A run's journals as a source of records: followed as they grow, or replayed at any speed.

Showing the records is left to a view, finding the run and telling whether it still trains to the
command.
"""

import contextlib
import heapq
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from charnn.errors import OptionError, RunDamagedError
from charnn.records import Control, Event, Finished, Heartbeat, Record, RunStarted, Validation
from charnn.runs.journal_lines import read_journal
from charnn.runs.layout import EVENTS, METRICS, SAMPLES

POLL_SECONDS: Final = 0.25
_SLICE_SECONDS: Final = 0.1
_ORDER: Final = (EVENTS, METRICS, SAMPLES)


def merge_records(*sources: Iterable[Record]) -> Iterator[Record]:
    """The records of several sources in the order of their times.

    Within a source the order stays, and a record without a time has that of the one before it. Of
    records at the same time those of the earlier source come first. Only one record of each source
    is held.

    Args:
        sources: records in order, the journals of a run for instance.
    """
    keyed = [_timed(records, index) for index, records in enumerate(sources)]
    for _, _, record in heapq.merge(*keyed, key=lambda entry: entry[:2]):
        yield record


def read_run(run: Path) -> Iterator[Record]:
    """All records that a run has kept so far, in the order of their times.

    Raises:
        RunDamagedError: a journal cannot be read.
    """
    return merge_records(*([line.record for line in read_journal(run / name)] for name in _ORDER))


def readable_records(run: Path) -> Iterator[Record]:
    """What can be read of a run's journals, in the order of times; of each up to the first damage.

    Args:
        run: the run's folder.
    """
    return merge_records(*(list(_readable(run / name)) for name in _ORDER))


def _readable(journal: Path) -> Iterator[Record]:
    with contextlib.suppress(RunDamagedError):
        for line in read_journal(journal):
            yield line.record


def paced(
    records: Iterable[Record],
    control: Control,
    *,
    speed: float = 1.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Record]:
    """Records at the times they were made, the training's seconds `speed` times as fast as ours.

    Ends early when the control is told to stop; while it is paused, heartbeats come instead, and
    one that says that it goes on.

    Args:
        records: records in the order of their times.
        control: what the keys act on.
        speed: greater than 0; infinite for no waiting at all.
        clock: our seconds.
        sleep: waits for some of them.

    Raises:
        OptionError: speed is not greater than 0.
    """
    if not speed > 0:
        raise OptionError(f"speed must be > 0, got {speed}")
    start: float | None = None
    step = 0
    for record in records:
        elapsed = getattr(record, "elapsed", None)
        if elapsed is not None:
            start = clock() - elapsed / speed if start is None else start
            while not control.stopping and (left := start + elapsed / speed - clock()) > 0:
                if control.paused:
                    began = clock()
                    yield from _held(control, step, (began - start) * speed)
                    start += clock() - began
                else:
                    sleep(min(left, _SLICE_SECONDS))
        if control.stopping:
            return
        step = getattr(record, "step", step)
        yield record


def follow_run(
    run: Path,
    control: Control,
    *,
    alive: Callable[[], bool],
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Record]:
    """Records of a run that another process trains, first all there are, then as they come.

    Ends when nobody trains the run any longer, or when the control is told to stop: the end that a
    run had before it was resumed is none. While the control is paused, heartbeats come instead, and
    what is added meanwhile comes afterwards. A journal that was cut, as resuming does, is read
    again from its start; the states of a dashboard forget what comes twice.

    Args:
        run: the run's folder.
        control: what the keys act on.
        alive: whether a process trains the run.
        sleep: waits for some seconds.

    Raises:
        RunDamagedError: a journal cannot be read.
    """
    tail = JournalTail(run)
    step, elapsed = 0, 0.0
    while not control.stopping:
        if control.paused:
            yield from _held(control, step, elapsed)
            continue
        living = alive()
        for record in tail.read():
            step = getattr(record, "step", step)
            elapsed = getattr(record, "elapsed", elapsed)
            yield record
        if not living:
            return
        sleep(POLL_SECONDS)


def _held(control: Control, step: int, elapsed: float) -> Iterator[Record]:
    """Heartbeats while somebody holds the picture, and one that says that it goes on."""
    while control.paused:
        yield Heartbeat(step, True, elapsed)
        control.wait_while_paused(_SLICE_SECONDS)
    yield Heartbeat(step, False, elapsed)


def ended(
    records: Iterable[Record], run: Path, control: Control, *, alive: Callable[[], bool]
) -> Iterator[Record]:
    """Records of a run and, where it has not finished, one that says how it stands with it.

    That record is a Finished whose reason is "training", as long as another process trains the
    run, or "broken off". A view that gets it lets no time pass any more. What the records say of
    where the run lies is put right: it may have been renamed, or shared, since.

    Args:
        records: records in the order of their times.
        run: the run's folder, or the file it was exported to.
        control: what the keys act on; who leaves before the end is told nothing.
        alive: whether a process trains the run.
    """
    step, elapsed = 0, 0.0
    best: Validation | None = None
    finished = False
    for record in records:
        step = getattr(record, "step", step)
        elapsed = getattr(record, "elapsed", elapsed)
        best = record if isinstance(record, Validation) and record.is_best else best
        finished = _is_over(finished, record)
        yield _found_at(run, record)
    if not finished and not control.stopping:
        bits = None if best is None else best.bits_per_char
        at = None if best is None else best.step
        reason = "training" if alive() else "shared" if run.is_file() else "broken off"
        yield Finished(step, reason, bits, bits, at, elapsed, str(run))


def _found_at(run: Path, record: Record) -> Record:
    """A record as it would be if the run had always lain where it does."""
    if isinstance(record, RunStarted):
        return replace(record, run=run.name or record.run, path=str(run))
    if isinstance(record, Finished):
        shared = record.reason == "stopped" and run.is_file()
        return replace(record, path=str(run), reason="shared" if shared else record.reason)
    return record


class JournalTail:
    """Reads what was added to the journals of a run.

    Args:
        run: the run's folder.
    """

    def __init__(self, run: Path) -> None:
        self._paths = [run / name for name in _ORDER]
        self._offsets = dict.fromkeys(self._paths, 0)

    def read(self) -> Iterator[Record]:
        """The records since the last reading, in the order of their times.

        Raises:
            RunDamagedError: a journal cannot be read.
        """
        return merge_records(*[self._added(path) for path in self._paths])

    def _added(self, path: Path) -> list[Record]:
        offset = self._offsets[path]
        try:
            if _size(path) < offset:
                offset = 0
            lines = list(read_journal(path, offset))
        except RunDamagedError:
            if offset == 0:
                raise
            offset, lines = 0, list(read_journal(path))
        self._offsets[path] = lines[-1].end if lines else offset
        return [line.record for line in lines]


def _is_over(before: bool, record: Record) -> bool:
    """Whether a run has finished with a record; a resumed one goes on after its end."""
    if isinstance(record, Event):
        return before and record.kind != "resumed"
    return isinstance(record, Finished) or (before and not isinstance(record, RunStarted))


def _timed(records: Iterable[Record], source: int) -> Iterator[tuple[float, int, Record]]:
    """Records with a time that never falls, so that merging keeps their order."""
    time_so_far = 0.0
    for record in records:
        time_so_far = max(time_so_far, getattr(record, "elapsed", time_so_far))
        yield time_so_far, source, record


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
