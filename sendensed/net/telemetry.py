"""Telemetry: the addresses that senders push to."""

from collections.abc import Sequence

import msgspec

from schemas import codec
from schemas.job import Stopping
from schemas.telemetry import Acknowledgement
from sendensed.actors.receiver import Receiver
from sendensed.actors.writer import Hearing
from sendensed.core.answer import Answer, Refusal
from sendensed.net.http import Request, Response
from sendensed.net.route import Refuser, Route


class Telemetry:
    """The senders' door."""

    def __init__(self, receiver: Receiver, hearing: Hearing, refuse: Refuser) -> None:
        self._receiver = receiver
        self._hearing = hearing
        self._refuse = refuse
        self._stamp = ""
        self._said: dict[Acknowledgement, Response] = {}
        self.routes = (Route("POST", "/api/v1/telemetry/{job_type}/{job_id}", self._push, "push", new=True),)

    async def _push(self, request: Request, values: Sequence[str]) -> Response:
        appliance = request.caller.appliance
        return self._told(await self._receiver.accept(values[0], values[1], request.body, appliance))

    def _told(self, answer: Answer) -> Response:
        if isinstance(answer, Refusal):
            return self._refuse(answer)
        if isinstance(answer, Stopping):
            return Response(200 if answer.status == "cancelled" else 202, codec.encode(answer))
        return self._acknowledged(answer)

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
