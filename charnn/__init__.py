"""charnn: character-level text generation that is at home in Korean."""

from charnn._version import __version__

__all__ = ["__version__"]
