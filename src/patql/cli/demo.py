"""`patql demo`."""

import argparse
import os

from patql.faces.console.exits import OK


def describe(parser: argparse.ArgumentParser) -> None:
    """There are no options."""
    parser.description = (
        "Show all that the resource offers, on a fresh authority in a temporary folder."
    )


def act(_given: argparse.Namespace) -> int:
    """Show it."""
    from patql.faces.console import demo
    from patql.faces.console.sink import StandardOutput, written

    with written(StandardOutput()) as sink:
        demo.run(os.environ, sink)
    return OK
