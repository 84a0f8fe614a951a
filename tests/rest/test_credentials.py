"""Stored tokens and token files."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from patql.kernel.errors import Code, PatqlError
from patql.kernel.secrets import Secret
from patql.rest.credentials import Credentials, read_token

LINODE = "https://api.linode.com"


def mode(path: Path) -> int:
    """The permission bits of a file."""
    return stat.S_IMODE(path.stat().st_mode)


def test_a_token_belongs_to_one_origin(tmp_path: Path) -> None:
    """No other gets it, however alike."""
    credentials = Credentials(tmp_path)
    with credentials.edit() as tokens:
        tokens[LINODE] = "abc"
    assert credentials.get(LINODE) == Secret("abc")
    for other in ("http://api.linode.com", LINODE + ":8443", "https://api.linode.co"):
        assert credentials.get(other) is None


def test_folder_and_file_are_for_the_owner_alone(tmp_path: Path) -> None:
    """Whatever the umask; and nothing else is left there."""
    before = os.umask(0)
    try:
        with Credentials(tmp_path / "a" / "b").edit() as tokens:
            tokens["x"] = "abc"
    finally:
        os.umask(before)
    assert mode(tmp_path / "a" / "b") == 0o700
    assert mode(tmp_path / "a" / "b" / "credentials.json") == 0o600
    assert [*(tmp_path / "a" / "b").iterdir()] == [tmp_path / "a/b/credentials.json"]


def test_reading_makes_nothing(tmp_path: Path) -> None:
    """Not even the folder."""
    assert Credentials(tmp_path / "none").get("x") is None
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o620, 0o660])
def test_a_file_that_others_reach_is_refused(tmp_path: Path, bits: int) -> None:
    """Reading and changing it both."""
    credentials = Credentials(tmp_path)
    with credentials.edit() as tokens:
        tokens["x"] = "abc"
    path = tmp_path / "credentials.json"
    path.chmod(bits)
    with pytest.raises(PatqlError, match=f"mode {bits:o}") as caught:
        credentials.get("x")
    assert caught.value.code is Code.EXPOSED
    with pytest.raises(PatqlError), credentials.edit():
        pytest.fail("the block must not run")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"x": 1}'])
def test_a_damaged_file_is_said_to_be_one(tmp_path: Path, content: str) -> None:
    """It isn't overwritten either."""
    path = tmp_path / "credentials.json"
    path.touch(0o600)
    path.write_text(content)
    with pytest.raises(PatqlError, match="isn't a JSON object") as caught:
        Credentials(tmp_path).get("x")
    assert caught.value.code is Code.CREDENTIAL
    assert path.read_text() == content


def test_nothing_is_stored_where_the_block_fails(tmp_path: Path) -> None:
    """The file stays as it was."""
    credentials = Credentials(tmp_path)
    with credentials.edit() as tokens:
        tokens["x"] = "abc"
    with pytest.raises(ZeroDivisionError), credentials.edit() as tokens:
        tokens["x"] = str(1 // 0)
    assert credentials.get("x") == Secret("abc")


def test_a_folder_that_cant_be_used_is_named(tmp_path: Path) -> None:
    """In reading and in writing."""
    (tmp_path / "file").touch()
    credentials = Credentials(tmp_path / "file")
    with pytest.raises(PatqlError, match=r"file/credentials\.json can't be read"):
        credentials.get("x")
    with (
        pytest.raises(PatqlError, match=r"file/credentials\.json can't be written"),
        credentials.edit(),
    ):
        pytest.fail("the block must not run")


def test_two_that_store_at_once_both_succeed(tmp_path: Path) -> None:
    """One waits for the other, so neither is lost."""

    def store(number: int) -> None:
        with Credentials(tmp_path).edit() as tokens:
            tokens[str(number)] = "abc"

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(store, range(24)))
    stored = Credentials(tmp_path)
    assert all(stored.get(str(number)) for number in range(24))


@pytest.mark.parametrize("content", ["abc", "abc\n", "  abc\r\n"])
def test_a_token_file_holds_one_token(tmp_path: Path, content: str) -> None:
    """Space around it doesn't count."""
    path = tmp_path / "token"
    path.touch(0o600)
    path.write_bytes(content.encode())
    assert read_token(path) == Secret("abc")


@pytest.mark.parametrize(
    ("content", "bits", "code"),
    [
        ("", 0o600, Code.CREDENTIAL),
        ("abc def", 0o600, Code.CREDENTIAL),
        ("abc\ndef", 0o600, Code.CREDENTIAL),
        ("abc", 0o644, Code.EXPOSED),
        ("abc", 0o640, Code.EXPOSED),
        (None, 0o600, Code.CREDENTIAL),
    ],
)
def test_any_other_token_file_is_refused(
    tmp_path: Path, content: str | None, bits: int, code: Code
) -> None:
    """By name, and without its content."""
    path = tmp_path / "token"
    if content is not None:
        path.write_text(content)
        path.chmod(bits)
    with pytest.raises(PatqlError, match=str(path)) as caught:
        read_token(path)
    assert caught.value.code is code
    assert "abc" not in str(caught.value)
