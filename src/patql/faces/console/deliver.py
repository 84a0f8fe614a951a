"""Results on their way to their reader. A new token whose secret can't be delivered is revoked."""

import contextlib
import signal
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from patql.engine.result import Result, Row
from patql.faces.console import stderr
from patql.faces.console.readable import readable
from patql.faces.console.render import FORMATS, Render, safe_csv
from patql.faces.console.sink import (
    FileOutput,
    ReaderGoneError,
    SecretsFile,
    Sink,
    StandardOutput,
)
from patql.kernel.errors import Code, PatqlError
from patql.kernel.interrupts import SIGNALS
from patql.kernel.secrets import SHOWN
from patql.kernel.text import printable

PARQUET = "parquet"
"""The name of the format that isn't text."""


class Delivery:
    """Writes results in one format to one place.

    Args:
        output: a name of `--output`.
        sink: where to.
        secrets: where secrets that are shown only once go in full; else they stay in the result.
        csv_safe: whether CSV is to hold no formulas.

    Raises:
        PatqlError: USAGE where they don't go together.
    """

    def __init__(
        self,
        output: str,
        sink: Sink,
        secrets: SecretsFile | None,
        *,
        csv_safe: bool = False,
    ) -> None:
        if csv_safe and output != "csv":
            raise PatqlError(Code.USAGE, "--csv-safe goes with --output csv only")
        if output == PARQUET and sink.terminal:
            message = "a terminal can't show Parquet; give --out FILE"
            raise PatqlError(Code.USAGE, message)
        self._render: Render | None = safe_csv if csv_safe else FORMATS.get(output)
        self._sink = sink
        self._secrets = secrets
        self._escaped = sink.terminal and output == "csv"
        self._between = "\n" if output in {"table", "csv"} else ""
        self._begun = False

    def deliver(self, result: Result) -> None:
        """Write a result; when this returns, it has arrived.

        Raises:
            PatqlError: OUTPUT where it can't be written, CANCELLED where Ctrl-C came before; what the statement
                created is revoked then, and the message says so.
            ReaderGoneError: where nobody reads it any more, and nothing is to be revoked.
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
            if result.columns:
                self._write(result, cut=before is not None)
                self._sink.settle()
        except BaseException as error:
            if result.undo is None and not isinstance(
                error, OSError | KeyboardInterrupt
            ):
                raise
            if result.undo is None and isinstance(error, BrokenPipeError):
                raise ReaderGoneError from error
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

    def _write(self, result: Result, *, cut: bool) -> None:
        for piece in self._pieces(result, cut=cut):
            self._begun = True
            self._sink.write(piece)

    def _pieces(self, result: Result, *, cut: bool) -> Iterator[str | bytes]:
        if self._render is None:
            if self._begun:
                message = "a Parquet file holds one result, and this is another"
                raise PatqlError(Code.USAGE, message)
            from patql.faces.console.parquet import parquet

            yield from parquet(result, cut=cut)
            return
        shown = readable(result)
        batches = shown.batches()
        if cut:
            batches = ([_cut(row, result.once) for row in batch] for batch in batches)
        before = self._between if self._begun else ""
        for piece in self._render(shown.columns, batches):
            lines = piece.split("\n")
            yield before + (
                "\n".join(map(printable, lines)) if self._escaped else piece
            )
            before = ""


def open_delivery(
    output: str = "table",
    out: Path | None = None,
    secrets_to: Path | None = None,
    *,
    csv_safe: bool = False,
) -> Delivery:
    """A delivery to a file, or to standard output where `out` is None; `csv_safe` as of `Delivery`.

    Raises:
        PatqlError: OUTPUT where a file can't be made, or standard output is closed; USAGE as of `Delivery`.
    """
    with contextlib.ExitStack() as opened:
        sink = StandardOutput() if out is None else FileOutput(out)
        opened.callback(sink.close)
        secrets = SecretsFile(secrets_to) if secrets_to else None
        if secrets is not None:
            opened.callback(secrets.close)
        delivery = Delivery(output, sink, secrets, csv_safe=csv_safe)
        opened.pop_all()
    return delivery


def _cut(row: Row, once: tuple[int, ...]) -> Row:
    """The row with each secret cut to what is shown of it, also where it stands inside another value."""
    secrets = [str(row[at]) for at in once if row[at]]
    return tuple(_without(secrets, cell) for cell in row)


def _without(secrets: list[str], cell: object) -> object:
    match cell:
        case str():
            for secret in secrets:
                cell = cell.replace(secret, secret[:SHOWN])
            return cell
        case dict():
            pairs = cast("dict[object, object]", cell).items()
            return {
                _without(secrets, key): _without(secrets, item) for key, item in pairs
            }
        case list() | tuple():
            items = cast("Sequence[object]", cell)
            return [_without(secrets, item) for item in items]
        case _:
            return cell


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
