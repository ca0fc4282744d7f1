"""Numbers as people read them: times, counts, sizes, losses. How they are placed is left to others.

Everything comes out in ASCII, so that columns of figures stand straight in every terminal.
"""

import math

MISSING = "-"


def duration(seconds: float | None) -> str:
    """Minutes and seconds, with hours where there are any.

    >>> [duration(value) for value in (0.4, 182, 3600 * 7 + 125, None)]
    ['0:00', '3:02', '7:02:05', '-']
    """
    if seconds is None or not math.isfinite(seconds):
        return MISSING
    whole = max(0, int(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def count(number: float) -> str:
    """A whole number with its thousands marked.

    >>> count(1703), count(311204.6)
    ('1,703', '311,205')
    """
    return f"{number:,.0f}"


def step(number: int) -> str:
    """A step where there is little room: exact up to a million.

    >>> step(999_999), step(1_234_567)
    ('999,999', '1.23M')
    """
    return count(number) if number < 1_000_000 else compact(number)


def compact(number: float) -> str:
    """A large number to three figures with K, M, G or T behind it.

    >>> [compact(value) for value in (0, 999, 1703, 2_412_345, 5e9)]
    ['0', '999', '1.70K', '2.41M', '5.00G']
    """
    scaled, suffixes = float(number), ["", "K", "M", "G", "T"]
    while abs(scaled) >= 999.5 and len(suffixes) > 1:
        scaled /= 1000
        suffixes.pop(0)
    return f"{_three_figures(scaled)}{suffixes[0]}" if suffixes[0] else f"{scaled:.0f}"


def memory(size: int | None) -> str:
    """Bytes in the unit that needs the fewest figures (powers of 1000); None is not known.

    >>> [memory(value) for value in (None, 0, 812_300_000, 12_400_000_000)]
    ['-', '0 kB', '812 MB', '12.4 GB']
    """
    if not size:
        return MISSING if size is None else "0 kB"
    for limit, unit in ((1e6, "kB"), (1e9, "MB"), (1e12, "GB")):
        if size < limit * 0.9995:
            return f"{_three_figures(size / limit * 1000)} {unit}"
    return f"{_three_figures(size / 1e12)} TB"


def bits(value: float | None) -> str:
    """A loss in bits per character, to the thousandth that two runs may differ by.

    >>> bits(3.48219), bits(None), bits(float("nan"))
    ('3.482', '-', 'nan')
    """
    if value is None:
        return MISSING
    return f"{value:.3f}" if math.isfinite(value) else f"{value}"


def rate(value: float) -> str:
    """A learning rate or the like: two figures, always as short as that allows.

    >>> [rate(value) for value in (0, 0.0031, 0.1, 3.14e-5, 1000)]
    ['0', '0.0031', '0.1', '3.1e-05', '1e+03']
    """
    return f"{value:.2g}"


def temperature(value: float) -> str:
    """A temperature with at least one decimal, so that several stand under one another.

    >>> temperature(1.0), temperature(0.85)
    ('1.0', '0.85')
    """
    return f"{value:.1f}" if round(value, 1) == value else f"{value:g}"


def magnitude(value: float) -> str:
    """A positive quantity that may be of any size, to three figures.

    >>> [magnitude(value) for value in (0.8234, 11.23, 1712.4, 3.2e9, float("inf"))]
    ['0.823', '11.2', '1712', '3.2e+09', 'inf']
    """
    if not math.isfinite(value):
        return f"{value}"
    if value == 0 or 0.001 <= abs(value) < 999.5:
        return _three_figures(value)
    return f"{value:.0f}" if 1 <= abs(value) < 99_999.5 else f"{value:.2g}"


def perplexity(loss: float) -> str:
    """The perplexity per token of a loss in nats per token.

    >>> perplexity(2.414), perplexity(5000.0)
    ('11.2', 'inf')
    """
    return magnitude(math.exp(loss)) if loss < 700 else "inf"


def _three_figures(value: float) -> str:
    """Three significant figures without an exponent, for 0.001 <= |value| < 1000."""
    if abs(value) >= 99.95:
        return f"{value:.0f}"
    if abs(value) >= 9.995:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 0.9995 or value == 0 else f"{value:.3f}"
