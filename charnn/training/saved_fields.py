"""Options and recipe of config.json, whoever wrote it: every value of its type and in its range.

What the values mean is left to options.py and recipe.py, where the file lies to saved.py.
"""

import math
import reprlib
from collections.abc import Mapping
from dataclasses import fields
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_type_hints

from charnn.errors import OptionError
from charnn.generation.filters import check_range
from charnn.model.shapes import CELLS, ModelShape
from charnn.training.options import (
    MOST_ROWS,
    MOST_TEMPS,
    MOST_WINDOW,
    OPTIMIZERS,
    TrainOptions,
)
from charnn.training.recipe import Recipe

SCHEDULES = ("cosine", "constant")
MOST_ORDER = 32
_SHARES = (
    *("ema", "token_dropout", "input_dropout", "layer_dropout", "output_dropout"),
    *("state_dropout", "weight_dropout", "ngram_weight"),
)
_LATER: dict[str, Any] = {
    "networks": 1,
    "feed_forward": 0,
    "feed_forward_size": 0,
    "weight_at_end": False,
}
"""Fields that the first runs did not have, as those runs would have them."""
_MOST_INT = 1 << 53
_WORDS = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
Fields = TypeVar("Fields", TrainOptions, Recipe)


def read_options(data: Mapping[str, Any]) -> TrainOptions:
    """The options that a run was begun with.

    Raises:
        KeyError: one is missing.
        OptionError: one is of another type or outside its range.
    """
    return TrainOptions(**_typed(TrainOptions, data))


def read_recipe(data: Mapping[str, Any], shape: ModelShape) -> Recipe:
    """The recipe that a run follows.

    Args:
        data: its fields.
        shape: of the network that the run says it has.

    Raises:
        KeyError: a field is missing.
        OptionError: one is of another type or outside its range, or it is of another network.
    """
    recipe = Recipe(**_typed(Recipe, data))
    _one_of("cell", recipe.cell, CELLS)
    _one_of("optimizer", recipe.optimizer, OPTIMIZERS)
    _one_of("schedule", recipe.schedule, SCHEDULES)
    if recipe.shape(shape.vocab_size) != shape:
        raise OptionError("recipe is of another network than the run's")
    check_range("batch_size", recipe.batch_size, 1, MOST_ROWS)
    check_range("seq_len", recipe.seq_len, 1, MOST_WINDOW)
    check_range("ngram_order", recipe.ngram_order, 1, MOST_ORDER)
    check_range("weight_tokens", recipe.weight_tokens, 0, _MOST_INT)
    check_range("warmup", recipe.warmup, 0, 1)
    for name in _SHARES:
        if not 0 <= (share := getattr(recipe, name)) < 1:
            raise OptionError(f"{name} must be in [0, 1), got {share}")
    for name in ("learning_rate", "grad_clip"):
        if not getattr(recipe, name) > 0:
            raise OptionError(f"{name} must be > 0, got {getattr(recipe, name)}")
    if not recipe.weight_decay >= 0:
        raise OptionError(f"weight_decay must be >= 0, got {recipe.weight_decay}")
    return recipe


def read_precision(data: Mapping[str, Any]) -> str:
    """The precision that a run was begun in.

    Raises:
        KeyError: it is missing.
        OptionError: there is no such precision.
    """
    precision = data["precision"]
    _one_of("precision", precision, ("fp32", "bf16"))
    return str(precision)


def _typed(kind: type[Fields], data: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a dataclass as JSON has them, each of the type it is declared."""
    hints = get_type_hints(kind)
    names = [field.name for field in fields(kind)]
    values = {name: data[name] for name in names if name in data or name not in _LATER}
    values = {name: value for name, value in _LATER.items() if name in names} | values
    for name, value in values.items():
        if not _is_of(value, hints[name]):
            words = _in_words(hints[name])
            raise OptionError(f"{name} must be {words}, got {reprlib.repr(value)}")
        if isinstance(value, list):
            values[name] = tuple(value)
    return values


def _is_of(value: Any, hint: Any) -> bool:
    if isinstance(hint, UnionType):
        return any(_is_of(value, kind) for kind in get_args(hint))
    if hint in (bool, str, NoneType):
        return type(value) is hint
    if hint is int:
        return type(value) is int and abs(value) < 1 << 64
    if hint is float:
        return type(value) in (int, float) and math.isfinite(value)
    kind = get_args(hint)[0]  # a tuple of any length
    few = isinstance(value, list | tuple) and len(value) <= MOST_TEMPS
    return few and all(_is_of(item, kind) for item in value)


def _in_words(hint: Any) -> str:
    if isinstance(hint, UnionType):
        kinds = [kind for kind in get_args(hint) if kind is not NoneType]
        return f"{_in_words(kinds[0])} or nothing"
    return _WORDS.get(hint, f"a list of at most {MOST_TEMPS} numbers")


def _one_of(name: str, value: Any, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise OptionError(f"{name} must be one of {', '.join(allowed)}, got {reprlib.repr(value)}")
