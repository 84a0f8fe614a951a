"""`make prove` itself: how much it does where nobody says otherwise, and that it fails where anything is wrong."""

import sys
from collections.abc import Sequence

import pytest
from tests.prove import __main__ as prove
from tests.prove import run
from tests.prove.report import Report
from tests.prove.run import Options
from tests.prove.violation import Rule, Violation

_WRONG = Violation(Rule.LOST, 7, "client 1: verify refused")


def _main(
    monkeypatch: pytest.MonkeyPatch,
    given: Sequence[str],
    violations: Sequence[Violation] = (),
) -> tuple[int, list[Options]]:
    """The exit code, and what was run; each run is found to have such violations."""
    asked: list[Options] = []

    async def pretend(options: Options) -> Report:
        asked.append(options)
        return Report(1.0, [], {}, violations)

    class Absent:
        def __init__(self, _postgres: str) -> None:
            pass

        def start(self) -> None:
            pass

        def database(self) -> str:
            return "postgresql://nowhere/t"

        def remove(self) -> None:
            pass

    monkeypatch.setattr(prove, "prove", pretend)
    monkeypatch.setattr(prove, "Cluster", Absent)
    monkeypatch.setattr(sys, "argv", ["prove", *given])
    return prove.main(), asked


def test_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both stores; on each four servers, 200,000 operations, and as many revocations as one in twenty of them."""
    code, asked = _main(monkeypatch, [])
    assert code == 0
    assert [one.database.partition(":")[0] for one in asked] == ["sqlite", "postgresql"]
    assert [one.cluster is not None for one in asked] == [False, True]
    for one in asked:
        assert one.servers >= 4
        assert one.products >= 1
        assert one.operations >= 200_000
        assert one.operations / run._REVOCATIONS >= 10_000
        assert one.trouble is None


def test_as_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """One store, so many processes and operations, and a seed."""
    given = [
        "--store",
        "sqlite",
        "--processes",
        "8",
        "--operations",
        "9",
        "--seed",
        "7",
    ]
    code, (one,) = _main(monkeypatch, given)
    assert code == 0
    assert (one.servers, one.products, one.operations, one.seed) == (8, 4, 9, 7)


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_what_is_wrong_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], store: str
) -> None:
    """By the exit code, and in words."""
    code, _ = _main(monkeypatch, ["--store", store], [_WRONG])
    assert code == 1
    assert f"token 7: {_WRONG.told}" in capsys.readouterr().out
