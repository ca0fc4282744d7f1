"""The pages say what is there: every option, links that lead somewhere; and house rules of code."""

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import click
import pytest

from charnn.cli.main import COMMANDS, group
from charnn.generation.sampler import SamplingOptions
from charnn.training.options import DEFAULT_MINUTES, TrainOptions

ROOT = Path(__file__).parents[1]
OPTIONS = (ROOT / "docs" / "options.md").read_text("utf-8")
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "corpora/README.md", "benchmarks/*.md")
    for path in ROOT.glob(pattern)
)
CODE = sorted((ROOT / "charnn").rglob("*.py"))


def commands() -> dict[str, click.Command]:
    """Every command as it is called, the group itself among them."""
    found: dict[str, click.Command | None] = {"charnn": group}
    with click.Context(group, info_name="charnn") as context:
        for name in COMMANDS:
            command = group.get_command(context, name)
            assert command is not None
            if isinstance(command, click.Group):
                with click.Context(command, info_name=name) as inner:
                    for sub in command.list_commands(inner):
                        found[f"charnn {name} {sub}"] = command.get_command(inner, sub)
            else:
                found[f"charnn {name}"] = command
    assert None not in found.values()
    return found


def options(name: str) -> dict[str, click.Option]:
    """The options of a command, --help among them, by all their spellings."""
    command = commands()[name]
    with click.Context(command, info_name=name, help_option_names=["-h", "--help"]) as context:
        found = [p for p in command.get_params(context) if isinstance(p, click.Option)]
    return {", ".join(f"`{spelling}`" for spelling in p.opts): p for p in found}


def section(title: str) -> str:
    """What stands below a heading, up to the next of its kind."""
    parts = re.split(r"^## (.+)$", OPTIONS, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))[title]


def table(name: str) -> dict[str, list[str]]:
    """The cells behind each option in the table of a command."""
    rows = (
        [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in section(name).splitlines()
        if line.startswith(("| `-", "|`-"))
    )
    return {cells[0]: cells[1:] for cells in rows}


@pytest.mark.parametrize("name", commands())
def test_every_option_stands_on_the_page_and_no_other(name: str) -> None:
    assert list(table(name)) == list(options(name))


@pytest.mark.parametrize("name", commands())
def test_values_are_written_as_in_the_help(name: str) -> None:
    for spelling, option in options(name).items():
        value, default, meaning = table(name)[spelling]
        assert value == ("" if option.is_flag else f"`{option.metavar}`"), spelling
        assert meaning.endswith("."), spelling
        assert option.is_eager or not option.is_flag or default == "off", spelling


def told(default: object) -> str:
    """A default as the page writes it: a number plain, anything else as code."""
    if isinstance(default, int | float):
        return f"{default:g}"
    return f"`{','.join(map(str, default))}`" if isinstance(default, tuple) else f"`{default}`"


@pytest.mark.parametrize(
    ("name", "kind"), [("charnn train", TrainOptions), ("charnn generate", SamplingOptions)]
)
def test_defaults_are_the_real_ones(
    name: str, kind: type[TrainOptions] | type[SamplingOptions]
) -> None:
    cells = {spelling.split("--")[-1].strip("`"): row for spelling, row in table(name).items()}
    for field in fields(kind):
        if field.default not in (None, "", (), False):
            option = "temp" if field.name == "temperature" else field.name.replace("_", "-")
            assert cells[option][1] == told(field.default), option
    assert kind is SamplingOptions or cells["minutes"][1] == told(DEFAULT_MINUTES)


@pytest.mark.parametrize("name", commands())
def test_the_head_of_a_section_calls_the_command(name: str) -> None:
    assert name == "charnn" or f"`{name}" in section(name)
    assert name == "charnn" or f"    {name} " in OPTIONS.split("## ")[0]


@pytest.mark.parametrize("name", [name for name in commands() if name != "charnn"])
def test_every_option_has_its_variable_in_the_environment(name: str) -> None:
    """CHARNN_TRAIN_BATCH_SIZE and so on, by the spelling of the option."""
    prefix = name.upper().replace(" ", "_")
    for spelling, option in options(name).items():
        long = spelling.split("--")[-1].strip("`").upper().replace("-", "_")
        named = str(option.name).upper() == long or option.envvar == f"{prefix}_{long}"
        assert named or long == "HELP", spelling


def test_the_exit_codes_are_told() -> None:
    told = section("Exit codes")
    assert all(f"| {code} |" in told for code in ("0", "1", "2", "130, 143, 129"))


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    plain = re.sub(r"[`*\[\]]|\(.*?\)", "", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    return {
        slug(line.lstrip("#")) for line in page.read_text("utf-8").splitlines() if line[:1] == "#"
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    lost = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = page.parent / path if path else page
        if not there.exists() or (anchor and anchor not in anchors(there)):
            lost.append(target)
    assert lost == []


def test_the_pages_that_belong_to_a_repository_are_there() -> None:
    names = {"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/options.md", "docs/formats.md"}
    assert names <= {str(page.relative_to(ROOT)) for page in PAGES}
    assert (ROOT / "LICENSE").read_text("utf-8").startswith("MIT License")


def nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text("utf-8")))


def shown(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"


def test_nothing_is_pickled() -> None:
    """A run from a stranger must not be able to execute code."""
    banned = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib"}
    loaders = {
        ("torch", "load"),
        ("torch", "save"),
        ("np", "load"),
        ("np", "save"),
        ("np", "savez"),
    }
    found = []
    for path in CODE:
        for node in nodes(path):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names]
                names.append(getattr(node, "module", None) or "")
                if banned & {name.split(".")[0] for name in names}:
                    found.append(shown(path, node))
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                if (node.value.id, node.attr) in loaders:
                    found.append(shown(path, node))
            elif isinstance(node, ast.Name) and node.id in ("eval", "exec", "__import__"):
                found.append(shown(path, node))
    assert found == []


def test_no_assert_outside_tests() -> None:
    paths = [*CODE, *(ROOT / "benchmarks").rglob("*.py")]
    found = [shown(p, node) for p in paths for node in nodes(p) if isinstance(node, ast.Assert)]
    assert found == []


def test_only_view_and_cli_print() -> None:
    found = [
        shown(path, node)
        for path in CODE
        if path.relative_to(ROOT / "charnn").parts[0] not in ("view", "cli")
        for node in nodes(path)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("print", "pprint", "input")
    ]
    assert found == []


def test_every_open_of_a_text_names_its_encoding() -> None:
    """`open` in text mode, `read_text` and `write_text`; the rest are opened as bytes."""
    found = []
    for path in CODE:
        for node in nodes(path):
            if not isinstance(node, ast.Call):
                continue
            function = node.func
            name = (
                function.attr
                if isinstance(function, ast.Attribute)
                else getattr(function, "id", "")
            )
            values = [a.value for a in node.args if isinstance(a, ast.Constant)]
            named = {keyword.arg for keyword in node.keywords}
            text_mode = name == "open" and values and set(str(values[-1])) <= set("rwxa+t")
            reads = name == "read_text" and "utf-8" not in values
            if (text_mode or reads or name == "write_text") and "encoding" not in named:
                found.append(shown(path, node))
    assert found == []


def test_nothing_is_left_to_do() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in CODE
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if re.search(r"\b(TODO|FIXME|XXX)\b", line)
    ]
    assert found == []
