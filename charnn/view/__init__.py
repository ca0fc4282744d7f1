"""Records to the terminal.

views.py chooses a view (base.py says what one is): the full screen of live.py, the lines of
plain.py (in terminal_lines.py where a terminal might be stopped), or nothing. watch.py gives
records from a run's journals instead of a training.

From records to a frame, pure functions all the way:
    state.py (with curve.py) -> dashboard.py -> progress.py, panes.py (with chart.py), writing.py,
    keyline.py -> lines.py, palette.py
    report.py tells what came out; figures.py writes numbers, wrapping.py and display_text.py text

From a frame to the terminal, and from keys to a Control:
    live.py -> stage.py -> screen.py -> terminal.py;  keys.py, suspension.py, aside.py
"""
