"""Batch: many updates folded into one row per job, and every update's own answer.

A batch is planned against the jobs as last seen. A row that someone else changed meanwhile is left out by
its guard; its updates are planned again against the row as it is now.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace

from schemas.fault import Invalid
from schemas.telemetry import Acknowledgement, Telemetry
from sendensed.core import cancel, staleness
from sendensed.core.answer import Answer, Refusal, Slip
from sendensed.core.health import HubBeat
from sendensed.core.job import NOTHING, merge
from sendensed.core.model import Event, Job

FOREIGN = Refusal(403, "not_yours", "the job belongs to another appliance; only that one may speak of it")
UNKNOWN = Refusal(404, "not_found", "no job has this id")


class Post(msgspec.Struct, frozen=True, gc=False):
    """An update, the job that it speaks of, when it came in (the hub's clock), who waits for its answer, and the
    appliance that sent it.

    `appliance` is '' where the hub is open and asks nobody.
    """

    job_id: str
    update: Telemetry
    at: datetime
    receipt: Slip
    appliance: str = ""


class Silence(msgspec.Struct, frozen=True, gc=False):
    """The reaper's question whether a job has been silent for too long. Judged on the newest row."""

    job_id: str


class Cancel(msgspec.Struct, frozen=True, gc=False):
    """An operator's wish to end a job; `who` asked at `at`."""

    job_id: str
    who: str
    at: datetime
    receipt: Slip


Intent = Post | Silence | Cancel


def _own(job: Job) -> HubBeat | None:
    """Every job was heard by the hub that judges it."""
    return None


class Judge(msgspec.Struct, frozen=True):
    """What verdicts on silence rest on.

    `ear` finds the row of the hub that heard a job last, None where that is the judge itself; while failures
    are held (mass silence) no job is failed. `hub` is the judge's name; `past` is `merge`'s.
    """

    now: datetime
    healthy_since: datetime
    is_hearing: bool
    limits: staleness.Limits
    is_held: bool = False
    hub: str = ""
    ear: Callable[[Job], HubBeat | None] = _own
    past: Mapping[str, float] = NOTHING


class Plan:
    """One job's part of a batch: the row it replaces, the row it becomes, and who is told what after COMMIT."""

    __slots__ = ("answers", "before", "events", "intents", "job")

    def __init__(self, before: Job | None) -> None:
        self.before = before
        self.job = before
        self.events: list[Event] = []
        self.answers: list[tuple[Slip, Answer]] = []
        self.intents: list[Intent] = []

    @property
    def is_change(self) -> bool:
        """Whether there is anything to write."""
        return self.job is not self.before

    @property
    def stored(self) -> Job | None:
        """The row as it stands in the store once the plan is saved."""
        return None if self.job is None else replace(self.job, revision=self.job.revision + 1)

    def take(self, intent: Intent, judge: Judge) -> None:
        """Adds what one more intent does. An update that its job refuses is answered so, and leaves nothing."""
        self.intents.append(intent)
        if isinstance(intent, Silence):
            self._judge(judge)
            return
        if isinstance(intent, Cancel):
            self._cancel(intent)
            return
        if self._is_foreign(intent):
            self.answers.append((intent.receipt, FOREIGN))
            return
        try:
            merged = merge(self.job, intent.update, intent.at, judge.hub, judge.past)
        except Invalid as invalid:
            refusal = Refusal(400, invalid.code, invalid.message, invalid.field)
            self.answers.append((intent.receipt, refusal))
            return
        self._become(merged.job if merged.job is self.job else _owned(merged.job, intent.appliance), merged.events)
        answer = Acknowledgement(applied=merged.applied, reason=merged.reason, command=merged.command)
        self.answers.append((intent.receipt, answer))

    def refuse(self, refusal: Refusal) -> None:
        """Takes everything back: the row stays as it was, and every update of it is refused."""
        self.job = self.before
        self.events.clear()
        self.answers = [(intent.receipt, refusal) for intent in self.intents if not isinstance(intent, Silence)]

    def _is_foreign(self, post: Post) -> bool:
        """Whether the job is another appliance's. One that an open hub took goes to whoever speaks of it next."""
        return self.job is not None and bool(post.appliance) and self.job.appliance not in ("", post.appliance)

    def _cancel(self, wish: Cancel) -> None:
        if self.job is None:
            self.answers.append((wish.receipt, UNKNOWN))
            return
        done = cancel.cancel(self.job, wish.at, wish.who)
        self._become(done.job, done.events)
        self.answers.append((wish.receipt, done.answer))

    def _judge(self, judge: Judge) -> None:
        if self.job is None or not judge.is_hearing:
            return
        verdict = staleness.judge(
            self.job,
            judge.now,
            judge.healthy_since,
            judge.limits,
            ear=judge.ear(self.job),
            held=judge.is_held,
        )
        if verdict is not None:
            self._become(verdict.job, verdict.events)

    def _become(self, job: Job, events: Sequence[Event]) -> None:
        """The job is this from now on; the rows that it leaves are counted in it."""
        self.events.extend(events)
        before = self.before.event_count if self.before else 0
        self.job = replace(job, event_count=before + len(self.events)) if events else job


def _owned(job: Job, appliance: str) -> Job:
    """The job as this appliance's, where it is nobody's yet."""
    return replace(job, appliance=appliance) if appliance and not job.appliance else job


def plan(intents: Iterable[Intent], jobs: Mapping[str, Job], judge: Judge) -> dict[str, Plan]:
    """Folds the intents, in their order, into one plan per job. `jobs` holds every job of them that exists."""
    plans: dict[str, Plan] = {}
    for intent in intents:
        job_id = intent.job_id
        entry = plans.get(job_id)
        if entry is None:
            entry = plans[job_id] = Plan(jobs.get(job_id))
        entry.take(intent, judge)
    return plans
