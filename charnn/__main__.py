"""`charnn` and `python -m charnn`: runs the command line and turns its end into an exit code."""

import sys
import time

STARTED = time.monotonic()


def main() -> None:
    """Run the command line; never returns."""
    from charnn.cli.main import run  # noqa: PLC0415  the clock starts before anything is imported

    sys.exit(run(STARTED))


if __name__ == "__main__":
    main()
