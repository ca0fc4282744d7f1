"""What a command tells as JSON: exact for programs, and safe on a terminal."""

import json
import math
import re
import sys
from typing import Any

import click

_SURROGATE = re.compile("[\ud800-\udfff]")


def show_json(data: dict[str, Any], *, indent: int | None = None) -> None:
    """Write an object to stdout, with a line end; a number that is not finite becomes null."""
    text = json_text(_without_infinities(data), indent=indent)
    click.echo(escaped(text) if sys.stdout.isatty() else text)


def json_text(data: object, *, indent: int | None = None) -> str:
    """The data with every character as it is but those that JSON or UTF-8 cannot hold.

    Lone surrogates, as in the name of a file that is not UTF-8, are escaped.

    Raises:
        ValueError: a number is not finite.
    """
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, indent=indent)
    if text.isascii():
        return text
    return _SURROGATE.sub(lambda found: json.dumps(found.group())[1:-1], text)


def _without_infinities(data: object) -> object:
    match data:
        case float():
            return data if math.isfinite(data) else None
        case dict():
            return {name: _without_infinities(value) for name, value in data.items()}
        case list() | tuple():
            return [_without_infinities(value) for value in data]
    return data


def escaped(part: str) -> str:
    r"""A part of a JSON text with \u for what a terminal does not show safely as it is.

    >>> print(escaped('{"text": "가\x9b\u202e'))
    {"text": "가\u009b\u202e
    """
    from charnn.view.display_text import safe_characters

    safe, place = [], 0
    for shown, characters in safe_characters(part):
        exact = part[place : place + characters]
        safe.append(exact if shown == exact else json.dumps(exact)[1:-1])
        place += characters
    return "".join(safe)
