"""A Transport over canned answers, for servers that misbehave in ways that ours can't be made to."""

from collections.abc import Iterator, Mapping, Sequence

from patql.engine.ports import Watch
from patql.kernel.http import Request, Response

JSON = (b"content-type", b"application/json")
Answer = tuple[int, bytes] | Response


class Served:
    """Answers by `VERB path`; a list of answers is worked off in turn, and its last one stays."""

    target = "https://api.example.com/v4"
    acting: str | None = None

    def __init__(self, answers: Mapping[str, Answer | list[Answer]]) -> None:
        self._answers = {
            k: list(v) if isinstance(v, list) else [v] for k, v in answers.items()
        }
        self.sent: list[str] = []

    def send(
        self,
        requests: Sequence[Request],
        concurrency: int,
        watch: Watch | None = None,
    ) -> Iterator[Response]:
        """The answers in the order of the requests."""
        for request in requests:
            query = f"?{request.query}" if request.query else ""
            self.sent.append(f"{request.method} {request.path}{query}")
            exact = self._answers.get(self.sent[-1])
            answers = exact or self._answers[f"{request.method} {request.path}"]
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            yield (
                answer
                if isinstance(answer, Response)
                else Response(answer[0], [JSON], answer[1])
            )

    def cancel(self) -> None:
        """Nothing is under way."""

    def close(self) -> None:
        """Nothing to let go of."""
