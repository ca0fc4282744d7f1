"""ngram.safetensors: the n-gram model of a run. Its weight stands with each checkpoint."""

from charnn.errors import RunDamagedError
from charnn.model.mixture import USUAL_WEIGHT
from charnn.model.ngram import Ngram
from charnn.runs.checkpoints import MAX_RUN_FILE_BYTES, Checkpoint
from charnn.runs.files import memory_limit, read_file
from charnn.runs.run import Run
from charnn.runs.storage import Buffer
from charnn.runs.tensors import decode_tensors

NGRAM = "ngram.safetensors"
EXPERT = "ngram"
WEIGHT = "ngram_weight"


def read_ngram(run: Run, checkpoint: Checkpoint | None = None) -> Ngram | None:
    """The n-gram model of a run; None if it has none.

    Args:
        run: the run.
        checkpoint: proves that the file is the one it was made with; None where there is none yet.

    Raises:
        RunDamagedError: the file is missing, was altered, or is of another vocabulary.
    """
    config = run.config()
    if EXPERT not in config.experts:
        return None
    where = str(run.path / NGRAM)
    data: Buffer
    if checkpoint is not None:
        data = checkpoint.run_file(NGRAM)
    else:
        data = read_file(run.path / NGRAM, min(memory_limit(), MAX_RUN_FILE_BYTES))
    return Ngram.from_arrays(decode_tensors(data, where), config.model.vocab_size, where)


def ngram_weight(checkpoint: Checkpoint) -> float:
    """The n-gram model's weight beside the network of a checkpoint.

    Raises:
        RunDamagedError: it is no share.
    """
    weight = checkpoint.manifest.scores.get(WEIGHT, USUAL_WEIGHT)
    if not 0 <= weight <= 1:
        raise RunDamagedError(f"{checkpoint.folder}: {WEIGHT} must be in [0, 1], got {weight}")
    return weight
