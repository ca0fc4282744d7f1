"""The bar and the figures of progress at the turning points of a training."""

import pytest

from charnn.records import Finished, Preparing, RunStarted, Validation
from charnn.view.lines import plain, width_of
from charnn.view.progress import draw_progress
from charnn.view.state import DashboardState


def drawn(records, width=80, now=300.0):
    state = DashboardState()
    for record in records:
        state = state.update(record)
    lines = draw_progress(state, width, 2, now)
    assert all(width_of(row) <= width for row in lines)
    return [plain(row) for row in lines]


@pytest.mark.parametrize("width", [20, 39, 80])
@pytest.mark.parametrize(
    ("step", "percentage"), [(20, "   0%"), (600, "  10%"), (5980, "  99%"), (6000, "  100%")]
)
def test_the_share_begins_in_the_second_cell_and_is_whole_only_at_the_end(
    training, width, step, percentage
):
    bar, _ = drawn(training(step), width)
    assert bar.startswith(percentage[1:] + " ")


def test_a_preparation_has_its_share_too():
    bar, facts = drawn([Preparing("tokenising", 997, 1000)], now=3.0)
    assert bar.startswith(" 99%  ━━")
    assert facts == " tokenising · 997 of 1.00K characters"


def test_before_anything_is_told_it_starts(training):
    early, late = drawn([], now=0.0), drawn([], now=1.0)
    assert early[1] == late[1] == " starting"
    assert early[0].endswith(" 0:00") and late[0].endswith(" 0:01")
    assert early[0].index("━") < late[0].index("━")
    started = next(record for record in training(1) if isinstance(record, RunStarted))
    assert drawn([started], now=0.0)[1] == " step 0"
    assert drawn(training()[-1:])[1] == " finished · step 6,000"


def test_after_the_last_step_it_says_what_is_left_to_do(training):
    *records, final, end = training()
    assert isinstance(final, Validation) and isinstance(end, Finished)
    assert drawn(records)[1].startswith(" scoring the best weights · step 6,000 of 6,000 · epoch")
    assert drawn([*records, final])[1].startswith(" step 6,000 of 6,000")
    assert drawn([*records, final, end])[1].startswith(" finished · step 6,000 of 6,000")


def test_the_final_score_is_the_one_to_show_where_there_is_one_number(training):
    state = DashboardState()
    for record in training():
        state = state.update(record)
    (bar,) = draw_progress(state, 30, 1, 300.0, with_bits=True)
    assert plain(bar).endswith(" 3.610 bits")
