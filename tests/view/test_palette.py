"""Colours can be read on dark and light, and told apart without red or green cones."""

from itertools import pairwise

import pytest

from charnn.view import palette

COLOURS = [
    palette.NAME,
    palette.TRAINING,
    palette.HELD_OUT,
    palette.BEST,
    palette.WARNING,
    *palette.SURPRISE,
]
# Machado, Oliveira and Fernandes 2009, full deficiency, for linear RGB.
DEFICIENCIES = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deutan": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
}


def linear(style):
    triplet = style.color.triplet
    parts = [value / 255 for value in (triplet.red, triplet.green, triplet.blue)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def lightness_and_chroma(rgb):
    """CIE L*a*b* (D65) of linear RGB."""
    to_xyz = (
        (0.4124 / 0.9505, 0.3576 / 0.9505, 0.1805 / 0.9505),
        (0.2126, 0.7152, 0.0722),
        (0.0193 / 1.089, 0.1192 / 1.089, 0.9505 / 1.089),
    )
    x, y, z = (sum(a * max(0, b) for a, b in zip(row, rgb, strict=True)) for row in to_xyz)
    f = [v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in (x, y, z)]
    return 116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])


@pytest.mark.parametrize("style", COLOURS)
def test_contrast_on_black_and_on_white(style):
    red, green, blue = linear(style)
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    assert (luminance + 0.05) / 0.05 >= 3
    assert 1.05 / (luminance + 0.05) >= 3


@pytest.mark.parametrize("matrix", DEFICIENCIES.values(), ids=DEFICIENCIES)
def test_neighbours_on_the_scale_can_be_told_apart(matrix):
    seen = []
    for style in palette.SURPRISE:
        rgb = linear(style)
        mixed = [sum(a * b for a, b in zip(row, rgb, strict=True)) for row in matrix]
        seen.append(lightness_and_chroma(mixed))
    for one, other in pairwise(seen):
        assert sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) ** 0.5 > 15
    blue_to_orange = [value[2] for value in seen]
    assert blue_to_orange == sorted(blue_to_orange)


def test_levels_rise_with_the_bits():
    levels = [palette.surprise_level(bits / 10) for bits in range(200)]
    assert levels == sorted(levels)
    assert set(levels) == set(range(len(palette.SURPRISE)))
