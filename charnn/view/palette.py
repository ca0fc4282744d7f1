"""The few colours of the view and the scale of surprise. Where they are used is left to the panes.

Every colour has a contrast of at least 3:1 against black and against white, so that one palette
serves dark and light terminals. The scale runs from blue over grey to orange, the pair of hues
that the common colour-vision deficiencies keep apart (tests simulate them).
"""

import math
from bisect import bisect_right

from rich.style import Style

PLAIN = Style()
FAINT = Style(dim=True)
STRONG = Style(bold=True)

SEPARATOR = (" · ", FAINT)

# Terminals of these names know 256 colours also without "-256color"; sixteen are too few.
MORE_THAN_SIXTEEN = ("xterm", "screen", "tmux", "rxvt")

NAME = Style(color="#2b7fe0", bold=True)
TRAINING = Style(color="#2b7fe0")
HELD_OUT = Style(color="#d96f0a")
BEST = Style(color="#d96f0a", bold=True)
WARNING = Style(color="#d9480f", bold=True)

SURPRISE_LIMITS = (1.0, 3.0, 6.0, 9.0)
SURPRISE = (
    Style(color="#2b7fe0"),
    Style(color="#6a8bb0"),
    Style(color="#8c8a88"),
    Style(color="#a6854a"),
    Style(color="#dc4f00"),
)


def surprise_level(bits: float) -> int:
    """The step of the scale for what one character cost the model, 0 (foreseen) to 4.

    Args:
        bits: bits of one character; not a number counts as the greatest surprise.

    >>> [surprise_level(bits) for bits in (0.0, 1.0, 5.9, 20.0, float("nan"))]
    [0, 1, 2, 4, 4]
    """
    return len(SURPRISE_LIMITS) if math.isnan(bits) else bisect_right(SURPRISE_LIMITS, bits)
