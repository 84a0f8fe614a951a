"""The checker finds what is wrong with a history, and nothing else: histories made by hand."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from tests.prove.audit import check_audit
from tests.prove.checker import check, check_listed
from tests.prove.history import NEVER, Act, Line, Operation, Outcome

_AT = 100.0  # when lists are read

_HISTORIES: list[dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name("histories.yaml").read_text()
)


@pytest.mark.parametrize("case", _HISTORIES, ids=[case["name"] for case in _HISTORIES])
def test_history(case: dict[str, Any]) -> None:
    """What is wrong is found, and where nothing is, nothing."""
    history = [_operation(text) for text in case["history"]]
    found = check(history)
    if "audit" in case:
        found += check_audit(history, [_line(text) for text in case["audit"]])
    if "listed" in case:
        found += check_listed(history, case["listed"], _AT)
    assert [violation.rule.name for violation in found] == case.get("wrong", []), found


def _operation(text: str) -> Operation:
    invoked, returned, act, target, by, outcome, *more = text.split()
    fields: dict[str, Any] = {
        "client": 1,
        "door": "here",
        "act": act,
        "by": int(by),
        "target": int(target),
        "invoked": float(invoked),
        "returned": 1e9 if returned == "-" else float(returned),
        "outcome": outcome,
        "handle": f"handle-{target}",
    }
    for field in more:
        name, _, value = field.partition("=")
        fields[name] = value
    operation = msgspec.convert(fields, Operation, strict=False)
    if returned == "-":
        operation.returned = NEVER
    return operation


def _line(text: str) -> Line:
    act, target, by, label = text.split()
    return Line(Act(act), int(target), None if by == "none" else int(by), label)


def test_every_outcome_of_every_act() -> None:
    """Whatever the outcome of an act, the checker says what it saw without failing."""
    for act in Act:
        for outcome in Outcome:
            check([Operation(1, "here", act, 1, 2, 0.0, 1.0, outcome)])
