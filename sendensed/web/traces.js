/**
 * Traces: the speed of each job as seen since the page was opened, for its chart. Pure.
 *
 * A point stands at the time of the telemetry that told it. Where telemetry or the feed was away, a point
 * without a speed stands between, so that the chart shows a gap and not a line over what nobody saw.
 */

import { moment } from "./format.js";

/** Points kept of a job: an hour at one in 5 s. */
export const POINTS_KEPT = 720;
/** Milliseconds between two points kept: the last of those that come faster stands for them. */
export const SHORTEST_STEP = 2_000;
/** Milliseconds between two points that still are one stretch: three missed beats of a sender. */
export const LONGEST_STRETCH = 16_000;

export class Traces {
  #byId = new Map();
  #broken = 0;

  /** The points of a job, `{at, speed, bytes, cause}`: milliseconds, bytes per second (null in a gap), bytes done, why. */
  of(id) {
    return this.#byId.get(id)?.points ?? [];
  }

  /** Adds what this version of a job tells, if it is telemetry that `known`, the version before, had not. */
  add(job, known) {
    const at = moment(job.last_telemetry_at);
    if (at === null || (known !== undefined && known.last_telemetry_at === job.last_telemetry_at)) return;
    const trace = this.#byId.get(job.id) ?? { points: [], broken: this.#broken };
    const last = trace.points.at(-1);
    if (last !== undefined && at <= last.at) return;
    if (last !== undefined && at - last.at > LONGEST_STRETCH) {
      const cause = trace.broken === this.#broken ? "no telemetry" : "no live feed";
      trace.points.push({ at: last.at + 1, speed: null, bytes: 0, cause });
    } else if (last !== undefined && at - (trace.points.at(-2)?.at ?? -Infinity) < SHORTEST_STEP) {
      trace.points.pop();
    }
    trace.points.push({ at, speed: job.transfer_speed_bps, bytes: job.bytes_transferred, cause: null });
    trace.points.splice(0, trace.points.length - POINTS_KEPT);
    trace.broken = this.#broken;
    this.#byId.set(job.id, trace);
  }

  /** Puts points, in order of time, before those seen; what was seen itself stays as it is. */
  precede(id, points) {
    const trace = this.#byId.get(id);
    if (trace === undefined) return;
    const first = trace.points[0]?.at ?? Infinity;
    trace.points.unshift(...points.filter((point) => point.at < first));
    trace.points.splice(0, trace.points.length - POINTS_KEPT);
  }

  /** The feed broke off: a gap that follows is the feed's, not the sender's. */
  breakOff() {
    this.#broken += 1;
  }

  forget(id) {
    this.#byId.delete(id);
  }

  /** Forgets all jobs that are not in `ids`, a Map or Set. */
  keep(ids) {
    for (const id of this.#byId.keys()) if (!ids.has(id)) this.#byId.delete(id);
  }
}
