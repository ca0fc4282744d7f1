"""What training yields and everything else reads; and Control, what a person may ask of it.

Records are plain frozen dataclasses with a JSON form. They know nothing of tensors or terminals;
who draws or stores them is left to others. Times are seconds of training, those of
earlier sessions counted in; losses are nats per token, bits_per_char is bits per character of the
original text.
"""

import time
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar

from charnn.errors import OptionError


@dataclass(frozen=True, slots=True)
class Preparing:
    """A slow preparation goes on: reading, tokenizer training, tokenising, planning.

    Attributes:
        stage: what is being done, in a few words.
        done: how much of it, in `unit`.
        total: of how much; None where that is not known.
        unit: "bytes", "characters", "tokens" or "steps".
    """

    tag: ClassVar[str] = "preparing"
    stage: str
    done: int
    total: int | None = None
    unit: str = "characters"


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The head of a run: what is trained, on what, with what.

    Attributes:
        networks: how many networks of these sizes there are.
        feed_forward_size: units of the block behind the layers; 0 if there is none.
        yardstick: what else was given the same text, such as an n-gram model.
        yardstick_bits_per_char: what that reaches on the validation part; None where it is not
            known.
    """

    tag: ClassVar[str] = "started"
    run: str
    path: str
    corpus: str
    characters: int
    tokenizer: str
    vocab_size: int
    cell: str
    num_layers: int
    hidden_size: int
    embedding_size: int
    parameters: int
    device: str
    precision: str
    threads: int
    seed: int
    resumed_at: int = 0
    yardstick: str = "n-gram"
    yardstick_bits_per_char: float | None = None
    networks: int = 1
    feed_forward_size: int = 0


@dataclass(frozen=True, slots=True)
class PlanFixed:
    """The plan the run follows from here on; `seconds` is the time it was made for, if any."""

    tag: ClassVar[str] = "plan"
    total_steps: int
    steps_per_epoch: int
    batch_size: int
    seq_len: int
    learning_rate: float
    warmup_steps: int
    validate_every: int
    sample_every: int
    save_every: int
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class StepRecord:
    """Training at one step, averaged since the record before."""

    tag: ClassVar[str] = "step"
    step: int
    epoch: float
    loss: float
    bits_per_char: float
    learning_rate: float
    grad_norm: float
    chars_per_second: float
    elapsed: float
    remaining: float | None
    memory: int


@dataclass(frozen=True, slots=True)
class Validation:
    """Held-out loss at one step.

    Attributes:
        whole: whether all of the part was read, and not only pieces of it.
        is_best: whether no step before had a smaller one.
        final: whether this is the score of the best weights at the end of the run, which is not
            one of the step it was made at.
        network_bits_per_char: of the network without the n-gram model beside it.
    """

    tag: ClassVar[str] = "validation"
    step: int
    loss: float
    bits_per_char: float
    bits_per_byte: float
    characters: int
    tokens: int
    whole: bool
    is_best: bool
    elapsed: float
    final: bool = False
    network_bits_per_char: float | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One text the model wrote: pieces of whole characters and what each cost the model in bits."""

    tag: ClassVar[str] = "sample"
    step: int
    temperature: float
    prompt: str
    pieces: tuple[tuple[str, float], ...]
    seed: int
    elapsed: float

    @property
    def text(self) -> str:
        """The text without the prompt."""
        return "".join(text for text, _ in self.pieces)


@dataclass(frozen=True, slots=True)
class Event:
    """Something a person may want to know: kind is one of EVENT_KINDS."""

    tag: ClassVar[str] = "event"
    kind: str
    step: int
    message: str
    elapsed: float


EVENT_KINDS = ("note", "saved", "best", "resumed", "plateau", "dropped", "warning", "stopping")


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Nothing happened, but the training lives; yielded while it is paused."""

    tag: ClassVar[str] = "heartbeat"
    step: int
    paused: bool
    elapsed: float


@dataclass(frozen=True, slots=True)
class Finished:
    """The last record: why it ended and what came out.

    Attributes:
        reason: "done" (the plan is fulfilled), "plateau" (validation stopped improving),
            "exploded" (the numbers did, again and again) or "stopped" (a person or a signal
            asked). Who watches a run that has not ended makes up one of their own.
    """

    tag: ClassVar[str] = "finished"
    step: int
    reason: str
    bits_per_char: float | None
    best_bits_per_char: float | None
    best_step: int | None
    elapsed: float
    path: str


Record = (
    Preparing
    | RunStarted
    | PlanFixed
    | StepRecord
    | Validation
    | Sample
    | Event
    | Heartbeat
    | Finished
)

_POLL_SECONDS = 0.02
_TYPES: dict[str, type[Any]] = {
    kind.tag: kind
    for kind in (
        Preparing,
        RunStarted,
        PlanFixed,
        StepRecord,
        Validation,
        Sample,
        Event,
        Heartbeat,
        Finished,
    )
}


def to_json(record: Record) -> dict[str, Any]:
    """The record as a JSON object, its type under the key "record".

    >>> to_json(Heartbeat(step=3, paused=True, elapsed=1.5))
    {'record': 'heartbeat', 'step': 3, 'paused': True, 'elapsed': 1.5}
    """
    return {"record": record.tag, **asdict(record)}


def from_json(data: dict[str, Any]) -> Record:
    """The record that `to_json` made; keys that this version does not know are ignored.

    Raises:
        OptionError: the object names no known record, lacks one of its fields or has pieces of
            text that are none.
    """
    kind = _TYPES.get(str(data.get("record")))
    if kind is None:
        raise OptionError(f"record must be one of {', '.join(_TYPES)}, got {data.get('record')!r}")
    values = {field.name: data[field.name] for field in fields(kind) if field.name in data}
    if kind is Sample and "pieces" in values:
        values["pieces"] = _pieces(values["pieces"])
    try:
        record: Record = kind(**values)
    except TypeError as error:
        raise OptionError(f"record {kind.tag!r} is incomplete: {error}") from None
    return record


def _pieces(data: Any) -> tuple[tuple[str, float], ...]:
    """The pieces of a sample as they were before they became JSON."""
    try:
        return tuple((str(text), float(bits)) for text, bits in data)
    except (TypeError, ValueError, OverflowError):
        raise OptionError(f"record 'sample' has pieces that are none: {data!r:.40}") from None


class Control:
    """What a person may ask of a running training; keys and signals write, the trainer reads.

    Every method may be called from any thread, and from a signal handler: nothing here blocks.
    So there is no lock in it, which the code that a signal interrupts could be holding; every
    change is one assignment.
    """

    def __init__(self, temperature: float = 0.8, sample_length: int = 300) -> None:
        self._stopping = False
        self._paused = False
        self._sample_wanted = False
        self.temperature = temperature
        self.sample_length = sample_length

    def stop(self) -> None:
        """Ask the training to save and end; this ends a pause, and none begins any more."""
        self._stopping = True

    @property
    def stopping(self) -> bool:
        """Whether somebody asked to stop."""
        return self._stopping

    def pause(self) -> None:
        """Ask the training to wait."""
        self._paused = True

    def resume(self) -> None:
        """Let a paused training go on."""
        self._paused = False

    @property
    def paused(self) -> bool:
        """Whether the training is asked to wait."""
        return self._paused and not self._stopping

    def wait_while_paused(self, seconds: float) -> bool:
        """Wait at most `seconds` for the pause to end; whether it still lasts."""
        end = time.monotonic() + seconds
        while self.paused and (left := end - time.monotonic()) > 0:
            time.sleep(min(_POLL_SECONDS, left))
        return self.paused

    def sample_now(self) -> None:
        """Ask for a sample at `temperature`, `sample_length` characters long."""
        self._sample_wanted = True

    def take_sample_request(self) -> bool:
        """Whether a sample was asked for since the last call; called by the trainer alone."""
        if self._sample_wanted:
            self._sample_wanted = False
            return True
        return False
