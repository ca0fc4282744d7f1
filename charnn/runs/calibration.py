"""The temperature that a checkpoint's network predicts with; it stands in its manifest."""

from charnn.errors import RunDamagedError
from charnn.runs.checkpoints import Checkpoint

TEMPERATURE = "temperature"
_MOST = 10.0


def temperature_of(checkpoint: Checkpoint) -> float:
    """What the logits of a checkpoint's network are divided by; 1 where it says nothing.

    Raises:
        RunDamagedError: it is no such number.
    """
    temperature = checkpoint.manifest.scores.get(TEMPERATURE, 1.0)
    if not 1 / _MOST <= temperature <= _MOST:
        raise RunDamagedError(
            f"{checkpoint.folder}: {TEMPERATURE} must be in [0.1, 10], got {temperature}"
        )
    return temperature
