"""charnn: character-level text generation that is at home in Korean.

Importing it is cheap: neither torch nor NumPy is imported before something is trained or written.
"""

from charnn._version import __version__
from charnn.api import Model, code_length, list_runs, load, resume, train
from charnn.errors import CharnnError

__all__ = [
    "CharnnError",
    "Model",
    "__version__",
    "code_length",
    "list_runs",
    "load",
    "resume",
    "train",
]
