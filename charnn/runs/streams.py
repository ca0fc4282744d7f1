"""Where the tokens of runs are kept, and how a run finds its own."""

import re
from pathlib import Path
from typing import Final

from charnn.corpus.stream import TokenStream, open_stream
from charnn.errors import StreamError

STREAMS: Final = ".streams"
STREAM_KEY: Final = re.compile("[0-9a-f]{32}")


def kept_stream(checkpoints: Path, key: str) -> TokenStream | None:
    """The tokens that a run's config.json names; None if they are gone or damaged.

    Args:
        checkpoints: the folder the run is in; the run may be a stranger's, only there is looked.
        key: "stream" of its corpus.
    """
    if not STREAM_KEY.fullmatch(key):
        return None
    try:
        return open_stream(checkpoints / STREAMS / key)
    except StreamError:
        return None
