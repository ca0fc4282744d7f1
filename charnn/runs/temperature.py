"""The temperature that a checkpoint's network predicts with; it stands in its manifest."""

from charnn.errors import RunDamagedError
from charnn.runs.checkpoints import Checkpoint

TEMPERATURE = "temperature"
_LEAST, _MOST = 0.1, 10.0


def temperature_of(checkpoint: Checkpoint) -> float:
    """What the logits of a checkpoint's network are divided by; 1 where it says nothing.

    Raises:
        RunDamagedError: it is no such number.
    """
    temperature = checkpoint.manifest.scores.get(TEMPERATURE, 1.0)
    if not is_temperature(temperature):
        raise RunDamagedError(
            f"{checkpoint.folder}: {TEMPERATURE} must be in [0.1, 10], got {temperature}"
        )
    return temperature


def is_temperature(value: float) -> bool:
    """Whether a network can be saved with it: from a tenth to ten."""
    return _LEAST <= value <= _MOST
