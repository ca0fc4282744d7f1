"""What commands print that may hold a stranger's words: names of files and runs, messages."""

import click


def say(line: str = "", *, err: bool = False) -> None:
    """Print one line as a terminal shows it safely; a line end in it is a space.

    Args:
        line: any text.
        err: to stderr.
    """
    from charnn.view.display_text import safe_text

    click.echo(safe_text(line, newline=" "), err=err)
