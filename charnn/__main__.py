"""`charnn` and `python -m charnn`: runs the command line and turns its end into an exit code."""

import gc
import os
import sys
import time

STARTED = time.monotonic()


def main() -> None:
    """Run the command line; never returns."""
    # NumPy's threads wait busily: with any other process running, two of them write 60 characters
    # a second where one writes 5,700. Torch has threads of its own, see --threads.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        from charnn.cli.main import run  # noqa: PLC0415  the clock starts before any import

        code = run(STARTED)
    except KeyboardInterrupt:  # before anything could take care of it
        code = 130
    # What is in memory is left to the system: to clear torch away object by object takes a second.
    gc.freeze()
    sys.exit(code)


if __name__ == "__main__":
    main()
