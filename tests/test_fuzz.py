"""A short round of everything that is fuzzed; `benchmarks/fuzz.py` is the long one."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

PATH = Path(__file__).parents[1] / "benchmarks" / "fuzz.py"
SEED = 20


def load() -> Any:
    spec = spec_from_file_location("charnn_fuzz", PATH)
    assert spec and spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


fuzz = load()


@pytest.mark.parametrize("name", fuzz.TARGETS)
def test_nothing_but_a_refusal_comes_out(name: str) -> None:
    assert fuzz.run_target(name, 40, SEED) >= 40


def test_a_finding_is_raised_in_its_smallest_form(monkeypatch: pytest.MonkeyPatch) -> None:
    def holds(text: str, cuts: list[int]) -> None:
        fuzz.check(len(text) < 3, "too long")

    drawn = fuzz.TARGETS["display"].drawn
    monkeypatch.setitem(fuzz.TARGETS, "display", fuzz.Target(holds, drawn))
    with pytest.raises(ValueError, match="too long") as caught:
        fuzz.run_target("display", 400, SEED)
    assert any("text='000'" in note for note in caught.value.__notes__)
