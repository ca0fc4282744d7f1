"""config.json: what a run is, written once when it begins and never changed.

Typed where another part of charnn builds on it (the network's sizes, the tokenizer's kind);
the corpus and the training options are free-form objects whose keys their own rooms know.
"""

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any

from charnn.errors import OptionError, RunDamagedError, RunError
from charnn.model.shapes import ModelShape, parameter_count
from charnn.runs.documents import take

MAX_CONFIG_BYTES = 1 << 20
MAX_SIZE = 1 << 22
MAX_LAYERS = 256
"""Of all networks together."""
MAX_PARAMETERS = 1 << 31
MAX_TEXT = 256
INIT_FROM = "init_from"
"""Among what is said of the training: the run that a run's first weights are of."""
_NETWORK = "network"
_CORPUS: Mapping[str, type[Any]] = {
    **dict.fromkeys(("name", "encoding", "document_separator", "sha256", "stream", "looks"), str),
    **dict.fromkeys(("characters", "documents"), int),
    "paths": list,
    "parts": dict,
}
"""Types of what is known of a text; any of it may be missing, and other keys may be there."""


@dataclass(frozen=True, slots=True)
class RunConfig:
    """What a run is.

    Attributes:
        charnn: the version that began it.
        created: when, ISO 8601.
        corpus: a JSON object; "name" is shown by `charnn runs`.
        tokenizer: a JSON object with at least "kind", "vocab_size" and "fingerprint".
        model: the sizes of the network.
        experts: what is mixed; "network" is always among them.
        training: a JSON object with the options.
    """

    charnn: str
    created: str
    corpus: Mapping[str, Any]
    tokenizer: Mapping[str, Any]
    model: ModelShape
    experts: tuple[str, ...] = (_NETWORK,)
    training: Mapping[str, Any] = field(default_factory=dict)

    @property
    def begun_from(self) -> str | None:
        """The name of the run that the first weights are of; None if it began from nothing."""
        name = self.training.get(INIT_FROM)
        return None if name is None else str(name)

    def to_json(self) -> dict[str, Any]:
        """The JSON object that `from_json` reads."""
        model = asdict(self.model)
        if self.model.networks == 1:
            del model["networks"]  # which versions without it can read
        if self.model.feed_forward_size == 0:
            del model["feed_forward_size"]
        return asdict(self) | {"experts": list(self.experts), "model": model}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], where: str) -> "RunConfig":
        """The configuration in a JSON object, whoever wrote it.

        Raises:
            RunDamagedError: a value is missing, of another type, or outside its range.
            RunError: it speaks of what this version does not know.
        """
        tokenizer = take(data, "tokenizer", dict, where)
        model = _model(take(data, "model", dict, where), where)
        for key in ("kind", "fingerprint"):
            _text(tokenizer, key, where)
        if (size := take(tokenizer, "vocab_size", int, where)) != model.vocab_size:
            raise RunDamagedError(
                f"{where}: the tokenizer has {size} tokens, the network {model.vocab_size}"
            )
        return cls(
            charnn=_text(data, "charnn", where),
            created=_text(data, "created", where),
            corpus=_corpus(take(data, "corpus", dict, where), where),
            tokenizer=tokenizer,
            model=model,
            experts=_experts(take(data, "experts", list, where), where),
            training=take(data, "training", dict, where),
        )


def _text(data: Mapping[str, Any], key: str, where: str) -> str:
    text = take(data, key, str, where)
    if len(text) > MAX_TEXT:
        raise RunDamagedError(f"{where}: {key} has {len(text):,} characters, at most {MAX_TEXT}")
    return text


def _corpus(data: dict[str, Any], where: str) -> dict[str, Any]:
    """What is said of the text, where it is said of the type that its readers count on."""
    for key, kind in _CORPUS.items():
        if data.get(key) is not None:
            take(data, key, kind, where)
    for number, path in enumerate(data.get("paths") or ()):
        if not isinstance(path, str):
            raise RunDamagedError(f"{where}: path {number} of the text must be a text")
    return data


def _experts(names: list[Any], where: str) -> tuple[str, ...]:
    texts = [name for name in names if isinstance(name, str) and len(name) <= MAX_TEXT]
    if len(texts) != len(names) or len(names) > 16 or _NETWORK not in texts:
        raise RunDamagedError(f"{where}: experts must be a few names with {_NETWORK!r} among them")
    return tuple(texts)


def _model(data: Mapping[str, Any], where: str) -> ModelShape:
    known = {item.name: item for item in fields(ModelShape)}
    if unknown := set(data) - set(known):
        raise RunError(f"{where} has an unknown model setting {min(unknown)!r}: update charnn")
    values = {
        name: take(data, name, _kind(item.type), where)
        for name, item in known.items()
        if name in data or item.default is MISSING
    }
    try:
        shape = ModelShape(**values)
        check_size(shape)
    except OptionError as error:
        raise RunDamagedError(f"{where}: {error}") from None
    return shape


def check_size(shape: ModelShape) -> None:
    """Refuse a network that is larger than any that a run may have.

    Raises:
        OptionError: it has too many layers, units, tokens or numbers.
    """
    if (layers := shape.num_layers * shape.networks) > MAX_LAYERS:
        raise OptionError(f"all networks together may have {MAX_LAYERS} layers, got {layers:,}")
    for name, size in (
        ("units", shape.hidden_size),
        ("units of a block", shape.feed_forward_size),
        ("numbers of an embedding", shape.embedding_size),
        ("tokens", shape.vocab_size),
    ):
        if size > MAX_SIZE:
            raise OptionError(f"a network may have {MAX_SIZE:,} {name}, got {size:,}")
    if (count := parameter_count(shape)) > MAX_PARAMETERS:
        raise OptionError(f"a run may have {MAX_PARAMETERS:,} numbers to learn, got {count:,}")


def _kind(annotation: Any) -> type[Any]:
    return annotation if isinstance(annotation, type) else str
