"""What charnn offers to Python, and that everything public says what it does."""

import ast
import inspect
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path

import pytest

import charnn

PACKAGE = Path(__file__).parents[1] / "charnn"
MODULES = sorted(PACKAGE.rglob("*.py"))


def test_the_names() -> None:
    functions = ["code_length", "list_runs", "load", "resume", "train"]
    assert charnn.__all__ == ["CharnnError", "Model", "__version__", *functions]


def test_no_name_is_that_of_a_room() -> None:
    """Importing a room would put it in the place of the function."""
    rooms = {path.stem for path in PACKAGE.iterdir()}
    assert not rooms & set(charnn.__all__)


@pytest.mark.parametrize("name", [name for name in charnn.__all__ if name != "__version__"])
def test_each_name_is_documented(name: str) -> None:
    assert inspect.getdoc(getattr(charnn, name))


@pytest.mark.parametrize(
    ("name", "by_place"),
    [
        ("train", ["texts"]),
        ("resume", ["run"]),
        ("load", ["run"]),
        ("code_length", ["texts"]),
        ("list_runs", ["checkpoints"]),
        ("Model.stream", ["prompt"]),
        ("Model.generate", ["prompt"]),
        ("Model.generate_many", ["num_samples", "prompt"]),
        ("Model.evaluate", ["texts"]),
        ("Model.measure_samples", []),
        ("Model.read", ["prompt", "after"]),
        ("Model.story", []),
        ("Model.pieces", ["prompt", "options", "seed"]),
        ("Model.together", ["prompt", "options", "seed", "num_samples"]),
        ("Model.samples", ["prompt", "options", "seed", "num_samples"]),
    ],
)
def test_what_may_be_given_by_place(name: str, by_place: list[str]) -> None:
    function = attrgetter(name)(charnn)
    parameters = [p for p in inspect.signature(function).parameters.values() if p.name != "self"]
    assert [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD] == by_place
    assert not [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.VAR_POSITIONAL)]


def test_every_argument_of_a_public_function_is_told() -> None:
    for function in (charnn.train, charnn.resume, charnn.load, charnn.code_length):
        told = inspect.getdoc(function) or ""
        for name in inspect.signature(function).parameters:
            assert f"{name}: " in told, f"{function.__name__} does not tell of {name}"


def test_the_version_is_the_one_of_the_package() -> None:
    from charnn._version import __version__

    assert charnn.__version__ == __version__


def undocumented(path: Path) -> Iterator[str]:
    """Public modules, classes, functions and methods without a docstring."""
    module = ast.parse(path.read_text("utf-8"))
    nodes: list[tuple[str, ast.AST]] = [(str(path.relative_to(PACKAGE.parent)), module)]
    for name, node in nodes:
        if isinstance(node, ast.Module | ast.ClassDef):
            nodes += [
                (f"{name}:{child.name}", child)
                for child in node.body
                if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
                and not child.name.startswith("_")
            ]
        if not ast.get_docstring(node):  # type: ignore[arg-type]
            yield name


def test_everything_public_has_a_docstring() -> None:
    assert [name for path in MODULES for name in undocumented(path)] == []
