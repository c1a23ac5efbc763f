/**
 * Timeline: what stands on a job's time axis: speeds, gaps with their cause, phases. Pure; milliseconds.
 *
 * What the hub kept comes first (`/samples`), and is carried on by what the live feed has told since. Nothing is drawn
 * over a time of which nobody knows anything.
 */

import { moment } from "./format.js";
import { isActive } from "./jobs.js";

/** Milliseconds between two points that are no gap yet: what the hub takes for one too. */
const LONGEST = 30_000;

/** The causes of gaps, short enough for the chart, and as the end of a sentence. */
const CAUSES = {
  silent: ["no telemetry", "the sender said nothing"],
  stalled: ["stalled", "the sender said nothing, and the job was called stalled"],
  hub_away: ["hub away", "no hub was there to hear"],
  between_attempts: ["between attempts", "one attempt had ended and the next had not begun"],
  unseen: ["no live feed", "this page had no live feed"],
};

export const causeWord = (cause) => CAUSES[cause]?.[0] ?? cause;
export const causeSentence = (cause) => CAUSES[cause]?.[1] ?? cause;

/**
 * `{points, gaps, phases}` of a job: `points` are `{at, speed}` in order; `gaps` `{from, to, cause}`; `phases` `{from, to, name,
 * attempt}`. `kept` is the hub's answer of samples or null, `events` the job's history, `trace` what the feed told (see traces.js), `live` whether it still
 * does.
 */
export function timeline({ job, kept, events = [], trace, now, live }) {
  const known = (kept?.samples ?? []).map((one) => ({ ...one, at: moment(one.at), speed: one.transfer_speed_bps }));
  const end = known.at(-1)?.at ?? -Infinity;
  const told = trace.filter((point) => point.at > end);
  const points = [...known, ...told.filter((point) => point.speed !== null)];
  const first = told.find((point) => point.speed !== null)?.at ?? null;
  const gaps = [...keptGaps(kept, end, first), ...toldGaps(told)];
  if (known.length > 0 && first !== null && first - end > LONGEST && !gaps.some(({ to }) => to === first)) {
    gaps.push({ from: end, to: first, cause: "silent" });
  }
  const last = points.at(-1)?.at ?? null;
  if (last !== null && isActive(job)) {
    const open = gaps.findIndex(({ to }) => to > last);
    const [gap] = open < 0 ? [] : gaps.splice(open, 1);
    const isStalled = job.status === "stalled";
    const cause = gap?.cause ?? (isStalled ? "stalled" : live ? "silent" : "unseen");
    if (gap || isStalled || now - last > LONGEST) gaps.push({ from: last, to: Math.max(now, last), cause });
  }
  gaps.sort((a, b) => a.from - b.from);
  return { points, gaps, phases: phases({ events, known, told, job, now }) };
}

/** The hub's gaps; one that was open when it was told ends with the first thing heard since. */
function keptGaps(kept, end, first) {
  return (kept?.gaps ?? []).map(({ start, end: until, cause }) => {
    const [from, to] = [moment(start), moment(until)];
    return { from, to: from >= end && first !== null ? first : to, cause };
  });
}

function toldGaps(told) {
  return told.flatMap((point, index) => {
    const next = told[index + 1];
    if (point.speed !== null || next === undefined || next.at - point.at < LONGEST) return [];
    return [{ from: point.at, to: next.at, cause: point.cause === "no live feed" ? "unseen" : "silent" }];
  });
}

/**
 * The stretches of one phase of one attempt, as the history tells them; before its first row, as the samples do, and where
 * there is neither, of the present phase since it was told.
 */
function phases({ events, known, told, job, now }) {
  const rows = events
    .filter(({ kind }) => kind === "state" || kind === "phase")
    .map((event) => ({ ...event, at: moment(event.at) }))
    .sort((a, b) => a.at - b.at);
  const earlier = known.filter(({ at }) => rows.length === 0 || at < rows[0].at);
  const since = told.find((point) => point.speed !== null)?.at;
  const present = since === undefined ? [] : [{ ...job, at: since }];
  const found = [];
  for (const { at, attempt, current_phase: name } of [...earlier, ...rows, ...(rows.length ? [] : present)]) {
    const last = found.at(-1);
    if (last?.name === name && last?.attempt === attempt) continue;
    if (last !== undefined) last.to = at;
    found.push({ from: at, to: at, name, attempt });
  }
  const last = found.at(-1);
  if (last !== undefined) last.to = isActive(job) ? Math.max(now, last.from) : (moment(job.completed_at) ?? last.from);
  return found.filter(({ from, to }) => to > from);
}

/** The columns of a chart: seconds, and bytes per second with null behind each point that a gap follows. */
export function columns({ points, gaps }) {
  const [times, speeds] = [[], []];
  let next = 0;
  for (const { at, speed } of points) {
    for (; next < gaps.length && gaps[next].from < at; next += 1) {
      times.push(Math.min(gaps[next].from + 1, at - 0.5) / 1000);
      speeds.push(null);
    }
    times.push(at / 1000);
    speeds.push(speed);
  }
  return [times, speeds];
}
