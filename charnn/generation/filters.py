"""Filters: logits -> logits. What may be sampled, and how boldly.

Each is a pure function on rows of logits (unnormalised log-probabilities in nats); a masked token
is -inf. Their order in generation is the order here. Drawing a token is left to `choice.py`.
"""

import math
import operator
from typing import Any

import numpy as np
import numpy.typing as npt

from charnn.errors import OptionError

Floats = npt.NDArray[np.floating[Any]]

# Beyond these a temperature or a power changes nothing that floats can tell, but would overflow.
_LEAST, _MOST = 1e-20, 1e30


def repeat_penalty(
    logits: Floats, recent: npt.NDArray[np.integer[Any]], repeat_penalty: float
) -> Floats:
    """Raise the probability of recently written tokens to a power.

    Args:
        logits: (batch, vocab_size).
        recent: tokens written lately in each row, (batch, n); how often does not matter.
        repeat_penalty: the power, > 0; above 1 repetition becomes rarer, 1 changes nothing.

    Returns:
        A new array of the same shape, log-probabilities before they are normalised again.

    Raises:
        OptionError: repeat_penalty is not above 0.

    Source: Keskar et al. 2019, arXiv:1909.05858, section 4.1; on log-probabilities rather than
    raw logits, so that a constant added to the logits changes nothing.
    """
    check_range("repeat_penalty", repeat_penalty, 0, math.inf, above=True)
    top = logits.max(axis=1, keepdims=True)
    log_probs: Floats = logits - top
    log_probs -= np.log(np.exp(log_probs).sum(axis=1, keepdims=True))
    rows = np.arange(len(logits))[:, None]
    log_probs[rows, recent] = log_probs[rows, recent] * _held(repeat_penalty)
    return log_probs


def top_k_filter(logits: Floats, top_k: int) -> Floats:
    """Keep the top_k most probable tokens; at a tie the lower index stays.

    Args:
        logits: (batch, vocab_size).
        top_k: how many to keep; 0 keeps everything.

    Returns:
        A new array of the same shape; masked entries are -inf.

    Raises:
        OptionError: top_k is below 0.

    Source: Fan et al. 2018, arXiv:1805.04833.

    >>> top_k_filter(np.array([[1.0, 2.0, 1.0]]), 2).tolist()
    [[1.0, 2.0, -inf]]
    """
    check_whole("top_k", top_k, 0)
    size = logits.shape[1]
    if not 0 < top_k < size:
        return logits.copy()
    last = np.partition(logits, size - top_k, axis=1)[:, size - top_k, None]
    above, tied = logits > last, logits == last
    room = top_k - above.sum(axis=1, keepdims=True)
    return _masked(logits, above | (tied & (tied.cumsum(axis=1) <= room)))


def top_p_filter(logits: Floats, top_p: float) -> Floats:
    """Keep the fewest most probable tokens that have top_p of the probability together.

    Args:
        logits: (batch, vocab_size).
        top_p: share in [0, 1]; 1 keeps everything, 0 the most probable token.

    Returns:
        A new array of the same shape; masked entries are -inf, each row keeps at least one, and
        at a tie the lower index stays.

    Raises:
        OptionError: top_p is outside [0, 1].

    Source: Holtzman et al. 2020, arXiv:1904.09751.

    >>> np.isfinite(top_p_filter(np.log([[0.5, 0.2, 0.3]]), 0.6)).tolist()
    [[True, False, True]]
    """
    check_range("top_p", top_p, 0, 1)
    if top_p == 1:
        return logits.copy()
    weights = np.exp(logits - logits.max(axis=1, keepdims=True), dtype=np.float64)
    probs = weights / weights.sum(axis=1, keepdims=True)
    keep = np.zeros(logits.shape, bool)
    for row, kept in zip(probs, keep, strict=True):
        # All tokens below this have less than 1 - top_p together: none of them can be needed.
        able = np.flatnonzero(row >= (1 - top_p) / row.size)
        order = able[np.argsort(-row[able], kind="stable")]
        needed = 1 + int(np.searchsorted(row[order].cumsum(), top_p))
        kept[order[:needed]] = True
    return _masked(logits, keep)


def min_p_filter(logits: Floats, min_p: float) -> Floats:
    """Mask the tokens whose probability is below min_p times the largest one.

    Args:
        logits: (batch, vocab_size).
        min_p: fraction in [0, 1]; 0 keeps everything.

    Returns:
        A new array of the same shape; masked entries are -inf, each row keeps at least one.

    Raises:
        OptionError: min_p is outside [0, 1].

    Source: Nguyen et al. 2024, arXiv:2407.01082.

    >>> np.isfinite(min_p_filter(np.log([[0.5, 0.2, 0.3]]), 0.5)).tolist()
    [[True, False, True]]
    """
    check_range("min_p", min_p, 0, 1)
    if min_p == 0:
        return logits.copy()
    return _masked(logits, logits >= logits.max(axis=1, keepdims=True) + math.log(min_p))


def apply_temperature(logits: Floats, temperature: float) -> Floats:
    """Divide by the temperature; below 1 the text becomes safer, above 1 bolder.

    Args:
        logits: (batch, vocab_size).
        temperature: >= 0, infinity included; 0 keeps the most probable token alone, at a tie the
            one of the lowest index.

    Returns:
        A new array of the same shape whose largest entry in each row is 0.

    Raises:
        OptionError: temperature is below 0.

    >>> apply_temperature(np.array([[1.0, 3.0, 3.0]]), 0.5).tolist()
    [[-4.0, 0.0, 0.0]]
    >>> apply_temperature(np.array([[1.0, 3.0, 3.0]]), 0).tolist()
    [[-inf, 0.0, -inf]]
    """
    check_range("temperature", temperature, 0, math.inf)
    scaled: Floats = logits - logits.max(axis=1, keepdims=True)
    if temperature == 0:
        best = scaled.argmax(axis=1)[:, None]
        return _masked(scaled, np.arange(scaled.shape[1]) == best)
    scaled /= _held(temperature)
    return scaled


def check_range(
    name: str, value: float, lowest: float, highest: float, *, above: bool = False
) -> None:
    """Refuse an option outside [lowest, highest], or with `above` one outside (lowest, highest).

    Raises:
        OptionError: the value breaks the rule or is not a number.

    >>> check_range("top_p", 1.5, 0, 1)
    Traceback (most recent call last):
    charnn.errors.OptionError: top_p must be in [0, 1], got 1.5
    """
    if lowest < value < highest or (not above and value in (lowest, highest)):
        return
    rule = f"in ({lowest}, {highest})" if above else f"in [{lowest}, {highest}]"
    if highest == math.inf:
        rule = f"> {lowest}" if above else f">= {lowest}"
    if value == math.inf:
        rule = "finite"
    raise OptionError(f"{name} must be {rule}, got {value}")


def check_whole(name: str, value: object, lowest: int) -> None:
    """Refuse an option that is no whole number, or one below `lowest`.

    Raises:
        OptionError: the value breaks the rule.

    >>> check_whole("length", 1e6, 1)
    Traceback (most recent call last):
    charnn.errors.OptionError: length must be a whole number >= 1, got 1000000.0
    """
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise OptionError(f"{name} must be a whole number >= {lowest}, got {value!r}") from None
    check_range(name, number, lowest, math.inf)


def _held(factor: float) -> float:
    return min(max(factor, _LEAST), _MOST)


def _masked(logits: Floats, keep: npt.NDArray[np.bool_]) -> Floats:
    """A copy of the logits with -inf where they are not kept."""
    return np.where(keep, logits, logits.dtype.type(-np.inf))
