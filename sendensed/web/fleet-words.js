/**
 * Fleet words: what is said of machines, appliances and the hub in words. Pure; no DOM.
 */

import { age, bytes, count, duration, moment, NONE } from "./format.js";

/** Seconds that an appliance with active jobs may be silent: twelve beats of a sender. */
const SILENT = 60;
/** Seconds of clock skew that are worth a word: what the appliance writes in its own log no longer fits the hub's. */
const SKEWED = 5;
/** Seconds that the oldest word may have waited at the sender. */
const WAITED = 60;

/** `in step`, `12 s ahead`, `3 min 10 s behind`; a dash where it never told its time. */
export function skewText(seconds) {
  if (seconds === null) return NONE;
  // Senders tell whole seconds, and take a while to: below two nothing can be said.
  if (Math.abs(seconds) < 2) return "in step";
  return `${duration(Math.abs(seconds))} ${seconds > 0 ? "ahead" : "behind"}`;
}

/** What is worrying about an appliance, a sentence each, the worst first. `newest` is the newest version of all. */
export function worries(appliance, newest, now) {
  const found = [];
  const silent = (now - moment(appliance.last_heard_at)) / 1000;
  if (appliance.active > 0 && silent > SILENT) {
    const jobs = count(appliance.active, "active job");
    found.push(`It has ${jobs} and has said nothing for ${duration(silent)}: is clientd running there, and the tunnel up?`);
  }
  if (appliance.spool_age_seconds > WAITED) {
    const jobs = count(appliance.spool_depth, "job");
    found.push(`Words of ${jobs} waited there for up to ${duration(appliance.spool_age_seconds)}: its way to the hub is cut or slow.`);
  }
  if (Math.abs(appliance.clock_skew_seconds ?? 0) >= SKEWED) {
    found.push(`Its clock is ${skewText(appliance.clock_skew_seconds)}: set it by NTP (timedatectl shows whether it is).`);
  }
  if (isOlder(appliance.version, newest)) found.push(`It runs ${appliance.version}; others run ${newest}.`);
  return found;
}

/** The newest of versions such as `0.10.2`; '' of none. What is no version counts as none. */
export function newestVersion(versions) {
  return versions.filter((one) => /^\d/.test(one)).reduce((newest, one) => (isOlder(newest, one) || newest === "" ? one : newest), "");
}

function isOlder(one, other) {
  if (!/^\d/.test(one) || !/^\d/.test(other)) return false;
  return one.localeCompare(other, "en", { numeric: true }) < 0;
}

/** `97.8 % of 45`, of the runs that ended; a dash where none has. */
export function successText(machine) {
  const ended = machine.completed + machine.failed + machine.cancelled;
  if (machine.success_percent === null) return NONE;
  return `${machine.success_percent} % of ${ended}`;
}

/** What is worrying about a machine; '' for nothing. */
export function machineWorry(machine, now) {
  if (machine.last_success_at === null && machine.failed > 0) return "never completed";
  if (machine.last_success_at === null) return "";
  const since = moment(machine.last_success_at);
  return moment(machine.last_run_at) > since && machine.active === 0 ? `last good ${age(since, now)}` : "";
}

/** The figures of a hub as rows: `{name, value, meaning, worry}`. `worry` is '' where all is well. */
export function figureRows(figures) {
  const delay = figures.telemetry_delay_p95_ms;
  const fill = figures.queue_limit > 0 ? (100 * figures.queue_depth) / figures.queue_limit : 0;
  return [
    {
      key: "telemetry_delay_p95_ms",
      name: "Telemetry delay, p95",
      value: milliseconds(delay),
      meaning: "from the arrival of an update to its commit; 95 of 100 were faster",
      worry: delay > 2_000 ? "Senders give up at 10 s: the database or this machine is too slow." : "",
    },
    {
      key: "queue_depth",
      name: "Queue",
      value: `${figures.queue_depth} of ${figures.queue_limit}`,
      share: fill,
      meaning: "updates that wait to be written; progress is conflated before anything is refused",
      worry: fill > 80 ? "Nearly full: newer numbers of a job replace older ones, and soon senders are told to come back." : "",
    },
    {
      key: "batch_size",
      name: "Batch",
      value: figures.batch_size === null ? NONE : count(Math.round(figures.batch_size * 10) / 10, "update"),
      meaning: "written by one transaction, on average",
      worry: "",
    },
    {
      key: "batch_ms",
      name: "Commit of a batch",
      value: milliseconds(figures.batch_ms),
      meaning: "merge, statement and commit together",
      worry: figures.batch_ms > 1_000 ? "The database is slow: look at its disk and at what else it does." : "",
    },
    {
      key: "database_ms",
      name: "Database answers in",
      value: milliseconds(figures.database_ms),
      meaning: "one round trip of the hub's own beat",
      worry: figures.database_ms > 500 ? "The way to the database is slow." : "",
    },
    { key: "viewers", name: "Viewers", value: String(figures.viewers), meaning: "browsers and commands on the live feed, this page among them", worry: "" },
    {
      key: "viewer_skips",
      name: "States skipped",
      value: String(figures.viewer_skips),
      meaning: "for viewers too slow to take each one; the last state is never skipped",
      worry: "",
    },
  ];
}

function milliseconds(value) {
  if (value === null) return NONE;
  if (value >= 1_000) return `${(value / 1_000).toFixed(1)} s`;
  return `${value >= 10 ? Math.round(value) : Math.round(value * 10) / 10} ms`;
}

/** `312.4 MiB/s on average`, of a run; '' where it cannot be told. */
export function averageSpeed(job) {
  const [begun, ended] = [moment(job.started_at), moment(job.completed_at)];
  if (begun === null || ended === null || ended - begun < 1_000) return NONE;
  return `${bytes(job.bytes_transferred / ((ended - begun) / 1000))}/s`;
}
