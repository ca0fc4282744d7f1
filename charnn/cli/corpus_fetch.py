"""`charnn corpus fetch`: a work in the public domain by name, from Wikisource."""

import click

from charnn.cli.options import config_option
from charnn.cli.saying import say
from charnn.errors import OptionError


@click.command(context_settings={"show_default": False})
@click.argument("name", required=False)
@click.option("-o", "--output", metavar="OUT", help="Default: corpora/NAME.txt; never overwritten.")
@click.option("--title", metavar="TITLE", help="Of its page, where it is another by now.")
@click.option(
    "--contact", metavar="ADDRESS", help="An e-mail address or page of yours, told to the wiki."
)
@config_option
def command(name: str | None, output: str | None, title: str | None, contact: str | None) -> None:
    """Fetch the work NAME from its Wikisource; without NAME, list the catalogue.

    Beside the text a file says where it comes from: pages, revisions, licences, checksum.
    """
    if name is None:
        _list()
        return
    for option, value in (("contact", contact), ("title", title)):
        if value is not None and not value.isprintable():
            raise OptionError(f"{option} must be printable characters, got {value!r}")
    from charnn.text.fetch.fetching import fetch, find_work
    from charnn.text.fetch.transport import Patience

    def tell(message: str) -> None:
        say(message, err=True)

    fetched = fetch(
        find_work(name),
        output,
        title=title,
        contact=contact,
        patience=Patience(tell=tell),
    )
    for note in fetched.notes:
        tell(f"note: {note}")
    tell(f"{fetched.path}: {fetched.characters:,} characters of {fetched.pages:,} pages")
    tell(f"{fetched.source}: where they come from")


def _list() -> None:
    from rich.cells import cell_len

    from charnn.text.fetch.catalogue import CATALOGUE

    names = max(len(work.name) for work in CATALOGUE)
    titles = max(cell_len(work.title) for work in CATALOGUE)
    for work in CATALOGUE:
        died = f", d. {work.died}" if work.died else ""
        gap = " " * (titles - cell_len(work.title))
        mark = "" if work.reported else " ?"
        click.echo(f"{work.name:<{names}}  {work.title}{gap}  {work.author}{died}{mark}")
    click.echo("?: no one else is known to fetch a page of this title", err=True)
