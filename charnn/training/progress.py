"""The scalar part of a training's state: how far it is, and what it sums up on the way."""

import math
import reprlib
import sys
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from charnn.errors import RunDamagedError
from charnn.runs.temperature import is_temperature

LOWERED_BY_A_DROP = 0.9
"""What a dropped step multiplies the learning rate by, from there on."""
REWARM_STEPS = 50
"""Steps in which the learning rate rises again after going back to the best weights."""

_MOST = 1 << 53
_SHARES = ("rate_factor", "ngram_weight", "best_ngram_weight")
_LATER = {"temperature": 1.0, "best_temperature": 1.0}
"""Fields that the first runs did not have, as those runs would have them."""
_SUMS = ("elapsed", "best_bits_per_char", "nats", "grad_norm", "seconds")


@dataclass
class Progress:
    """The scalar part of the state.

    Attributes:
        step: updates made.
        settled: tasks already done at this step boundary ("step", "validation", "sample", "save").
        elapsed: seconds of training before this session.
        best_bits_per_char: of the best validation so far; None before the first.
        best_step: when that was.
        validations_since_best: how long ago, counted in validations.
        dropped: steps that were dropped for a loss or gradient that is not finite.
        dropped_in_a_row: how many of them since the last step that was none of them.
        rate_factor: what the plan's learning rate is multiplied by; every fault lowers it.
        restores: how often training went back to the best weights.
        restored_at: the step at which it did so last; None if it never did.
        ngram_weight: of the n-gram model beside the weights of the last validation.
        temperature: of the weights of the last validation.
        best_ngram_weight, best_temperature: those of the best ones.
        tokens, nats, grad_norm, updates, seconds: sums since the last step record.
    """

    step: int = 0
    settled: list[str] = field(default_factory=list)
    elapsed: float = 0.0
    best_bits_per_char: float | None = None
    best_step: int | None = None
    validations_since_best: int = 0
    dropped: int = 0
    dropped_in_a_row: int = 0
    rate_factor: float = 1.0
    restores: int = 0
    restored_at: int | None = None
    ngram_weight: float = 0.0
    temperature: float = 1.0
    best_ngram_weight: float = 0.0
    best_temperature: float = 1.0
    tokens: int = 0
    nats: float = 0.0
    grad_norm: float = 0.0
    updates: int = 0
    seconds: float = 0.0

    def start_sums(self) -> None:
        """Begin the sums of the next step record."""
        self.tokens, self.updates = 0, 0
        self.nats, self.grad_norm, self.seconds = 0.0, 0.0, 0.0

    def note_dropped(self) -> None:
        """A step was dropped: the rate is a little too high for what the text holds there."""
        self.dropped += 1
        self.dropped_in_a_row += 1
        self.rate_factor *= LOWERED_BY_A_DROP

    def note_restored(self) -> None:
        """Training begins again from the best weights, each time more carefully."""
        self.restores += 1
        self.restored_at = self.step
        self.rate_factor *= 0.5**self.restores
        self.dropped_in_a_row = 0
        self.start_sums()

    def begin_more(self) -> None:
        """Another plan begins behind the end of one: what belonged to that is forgotten."""
        self.settled = []
        self.validations_since_best = 0
        self.rate_factor, self.restores, self.restored_at = 1.0, 0, None
        self.dropped_in_a_row = 0
        self.start_sums()

    def rate_share(self, step: int) -> float:
        """The share of the plan's learning rate that step number `step` takes."""
        if self.restored_at is None:
            return self.rate_factor
        return self.rate_factor * min(1.0, (step - self.restored_at + 1) / REWARM_STEPS)

    def note_validation(self, bits_per_char: float) -> bool:
        """Take a validation at this step into account; whether it is the best so far."""
        best = math.inf if self.best_bits_per_char is None else self.best_bits_per_char
        if not bits_per_char < best:  # also where it is not a number
            self.validations_since_best += 1
            return False
        self.best_bits_per_char, self.best_step = bits_per_char, self.step
        self.best_ngram_weight, self.best_temperature = self.ngram_weight, self.temperature
        self.validations_since_best = 0
        return True

    def to_json(self) -> dict[str, Any]:
        """The sums and counters as a JSON object; floats survive it exactly."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Progress":
        """What `to_json` made.

        Raises:
            RunDamagedError: a field is missing or of another kind.
        """
        try:
            values = {field.name: (_LATER | data)[field.name] for field in fields(cls)}
        except KeyError as error:
            raise RunDamagedError(f"the saved training state is incomplete: {error}") from None
        for name, value in values.items():
            if not _is_progress(name, value):
                raise RunDamagedError(f"the saved training state has {name} {reprlib.repr(value)}")
        return cls(**values)


def _is_progress(name: str, value: Any) -> bool:
    """Whether a field of the progress may have this value."""
    if name == "settled":
        return isinstance(value, list) and all(isinstance(task, str) for task in value)
    if name in ("best_bits_per_char", "best_step", "restored_at") and value is None:
        return True
    if name in _LATER:
        return type(value) is float and is_temperature(value)
    if type(value) is int:
        return 0 <= value <= (1 if name in _SHARES else _MOST)
    is_float = type(value) is float and name in (*_SHARES, *_SUMS)
    return is_float and 0 <= value <= (1 if name in _SHARES else sys.float_info.max)
