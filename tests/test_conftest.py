"""The rule that a missing program skips a test on a user's machine, and fails it in CI."""

from collections.abc import Callable

import pytest


def test_finds_a_program(need: Callable[..., str]) -> None:
    """The first name that is installed counts."""
    assert need("no-such-program", "python3").endswith("python3")


@pytest.mark.parametrize(
    ("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)]
)
def test_missing_program(
    ci: str,
    outcome: type[BaseException],
    need: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both say which program it is."""
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="no-such-program isn't installed"):
        need("no-such-program")
