"""Telemetry: the addresses that senders push to."""

from collections.abc import Callable, Sequence

import msgspec

from schemas import batch, ids
from schemas.batch import BatchAnswer, BatchBody, BatchResult
from schemas.fault import FaultDetail, Invalid
from schemas.telemetry import Acknowledgement, TelemetryBody
from sendensed.actors.hearing import Hearing
from sendensed.actors.receiver import Receiver
from sendensed.core.answer import Answer, Refusal, refusal
from sendensed.core.auth import Caller
from sendensed.net.http import Answered, Request, Response, Taker
from sendensed.net.limits import Limits
from sendensed.net.route import Refuser, Route, json

BATCH = "/api/v1/telemetry"
"""Where many updates go in one push."""


class Telemetry:
    """The senders' door."""

    def __init__(self, receiver: Receiver, hearing: Hearing, refuse: Refuser) -> None:
        self._receiver = receiver
        self._hearing = hearing
        self._refuse = refuse
        self._stamp = ""
        self._said: dict[Acknowledgement, Response] = {}
        self.routes = (
            Route(
                "POST",
                "/api/v1/telemetry/{job_type}/{job_id}",
                self._push,
                "push",
                new=True,
                takes=TelemetryBody,
                says=Acknowledgement,
                taker=self._taker,
            ),
            Route("POST", BATCH, self._batch, "push", new=True, takes=BatchBody, says=BatchAnswer),
        )

    async def _push(self, request: Request, values: Sequence[str]) -> Response:
        appliance = request.caller.appliance
        return self._told(await self._receiver.accept(values[0], values[1], request.body, appliance))

    def _taker(self, values: Sequence[str], admitted: Callable[[], Caller | None]) -> Taker | None:
        job_type, job_id = values
        if ids.job_type_problem(job_type) or ids.job_id_problem(job_id):
            return None

        def take(body: bytes, answered: Answered) -> bool:
            caller = admitted()
            if caller is None:
                return False
            tell = lambda answer: answered(self._told(answer))  # noqa: E731
            self._receiver.take(job_type, job_id, body, caller.appliance, tell)
            return True

        return take

    async def _batch(self, request: Request, values: Sequence[str]) -> Response:
        told = await self._receiver.accept_batch(request.body, request.caller.appliance)
        if isinstance(told, Refusal):
            return self._refuse(told)
        return json(BatchAnswer(tuple(self._result(one) for one in told)))

    def _told(self, answer: Answer) -> Response:
        return self._acknowledged(answer) if isinstance(answer, Acknowledgement) else self._refuse(refusal(answer))

    def _result(self, answer: Answer | Invalid) -> BatchResult:
        if isinstance(answer, Acknowledgement):
            return BatchResult("success", answer.applied, answer.reason, answer.command)
        if isinstance(answer, Invalid):
            code = 413 if answer.code == batch.TOO_LARGE else 400
            return BatchResult("refused", code=code, error=answer.body().error)
        refused = refusal(answer)
        error = FaultDetail(refused.code, refused.message, refused.field)
        return BatchResult("refused", code=refused.status, error=error, retry_after=self._refuse.wait(refused))

    def _acknowledged(self, answer: Acknowledgement) -> Response:
        """The answer with the present second in it: written once, however many get it in that second."""
        stamp = self._hearing.clock.stamp()
        if stamp is not self._stamp:
            self._stamp = stamp
            self._said.clear()
        response = self._said.get(answer)
        if response is None:
            stamped = msgspec.structs.replace(answer, timestamp=stamp)
            response = self._said[answer] = Response(200, Acknowledgement.encoded(stamped))
        return response


def body_limit(path: str) -> int:
    """The largest body for a path, bytes."""
    return batch.BYTES if path == BATCH else Limits().body
