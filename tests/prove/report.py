"""What came of a run."""

from collections.abc import Mapping, Sequence

import msgspec
from tests.prove.history import Act, Outcome
from tests.prove.violation import Violation

_SHOWN = 20


class Report(msgspec.Struct, frozen=True):
    """How long it took, what was done how often with which outcome, what went wrong around it, what is wrong with it."""

    seconds: float
    operations: Mapping[tuple[Act, Outcome], int]
    faults: Mapping[str, int]
    violations: Sequence[Violation]

    def count(self, act: Act | None = None, outcome: Outcome | None = None) -> int:
        """How many operations there were; of an act, with an outcome, where these are given."""
        return sum(
            number
            for (each, came), number in self.operations.items()
            if act in {None, each} and outcome in {None, came}
        )

    def text(self) -> str:
        """For people."""
        lines = [f"{'':10}" + "".join(f"{outcome:>10}" for outcome in Outcome)]
        for act in Act:
            counts = (self.operations.get((act, outcome), 0) for outcome in Outcome)
            lines.append(f"{act:10}" + "".join(f"{count:10,}" for count in counts))
        answered = self.count() - self.count(outcome=Outcome.NOTHING)
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
