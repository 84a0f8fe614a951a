"""`patql`, and `python -m patql`."""

import sys


def main() -> None:
    """Run the command line and end the process with its exit code."""
    from patql.cli import main as run

    sys.exit(run())


if __name__ == "__main__":
    main()
