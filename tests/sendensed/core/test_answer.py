"""Answer: what a sender is told."""

import pytest

from schemas.telemetry import Acknowledgement
from sendensed.core.answer import Refusal, refusal


def test_an_answer_known_to_be_a_refusal_is_one():
    refused = Refusal(503, "queue_full", "come back later")
    assert refusal(refused) is refused
    with pytest.raises(AssertionError):
        refusal(Acknowledgement())
