"""`charnn corpus`: the group of commands that look after texts."""

import click

from charnn.cli.main import LazyGroup

COMMANDS = {
    "inspect": ("charnn.cli.corpus_inspect", "See what is in a text, and what to do about it."),
    "clean": ("charnn.cli.corpus_clean", "Repair a text, with a report of what was changed."),
    "fetch": ("charnn.cli.corpus_fetch", "Fetch a work in the public domain by its name."),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def command() -> None:
    """See what a text is made of, repair it, or fetch one."""
