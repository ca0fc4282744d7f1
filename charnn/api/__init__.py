"""charnn from Python: the same house as the command line, by its other door.

    model = charnn.train("corpora/mujeong.txt", minutes=5)
    print(model.generate("형식은", temperature=0.8))
    charnn.load("mujeong").evaluate().score.bits_per_char

Importing this imports neither torch nor NumPy; each function brings what it needs.
"""

from charnn.api.arguments import DEFAULT_CHECKPOINTS, new_seed
from charnn.api.coding import code_length
from charnn.api.model import Model
from charnn.api.runs import check_precision, list_runs, load
from charnn.api.training import resume, train

__all__ = [
    "DEFAULT_CHECKPOINTS",
    "Model",
    "check_precision",
    "code_length",
    "list_runs",
    "load",
    "new_seed",
    "resume",
    "train",
]
