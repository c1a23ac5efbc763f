"""Control: what an operator asks of the hub."""

from collections.abc import Sequence

from schemas import ids
from schemas.job import Stopping
from sendensed.actors.receiver import Receiver
from sendensed.core.answer import refusal
from sendensed.core.batch import UNKNOWN
from sendensed.net.http import Request, Response
from sendensed.net.route import Refuser, Route, json


class Control:
    """The operators' door."""

    def __init__(self, receiver: Receiver, refuse: Refuser) -> None:
        self._receiver = receiver
        self._refuse = refuse
        self.routes = (
            Route(
                "POST",
                "/api/v1/jobs/{id}/cancel",
                self._cancel,
                "operate",
                new=True,
                says=Stopping,
                statuses=("200", "202"),
                refuses=("404", "409"),
            ),
        )

    async def _cancel(self, request: Request, values: Sequence[str]) -> Response:
        if ids.job_id_problem(values[0]):
            return self._refuse(UNKNOWN)
        answer = await self._receiver.cancel(values[0], request.caller.name or "an operator")
        if isinstance(answer, Stopping):
            return json(answer, 200 if answer.status == "cancelled" else 202)
        return self._refuse(refusal(answer))
