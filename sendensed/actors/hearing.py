"""Hearing: the hub's clock, health and measures, whom it hears, and what it knows of the other hubs."""

from collections.abc import Collection, Iterable

import trio
from msgspec.structs import replace

from sendensed.clock import Clock
from sendensed.core import alarm, batch, health, staleness, tally
from sendensed.core.alarm import Alarm
from sendensed.core.appliance import Register
from sendensed.core.gauges import Gauges
from sendensed.core.health import HubBeat, Pulse
from sendensed.core.model import Job
from sendensed.scoreboard import Place, Scoreboard

_REFUSED = 0.1
"""Share of the updates that a hub may refuse for its own trouble and still be said to hear. A job counts as silent
once twelve of them in a row were refused: of one in ten that never happens, of one in two every night."""


class Hearing:
    """`hub` is this hub's name; `clock` the store's time; `past` what `actors.past` has learnt; `place` where this
    hub's measures are written, of a scoreboard of its own where it is the only one.

    `taken` and `refused` count the updates since the last beat; `is_refusing` is what they came to at that one.
    """

    def __init__(
        self,
        clock: Clock,
        hub: str = "hub",
        staleness_limits: staleness.Limits | None = None,
        alarm_limits: alarm.Limits | None = None,
        place: Place | None = None,
    ) -> None:
        self.hub = hub
        self.clock = clock
        self.limits = staleness_limits or staleness.Limits()
        self.alarm_limits = alarm_limits or alarm.Limits()
        self.health = health.Health(clock.now(), trio.current_time())
        self.pulse = Pulse(clock.now())
        self.gauges = Gauges(trio.current_time())
        self.place = place or Scoreboard(1).place(1)
        self.appliances = Register()
        self.past: dict[str, float] = {}
        self.taken = self.refused = 0
        self.is_refusing = False

    @property
    def is_ready(self) -> bool:
        """Whether the store has answered a beat lately."""
        return health.is_hearing(self.health, trio.current_time(), self.limits.gap)

    @property
    def others(self) -> bool:
        """Whether another hub has beaten lately on the same store."""
        now = self.clock.now()
        return any(
            row.hub != self.hub and health.is_beating(row, now, self.limits.gap)
            for row in self.pulse.hubs.values()
        )

    @property
    def is_held(self) -> bool:
        """Whether mass silence holds failures back now."""
        return alarm.is_held(self.pulse.alarms, self.clock.now(), self.alarm_limits)

    def refuses(self) -> bool:
        """Whether too many updates were refused since the last beat for a job's silence to mean anything."""
        return self.refused > _REFUSED * (self.taken + self.refused)

    def take(self, pulse: Pulse, at: float) -> None:
        """Takes what the beat begun at `at` (trio's time) brought back."""
        self.is_refusing = self.refuses()
        self.taken = self.refused = 0
        self.pulse = pulse
        self.health = health.Health(pulse.hubs[self.hub].healthy_since, at)

    def alarmed(self, alarm: Alarm) -> None:
        """Knows an alarm at once that the next beat would bring."""
        self.pulse = replace(self.pulse, alarms=(*self.pulse.alarms, alarm))

    def calmed(self, alarm: Alarm) -> None:
        """Forgets an alarm at once."""
        self.pulse = replace(self.pulse, alarms=tuple(one for one in self.pulse.alarms if one != alarm))

    def ear(self, job: Job) -> HubBeat | None:
        """The row of the hub that heard the job last; None where that is this one, or no hub is named.

        One without a row left it too long ago to be known: it counts as silent since it heard the job.
        """
        if job.heard_by in ("", self.hub):
            return None
        heard = staleness.heard_at(job)
        return self.pulse.hubs.get(job.heard_by) or HubBeat(job.heard_by, heard, heard)

    def measure(self, plans: Iterable[batch.Plan], saved: Collection[str], began: float) -> None:
        """Measures a batch that was begun at `began` (trio's time), before its senders are answered.

        What the store did not save of it is planned and measured again; one that changes nothing is answered.
        """
        at, now = trio.current_time(), self.clock.now()
        if saved:
            self.gauges.committed(at, len(saved), at - began)
        delays = []
        for plan in plans:
            posts = [intent for intent in plan.intents if isinstance(intent, batch.Post)]
            if plan.is_change and plan.job is not None:
                if plan.job.id not in saved:
                    continue
                self.gauges.changed(plan.before, plan.job, plan.events)
                for post in posts:
                    self.appliances.heard(plan.job.appliance, post.update, post.at)
            delays += [(now - post.at).total_seconds() for post in posts]
        self.gauges.answered(at, delays)
        self.place.count(tally.counters(self.gauges))

    def judge(self) -> batch.Judge:
        """What a verdict rests on, as of now."""
        return batch.Judge(
            now=self.clock.now(),
            healthy_since=self.health.healthy_since,
            is_hearing=self.is_ready,
            limits=self.limits,
            is_held=self.is_held,
            hub=self.hub,
            ear=self.ear,
            past=self.past,
        )
