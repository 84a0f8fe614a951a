"""A new token is delivered or revoked."""

import contextlib
import errno
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from patql.engine.lines import Lines
from patql.engine.result import Result, ResultColumn, Row
from patql.faces.console.deliver import Delivery
from patql.faces.console.sink import FileOutput, SecretsFile
from patql.kernel.errors import Code, PatqlError
from patql.kernel.interrupts import SIGNALS

SECRETS = ["pql_" + letter * 66 for letter in "ab"]
COLUMNS = (
    ResultColumn("id", "BIGINT"),
    ResultColumn("label", "VARCHAR"),
    ResultColumn("token", "VARCHAR"),
)
ROWS: list[Row] = [(5, "a", SECRETS[0]), (6, "b", SECRETS[1])]


class FakeSink:
    """A sink that fails where it is told to."""

    terminal = False

    def __init__(self, fails: str = "", error: BaseException | None = None) -> None:
        self.text = ""
        self._fails = fails
        self._error = error or OSError(errno.ENOSPC, "No space left on device")

    def write(self, piece: str | bytes) -> None:
        """Keep it, or fail."""
        if self._fails == "write":
            raise self._error
        assert isinstance(piece, str)
        self.text += piece

    def settle(self) -> None:
        """Nothing to do, or fail."""
        if self._fails == "settle":
            raise self._error

    def close(self) -> None:
        """Nothing to do."""


class Creation:
    """A statement that made two tokens."""

    def __init__(self, failing: Exception | None = None) -> None:
        self.undone = 0
        self._failing = failing
        names = tuple(column.name for column in COLUMNS)
        self.result = Result(
            COLUMNS,
            Lines(names, list(ROWS)),
            message="2 rows inserted",
            once=(2,),
            undo=self._undo,
        )

    def _undo(self) -> tuple[int, ...]:
        self.undone += 1
        assert {signal.getsignal(n) for n in SIGNALS} == {signal.SIG_IGN}
        if self._failing:
            raise self._failing
        return (5, 6)


@pytest.fixture
def secrets(tmp_path: Path) -> Iterator[SecretsFile]:
    """A file for secrets."""
    made = SecretsFile(tmp_path / "secrets")
    yield made
    made.close()


def test_secrets_are_in_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    """In full, once; what isn't a result goes to standard error."""
    creation, sink = Creation(), FakeSink()
    Delivery("jsonl", sink, None).deliver(creation.result)
    assert [SECRETS[0] in sink.text, SECRETS[1] in sink.text] == [True, True]
    assert creation.undone == 0
    assert capsys.readouterr() == ("", "2 rows inserted\n")


def test_secrets_are_in_the_file_if_there_is_one(
    secrets: SecretsFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One a line in the order of the rows; the result shows 16 characters, and a note says where they are."""
    sink = FakeSink()
    Delivery("csv", sink, secrets).deliver(Creation().result)
    path = tmp_path / "secrets"
    assert path.read_text() == f"{SECRETS[0]}\n{SECRETS[1]}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sink.text == "id,label,token\n5,a,pql_aaaaaaaaaaaa\n6,b,pql_bbbbbbbbbbbb\n"
    told = f"note: 2 new tokens are in {path}\n2 rows inserted\n"
    assert capsys.readouterr() == ("", told)


@pytest.mark.parametrize("fails", ["write", "settle"])
@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device"),
            Code.OUTPUT,
            "No space left on device",
        ),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), Code.OUTPUT, "Broken pipe"),
        (KeyboardInterrupt(), Code.CANCELLED, "interrupted"),
        (ValueError("a fault"), Code.OUTPUT, "a fault"),
    ],
)
@pytest.mark.parametrize("to_file", [False, True])
def test_what_cant_be_delivered_is_revoked(
    secrets: SecretsFile,
    tmp_path: Path,
    fails: str,
    error: BaseException,
    code: Code,
    says: str,
    *,
    to_file: bool,
) -> None:
    """The error says so; the file of secrets doesn't keep what is worth nothing any more."""
    creation = Creation()
    delivery = Delivery("table", FakeSink(fails, error), secrets if to_file else None)
    before = [signal.getsignal(number) for number in SIGNALS]
    with pytest.raises(PatqlError, match=says) as caught:
        delivery.deliver(creation.result)
    assert caught.value.code is code
    assert "the new tokens are revoked again: id 5, 6" in str(caught.value)
    assert creation.undone == 1
    assert [signal.getsignal(number) for number in SIGNALS] == before
    assert (tmp_path / "secrets").read_text() == ""


def test_the_file_of_secrets_can_fail_too(
    secrets: SecretsFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then nothing is printed either."""

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    creation, sink = Creation(), FakeSink()
    with pytest.raises(PatqlError, match="revoked again"):
        Delivery("table", sink, secrets).deliver(creation.result)
    assert (creation.undone, sink.text) == (1, "")


def test_what_cant_be_revoked_is_named() -> None:
    """By the 16 characters that are known of it, and never more."""
    creation = Creation(PatqlError(Code.UNREACHABLE, "can't connect to there"))
    with pytest.raises(
        PatqlError, match="can't be revoked: can't connect to there"
    ) as caught:
        Delivery("table", FakeSink("settle"), None).deliver(creation.result)
    assert "pql_aaaaaaaaaaaa, pql_bbbbbbbbbbbb" in str(caught.value)
    assert SECRETS[0] not in str(caught.value)


def test_other_results_just_fail() -> None:
    """Nothing is to be undone, and an error of another kind stays what it is."""
    with pytest.raises(PatqlError, match="No space left") as caught:
        Delivery("table", FakeSink("write"), None).deliver(
            Result(COLUMNS, Lines((), []))
        )
    assert "revoked" not in str(caught.value)
    with pytest.raises(ZeroDivisionError):
        Delivery("table", FakeSink("write", ZeroDivisionError()), None).deliver(
            Result(COLUMNS, Lines((), []))
        )


def test_secret_inside_another_value_is_cut_too(tmp_path: Path) -> None:
    """Whatever RETURNING made of it: the file has it in full, the output doesn't."""
    secret = SECRETS[0]
    columns = tuple(ResultColumn(name, "VARCHAR") for name in ("twice", "all", "token"))
    row: Row = (secret + secret, {"t": [secret]}, secret)
    names = tuple(column.name for column in columns)
    result = Result(columns, Lines(names, [row]), once=(2,), undo=lambda: ())
    sink = FakeSink()
    with contextlib.closing(SecretsFile(tmp_path / "secrets")) as secrets:
        Delivery("jsonl", sink, secrets).deliver(result)
    assert (tmp_path / "secrets").read_text() == secret + "\n"
    assert secret not in sink.text
    assert sink.text.count(secret[:16]) == 4


def test_several_results_are_told_apart() -> None:
    """Tables and CSV by an empty line; a result without columns is nothing."""
    for output, between in {
        "table": "\n",
        "csv": "\n",
        "json": "",
        "jsonl": "",
    }.items():
        sink = FakeSink()
        delivery = Delivery(output, sink, None)
        for _ in range(2):
            delivery.deliver(Result(COLUMNS[:1], Lines(("id",), [(1,)])))
            delivery.deliver(Result())
        half = len(sink.text) // 2 + len(between)
        assert sink.text[:half].removesuffix(between) == sink.text[half:]
        assert sink.text.count("\n\n") == bool(between)


def test_csv_on_a_terminal_is_escaped() -> None:
    """Elsewhere it is verbatim."""
    for terminal, expected in ((True, "label\na\\x1bb\n"), (False, "label\na\x1bb\n")):
        sink = FakeSink()
        sink.terminal = terminal
        result = Result(COLUMNS[1:2], Lines(("label",), [("a\x1bb",)]))
        Delivery("csv", sink, None).deliver(result)
        assert sink.text == expected


def test_a_file_is_replaced_by_a_whole_result(tmp_path: Path) -> None:
    """With mode 0600; until then the old one is there, and nothing else is left behind."""
    path = tmp_path / "out"
    path.write_text("old")
    path.chmod(0o644)
    sink = FileOutput(path)
    sink.write("new")
    assert path.read_text() == "old"
    sink.settle()
    assert path.read_text() == "new"
    sink.write(" and more")
    sink.settle()
    sink.close()
    assert path.read_text() == "new and more"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [*tmp_path.iterdir()] == [path]


def test_a_file_that_gets_no_result_stays(tmp_path: Path) -> None:
    """As it was."""
    path = tmp_path / "out"
    path.write_text("old")
    sink = FileOutput(path)
    sink.write("half")
    sink.close()
    assert path.read_text() == "old"
    assert [*tmp_path.iterdir()] == [path]


def test_a_file_is_replaced_once_the_disk_has_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the disk doesn't take it, the old one stays, and the tokens in it are revoked."""

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "out"
    path.write_text("old")
    monkeypatch.setattr("os.fsync", full)
    creation = Creation()
    with (
        contextlib.closing(Delivery("json", FileOutput(path), None)) as delivery,
        pytest.raises(PatqlError, match="revoked again"),
    ):
        delivery.deliver(creation.result)
    assert (creation.undone, path.read_text()) == (1, "old")
    assert [*tmp_path.iterdir()] == [path]


def test_a_link_is_followed(tmp_path: Path) -> None:
    """The file behind it is replaced."""
    (tmp_path / "link").symlink_to(tmp_path / "file")
    sink = FileOutput(tmp_path / "link")
    sink.write("x")
    sink.settle()
    sink.close()
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "x"


@pytest.mark.parametrize("make", [FileOutput, SecretsFile])
def test_a_file_that_cant_be_made_is_named(
    tmp_path: Path, make: type[FileOutput | SecretsFile]
) -> None:
    """Before anything runs."""
    path = tmp_path / "none" / "out"
    with pytest.raises(
        PatqlError, match=f"{path} can't be written: no such file"
    ) as caught:
        make(path)
    assert caught.value.code is Code.OUTPUT


def test_secrets_go_to_a_new_file_only(tmp_path: Path) -> None:
    """One without secrets is gone again."""
    path = tmp_path / "secrets"
    SecretsFile(path).close()
    assert not path.exists()
    path.touch()
    with pytest.raises(PatqlError, match="exists"):
        SecretsFile(path)
