/**
 * Filter: which jobs the viewer asked for, and in what order, as it stands in the address. Pure.
 *
 *     q        a part of id or machine, A to Z in capitals or not, as the hub reads it
 *     status   states, with commas     type, appliance, machine     exactly these
 *     range    ended within: 1h, 24h, 7d, 30d      sort, order      a column, `asc` or `desc`
 */

import { moment } from "./format.js";
import { ordered } from "./order.js";
import { finish } from "./words.js";

const HOUR = 3_600_000;
export const RANGES = { "1h": HOUR, "24h": 24 * HOUR, "7d": 168 * HOUR, "30d": 720 * HOUR };
export const STATES = ["running", "pending", "stalled", "failed", "completed", "cancelled"];
/** What narrows the jobs down; the order does not. */
const NARROWING = ["q", "status", "type", "appliance", "machine", "range"];

const took = (job) => moment(job.completed_at) - moment(job.started_at ?? job.created_at);
/** Of each column that orders: its key, for jobs that may still be heard of and for those that are over. */
const KEYS = {
  state: [(job) => STATES.indexOf(job.status)],
  machine: [(job) => (job.vm_name || job.id).toLowerCase()],
  type: [(job) => `${job.job_type} ${job.backup_type}`],
  phase: [(job) => job.current_phase],
  progress: [(job) => job.progress_percent],
  bytes: [(job) => job.bytes_transferred],
  speed: [(job) => job.transfer_speed_bps],
  left: [(job) => finish(job).at, took],
  heard: [(job) => moment(job.last_telemetry_at), (job) => moment(job.completed_at)],
  appliance: [(job) => job.appliance],
};
/** Orders that the hub knows of its finished jobs, by column. */
const HUB_SORTS = { bytes: "bytes", left: "duration", heard: "completed" };

/** Whether the query asks for some of the jobs only. */
export const isNarrow = (query) => NARROWING.some((name) => query[name]);

/** The query without what narrows it. */
export const widened = (query) => Object.fromEntries(Object.entries(query).filter(([name]) => !NARROWING.includes(name)));

/** Whether a job is asked for at the hub's time `now`; the range is about jobs that are over. */
export function wants(query, job, now) {
  const ended = moment(job.completed_at);
  const span = RANGES[query.range];
  return (
    (!query.q || has(job, lowered(query.q))) &&
    (!query.status || query.status.split(",").includes(job.status)) &&
    (!query.type || query.type === job.job_type) &&
    (!query.appliance || query.appliance === job.appliance) &&
    (!query.machine || query.machine === job.vm_name) &&
    (span === undefined || ended === null || now - ended <= span)
  );
}

const has = (job, text) => lowered(job.id).includes(text) || lowered(job.vm_name).includes(text);
const lowered = (text) => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());

/**
 * Whether `name` is a column that orders. Finished jobs are ordered only as the hub can order all of its own: by another column the
 * page's few hundred would look like all there are.
 */
export const isSort = (name, ended = false) => Object.hasOwn(ended ? HUB_SORTS : KEYS, name ?? "");

/** The jobs in the order asked for, those without a key last; as they are where none is asked for. */
export function sorted(query, jobs, ended = false) {
  if (!isSort(query.sort, ended)) return jobs;
  const keys = KEYS[query.sort];
  return ordered(jobs, (ended && keys[1]) || keys[0], query.order === "desc");
}

/** The address of a page of finished jobs at the hub, as the query asks for them; null where it asks for none of these. */
export function finishedAddress(query, cursor) {
  const over = ["completed", "failed", "cancelled"];
  const asked = query.status ? over.filter((state) => query.status.split(",").includes(state)) : over;
  if (asked.length === 0) return null;
  const sort = HUB_SORTS[query.sort] ?? "completed";
  const told = { status: asked.join(","), sort, order: sort === HUB_SORTS[query.sort] ? query.order || "asc" : "desc" };
  for (const name of ["q", "type", "appliance", "machine"]) if (query[name]) told[name] = query[name];
  if (cursor) told.cursor = cursor;
  return `api/v1/jobs?${new URLSearchParams({ ...told, limit: "100" })}`;
}
