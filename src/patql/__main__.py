"""`patql`, and `python -m patql`."""

import os
import signal
import sys


def main() -> None:
    """Run the command line and end the process with its exit code.

    Everything is closed and written by then, so the interpreter's own tear-down, which takes as long as the query, is
    left out; except where standard output or error can't be flushed, of which the interpreter tells.
    """
    heeded = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    # Nothing is to be cleaned up before and after: Ctrl-C just ends the process, in the middle of an import too, where
    # an exception would be shown or, from an extension that is half made, crash later.
    if heeded:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from patql.cli import main as run

    try:
        if heeded:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        code = run()
    except KeyboardInterrupt:  # a second one, as the first was told
        code = 130
    if heeded:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # closed before we began
                stream.flush()
    except OSError:
        sys.exit(code)
    os._exit(code)


if __name__ == "__main__":
    main()
