"""`patql`, and `python -m patql`."""

import os
import sys


def main() -> None:
    """Run the command line and end the process with its exit code.

    Everything is closed and written by then, so the interpreter's own tear-down, which takes as long as the query, is
    left out; except where standard output or error can't be flushed, of which the interpreter tells.
    """
    try:
        from patql.cli import main as run

        code = run()
    except KeyboardInterrupt:  # while that was imported: nothing has begun
        code = 130
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # closed before we began
                stream.flush()
    except OSError:
        sys.exit(code)
    os._exit(code)


if __name__ == "__main__":
    main()
