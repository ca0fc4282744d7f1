"""The exception tree. Every message says name, value, rule and next step in one line.

CharnnError
├── OptionError          an option value is outside its rule (also a ValueError)
├── TextError            a text cannot be used: missing, unreadable, empty, binary, too short
│   └── EncodingError    a text is not in the encoding it was read with
├── TokenizerError       a tokenizer file is damaged or of an unknown version
├── StreamError          a token stream is damaged or does not belong to its description
├── DeviceError          the device or precision asked for is not there
├── TrainingError        a training cannot go on
└── RunError             a run folder cannot be used
    ├── RunNotFoundError     no such run, or no checkpoint in it yet
    ├── RunExistsError       the name is taken; nothing is overwritten
    ├── RunDamagedError      a file of the run is missing, cut short or altered
    └── RunLockedError       another process trains it
"""


class CharnnError(Exception):
    """Root of everything charnn raises on purpose; its text is meant to be shown as it is."""


class OptionError(CharnnError, ValueError):
    """An option value breaks its rule."""


class TextError(CharnnError):
    """A text cannot be used."""


class EncodingError(TextError):
    """A text is not valid in the encoding it was read with."""


class TokenizerError(CharnnError):
    """A saved tokenizer cannot be used."""


class StreamError(CharnnError):
    """A token stream on disk cannot be used."""


class DeviceError(CharnnError):
    """The device or precision asked for is not available."""


class TrainingError(CharnnError):
    """A training cannot go on."""


class RunError(CharnnError):
    """A run folder cannot be used."""


class RunNotFoundError(RunError):
    """There is no such run, or it has no checkpoint yet."""


class RunExistsError(RunError):
    """The run's name is taken."""


class RunDamagedError(RunError):
    """A file of the run is missing, cut short or altered."""


class RunLockedError(RunError):
    """Another process is training this run."""
