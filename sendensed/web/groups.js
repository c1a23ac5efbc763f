/**
 * Groups: which jobs stand in which table, in what order, and the first line's numbers. Pure.
 *
 * Each job stands in one table. Order never depends on numbers that change with every update, so rows stay
 * where they are while an operator reads them.
 */

import { age, daytime, moment } from "./format.js";
import { finish } from "./words.js";

/** Milliseconds for which a failure stays among what needs attention. */
export const FAILED_SHOWN = 86_400_000;
const MINUTE = 60_000;

const RANK = { stalled: 0, failed: 2 };

/**
 * Of the jobs (an iterable) at the hub's time `now`: `attention`, `running` and `recent`, each in order; `counts` by what is
 * said of them; `lastHeard`; and `finish`, between when and when the last job with an estimate ends (null where none has one),
 * with the number of active jobs that have none.
 */
export function group(jobs, now) {
  const found = { attention: [], running: [], recent: [] };
  const counts = { running: 0, pending: 0, stalled: 0, failed: 0, motionless: 0 };
  let lastHeard = null;
  const ends = { low: null, high: null, without: 0 };
  for (const job of jobs) {
    const heard = moment(job.last_telemetry_at);
    if (heard > lastHeard) lastHeard = heard;
    const ended = moment(job.completed_at) ?? 0;
    const entry = { job, created: moment(job.created_at) ?? 0, ended };
    if (job.status in counts && job.status !== "failed") {
      counts[job.status] += 1;
      estimate(ends, job);
    }
    if (job.not_moving) counts.motionless += 1;
    const failed = job.status === "failed" && now - ended < FAILED_SHOWN;
    if (failed) counts.failed += 1;
    if (job.status === "stalled" || failed || job.not_moving) found.attention.push(entry);
    else if (job.status === "running" || job.status === "pending") found.running.push(entry);
    else found.recent.push(entry);
  }
  found.attention.sort((a, b) => rank(a) - rank(b) || b.ended - a.ended || byAge(a, b));
  found.running.sort((a, b) => isPending(a) - isPending(b) || byAge(a, b));
  found.recent.sort((a, b) => b.ended - a.ended || byAge(a, b));
  const groups = Object.fromEntries(Object.entries(found).map(([name, list]) => [name, list.map(({ job }) => job)]));
  return { ...groups, counts, lastHeard, finish: ends };
}

const rank = ({ job }) => RANK[job.status] ?? 1;
const isPending = ({ job }) => Number(job.status === "pending");
const byAge = (a, b) => a.created - b.created || (a.job.id < b.job.id ? -1 : 1);

/** The last of the jobs ends it all, so both ends of the range are the latest of theirs. */
function estimate(ends, job) {
  const { low, high } = finish(job);
  if (low === null) ends.without += 1;
  else {
    ends.low = Math.max(ends.low, low);
    ends.high = Math.max(ends.high, high);
  }
}

/** `7 running, 1 stalled, 0 failed; finish 05:40 to 06:10; last telemetry 2 s ago`, as a sentence (see sentence.js). */
export function firstLine({ counts, lastHeard, finish: ends }, now) {
  const parts = [`${counts.running} running`];
  if (counts.pending) parts.push(`${counts.pending} pending`);
  parts.push(`${counts.stalled} stalled`, `${counts.failed} failed`);
  if (counts.motionless) parts.push(`${counts.motionless} not moving`);
  const heard = lastHeard === null ? ["no telemetry yet"] : ["last telemetry ", { at: lastHeard, text: age(lastHeard, now) }];
  return [parts.join(", "), ...finishTold(ends, now), "; ", ...heard];
}

function finishTold({ low, high, without }, now) {
  if (low === null) return without ? ["; finish not known yet"] : [];
  const [from, to] = [low, Math.ceil(high / MINUTE) * MINUTE].map((at) => ({ at, text: daytime(at, now) }));
  const day = from.text.slice(0, from.text.lastIndexOf(" ") + 1); // told once where both are on it
  const end = { at: to.at, text: to.text.startsWith(day) ? to.text.slice(day.length) : to.text };
  const rest = without ? ` (${without} unknown)` : "";
  return ["; finish ", from, ...(from.text === to.text ? [] : [" to ", end]), rest];
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
