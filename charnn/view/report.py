"""What is said after a run: what came out, where it is, how to go on. Built from records alone.

Printing it is left to the views.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from charnn.records import Event, Finished, PlanFixed, Record, RunStarted, Sample
from charnn.text.shell import quoted
from charnn.view import figures
from charnn.view.display_text import safe_text
from charnn.view.wrapping import wrap_text

_LABEL = 13
_SAMPLE_LINES = 8
_REASONS = {
    "done": "finished",
    "plateau": "finished early, validation had stopped improving",
    "exploded": "ended, for its numbers kept exploding,",
    "stopped": "stopped",
    "training": "still training",  # this and the next are what watching finds
    "broken off": "broken off",
    "shared": "shared when it had stopped",
}
_RESUMABLE = ("stopped", "broken off")


@dataclass(frozen=True, slots=True)
class Report:
    """The records that the summary needs; `update` takes one in and gives the next report.

    Attributes:
        started, plan, sample, finished: the newest record of each kind, if there was one.
    """

    started: RunStarted | None = None
    plan: PlanFixed | None = None
    sample: Sample | None = None
    finished: Finished | None = None

    def update(self, record: Record) -> "Report":
        """The report after one more record."""
        match record:
            case RunStarted():  # what ended a session before it says nothing of this one
                return replace(self, started=record, finished=None)
            case Event(kind="resumed"):  # nor of one that goes on, whose head no journal keeps
                return replace(self, finished=None)
            case PlanFixed():
                return replace(self, plan=record)
            case Sample():
                return replace(self, sample=record)
            case Finished():
                return replace(self, finished=record)
        return self

    def lines(self, width: int | None = None, *, with_sample: bool = True) -> list[str]:
        """The summary as lines of safe text; empty before the run has finished.

        Args:
            width: cells that a line may take; None leaves lines as long as they are.
            with_sample: whether the newest sample is quoted.
        """
        if self.finished is None:
            return []
        lines = [self._headline(self.finished), *self._results(self.finished)]
        if with_sample and self.sample is not None and self.sample.text:
            lines += self._quote(self.sample, width)
        return [safe_text(line, newline=" ") for line in lines]

    def _headline(self, finished: Finished) -> str:
        name = self.started.run if self.started else Path(finished.path).name
        steps = f"step {figures.count(finished.step)}"
        if self.plan and finished.step < self.plan.total_steps:
            steps += f" of {figures.count(self.plan.total_steps)}"
        reason = _REASONS.get(finished.reason, finished.reason)
        return f"{name}: {reason} at {steps} after {figures.duration(finished.elapsed)}"

    def _results(self, finished: Finished) -> list[str]:
        lines = []
        if finished.bits_per_char is not None:
            lines.append(_labelled("validation", _losses(finished)))
        lines.append(_labelled("run", finished.path))
        if finished.reason in _RESUMABLE:
            lines.append(_labelled("go on", f"charnn train --resume {self._model(finished)}"))
        temperature = self.sample.temperature if self.sample else 0.8
        command = (
            f"charnn generate -m {self._model(finished)} --temp {figures.temperature(temperature)}"
        )
        return [*lines, _labelled("write", command)]

    def _model(self, finished: Finished) -> str:
        """How a command names the run: by its name where that is enough, by its path otherwise."""
        path = Path(finished.path)
        short = self.started is not None and path == Path("checkpoints", self.started.run)
        return quoted(path.name if short else finished.path)

    def _quote(self, sample: Sample, width: int | None) -> list[str]:
        room = None if width is None else max(8, width - 2)
        text = wrap_text(sample.prompt + sample.text, room)
        cut = text[:_SAMPLE_LINES]
        if len(text) > len(cut):
            cut.append("…")
        heat = figures.temperature(sample.temperature)
        title = f"step {figures.count(sample.step)}, temperature {heat}"
        return [_labelled("last sample", title), *("  " + line for line in cut)]


def _losses(finished: Finished) -> str:
    text = f"{figures.bits(finished.bits_per_char)} bits per character"
    if finished.best_bits_per_char is not None and finished.best_step is not None:
        step = figures.count(finished.best_step)
        text += f" (best {figures.bits(finished.best_bits_per_char)} at step {step})"
    return text


def _labelled(label: str, value: str) -> str:
    return f"  {label:<{_LABEL}}{value}"
