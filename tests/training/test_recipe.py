"""Options, the recipe made of them, and the plan made of that."""

import json
import math
from dataclasses import asdict, fields, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from charnn.errors import OptionError
from charnn.model.shapes import ModelShape, parameter_count
from charnn.training.options import Interval, TrainOptions, option_name
from charnn.training.plan import (
    MOST_RECORDS,
    MOST_SAMPLES,
    Plan,
    ema_decay_at,
    learning_rate_at,
    make_plan,
    planned_steps,
)
from charnn.training.recipe import Recipe, make_recipe, nominal_seconds_per_step
from charnn.training.saved_fields import read_options
from charnn.training.sizing import FLOPS, flops_per_token

TOKENS = st.integers(1, 10**9)
DEVICES = st.sampled_from(["cpu", "cuda", "mps"])
SIZES = st.sampled_from(["auto", "tiny", "small", "medium", "large", "classic"])
CELLS = st.sampled_from(["lstm", "gru", "rnn"])


def recipe_for(options: TrainOptions | None = None, tokens: int = 300_000, device: str = "cpu"):
    return make_recipe(options or TrainOptions(), tokens, 1500, device)


def a_plan(**changes) -> Plan:
    plan = Plan(
        total_steps=1000,
        steps_per_epoch=100,
        warmup_steps=50,
        log_every=1,
        validate_every=40,
        sample_every=100,
        save_every=100,
    )
    return replace(plan, **changes)


# -- options ------------------------------------------------------------------------------------

REFUSED = [
    ({"size": "huge"}, "size must be one of auto, tiny, small, medium, large, classic, got 'huge'"),
    ({"cell": "qrnn"}, "cell must be one of lstm, gru, rnn, got 'qrnn'"),
    ({"optimizer": "adam"}, "optimizer must be one of adamw, adagrad, sgd, got 'adam'"),
    ({"tokenizer": "bpe"}, "tokenizer must be one of char, jamo, byte, subword, got 'bpe'"),
    ({"device": "tpu"}, "device must be one of auto, cpu, cuda, mps, got 'tpu'"),
    ({"precision": "fp16"}, "precision must be one of auto, fp32, bf16, got 'fp16'"),
    ({"layers": 0}, "layers must be >= 1, got 0"),
    ({"hidden": 0}, "hidden must be >= 1, got 0"),
    ({"embedding": -3}, "embedding must be >= 1, got -3"),
    ({"feed_forward": -1}, "feed-forward must be >= 0, got -1"),
    ({"networks": 0}, "networks must be >= 1, got 0"),
    ({"networks": 65}, "networks must be <= 64, got 65"),
    ({"steps": 0}, "steps must be >= 1, got 0"),
    ({"batch_size": 0}, "batch-size must be >= 1, got 0"),
    ({"seq_len": 0}, "seq-len must be >= 1, got 0"),
    ({"threads": 0}, "threads must be >= 1, got 0"),
    ({"vocab_size": 0}, "vocab-size must be >= 1, got 0"),
    ({"sample_length": 0}, "sample-length must be >= 1, got 0"),
    ({"seed": -1}, "seed must be in [0, 2**64), got -1"),
    ({"seed": 2**64}, "seed must be in [0, 2**64), got 18446744073709551616"),
    ({"minutes": 0}, "minutes must be > 0, got 0"),
    ({"minutes": math.nan}, "minutes must be > 0, got nan"),
    ({"minutes": math.inf}, "minutes must be finite, got inf"),
    ({"epochs": -0.5}, "epochs must be > 0, got -0.5"),
    ({"learning_rate": 0.0}, "learning-rate must be > 0, got 0.0"),
    ({"grad_clip": 0.0}, "grad-clip must be > 0, got 0.0"),
    ({"weight_decay": -0.1}, "weight-decay must be >= 0, got -0.1"),
    ({"dropout": 1.0}, "dropout must be in [0, 1), got 1.0"),
    ({"token_dropout": -0.1}, "token-dropout must be in [0, 1), got -0.1"),
    ({"input_dropout": math.nan}, "input-dropout must be in [0, 1), got nan"),
    ({"layer_dropout": 1.5}, "layer-dropout must be in [0, 1), got 1.5"),
    ({"output_dropout": 1}, "output-dropout must be in [0, 1), got 1"),
    ({"weight_dropout": 1}, "weight-dropout must be in [0, 1), got 1"),
    ({"state_dropout": 2}, "state-dropout must be in [0, 1), got 2"),
    ({"val_fraction": 0.6}, "val-fraction must be in [0, 0.5], got 0.6"),
    ({"val_fraction": math.nan}, "val-fraction must be in [0, 0.5], got nan"),
    ({"test_fraction": -0.1}, "test-fraction must be in [0, 0.5], got -0.1"),
    ({"minutes": 1, "steps": 5}, "give one of --minutes, --epochs and --steps, got 2"),
    (
        {"minutes": 1, "epochs": 1, "steps": 5},
        "give one of --minutes, --epochs and --steps, got 3",
    ),
    ({"steps": 2**53 + 1}, "steps must be <= 9,007,199,254,740,992, got 9007199254740993"),
    ({"minutes": 1e10}, "minutes must be <= 1,000,000,000, got 10000000000.0"),
    ({"epochs": 1e307}, "epochs must be <= 1,000,000,000, got 1e+307"),
    ({"threads": 2000}, "threads must be <= 1,024, got 2000"),
    ({"seq_len": 9_999_999}, "seq-len must be <= 1,048,576, got 9999999"),
    ({"sample_length": 10**6}, "sample-length must be <= 100,000, got 1000000"),
    ({"prompt": "가" * 100_001}, "prompt must be at most 100,000 characters, got 100,001"),
    (
        {"prompt": "형\udcff"},
        "prompt must be valid Unicode, got a lone surrogate U+DCFF at character 1; leave it out",
    ),
    ({"temps": (0.5,) * 65}, "temps must be at most 64 numbers, got 65"),
    (
        {"sample_every": "9" * 20 + "steps"},
        f"sample-every must be like 30s or 500steps, above zero, got '{'9' * 20}steps'",
    ),
    ({"temps": ()}, "temps must be numbers >= 0, got ()"),
    ({"temps": (0.5, -1.0)}, "temps must be numbers >= 0, got (0.5, -1.0)"),
    ({"temps": (math.nan,)}, "temps must be numbers >= 0, got (nan,)"),
    ({"save_every": "0s"}, "save-every must be like 30s or 500steps, above zero, got '0s'"),
    ({"save_every": "2 min"}, "save-every must be like 30s or 500steps, above zero, got '2 min'"),
    (
        {"save_every": "9" * 400 + "s"},
        f"save-every must be like 30s or 500steps, above zero, got '{'9' * 400}s'",
    ),
    ({"sample_every": ""}, "sample-every must be like 30s or 500steps, above zero, got ''"),
    (
        {"sample_every": "1.5steps"},
        "sample-every must be like 30s or 500steps, above zero, got '1.5steps'",
    ),
]


@pytest.mark.parametrize(
    ("options", "message"), REFUSED, ids=[str(case[0])[:40] for case in REFUSED]
)
def test_an_option_outside_its_rule_is_refused(options, message):
    with pytest.raises(OptionError) as error:
        TrainOptions(**options)
    assert str(error.value) == message


def test_the_borders_of_every_rule_are_allowed():
    TrainOptions(seed=2**64 - 1)
    TrainOptions(dropout=0.0, val_fraction=0.0, test_fraction=0.5, seed=0, weight_decay=0.0)
    TrainOptions(layers=1, hidden=1, embedding=1, steps=1, batch_size=1, seq_len=1, threads=1)
    TrainOptions(temps=(0.0,), save_every="1", sample_every="0.1s", minutes=1e-9)


@pytest.mark.parametrize(
    "options",
    [
        *({"steps": 2**53}, {"minutes": 1e9}, {"epochs": 1e9}, {"threads": 1024}),
        *({"seq_len": 1 << 20, "batch_size": 1 << 20}, {"sample_length": 100_000}),
        *({"temps": (0.5,) * 64}, {"prompt": "가" * 100_000}, {"sample_every": f"{2**53}steps"}),
    ],
    ids=" ".join,
)
def test_what_may_be_said_can_be_read_back_from_a_run(options):
    said = TrainOptions(**options)
    assert read_options(json.loads(json.dumps(asdict(said)))) == said


def test_options_are_spelled_as_on_the_command_line():
    assert option_name("learning_rate") == "learning-rate"


# -- intervals ----------------------------------------------------------------------------------


@given(st.integers(1, 10**6), st.sampled_from(["", "step", "steps", " steps", "  "]))
def test_an_interval_in_steps_does_not_depend_on_the_clock(steps, unit):
    interval = Interval.parse(f" {steps}{unit}", "save-every")
    assert interval == Interval(steps=steps)
    assert interval.in_steps(0.001) == interval.in_steps(100.0) == steps


@given(st.floats(0.01, 1e5), st.floats(1e-4, 1e2))
def test_an_interval_in_seconds_is_the_nearest_number_of_steps_and_at_least_one(seconds, per_step):
    interval = Interval.parse(f"{seconds:.3f}s", "save-every")
    steps = interval.in_steps(per_step)
    assert steps >= 1
    assert steps == 1 or abs(steps * per_step - float(f"{seconds:.3f}")) <= per_step / 2 * 1.001


# -- the recipe ---------------------------------------------------------------------------------


@given(TOKENS, st.integers(2, 40_000), DEVICES, SIZES, CELLS)
def test_every_text_and_device_gets_a_recipe_that_can_be_trained(
    tokens, vocab_size, device, size, cell
):
    recipe = make_recipe(TrainOptions(size=size, cell=cell), tokens, vocab_size, device)
    assert 1 <= recipe.batch_size <= max(1, tokens)
    assert recipe.seq_len >= 1
    assert recipe.learning_rate > 0
    for name in ("token_dropout", "input_dropout", "layer_dropout", "output_dropout"):
        assert 0 <= getattr(recipe, name) < 1
    assert recipe.shape(vocab_size).vocab_size == vocab_size


@given(TOKENS, DEVICES, SIZES)
def test_the_recipe_follows_from_its_arguments_alone(tokens, device, size):
    options = TrainOptions(size=size)
    assert make_recipe(options, tokens, 1500, device) == make_recipe(options, tokens, 1500, device)


SAID = [
    ({"cell": "gru"}, {"cell": "gru"}),
    ({"layers": 3}, {"num_layers": 3}),
    ({"networks": 3}, {"networks": 3}),
    ({"feed_forward": 33}, {"feed_forward_size": 33}),
    ({"feed_forward": 0}, {"feed_forward_size": 0}),
    ({"hidden": 77}, {"hidden_size": 77, "embedding_size": 77}),
    ({"hidden": 77, "embedding": 33}, {"hidden_size": 77, "embedding_size": 33}),
    ({"batch_size": 9}, {"batch_size": 9}),
    ({"seq_len": 11}, {"seq_len": 11}),
    ({"learning_rate": 0.5}, {"learning_rate": 0.5}),
    ({"optimizer": "sgd"}, {"optimizer": "sgd"}),
    ({"weight_decay": 0.0}, {"weight_decay": 0.0}),
    ({"ngram_weight": 0.3}, {"ngram_weight": 0.3, "weight_tokens": 0}),
    ({"ngram_weight": 0.3, "no_ngram": True}, {"ngram_weight": 0.0}),
    ({"grad_clip": 0.25}, {"grad_clip": 0.25}),
    ({"token_dropout": 0.0}, {"token_dropout": 0.0}),
    ({"state_dropout": 0.3}, {"state_dropout": 0.3}),
    ({"weight_dropout": 0.3}, {"weight_dropout": 0.3}),
    (
        {"dropout": 0.4},
        {"input_dropout": 0.4, "layer_dropout": 0.4, "output_dropout": 0.4, "state_dropout": 0.0},
    ),
    (
        {"dropout": 0.4, "output_dropout": 0.1, "input_dropout": 0.0},
        {"input_dropout": 0.0, "layer_dropout": 0.4, "output_dropout": 0.1},
    ),
]


@pytest.mark.parametrize("size", ["auto", "tiny", "classic"])
@pytest.mark.parametrize(("given_", "expected"), SAID, ids=[str(case[0]) for case in SAID])
def test_what_the_user_says_is_done(size, given_, expected):
    recipe = asdict(recipe_for(TrainOptions(size=size, **given_)))
    assert {name: recipe[name] for name in expected} == expected


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("tokens", [900, 300_000])
def test_steps_and_epochs_that_read_as_much_drop_as_much(device, tokens):
    by_epochs = make_recipe(TrainOptions(epochs=20), tokens, 2000, device)
    steps = round(20 * tokens / by_epochs.batch_size / by_epochs.seq_len)
    by_steps = make_recipe(TrainOptions(steps=steps), tokens, 2000, device)
    assert by_steps.output_dropout == pytest.approx(by_epochs.output_dropout, abs=0.01)


def test_classic_is_the_seed_experiment():
    """One LSTM layer of 100 units, Adagrad at 0.1, windows of 25, batch 1, clipped, untied."""
    assert recipe_for(TrainOptions(size="classic")) == Recipe(
        cell="lstm",
        num_layers=1,
        hidden_size=100,
        embedding_size=100,
        tied=False,
        networks=1,
        feed_forward_size=0,
        batch_size=1,
        seq_len=25,
        learning_rate=0.1,
        optimizer="adagrad",
        schedule="constant",
        warmup=0.0,
        weight_decay=0.0,
        grad_clip=5.0,
        ema=0.0,
        composed=False,
        token_dropout=0.0,
        input_dropout=0.0,
        layer_dropout=0.0,
        output_dropout=0.0,
        state_dropout=0.0,
        weight_dropout=0.0,
        ngram_order=6,
        ngram_weight=0.0,
        weight_tokens=0,
        weight_at_end=True,
    )


@given(TOKENS, DEVICES)
def test_classic_is_the_same_on_every_text_and_device(tokens, device):
    options = TrainOptions(size="classic")
    assert make_recipe(options, tokens, 1500, device) == recipe_for(options)


@given(TOKENS, DEVICES, SIZES.filter(lambda size: size != "classic"))
def test_a_small_vocabulary_has_small_embeddings_and_an_output_of_its_own(tokens, device, size):
    options = TrainOptions(size=size, networks=1, feed_forward=0)
    small, large = (make_recipe(options, tokens, count, device) for count in (512, 513))
    assert large.tied
    assert large.embedding_size == large.hidden_size == small.hidden_size
    assert not small.tied
    assert small.embedding_size <= max(64, small.hidden_size // 8)
    assert flops_per_token(small.shape(512)) < flops_per_token(large.shape(513))


@pytest.mark.parametrize("vocab_size", [100, 5000])
def test_an_embedding_size_that_is_asked_for_is_taken(vocab_size):
    recipe = make_recipe(TrainOptions(embedding=96), 300_000, vocab_size, "cpu")
    assert recipe.embedding_size == 96


def test_sizes_grow_in_their_order():
    counts = [
        parameter_count(recipe_for(TrainOptions(size=size)).shape(1500))
        for size in ("tiny", "small", "medium", "large")
    ]
    assert counts == sorted(set(counts))


def test_a_longer_text_and_a_faster_device_get_a_larger_network():
    def count(tokens, device):
        options = TrainOptions(minutes=30)
        return parameter_count(recipe_for(options, tokens, device).shape(1500))

    assert count(20_000, "cpu") < count(300_000, "cpu") <= count(300_000, "cuda")
    assert count(50_000, "cuda") < count(10**7, "cuda")


@settings(max_examples=50)
@given(st.floats(0.1, 1000), st.floats(1.01, 100), TOKENS)
def test_the_more_often_a_text_is_read_the_more_is_dropped(epochs, factor, tokens):
    fewer, more = (
        recipe_for(TrainOptions(epochs=number), tokens) for number in (epochs, epochs * factor)
    )
    assert fewer.output_dropout <= more.output_dropout <= 0.6
    assert fewer.token_dropout <= more.token_dropout
    assert 0.05 <= fewer.weight_decay <= more.weight_decay <= 0.15


@pytest.mark.parametrize(("epochs", "tokens"), [(0.1, 30_000), (1, 300_000), (3.5, 10**7)])
def test_a_text_that_is_read_a_few_times_is_not_dropped_from(epochs, tokens):
    recipe = recipe_for(TrainOptions(epochs=epochs), tokens)
    assert recipe.output_dropout == recipe.layer_dropout == recipe.token_dropout == 0
    assert recipe.weight_dropout == 0
    assert recipe.weight_decay == 0.05


def test_weights_decay_by_what_is_dropped_in_truth():
    often, seldom = TrainOptions(epochs=30), TrainOptions(epochs=1)
    assert recipe_for(often).weight_decay == 0.15
    assert recipe_for(replace(often, dropout=0.0)).weight_decay == 0.05
    assert recipe_for(replace(often, output_dropout=0.1)).weight_decay == 0.1
    assert recipe_for(replace(seldom, dropout=0.5)).weight_decay == 0.15
    assert recipe_for(replace(often, optimizer="adagrad")).weight_decay == 0
    assert recipe_for(replace(often, optimizer="sgd")).weight_decay == 0.05


def test_weights_decay_most_where_there_are_many_to_a_token():
    options = TrainOptions(epochs=30, feed_forward=0)
    decays = [recipe_for(options, n).weight_decay for n in (3e5, 1e6, 1.2e6, 2e6)]
    assert decays[0] == 0.15 > decays[1] > decays[2] > decays[3] == 0.05


def test_a_short_text_is_dropped_from_sooner_than_a_long_one():
    short, long = (recipe_for(TrainOptions(epochs=8), tokens) for tokens in (300_000, 3_000_000))
    assert short.output_dropout > long.output_dropout > 0


def test_minutes_count_for_dropout_by_the_speed_of_the_device():
    short, long = (recipe_for(TrainOptions(minutes=minutes)) for minutes in (2, 100))
    assert short.output_dropout < long.output_dropout
    assert recipe_for(TrainOptions(minutes=10)) == recipe_for(TrainOptions())
    options = TrainOptions(minutes=5)
    usual, faster = (make_recipe(options, 300_000, 1500, "cpu", f) for f in (None, 6e11))
    assert usual == make_recipe(options, 300_000, 1500, "cpu", FLOPS["cpu"])
    assert usual.output_dropout < faster.output_dropout


@pytest.mark.parametrize(
    ("budget", "flops", "units"),
    [
        ({"minutes": 1}, None, 256),
        ({"minutes": 10}, None, 256),
        ({"minutes": 20}, None, 256),
        ({"minutes": 30}, None, 512),
        ({"minutes": 30}, 1e11, 256),
        ({"minutes": 10}, 6e11, 512),
        ({}, None, 256),
        ({}, 1e10, 128),
        ({"minutes": 0.2}, None, 128),
        ({"steps": 1}, 2e10, 512),
        ({"epochs": 0.01}, 2e10, 512),
    ],
)
def test_a_device_that_gets_through_little_in_its_minutes_has_a_small_network(budget, flops, units):
    options = TrainOptions(**budget)
    assert make_recipe(options, 300_000, 1500, "cpu", flops).hidden_size == units
    named = replace(options, size="medium")
    assert make_recipe(named, 300_000, 1500, "cpu", flops).hidden_size == 512


@pytest.mark.parametrize(
    ("tokens", "vocab_size", "units"),
    [
        *((20_000, 2400, 256), (300_000, 2400, 256), (1_600_000, 2400, 256)),
        *((50_000_000, 2400, 256), (300_000, 300, 512), (50_000_000, 300, 512)),
    ],
)
def test_a_network_must_have_time_for_its_text(tokens, vocab_size, units):
    recipe = make_recipe(TrainOptions(minutes=6), tokens, vocab_size, "cpu")
    assert recipe.hidden_size == units


def test_a_wide_network_with_a_block_must_have_more_time_than_one_without():
    def units(minutes: float, **said: int) -> int:
        return recipe_for(TrainOptions(minutes=minutes, **said)).hidden_size

    assert units(6, feed_forward=0) == 512
    assert units(6) == units(6, feed_forward=100) == 256


@given(TOKENS, DEVICES, SIZES.filter(lambda size: size != "classic"))
def test_where_the_output_is_tied_a_block_stands_before_it(tokens, device, size):
    options = TrainOptions(size=size)
    few, many = (make_recipe(options, tokens, count, device) for count in (512, 513))
    assert few.feed_forward_size == 0
    assert many.feed_forward_size == many.hidden_size * 3 // 2


@given(st.floats(0.01, 1000), st.floats(1, 100), TOKENS, DEVICES, st.integers(2, 40_000))
def test_more_time_and_a_faster_device_never_mean_a_smaller_network(
    minutes, factor, tokens, device, vocab_size
):
    def units(minutes: float, flops: float) -> tuple[int, int]:
        options = TrainOptions(minutes=minutes)
        recipe = make_recipe(options, tokens, vocab_size, device, flops)
        return recipe.num_layers, recipe.hidden_size

    usual = FLOPS[device]
    assert units(minutes, usual) <= units(factor * minutes, usual)
    assert units(minutes, usual) <= units(minutes, factor * usual)
    assert units(minutes, usual) <= units(minutes * 1e6, usual)


@pytest.mark.parametrize(
    ("budget", "flops", "networks"),
    [
        ({"minutes": 1}, None, 1),
        ({"minutes": 2}, None, 2),
        ({"minutes": 5}, None, 2),
        ({"minutes": 10}, None, 4),
        ({"minutes": 10}, 1e11, 2),
        ({"minutes": 30}, None, 4),
        ({"minutes": 120}, None, 4),
        ({"minutes": 1e6}, None, 4),
        ({"steps": 10**6}, None, 1),
        ({"epochs": 100}, None, 1),
        ({"minutes": 10, "networks": 1}, None, 1),
        ({"steps": 10, "networks": 5}, None, 5),
    ],
)
def test_a_text_that_there_is_time_to_read_often_gets_several_networks(budget, flops, networks):
    recipe = make_recipe(TrainOptions(**budget), 300_000, 1500, "cpu", flops)
    assert recipe.networks == networks
    assert recipe.shape(1500).networks == networks


@pytest.mark.parametrize(
    ("minutes", "networks", "units"),
    [(30, None, 512), (30, 1, 512), (30, 3, 512), (30, 6, 256), (5, None, 256), (5, 60, 128)],
)
def test_more_networks_than_usual_are_narrower(minutes, networks, units):
    recipe = recipe_for(TrainOptions(minutes=minutes, networks=networks))
    assert recipe.hidden_size == units


@given(st.floats(0.01, 1000), st.floats(0.01, 100), TOKENS, DEVICES)
def test_asking_for_as_many_networks_as_are_usual_changes_nothing(minutes, factor, tokens, device):
    flops = factor * FLOPS[device]
    usual = make_recipe(TrainOptions(minutes=minutes), tokens, 1500, device, flops)
    asked = TrainOptions(minutes=minutes, networks=usual.networks)
    assert make_recipe(asked, tokens, 1500, device, flops) == usual


def test_networks_share_the_time_and_each_is_dropped_from_by_what_it_reads():
    one, two, four = (recipe_for(TrainOptions(minutes=20, networks=n)) for n in (1, 2, 4))
    assert one.output_dropout > two.output_dropout > four.output_dropout > 0
    steps = [nominal_seconds_per_step(recipe, 1500, "cpu") for recipe in (one, two, four)]
    assert steps == pytest.approx([steps[0], 2 * steps[0], 4 * steps[0]])
    by_steps = (recipe_for(TrainOptions(steps=9000, networks=n)) for n in (1, 4))
    assert len({recipe.output_dropout for recipe in by_steps}) == 1


@given(st.floats(0.01, 1000), st.floats(1, 100), TOKENS, DEVICES)
def test_a_network_reads_no_less_for_having_others_beside_it(minutes, factor, tokens, device):
    """With more time there are more networks of a size, and none drops more for it."""
    options = [TrainOptions(minutes=m, size="small") for m in (minutes, factor * minutes)]
    fewer, more = (make_recipe(o, tokens, 1500, device) for o in options)
    assert 1 <= fewer.networks <= more.networks <= 4
    single, several = (
        make_recipe(replace(options[1], networks=n), tokens, 1500, device) for n in (1, None)
    )
    assert several.output_dropout <= single.output_dropout


@given(st.integers(1, 400_000), st.booleans())
def test_what_the_weight_is_fitted_on_is_not_trained_on(tokens, at_end):
    part = np.arange(tokens)
    recipe = replace(recipe_for(TrainOptions(), tokens), weight_at_end=at_end)
    trained_on, kept = recipe.trained_on(part), recipe.kept_for_weight(part)
    assert len(kept) == recipe.weight_tokens
    whole = (trained_on, kept) if at_end else (kept, trained_on)
    assert np.array_equal(np.concatenate(whole), part)
    greedy = replace(recipe, weight_tokens=tokens + 1)
    assert (len(greedy.trained_on(part)), len(greedy.kept_for_weight(part))) == (0, tokens)


def test_the_weight_is_fitted_on_what_comes_last():
    assert recipe_for(TrainOptions(), 300_000).weight_at_end
    assert recipe_for(TrainOptions(), 300_000).weight_tokens == 300_000 // 64


def test_a_network_of_few_weights_to_a_token_is_dropped_from_late():
    small, medium = (
        recipe_for(TrainOptions(size=size, epochs=9), 10**7) for size in ("small", "medium")
    )
    assert small.output_dropout == 0 == medium.output_dropout
    often = (recipe_for(TrainOptions(size=s, epochs=30), 10**7) for s in ("small", "medium"))
    small, medium = often
    assert 0 < small.output_dropout < medium.output_dropout


@pytest.mark.parametrize("tied", [True, False])
def test_flops_are_six_for_every_weight_that_a_token_uses(tied):
    shape = ModelShape(50, 8, 8, 1, "lstm", tied)
    recurrent, output = 2 * 4 * 8 * 8 + 2 * 4 * 8, 50 * 8 + 50
    assert flops_per_token(shape) == 6 * (recurrent + output)


def test_nominal_seconds_grow_with_the_work_and_shrink_with_the_device():
    recipe = recipe_for()
    twice = replace(recipe, batch_size=2 * recipe.batch_size)
    once = nominal_seconds_per_step(recipe, 1500, "cpu")
    assert once < nominal_seconds_per_step(twice, 1500, "cpu") <= 2 * once
    assert nominal_seconds_per_step(recipe, 1500, "cuda") < once


# -- the plan -----------------------------------------------------------------------------------


def test_steps_and_epochs_say_how_long_minutes_do_not():
    assert planned_steps(TrainOptions(steps=7), 100) == 7
    assert planned_steps(TrainOptions(epochs=2.5), 100) == 250
    assert planned_steps(TrainOptions(epochs=0.001), 100) == 1
    assert planned_steps(TrainOptions(minutes=1), 100) is None
    assert planned_steps(TrainOptions(), 100) is None


@given(
    total_steps=st.integers(1, 10**7),
    per_step=st.floats(1e-4, 10),
    validations=st.integers(4, 25),
    windows=st.integers(1, 10**6),
)
def test_a_plan_has_whole_intervals_in_its_length(total_steps, per_step, validations, windows):
    options = TrainOptions(save_every="30s", sample_every="500steps")
    plan = make_plan(
        options, recipe_for(), windows, total_steps, per_step, validations=validations, seconds=60.0
    )
    assert plan.total_steps == total_steps
    assert plan.steps_per_epoch == windows
    assert 0 <= plan.warmup_steps <= total_steps
    for name in ("log_every", "validate_every", "sample_every", "save_every"):
        assert isinstance(getattr(plan, name), int)
        assert getattr(plan, name) >= 1
    assert plan.log_every <= max(1, total_steps // 100)
    rarest = -(-total_steps // MOST_RECORDS)
    assert plan.log_every <= max(1, rarest, 0.75 / per_step)  # the view hears of it often enough
    assert total_steps // plan.log_every <= MOST_RECORDS
    assert plan.sample_every == max(500, -(-total_steps // MOST_SAMPLES))
    assert plan.save_every == max(1, round(30 / per_step))
    assert plan.seconds == 60.0
    made = -(-total_steps // plan.validate_every)
    if total_steps >= 10 * validations:
        assert abs(made - validations) <= 2


@pytest.mark.parametrize("hours", [0.5, 10, 1000])
def test_three_minutes_never_pass_without_a_validation(hours):
    per_step = 0.07
    plan = make_plan(TrainOptions(), recipe_for(), 100, round(hours * 3600 / per_step), per_step)
    assert 60 < plan.validate_every * per_step < 181


@pytest.mark.parametrize(
    ("budget", "ends_early"),
    [({}, True), ({"minutes": 3.0}, False), ({"epochs": 3.0}, False), ({"steps": 300}, False)],
)
def test_only_a_training_without_a_budget_ends_early(budget, ends_early):
    plan = make_plan(TrainOptions(**budget), recipe_for(), 100, 1000, 0.01)
    assert (plan.patience is not None) is ends_early


@given(
    st.builds(a_plan, patience=st.none() | st.integers(0, 9), seconds=st.none() | st.floats(0, 9))
)
def test_a_plan_survives_json(plan):
    assert Plan.from_json(plan.to_json()) == plan


@pytest.mark.parametrize("name", [field.name for field in fields(Plan)])
def test_a_plan_without_one_of_its_fields_is_refused(name):
    data = a_plan().to_json()
    del data[name]
    with pytest.raises(OptionError) as error:
        Plan.from_json(data)
    assert str(error.value) == f"plan is incomplete: '{name}'"


BROKEN_PLANS = [
    ({"total_steps": "9"}, "plan: total_steps must be a whole number >= 1, got '9'"),
    ({"total_steps": 0}, "plan: total_steps must be a whole number >= 1, got 0"),
    ({"total_steps": 9.5}, "plan: total_steps must be a whole number >= 1, got 9.5"),
    ({"total_steps": True}, "plan: total_steps must be a whole number >= 1, got True"),
    ({"steps_per_epoch": 0}, "plan: steps_per_epoch must be a whole number >= 1, got 0"),
    ({"log_every": 0}, "plan: log_every must be a whole number >= 1, got 0"),
    ({"validate_every": 0}, "plan: validate_every must be a whole number >= 1, got 0"),
    ({"sample_every": -1}, "plan: sample_every must be a whole number >= 1, got -1"),
    ({"save_every": 0}, "plan: save_every must be a whole number >= 1, got 0"),
    ({"warmup_steps": -1}, "plan: warmup_steps must be a whole number >= 0, got -1"),
    ({"first_step": None}, "plan: first_step must be a whole number >= 0, got None"),
    ({"patience": 1.5}, "plan: patience must be a whole number >= 0 or nothing, got 1.5"),
    ({"seconds": -1.0}, "plan: seconds must be a number >= 0 or nothing, got -1.0"),
    ({"seconds": math.nan}, "plan: seconds must be a number >= 0 or nothing, got nan"),
    *(
        ({"revisions": bad}, f"plan: revisions must be pairs of whole numbers >= 1, got {bad!r}")
        for bad in ([[5]], [[5, 0]], [5, 6], "no", [[5, 6.0]], [["5", 6]])
    ),
]


@pytest.mark.parametrize(("change", "message"), BROKEN_PLANS, ids=[str(c[0]) for c in BROKEN_PLANS])
def test_a_plan_that_cannot_be_followed_is_refused(change, message):
    with pytest.raises(OptionError) as error:
        Plan.from_json(a_plan().to_json() | change)
    assert str(error.value) == message


# -- the schedule -------------------------------------------------------------------------------

PLANS = st.builds(
    lambda total, warmup, first: a_plan(
        total_steps=first + total, warmup_steps=round(warmup * total), first_step=first
    ),
    st.integers(1, 5000),
    st.floats(0, 0.5),
    st.integers(0, 3000),
)


@given(PLANS)
def test_the_rate_rises_to_its_peak_and_falls_to_nothing(plan):
    recipe = recipe_for(TrainOptions(learning_rate=0.01))
    steps = range(plan.first_step, plan.total_steps)
    rates = [learning_rate_at(step, recipe, plan) for step in steps]
    top = plan.warmup_steps
    assert all(0 < rate <= 0.01 for rate in rates)
    assert rates[:top] == sorted(set(rates[:top]))
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[top] == 0.01
    assert learning_rate_at(plan.total_steps, recipe, plan) == pytest.approx(0, abs=1e-12)
    assert learning_rate_at(plan.total_steps + 99, recipe, plan) == pytest.approx(0, abs=1e-12)


@given(PLANS)
def test_no_step_of_the_schedule_is_a_jump(plan):
    recipe = recipe_for(TrainOptions(learning_rate=1.0))
    length = plan.total_steps - plan.first_step
    assume(length > 10)
    rates = [
        learning_rate_at(step, recipe, plan) for step in range(plan.first_step, plan.total_steps)
    ]
    rising = 1 / (plan.warmup_steps + 1)
    falling = math.pi / 2 / (length - plan.warmup_steps)
    jumps = [abs(after - before) for before, after in pairwise(rates)]
    assert max(jumps) <= max(rising, falling) + 1e-12


@given(PLANS, st.lists(st.tuples(st.floats(0.1, 0.9), st.floats(0.2, 3)), max_size=4))
def test_a_revised_plan_keeps_what_was_and_comes_to_the_same_end(plan, changes):
    recipe = recipe_for(TrainOptions(learning_rate=0.01))
    for done, factor in changes:
        left = plan.total_steps - plan.first_step - plan.warmup_steps
        at = plan.total_steps - left + max(1, round(done * left))
        assume(not plan.revisions or at > plan.revisions[-1][0])
        revised = plan.revised(at, at + max(1, round(factor * (plan.total_steps - at))))
        for step in range(plan.first_step, at + 1):
            assert learning_rate_at(step, recipe, revised) == learning_rate_at(step, recipe, plan)
        plan = Plan.from_json(json.loads(json.dumps(revised.to_json())))
        assert plan == revised
    steps = range(plan.first_step + plan.warmup_steps, plan.total_steps)
    shares = [plan.decay_share(step) for step in steps]
    assert shares == sorted(shares)
    assert plan.decay_share(plan.total_steps) == pytest.approx(1)


@given(st.integers(0, 10**9))
def test_a_constant_schedule_is_constant(step):
    recipe = recipe_for(TrainOptions(size="classic"))
    assert learning_rate_at(step, recipe, a_plan()) == 0.1


@given(st.integers(0, 10**7))
def test_the_average_forgets_fast_at_first_and_never_more_than_its_horizon(step):
    recipe = recipe_for()
    decay = ema_decay_at(step, recipe)
    assert 0 < decay <= ema_decay_at(step + 1, recipe) <= recipe.ema
    assert ema_decay_at(0, recipe) == 0.1
    assert ema_decay_at(10**7, recipe) == recipe.ema
