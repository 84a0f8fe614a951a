"""Results on their way to their reader. A new token whose secret can't be delivered is revoked."""

import signal
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from patql.engine.result import Result, Row
from patql.faces.console import stderr
from patql.faces.console.render import FORMATS, Render, csv, json, json_lines
from patql.faces.console.sink import FileOutput, SecretsFile, Sink, StandardOutput
from patql.faces.console.text import plain
from patql.kernel.errors import Code, PatqlError
from patql.kernel.interrupts import SIGNALS
from patql.kernel.secrets import SHOWN
from patql.kernel.text import printable


class Delivery:
    """Writes results in one format to one place.

    Args:
        output: a name of `FORMATS`.
        sink: where to.
        secrets: where secrets that are shown only once go in full; else they stay in the result.
    """

    def __init__(self, output: str, sink: Sink, secrets: SecretsFile | None) -> None:
        self._render: Render = FORMATS[output]
        self._sink = sink
        self._secrets = secrets
        self._between = ""

    def deliver(self, result: Result) -> None:
        """Write a result; when this returns, it has arrived.

        Raises:
            PatqlError: OUTPUT where it can't be written, CANCELLED where Ctrl-C came before; what the statement
                created is revoked then, and the message says so.
        """
        rows: list[Row] | None = None
        before: int | None = None
        try:
            if result.once or result.undo:
                rows = result.rows()
            if rows is not None and self._secrets is not None and result.once:
                secrets = [
                    str(row[at]) for row in rows for at in result.once if row[at]
                ]
                before = self._secrets.append(secrets)
                self._write(result, iter([[_cut(row, result.once) for row in rows]]))
            else:
                self._write(result, result.batches() if rows is None else iter([rows]))
            self._sink.settle()
        except BaseException as error:
            if result.undo is None and not isinstance(
                error, OSError | KeyboardInterrupt
            ):
                raise
            if self._secrets is not None and before is not None and result.undo:
                self._secrets.cut(before)
            raise _undelivered(result, rows or [], error) from error
        if self._secrets is not None and before is not None and rows:
            told = "1 new token is" if len(rows) == 1 else f"{len(rows)} new tokens are"
            stderr.tell(f"note: {told} in {self._secrets.path}")
        if result.message:
            stderr.tell(result.message)

    def close(self) -> None:
        """Let go of the places."""
        self._sink.close()
        if self._secrets is not None:
            self._secrets.close()

    def _write(self, result: Result, batches: Iterator[list[Row]]) -> None:
        if not result.columns:
            return
        for piece in self._render(result.columns, batches):
            visible = self._sink.terminal and self._render is csv
            text = "\n".join(map(printable, piece.split("\n"))) if visible else piece
            self._sink.write(self._between + text)
            self._between = ""
        self._between = "" if self._render in (json, json_lines) else "\n"


def open_delivery(
    output: str = "table", out: Path | None = None, secrets_to: Path | None = None
) -> Delivery:
    """A delivery to a file, or to standard output where `out` is None.

    Raises:
        PatqlError: OUTPUT where a file can't be made, or standard output is closed.
    """
    sink = StandardOutput() if out is None else FileOutput(out)
    try:
        return Delivery(output, sink, SecretsFile(secrets_to) if secrets_to else None)
    except PatqlError:
        sink.close()
        raise


def _cut(row: Row, once: tuple[int, ...]) -> Row:
    """The row with each secret cut to what is shown of it, also where it stands inside another value."""
    secrets = [str(row[at]) for at in once if row[at]]
    return tuple(_without(secrets, cell) for cell in row)


def _without(secrets: list[str], cell: object) -> object:
    text = None if cell is None else plain(cell)
    if text is None or not any(secret in text for secret in secrets):
        return cell
    for secret in secrets:
        text = text.replace(secret, secret[:SHOWN])
    return text


def _undelivered(result: Result, rows: list[Row], error: BaseException) -> PatqlError:
    if isinstance(error, OSError):
        code, reason = Code.OUTPUT, f"the output can't be written ({error.strerror})"
    elif isinstance(error, KeyboardInterrupt):
        code, reason = Code.CANCELLED, "interrupted before the output was written"
    else:
        code, reason = Code.OUTPUT, f"the output can't be written ({error})"
    if result.undo is None:
        return PatqlError(code, reason)
    try:
        with _uninterrupted():
            revoked = result.undo()
    except Exception as failure:  # noqa: BLE001  (whatever it is, the tokens are still there)
        shown = [str(row[at])[:SHOWN] for row in rows for at in result.once]
        return PatqlError(
            code,
            f"{reason}, and the new tokens can't be revoked: {failure}",
            hint=f"revoke them, by their first {SHOWN} characters: {', '.join(shown)}",
        )
    listed = ", ".join(map(str, revoked))
    return PatqlError(code, f"{reason}; the new tokens are revoked again: id {listed}")


@contextmanager
def _uninterrupted() -> Generator[None]:
    """A second Ctrl-C, or a signal like it, doesn't stop the revoking."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
