"""What changes in a training: kept as arrays and JSON, and taken up again to the last bit."""

import json
import math
from dataclasses import fields

import numpy as np
import pytest
import torch

from charnn.corpus.batches import Batches
from charnn.errors import RunDamagedError
from charnn.training.device import Device
from charnn.training.feed import Feed
from charnn.training.progress import Progress
from charnn.training.state import make_optimizer
from charnn.training.updates import Updates

KINDS = {
    "lstm adamw": {"cell": "lstm", "layers": 2},
    "gru sgd": {"cell": "gru", "optimizer": "sgd"},
    "rnn adagrad": {"cell": "rnn", "optimizer": "adagrad"},
    "classic": {"size": "classic"},
}


@pytest.fixture(params=KINDS.values(), ids=KINDS.keys())
def options(request):
    return request.param


@pytest.fixture
def steps(make_task):
    """Takes steps on a state."""

    def steps(task, state, count):
        recipe, device = task.recipe, Device("cpu", "fp32", 1)
        batches = Batches(task.stream.part("train"), recipe.batch_size, recipe.seq_len)
        updates = Updates(state, Feed(batches, device), recipe, device)
        for _ in range(count):
            updates.take_step(recipe.learning_rate)
        updates.drain()

    return steps


def saved(state):
    """What a checkpoint holds, copied."""
    averaged = {name: array.copy() for name, array in state.weights(averaged=True).items()}
    arrays = {name: array.copy() for name, array in state.arrays().items()}
    return averaged, arrays, json.loads(json.dumps(state.progress.to_json()))


def test_what_is_restored_goes_on_to_the_last_bit(make_task, make_state, steps, options):
    task = make_task(**options, dropout=0.3, token_dropout=0.1)
    state = make_state(task)
    steps(task, state, 5)
    averaged, arrays, progress = saved(state)
    steps(task, state, 4)

    torch.manual_seed(99)
    other = make_state(task, seed=99)
    steps(task, other, 2)
    other.load(averaged, arrays, Progress.from_json(progress))
    steps(task, other, 4)
    for ours, theirs in zip(saved(state), saved(other), strict=True):
        assert ours.keys() == theirs.keys()
        for name, value in ours.items():
            if name != "seconds":
                assert np.array_equal(value, theirs[name]), name


def test_every_array_is_float32_or_small(make_task, make_state, steps, options):
    task = make_task(**options)
    state = make_state(task)
    steps(task, state, 1)
    for name, array in state.arrays().items():
        assert array.dtype == (np.uint8 if name.startswith("random.") else np.float32), name
    names = {name for name, _ in state.model.named_parameters()}
    assert state.weights(averaged=True).keys() == state.weights(averaged=False).keys() == names


def test_arrays_are_copies(make_task, make_state, steps):
    task = make_task()
    state = make_state(task)
    averaged, arrays = state.weights(averaged=True), state.arrays()
    before = averaged["embedding.weight"].copy(), arrays["carried.0.0"].copy()
    steps(task, state, 2)
    assert np.array_equal(averaged["embedding.weight"], before[0])
    assert np.array_equal(arrays["carried.0.0"], before[1])


def test_carried_state_in_half_precision_survives_as_such(make_task, make_state):
    task = make_task()
    state = make_state(task)
    half = tuple(tuple(part.bfloat16() + 0.1 for part in layer) for layer in state.carried)
    state.carried = half
    averaged, arrays, progress = saved(state)
    state.load(averaged, arrays, Progress.from_json(progress))
    for layer, expected in zip(state.carried, half, strict=True):
        for part, expected_part in zip(layer, expected, strict=True):
            assert torch.equal(part.float(), expected_part.float())


def test_weights_of_another_run_are_taken_by_the_average_too(make_task, make_state):
    task = make_task()
    state, other = make_state(task, seed=1), make_state(task, seed=2)
    state.load_weights(other.weights(averaged=True))
    for averaged in (True, False):
        for name, array in state.weights(averaged=averaged).items():
            assert np.array_equal(array, other.weights(averaged=False)[name])


def turned(name, change):
    """A damage: one array becomes what `change` makes of it."""
    return lambda arrays: arrays.update({name: change(arrays[name])})


def with_words(array, left, following):
    """A random state that claims so many numbers left, and to stand at that one."""
    array = array.copy()
    array[8:12] = np.frombuffer(np.int32(left).tobytes(), np.uint8)
    array[16:24] = np.frombuffer(np.uint64(following).tobytes(), np.uint8)
    return array


MOMENT, SQUARE, STEP = (f"optimizer.output.bias/{n}" for n in ("exp_avg", "exp_avg_sq", "step"))
DAMAGE = {
    "carried state is missing": (lambda a: a.pop("carried.0.1"), "carried.0.1 is missing"),
    "carried state is of other rows": (
        turned("carried.0.0", lambda array: array[:2]),
        "carried.0.0 is float32 (2, 12), must be float32 (4, 12)",
    ),
    "carried state is of whole numbers": (
        turned("carried.0.0", lambda array: array.astype(np.int64)),
        "carried.0.0 is int64 (4, 12), must be float32 (4, 12)",
    ),
    "carried state of a layer that is not there": (
        lambda a: a.update({"carried.1.0": a["carried.0.0"]}),
        "'carried.1.0' is unknown",
    ),
    "a weight is missing": (
        lambda a: a.pop("weights.output.bias"),
        "weights.output.bias is missing",
    ),
    "a weight has another shape": (
        turned("weights.output.bias", lambda array: array[:-1]),
        "weights.output.bias is float32 (BELOW,), must be float32 (VOCAB,)",
    ),
    "a weight has another type": (
        turned("weights.output.bias", lambda array: array.astype(np.float64)),
        "weights.output.bias is float64 (VOCAB,), must be float32 (VOCAB,)",
    ),
    "a moment belongs to no weight": (
        lambda a: a.update({"optimizer.nobody/exp_avg": np.zeros(3, np.float32)}),
        "'optimizer.nobody/exp_avg' is unknown",
    ),
    "a moment of another optimiser": (
        lambda a: a.update({"optimizer.output.bias/sum": a[MOMENT]}),
        "'optimizer.output.bias/sum' is unknown",
    ),
    "a moment has another shape": (
        turned(MOMENT, lambda array: array[:3]),
        f"{MOMENT} is float32 (3,), must be float32 (VOCAB,)",
    ),
    "a moment is one number": (
        turned(MOMENT, lambda array: array[0].reshape(())),
        f"{MOMENT} is float32 (), must be float32 (VOCAB,)",
    ),
    "a mean square is one number": (
        turned(SQUARE, lambda array: array[0].reshape(())),
        f"{SQUARE} is float32 (), must be float32 (VOCAB,)",
    ),
    "a mean square is missing": (lambda a: a.pop(SQUARE), f"{SQUARE} is missing"),
    "a step is as long as the weight": (
        lambda a: a.update({STEP: a[MOMENT]}),
        f"{STEP} is float32 (VOCAB,), must be float32 ()",
    ),
    "a step is below zero": (
        turned(STEP, lambda array: array - 1e6),
        f"{STEP} must be a number of steps >= 0, got -999999.0",
    ),
    "a step is no number": (
        turned(STEP, lambda array: array * np.float32("nan")),
        f"{STEP} must be a number of steps >= 0, got nan",
    ),
    "the random state is missing": (lambda a: a.pop("random.cpu"), "random.cpu is missing"),
    "the random state is short": (
        turned("random.cpu", lambda array: array[:9]),
        "random.cpu is no state of a random generator",
    ),
    "the random state is of another kind": (
        turned("random.cpu", lambda array: array.astype(np.float32)),
        "random.cpu is no state of a random generator",
    ),
    "the random state stands behind its end": (
        turned("random.cpu", lambda array: with_words(array, 624, 624)),
        "random.cpu is no state of a random generator",
    ),
}


@pytest.mark.parametrize(("damage", "problem"), DAMAGE.values(), ids=DAMAGE.keys())
def test_a_state_that_does_not_fit_is_refused(make_task, make_state, steps, damage, problem):
    task = make_task()
    state = make_state(task)
    steps(task, state, 1)
    averaged, arrays, progress = saved(state)
    damage(arrays)
    with pytest.raises(RunDamagedError) as error:
        state.load(averaged, arrays, Progress.from_json(progress))
    size = state.model.shape.vocab_size
    expected = problem.replace("VOCAB", str(size)).replace("BELOW", str(size - 1))
    assert str(error.value) == f"the saved training state does not fit: {expected}"


@pytest.mark.parametrize("slot", ["step", "sum"])
def test_adagrad_has_all_of_its_slots_or_none(make_task, make_state, steps, slot):
    task = make_task(optimizer="adagrad")
    state = make_state(task)
    steps(task, state, 1)
    averaged, arrays, progress = saved(state)
    name = f"optimizer.output.bias/{slot}"
    del arrays[name]
    with pytest.raises(RunDamagedError, match=f"{name} is missing$"):
        state.load(averaged, arrays, Progress.from_json(progress))
    without = {key: array for key, array in arrays.items() if not key.startswith("optimizer.")}
    state.load(averaged, without, Progress.from_json(progress))
    steps(task, state, 1)


def test_a_random_state_is_taken_wherever_it_stands(make_task, make_state):
    state = make_state(make_task())
    for count in (0, 1, 622, 623, 624, 625, 1248):
        torch.manual_seed(3)
        torch.randint(0, 9, (count,))
        averaged, arrays, progress = saved(state)
        expected = torch.randint(0, 9, (700,))
        state.load(averaged, arrays, Progress.from_json(progress))
        assert torch.equal(torch.randint(0, 9, (700,)), expected)


@pytest.mark.parametrize("keep_moments", [False, True])
def test_every_optimiser_begins_again(make_task, make_state, steps, options, keep_moments):
    task = make_task(**options)
    state = make_state(task)
    steps(task, state, 2)
    state.begin_again(state.weights(averaged=True), keep_moments=keep_moments)
    steps(task, state, 2)


# -- progress -----------------------------------------------------------------------------------


def test_progress_survives_json_exactly():
    progress = Progress(step=7, nats=0.1 + 0.2, settled=["step", "sample 0.8"], elapsed=1 / 3)
    assert Progress.from_json(json.loads(json.dumps(progress.to_json()))) == progress


LATER = ("temperature", "best_temperature")


@pytest.mark.parametrize("name", [f.name for f in fields(Progress) if f.name not in LATER])
def test_progress_without_one_of_its_fields_is_refused(name):
    data = Progress().to_json()
    del data[name]
    with pytest.raises(RunDamagedError) as error:
        Progress.from_json(data)
    assert str(error.value) == f"the saved training state is incomplete: '{name}'"


WRONG = [
    ({"step": -1}, "the saved training state has step -1"),
    ({"step": 1.5}, "the saved training state has step 1.5"),
    ({"step": "7"}, "the saved training state has step '7'"),
    ({"tokens": None}, "the saved training state has tokens None"),
    ({"updates": True}, "the saved training state has updates True"),
    ({"nats": "many"}, "the saved training state has nats 'many'"),
    ({"elapsed": None}, "the saved training state has elapsed None"),
    ({"settled": "step"}, "the saved training state has settled 'step'"),
    ({"settled": [1]}, "the saved training state has settled [1]"),
    ({"elapsed": -0.5}, "the saved training state has elapsed -0.5"),
    ({"elapsed": math.inf}, "the saved training state has elapsed inf"),
    ({"nats": math.nan}, "the saved training state has nats nan"),
    ({"elapsed": 10**30}, f"the saved training state has elapsed {10**30}"),
    ({"step": 1 << 54}, f"the saved training state has step {1 << 54}"),
    ({"ngram_weight": 1.5}, "the saved training state has ngram_weight 1.5"),
    ({"temperature": 0.0}, "the saved training state has temperature 0.0"),
    ({"temperature": 20.0}, "the saved training state has temperature 20.0"),
    ({"temperature": 1e-300}, "the saved training state has temperature 1e-300"),
    ({"best_temperature": "1"}, "the saved training state has best_temperature '1'"),
    ({"rate_factor": 2}, "the saved training state has rate_factor 2"),
    ({"best_bits_per_char": "1"}, "the saved training state has best_bits_per_char '1'"),
]


@pytest.mark.parametrize(("change", "message"), WRONG, ids=[str(case[0]) for case in WRONG])
def test_progress_of_a_wrong_kind_is_refused(change, message):
    with pytest.raises(RunDamagedError) as error:
        Progress.from_json(Progress().to_json() | change)
    assert str(error.value) == message


def test_progress_of_a_run_from_before_temperatures_has_none():
    document = Progress(temperature=1.1, best_temperature=1.2).to_json()
    assert Progress.from_json(document).best_temperature == 1.2
    for name in LATER:
        del document[name]
    assert Progress.from_json(document) == Progress()


def test_only_fewer_bits_are_better():
    progress = Progress()
    seen = []
    for step, bits in enumerate([5.0, 4.0, 4.0, 4.5, 3.0]):
        progress.step = step
        seen.append(progress.note_validation(bits))
    assert seen == [True, True, False, False, True]
    assert (progress.best_bits_per_char, progress.best_step) == (3.0, 4)
    assert progress.validations_since_best == 0


def test_validations_since_the_best_are_counted():
    progress = Progress()
    for bits in (3.0, 4.0, 3.5):
        progress.note_validation(bits)
    assert progress.validations_since_best == 2


def test_what_is_no_number_is_never_the_best():
    progress = Progress()
    assert not progress.note_validation(float("nan"))
    assert progress.note_validation(3.0)
    assert not progress.note_validation(float("nan"))
    assert progress.best_bits_per_char == 3.0


# -- the optimiser ------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["adamw", "adagrad", "sgd"])
def test_weight_decay_acts_on_matrices_alone(make_task, make_state, optimizer):
    task = make_task(optimizer=optimizer, weight_decay=0.25, learning_rate=0.5)
    model = make_state(task).model
    groups = make_optimizer(model, task.recipe).param_groups
    decays = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    assert len(decays) == len(list(model.parameters()))
    for name, parameter in model.named_parameters():
        assert decays[id(parameter)] == (0.0 if "bias" in name else 0.25), name


def test_optimisers_are_those_of_the_recipe(make_task, make_state):
    kinds = {"adamw": torch.optim.AdamW, "adagrad": torch.optim.Adagrad, "sgd": torch.optim.SGD}
    for name, kind in kinds.items():
        assert type(make_state(make_task(optimizer=name)).optimizer) is kind


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_adagrad_is_the_published_one(make_task, make_state, steps, decay):
    """Source: Duchi et al. 2011: w -= rate * g / (sqrt(sum of g squared) + eps)."""
    task = make_task(optimizer="adagrad", learning_rate=0.1, weight_decay=decay, dropout=0.0)
    state = make_state(task, dropout=False)
    weight = state.model.output.bias  # a bias does not decay, whatever is asked for
    expected, squares = weight.detach().clone(), torch.zeros_like(weight)
    for _ in range(3):
        steps(task, state, 1)
        squares += weight.grad**2
        expected -= 0.1 * weight.grad / (squares.sqrt() + 1e-8)
    assert torch.allclose(weight, expected, rtol=0, atol=1e-6)


def test_gradient_roots_are_those_of_the_gradients_from_the_first_step_on(make_task, make_state):
    """The mean of squares begins at zero; what is told must not."""
    state = make_state(make_task(optimizer="adamw"))
    assert state.gradient_roots() == {}
    generator = torch.Generator().manual_seed(0)
    squares = {name: [] for name, _ in state.model.named_parameters()}
    for _ in range(3):
        for name, parameter in state.model.named_parameters():
            parameter.grad = torch.randn(parameter.shape, generator=generator)
            squares[name].append(parameter.grad.double() ** 2)
        state.optimizer.step()
        roots = state.gradient_roots()
        for name, root in roots.items():
            shares = 0.99 ** np.arange(len(squares[name]))[::-1]
            mean = sum(w * s for w, s in zip(shares, squares[name], strict=True)) / shares.sum()
            np.testing.assert_allclose(root, mean.sqrt().numpy(), rtol=1e-5)
