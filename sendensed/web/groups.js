/**
 * Groups: which jobs stand in which table, in what order, and the first line's numbers. Pure.
 *
 * Each job stands in one table. Order never depends on numbers that change with every update, so rows stay
 * where they are while an operator reads them.
 */

import { age, moment } from "./format.js";
import { isMotionless } from "./words.js";

/** Milliseconds for which a failure stays among what needs attention. */
export const FAILED_SHOWN = 86_400_000;

const RANK = { stalled: 0, failed: 2 };

/** `{attention, running, recent, counts, lastHeard}` of the jobs (an iterable) at the hub's time `now`. */
export function group(jobs, now) {
  const groups = { attention: [], running: [], recent: [], lastHeard: null };
  const counts = { running: 0, pending: 0, stalled: 0, failed: 0, motionless: 0 };
  for (const job of jobs) {
    const heard = moment(job.last_telemetry_at);
    if (heard !== null && !(groups.lastHeard >= heard)) groups.lastHeard = heard;
    const motionless = isMotionless(job, now);
    const failed = job.status === "failed" && now - endedAt(job) < FAILED_SHOWN;
    if (job.status === "running") counts.running += 1;
    if (job.status === "pending") counts.pending += 1;
    if (job.status === "stalled") counts.stalled += 1;
    if (failed) counts.failed += 1;
    if (motionless) counts.motionless += 1;
    if (job.status === "stalled" || failed || motionless) groups.attention.push(job);
    else if (job.status === "running" || job.status === "pending") groups.running.push(job);
    else groups.recent.push(job);
  }
  groups.attention.sort((a, b) => rank(a) - rank(b) || endedAt(b) - endedAt(a) || byAge(a, b));
  groups.running.sort((a, b) => isPending(a) - isPending(b) || byAge(a, b));
  groups.recent.sort((a, b) => endedAt(b) - endedAt(a) || byAge(a, b));
  return { ...groups, counts };
}

const rank = (job) => RANK[job.status] ?? 1;
const isPending = (job) => Number(job.status === "pending");
const endedAt = (job) => moment(job.completed_at) ?? 0;

function byAge(a, b) {
  return (moment(a.created_at) ?? 0) - (moment(b.created_at) ?? 0) || (a.id < b.id ? -1 : 1);
}

/** `2 running, 1 stalled, 0 failed; last telemetry 2 s ago`. */
export function firstLine({ counts, lastHeard }, now) {
  const parts = [`${counts.running} running`];
  if (counts.pending) parts.push(`${counts.pending} pending`);
  parts.push(`${counts.stalled} stalled`, `${counts.failed} failed`);
  if (counts.motionless) parts.push(`${counts.motionless} not moving`);
  const heard = lastHeard === null ? "no telemetry yet" : `last telemetry ${age(lastHeard, now)}`;
  return `${parts.join(", ")}; ${heard}`;
}

/** The window's title: what is wrong comes first, so that a narrow tab still shows it. */
export function title({ counts }, isLost) {
  const parts = [];
  if (isLost) parts.push("feed lost");
  if (counts.failed) parts.push(`${counts.failed} failed`);
  if (counts.stalled) parts.push(`${counts.stalled} stalled`);
  if (parts.length === 0) parts.push(`${counts.running} running`);
  return `${parts.join(", ")} · Sendense`;
}
