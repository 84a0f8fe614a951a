"""The command line: a table of command lines, and real processes where it takes one."""

import io
import os
import pty
import re
import shlex
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from patql import cli
from patql.__main__ import main as entry
from patql.cli import docs, query
from patql.compose import Authority
from patql.config import SETTINGS
from patql.faces.console.deliver import PARQUET
from patql.faces.console.render import FORMATS
from patql.faces.page.page import FORMATS as PAGES

SECRET = "pql_" + "Z9" * 33
CASES: list[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parent / "data" / "cli.yaml").read_text("utf-8")
)
TABLE = "linode.profile.tokens"
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def environment(folder: Path) -> dict[str, str]:
    """An environment that says nothing but where data is kept."""
    ours = {setting.variable for setting in SETTINGS}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    return {**kept, "PATQL_DATA_DIR": str(folder / "data")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with files that command lines name."""
    for name, mode, content in (
        ("token", 0o600, SECRET),
        ("exposed", 0o644, SECRET),
        ("script.sql", 0o644, "SELECT 'from a file' AS x"),
    ):
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(mode)
    return tmp_path


@pytest.fixture
def as_before() -> Iterator[None]:
    """Signals are handled afterwards as they were before."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    handlers = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, handlers, strict=True):
        signal.signal(number, handler)


@pytest.mark.usefixtures("as_before")
@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]))
def test_a_command_line(
    case: dict[str, Any],
    folder: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Exit code, standard output and standard error; and no target that isn't needed is made."""

    def filled(text: str) -> str:
        return text.replace("{tmp}", str(folder)).replace("{secret}", SECRET)

    given = {name: filled(value) for name, value in case.get("env", {}).items()}
    monkeypatch.setattr(os, "environ", environment(folder) | given)
    typed = filled(case.get("stdin", "")).encode(errors="surrogateescape")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(typed)))
    try:
        code = cli.main([filled(argument) for argument in case.get("args", [])])
    except SystemExit as ended:  # --help and --version
        code = int(ended.code or 0)
    out, err = capfd.readouterr()
    assert code == case["exit"], err
    for pattern in case.get("out", ["^$"]):
        assert re.search(filled(pattern), out)
    for pattern in case.get("err", []):
        assert re.search(filled(pattern), err, re.MULTILINE)
    for text in case.get("without", []):
        assert filled(text) not in out + err
    assert "Traceback" not in err
    assert not (folder / "data" / "tokens.db").exists()
    assert not list(folder.glob(".*.new"))


def test_the_options_are_the_formats_there_are() -> None:
    """They are written out, so that nothing is imported for them."""
    assert (*FORMATS, PARQUET) == query.FORMATS
    assert set(PAGES) == set(docs.PAGES)


@pytest.mark.usefixtures("as_before")
def test_a_fault_is_told_in_a_sentence(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No traceback, and no secret."""

    def broken(*_: object) -> None:
        raise ValueError(SECRET)

    monkeypatch.setattr(os, "environ", environment(folder))
    monkeypatch.setattr("patql.config.read", broken)
    assert cli.main(["SELECT 1"]) == 1
    assert capfd.readouterr() == ("", f"internal error: ValueError: {SECRET[:16]}…\n")


def test_init_makes_what_its_owner_alone_can_reach(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder, the database and the stored token, whatever the umask; nothing of the token is printed."""
    monkeypatch.setattr(os, "environ", environment(folder))
    before = os.umask(0)
    try:
        assert cli.main(["init", "--user", "ann"]) == 0
    finally:
        os.umask(before)
    out, err = capfd.readouterr()
    assert out == ""
    assert "pql_" not in err
    data = folder / "data"
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in data.iterdir()}
    assert modes == dict.fromkeys(modes, 0o600)
    assert {"credentials.json", "tokens.db"} <= {path.name for path in modes}
    assert stat.S_IMODE(data.stat().st_mode) == 0o700


@pytest.fixture
def run(folder: Path) -> Run:
    """Runs `patql` as a process."""

    def begin(*arguments: object, **options: Any) -> "subprocess.CompletedProcess[str]":  # noqa: ANN401
        given: dict[str, Any] = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            **options,
        }
        if "input" in given:
            del given["stdin"]
        return subprocess.run(
            [sys.executable, "-m", "patql", *map(str, arguments)],
            env=environment(folder) | given.pop("env", {}),
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
            **given,
        )

    return begin


def labels(folder: Path) -> list[str]:
    """The labels of the active tokens of the embedded authority's only user."""
    with Authority(folder / "data" / "tokens.db") as authority:
        users = {event.user for event in authority.events()}
        return sorted(token.label for user in users for token in authority.list(user))


@pytest.mark.slow
def test_the_first_query_makes_the_authority(run: Run, folder: Path) -> None:
    """And says where, once; what it makes is for its owner alone."""
    first, second = (run(f"SELECT label, scopes FROM {TABLE}") for _ in range(2))
    assert first.stdout == second.stdout == "label  scopes\n-----  ------\nroot   *\n"
    assert len(first.stderr.splitlines()) == 1
    assert str(folder / "data" / "tokens.db") in first.stderr
    assert second.stderr == ""
    for path in (folder / "data").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((folder / "data").stat().st_mode) == 0o700


@pytest.mark.slow
def test_secrets_go_to_a_file(run: Run, folder: Path) -> None:
    """In full, in the order of the rows, where results show 16 characters and the message no more."""
    ran = run(
        "--secrets-to", folder / "new", "--output", "jsonl", "--out", folder / "rows",
        f"INSERT INTO {TABLE} (label) VALUES ('a'), ('b')",
    )  # fmt: skip
    assert (ran.returncode, ran.stdout) == (0, "")
    assert "keep it" not in ran.stderr
    secrets = (folder / "new").read_text().splitlines()
    rows = (folder / "rows").read_text()
    assert [re.findall('"token":"(.{16})"', rows)] == [[s[:16] for s in secrets]]
    with Authority(folder / "data" / "tokens.db") as authority:
        assert all(authority.verify(secret) for secret in secrets)
    for secret in secrets:
        assert secret not in rows + ran.stderr
    for name in ("new", "rows"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600


def closed_pipe() -> int:
    """The writing end of a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "stdout", "reason"),
    [
        ([], closed_pipe, "Broken pipe"),
        ([], lambda: os.open("/dev/full", os.O_WRONLY), "No space left on device"),
        (["--out", "/dev/full"], None, "No space left on device"),
    ],
    ids=["closed pipe", "full disk", "full disk behind --out"],
)
@pytest.mark.parametrize("output", ["table", "json"])
def test_a_token_that_cant_be_printed_is_revoked(
    run: Run,
    folder: Path,
    options: list[str],
    stdout: Callable[[], int] | None,
    reason: str,
    output: str,
) -> None:
    """Whatever the reason; the error says so, and exit code and standard error have nothing else."""
    descriptor = stdout() if stdout else os.open(os.devnull, os.O_WRONLY)
    ran = run(
        "--output", output, *options, f"INSERT INTO {TABLE} (label) VALUES ('a'), ('b')",
        stdout=descriptor,
    )  # fmt: skip
    os.close(descriptor)
    assert ran.returncode == 1
    (error,) = (
        line for line in ran.stderr.splitlines() if not line.startswith("note:")
    )
    assert error == (
        f"error[output]: the output can't be written ({reason}); the new tokens are revoked again: id 2, 3"
    )
    assert labels(folder) == ["root"]


@pytest.mark.slow
def test_nothing_runs_where_standard_output_is_closed(run: Run, folder: Path) -> None:
    """There would be nowhere for the token to go."""
    ran = run(
        f"INSERT INTO {TABLE} (label) VALUES ('a')", preexec_fn=lambda: os.close(1)
    )
    assert ran.returncode == 1
    assert "standard output is closed" in ran.stderr
    assert not (folder / "data").exists()


@pytest.mark.slow
def test_closed_streams_are_no_fault(run: Run) -> None:
    """Without standard input there is nothing to run; without standard error nobody to tell."""
    assert run(preexec_fn=lambda: os.close(0)).stderr == ""
    silent = run("SELECT 1 AS x; SELEC", preexec_fn=lambda: os.close(2))
    assert (silent.returncode, silent.stdout) == (1, "x\n-\n1\n")


@pytest.mark.slow
def test_a_pipe_can_be_named(run: Run) -> None:
    """It is written to, not replaced."""
    assert run("--out", "/dev/stdout", "SELECT 1 AS x").stdout == "x\n-\n1\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ["SELECT range FROM range(100000)"],
        ["--keep-going", "SELECT 1 AS x; SELECT nothing"],
        ["--out", "/dev/stdout", "SELECT 1 AS x"],
        ["docs", TABLE],
    ],
    ids=" ".join,
)
def test_nobody_is_told_of_a_closed_pipe(run: Run, arguments: list[str]) -> None:
    """Neither by us nor by the interpreter; it ends as SIGPIPE ends others, and nothing runs any more."""
    descriptor = closed_pipe()
    ran = run(*arguments, stdout=descriptor)
    os.close(descriptor)
    assert (ran.returncode, ran.stderr) == (141, "")


@pytest.mark.slow
def test_an_embedded_query_opens_no_socket(run: Run, folder: Path) -> None:
    """Nor does it start a loop: it goes through the API as a function."""
    run("SELECT 1")
    program = (
        "import sys\n"
        "sys.addaudithook(lambda event, _: event.startswith('socket.') and print(event, file=sys.stderr))\n"
        "from patql.cli import main\n"
        f"code = main(['INSERT INTO {TABLE} DEFAULT VALUES; SELECT count(*) AS n FROM {TABLE}'])\n"
        "print(code, 'asyncio' in sys.modules, 'pyreqwest' in sys.modules)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(folder), check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert ran.stdout.endswith("\nn\n-\n2\n0 False False\n")
    assert "socket." not in ran.stderr


@pytest.mark.slow
def test_nohup_is_heeded(folder: Path) -> None:
    """A terminal that goes away ends nothing then."""
    program = (
        "import os, signal, patql.cli\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "patql.cli.main(['SELECT 1'])\n"
        "os.kill(os.getpid(), signal.SIGHUP)\n"
    )
    subprocess.run(
        [sys.executable, "-c", program],
        env=environment(folder), check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_at_once(folder: Path, number: signal.Signals) -> None:
    """Also while a server keeps it waiting; nothing of the interpreter is shown."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        base = f"http://127.0.0.1:{server.getsockname()[1]}/v4"
        with subprocess.Popen(
            [sys.executable, "-m", "patql", "--url", base, f"SELECT * FROM {TABLE}"],
            env=environment(folder) | {"PATQL_TOKEN": SECRET},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        ) as process:  # fmt: skip
            connection, _ = server.accept()
            assert SECRET.encode() in connection.recv(4096)
            began = time.monotonic()
            process.send_signal(number)
            out, err = process.communicate(timeout=20)
            assert time.monotonic() - began < 10
            assert connection.recv(1) == b""
            connection.close()
    assert (process.returncode, out) == (130, "")
    assert err == "error[cancelled]: interrupted\n"


@pytest.mark.parametrize(
    ("before", "importing", "running"),
    [
        (signal.default_int_handler, signal.SIG_DFL, signal.default_int_handler),
        (signal.SIG_IGN, signal.SIG_IGN, signal.SIG_IGN),
    ],
    ids=["in the foreground", "in the background"],
)
def test_ctrl_c_around_the_command_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    before: Any,  # noqa: ANN401  (as signal has it)
    importing: object,
    running: object,
) -> None:
    """Before anything has begun, and after the end, the system ends the process; a second one is as quiet."""
    heeded: dict[str, object] = {}

    def run() -> int:
        heeded["running"] = signal.getsignal(signal.SIGINT)
        raise KeyboardInterrupt

    class Importing(ModuleType):
        def __getattr__(self, name: str) -> object:
            heeded["importing"] = signal.getsignal(signal.SIGINT)
            return run

    monkeypatch.setitem(sys.modules, "patql.cli", Importing("patql.cli"))
    monkeypatch.setattr(os, "_exit", sys.exit)
    theirs = signal.signal(signal.SIGINT, before)
    try:
        with pytest.raises(SystemExit) as end:
            entry()
        heeded["ended"] = signal.getsignal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, theirs)
    assert end.value.code == 130
    assert capsys.readouterr() == ("", "")
    assert heeded == {"importing": importing, "running": running, "ended": importing}


def test_variables_are_text(capsys: pytest.CaptureFixture[str]) -> None:
    """Bytes that aren't UTF-8 reach Python as lone surrogates."""
    assert cli.main(["--var", "x=\udcff", "SELECT $x"]) == 2
    told = "error[usage]: the value that --var gives $x isn't UTF-8\n"
    assert capsys.readouterr() == ("", told)


@pytest.mark.slow
def test_ctrl_c_among_many_rows_loses_no_token(folder: Path) -> None:
    """Those that were made are printed, and only those are there."""
    sql = f"INSERT INTO {TABLE} (label) SELECT 'row ' || range FROM range(20000)"
    with subprocess.Popen(
        [sys.executable, "-m", "patql", "--output", "jsonl", sql],
        env=environment(folder),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:  # fmt: skip
        database = folder / "data" / "tokens.db-wal"
        began = time.monotonic()
        while not database.exists() or database.stat().st_size < 200_000:
            assert time.monotonic() - began < 30
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    printed = out.splitlines()
    assert 0 < len(printed) < 20_000
    assert len(labels(folder)) == len(printed) + 1
    with Authority(folder / "data" / "tokens.db") as authority:
        assert all(authority.verify(secret_in(line)) for line in printed)


class Terminal:
    """`patql` on a terminal of its own; or another program."""

    def __init__(
        self, folder: Path, *arguments: str, program: Sequence[str] = ("-m", "patql"), **env: str
    ) -> None:  # fmt: skip
        self.master, worker = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, *program, *arguments],
            env=environment(folder) | {"TERM": "dumb", "INPUTRC": os.devnull} | env,
            stdin=worker, stdout=worker, stderr=worker, start_new_session=True,
        )  # fmt: skip
        os.close(worker)
        self.shown = ""

    def until(self, pattern: str) -> str:
        """Read until the pattern is shown; returns all that was shown since the last time."""
        began = time.monotonic()
        while not re.search(pattern, self.shown):
            assert time.monotonic() - began < 30, self.shown
            try:
                self.shown += os.read(self.master, 4096).decode().replace("\r", "")
            except OSError:  # it has ended
                assert re.search(pattern, self.shown), self.shown
        shown, self.shown = self.shown, ""
        return shown

    def type(self, text: str) -> None:
        """Type."""
        os.write(self.master, text.encode())


@contextmanager
def terminal(folder: Path, *arguments: str, **options: Any) -> Generator[Terminal]:  # noqa: ANN401
    """`patql` on a terminal, which has ended when the block has."""
    made = Terminal(folder, *arguments, **options)
    try:
        yield made
    finally:
        if made.process.poll() is None:
            made.process.terminate()
        made.process.wait(30)
        os.close(made.master)


@pytest.mark.slow
def test_a_terminal_is_told_the_target_once(run: Run, folder: Path) -> None:
    """At the first request."""
    run(f"SELECT 1 FROM {TABLE}")
    with terminal(
        folder, f"SELECT 1 AS x; SELECT id FROM {TABLE}; SELECT id FROM {TABLE}"
    ) as screen:
        shown = screen.until(r"id\n--\n 1\n\nid\n--\n 1\n")
        assert shown.count("target: ") == 1
        assert f"target: embedded, {folder}/data/tokens.db" in shown
        assert screen.process.wait(30) == 0


WATCHED = "from patql.faces.console import progress; progress.AFTER = 0; from patql.cli import main; main()"
"""`patql` that doesn't wait for a second before it shows a bar."""


@pytest.mark.slow
def test_a_person_who_waits_sees_a_bar(folder: Path) -> None:
    """Until there is the result, and no secret in it."""
    body = b'{"data": [{"id": 5, "label": "a"}], "page": 1, "pages": 1, "results": 1}'
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        terminal(
            folder, "--url", f"http://127.0.0.1:{server.getsockname()[1]}/v4", f"SELECT id FROM {TABLE}",
            program=("-c", WATCHED), TERM="xterm", COLUMNS="80", PATQL_TOKEN=SECRET,
        ) as screen,
    ):  # fmt: skip
        connection, _ = server.accept()
        waiting = screen.until(rf"(?:working|{TABLE} .*) .*0:\d\d")
        connection.sendall(answer % (len(body), body))
        after = screen.until(r"id\n--\n 5\n")
        assert screen.process.wait(30) == 0
        connection.close()
    shown = waiting + after
    assert shown.endswith("\x1b[2Kid\n--\n 5\n")
    assert "target: " in waiting
    assert SECRET[:16] not in shown


@pytest.mark.slow
def test_parquet_isnt_for_a_terminal(folder: Path) -> None:
    """Nothing runs then; a pipe gets it."""
    sql = f"INSERT INTO {TABLE} (label) VALUES ('a')"
    with terminal(folder, "--output", "parquet", sql) as screen:
        screen.until("error.usage.: a terminal can't show Parquet; give --out FILE")
        assert screen.process.wait(30) == 2
    assert not (folder / "data").exists()


@pytest.mark.slow
def test_options_reach_the_statements(run: Run, folder: Path) -> None:
    """Variables as values, local tables that last, and requests that aren't sent."""
    local = ("--local", folder / "work.duckdb")
    text = "it's; DROP TABLE t -- "
    assert (
        run(*local, "--var", f"v={text}", "CREATE TABLE t AS SELECT $v AS v").stderr
        == "table t made\n"
    )
    assert run(*local, "--output", "csv", "SELECT v FROM t").stdout == f"v\n{text}\n"
    dry = run("--dry-run", f"INSERT INTO {TABLE} (label) VALUES ('a')")
    assert (dry.returncode, labels(folder)) == (0, ["root"])
    assert '{"label":"a"}' in dry.stdout
    late = run(
        "--timeout",
        "0.3",
        "SELECT sum(a.range * b.range) FROM range(1000000) a, range(100000) b",
    )
    assert (late.returncode, late.stdout) == (130, "")
    assert "longer than 0.3 s" in late.stderr


@pytest.mark.slow
def test_a_file_of_errors_isnt_told_the_target(run: Run) -> None:
    """Whatever standard output is."""
    master, worker = pty.openpty()
    ran = run(f"SELECT id FROM {TABLE}", stdout=worker)
    os.close(worker)
    os.close(master)
    assert ran.returncode == 0
    assert "target:" not in ran.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "left"), [("y", []), ("yes", []), ("n", ["root"]), ("", ["root"])]
)
def test_a_person_is_asked_before_everything_goes(
    run: Run, folder: Path, answer: str, left: list[str]
) -> None:
    """Only yes is yes."""
    run(f"SELECT 1 FROM {TABLE}")
    with terminal(folder, f"DELETE FROM {TABLE}") as screen:
        screen.until(r"\[y/N\] ")
        screen.type(answer + "\n")
        if answer.startswith("y"):
            screen.until(r"\[y/N\] |deleted")
            screen.type("y\n")  # the acting token is among them
        assert screen.process.wait(30) == (0 if answer.startswith("y") else 1)
    assert labels(folder) == left


@pytest.mark.slow
def test_yes_says_yes(run: Run, folder: Path) -> None:
    """Nobody is asked, and without it the statement is refused where nobody can be."""
    refused = run(f"DELETE FROM {TABLE}")
    assert refused.returncode == 1
    assert "--yes" in refused.stderr
    assert run("--yes", f"DELETE FROM {TABLE}").returncode == 0
    assert labels(folder) == []


@pytest.mark.slow
def test_the_prompt(folder: Path) -> None:
    r"""Statements over several lines, errors, Ctrl-C, and `\q`."""
    with terminal(folder) as screen:
        screen.until("patql> $")
        screen.type("SELECT 40 + 2\n")
        screen.until(r"\.\.\.> $")
        screen.type("AS answer;\n")
        assert "answer\n------\n    42\n" in screen.until(r"42\n(.|\n)*patql> $")
        screen.type("SELECT nothing;\n")
        assert "error[" in screen.until("error(.|\n)*patql> $")
        screen.type("SELECT 'half")
        time.sleep(0.2)
        os.killpg(screen.process.pid, signal.SIGINT)
        screen.until("patql> $")
        screen.type("SELECT 1 AS again;\n")
        screen.until(r"again\n-----\n    1\n(.|\n)*patql> $")
        screen.type("\\q\n")
        assert screen.process.wait(30) == 0


@contextmanager
def served(folder: Path, *arguments: str) -> Generator[str]:
    """The base URL of a `patql serve`, stopped at the end of the block."""
    with subprocess.Popen(
        [sys.executable, "-m", "patql", "serve", "--port", "0", *arguments],
        env=environment(folder), stderr=subprocess.PIPE, text=True,
    ) as server:  # fmt: skip
        assert server.stderr is not None
        line = server.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+/v4", line)
        assert found, line
        try:
            yield found[0]
        finally:
            server.terminate()
            logged = server.stderr.read()
            assert not re.search(r"[0-9A-Za-z_]{48,}", logged)
            assert server.wait(30) == 0


def secret_in(shown: str) -> str:
    """The token that a result shows in full."""
    (found,) = re.findall(r"[0-9A-Za-z_]{48,}", shown)
    return str(found)


@pytest.mark.slow
def test_a_server_from_init_to_401(run: Run, folder: Path) -> None:
    """Its first token, a second user, a stored credential, recovery, and a revoked token; two workers."""
    db = f"sqlite:///{folder}/server.db"
    made = run("init", "--db", db, "--user", "ann")
    assert made.returncode == 0
    root = secret_in(made.stdout)
    again = run("init", "--db", db)
    assert (again.returncode, again.stdout) == (1, "")
    assert "--recover" in again.stderr
    bob = secret_in(run("user", "add", "bob", "--db", db).stdout)
    assert run("user", "add", "bob", "--db", db).returncode == 1
    recovered = run("init", "--recover", "--db", db, "--secrets-to", folder / "root")
    assert recovered.returncode == 0
    assert not re.search(r"[0-9A-Za-z_]{48,}", recovered.stdout)
    with served(folder, "--db", db, "--workers", "2") as base:
        url = ("--url", base)
        wrong = run("init", *url, input=SECRET + "\n")
        assert wrong.returncode == 1
        assert "doesn't accept the token (401 for GET /profile)" in wrong.stderr
        assert not (folder / "data").exists()
        stored = run("init", *url, input=root + "\n")
        assert (stored.returncode, stored.stdout) == (0, "")
        assert "stored the token of ann" in stored.stderr
        mine = run(*url, "--output", "jsonl", f"SELECT id, label FROM {TABLE}")
        assert mine.stdout.splitlines()[0] == '{"id":1,"label":"root"}'
        assert len(mine.stdout.splitlines()) == 2
        his = run(*url, f"SELECT label FROM {TABLE}", env={"PATQL_TOKEN": bob})
        assert his.stdout.splitlines()[2:] == ["first token"]
        gone = run(*url, f"DELETE FROM {TABLE} WHERE id = 1")
        assert gone.returncode == 0
        assert "pql_" in gone.stderr  # a warning: it is the acting one
        after = run(*url, f"SELECT * FROM {TABLE}")
        assert (after.returncode, after.stdout) == (1, "")
        assert "401: Invalid Token" in after.stderr
        new = run(*url, "--token-file", folder / "root", f"SELECT id FROM {TABLE}")
        assert new.stdout == "id\n--\n 3\n"
    for ran in (made, again, recovered, wrong, stored, mine, his, gone, after, new):
        assert root not in ran.stderr + (ran.stdout if ran is not made else "")


@pytest.mark.slow
def test_a_first_token_that_cant_be_printed_is_made_anew(
    run: Run, folder: Path
) -> None:
    """The user stays, and the error says how they get a token."""
    db = ("--db", f"sqlite:///{folder}/served.db")
    for command in (("init", "--user", "ann"), ("user", "add", "bob b")):
        with Path("/dev/full").open("w") as full:
            failed = run(*command, *db, stdout=full)
        assert failed.returncode == 1
        assert "revoked again" in failed.stderr
        told = re.search("`patql (init --recover .*)`", failed.stderr)
        assert told is not None
        assert secret_in(run(*shlex.split(told[1]), *db).stdout)


@pytest.mark.slow
def test_a_token_is_asked_for_without_showing_it(run: Run, folder: Path) -> None:
    """On a terminal."""
    db = f"sqlite:///{folder}/server.db"
    root = secret_in(run("init", "--db", db, "--user", "ann").stdout)
    with served(folder, "--db", db) as base:
        with terminal(folder, "init", "--url", base) as screen:
            screen.until("shown.*: $")
            screen.type(root + "\n")
            shown = screen.until("stored the token of ann")
            assert screen.process.wait(30) == 0
        assert root not in shown
        assert run("--url", base, f"SELECT id FROM {TABLE}").returncode == 0


@pytest.mark.slow
def test_the_embedded_authority_is_recovered(run: Run, folder: Path) -> None:
    """Its new token is stored, not printed."""
    run("--yes", f"DELETE FROM {TABLE}")
    assert "init --recover" in run(f"SELECT id FROM {TABLE}").stderr
    recovered = run("init", "--recover")
    assert (recovered.returncode, recovered.stdout) == (0, "")
    assert not re.search(r"[0-9A-Za-z_]{48,}", recovered.stderr)
    assert run(f"SELECT id FROM {TABLE}").stdout == "id\n--\n 2\n"


@pytest.mark.slow
def test_a_root_token_that_cant_be_stored_is_revoked(run: Run, folder: Path) -> None:
    """Nobody would have it."""
    (folder / "data").mkdir(mode=0o700)
    stored = folder / "data" / "credentials.json"
    stored.write_text("{}")
    stored.chmod(0o644)
    ran = run("init", "--user", "ann")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "error[exposed]" in ran.stderr
    with Authority(folder / "data" / "tokens.db") as authority:
        assert [event.action for event in authority.events()][-1] == "token_delete"


@pytest.mark.slow
def test_the_demo(run: Run, folder: Path) -> None:
    """Every statement with its output, the secret once, and 401 at the end; nothing is left behind."""
    ran = run("demo", env={"TMPDIR": str(folder), "PATQL_TOKEN": SECRET})
    assert ran.returncode == 0
    assert len(re.findall(r"[0-9A-Za-z_]{48,}", ran.stdout)) == 1
    assert ran.stdout.count("\npatql> ") == 10
    before, after = ran.stdout.split("1 row deleted\n")
    assert "HTTP 200" in before
    assert after.strip().endswith('HTTP 401 {"errors":[{"reason":"Invalid Token"}]}')
    assert not (folder / "data").exists()
    assert not list(folder.glob("patql-demo-*"))
