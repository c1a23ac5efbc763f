"""Hearing: the hub's clock, health and measures, whom it hears, and what it knows of the other hubs."""

import trio
from msgspec.structs import replace

from sendensed.clock import Clock
from sendensed.core import alarm, batch, health, staleness
from sendensed.core.alarm import Alarm
from sendensed.core.appliance import Register
from sendensed.core.gauges import Gauges
from sendensed.core.health import HubBeat, Pulse
from sendensed.core.model import Job


class Hearing:
    """`hub` is this hub's name; `clock` the store's time."""

    def __init__(
        self,
        clock: Clock,
        hub: str = "hub",
        staleness_limits: staleness.Limits | None = None,
        alarm_limits: alarm.Limits | None = None,
    ) -> None:
        self.hub = hub
        self.clock = clock
        self.limits = staleness_limits or staleness.Limits()
        self.alarm_limits = alarm_limits or alarm.Limits()
        self.health = health.Health(clock.now(), trio.current_time())
        self.pulse = Pulse(clock.now())
        self.gauges = Gauges(trio.current_time())
        self.appliances = Register()

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

    def take(self, pulse: Pulse, at: float) -> None:
        """Takes what the beat begun at `at` (trio's time) brought back."""
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
        )
