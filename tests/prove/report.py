"""What came of a run."""

from collections.abc import Mapping, Sequence

import msgspec
from tests.prove.history import Act, Operation, Outcome
from tests.prove.violation import Violation

_SHOWN = 20


class Report(msgspec.Struct, frozen=True):
    """What came of it.

    Attributes:
        seconds: how long it took.
        history: what was done.
        faults: what went wrong around it, and how often.
        violations: what is wrong with it.
        troubled: when a trouble began and ended, where there was one.
    """

    seconds: float
    history: Sequence[Operation]
    faults: Mapping[str, int]
    violations: Sequence[Violation]
    troubled: Sequence[tuple[float, float]] = ()

    def count(self, act: Act, outcome: Outcome) -> int:
        """How many operations there were of an act with an outcome."""
        return sum(each.act is act and each.outcome is outcome for each in self.history)

    def text(self) -> str:
        """For people."""
        lines = [f"{'':10}" + "".join(f"{outcome:>10}" for outcome in Outcome)]
        for act in Act:
            counts = (self.count(act, outcome) for outcome in Outcome)
            lines.append(f"{act:10}" + "".join(f"{count:10,}" for count in counts))
        answered = sum(each.outcome is not Outcome.NOTHING for each in self.history)
        faults = ", ".join(f"{name} {n}" for name, n in sorted(self.faults.items()))
        lines += [
            "",
            f"{answered:,} operations answered, {answered / self.seconds:,.0f} a second",
            f"{self.count(Act.REVOKE, Outcome.DONE):,} revocations",
            f"faults: {faults}",
            f"violations: {len(self.violations)}",
        ]
        lines += [
            f"  {v.rule}: token {v.token}: {v.told}" for v in self.violations[:_SHOWN]
        ]
        return "\n".join(lines)
