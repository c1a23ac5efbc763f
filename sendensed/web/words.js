/**
 * Words: what is said of a job in words. Pure; no DOM.
 *
 * The job's state comes from the hub, as does all that is concluded from it; nothing is concluded here.
 */

import { age, bytes, clock, duration, moment, NONE, percent, speed } from "./format.js";

/** Where a phase stands among those of a run of clientd, which verifies or finalizes last. */
const STEPS = { starting: 1, transferring: 2, verifying: 3, finalizing: 3 };

const ACTIVE = new Set(["pending", "running", "stalled"]);

const ETA_WORDS = {
  measuring: "measuring",
  stalled: "stalled",
  unknown_total: "total unknown",
  finalizing: "finalizing",
};
const TOTAL_WORDS = { allocated: "allocated", changed: "changed", virtual: "virtual" };
const VOICES = { sender: "the sender", reaper: "the hub, from silence", operator: "an operator" };

/** The machine's name, or the id where nobody told it. */
export const machine = (job) => job.vm_name || job.id;

/** What `total_bytes` counts; '' where nobody told. */
export const totalKind = (job) => (job.total_bytes > 0 ? (TOTAL_WORDS[job.total_kind] ?? "") : "");

/** `12.4 GiB of 40.0 GiB`, in two parts; the second is '' where all is copied. */
export function amount(subject) {
  const { bytes_transferred: done, total_bytes: total } = subject;
  if (!(total > 0)) return { done: bytes(done), of: "of unknown" };
  return { done: bytes(done), of: done === total ? "" : `of ${bytes(total)}` };
}

/**
 * What is read of the targets again, `1.0 GiB of 40.0 GiB` in two parts; null unless that is going on. Once it is over,
 * the history has the phase, and nobody asks how far it was.
 */
export function verification(job) {
  if (job.current_phase !== "verifying" || !(job.bytes_to_verify > 0) || !ACTIVE.has(job.status)) return null;
  return { done: bytes(job.bytes_verified), of: `of ${bytes(job.bytes_to_verify)}` };
}

/** The speed as measured last; a dash for a job that has not begun, is silent, or copies no more. */
export function pace(job) {
  return job.status === "pending" || job.status === "stalled" || verification(job) ? NONE : speed(job.transfer_speed_bps);
}

/** Seconds until all is copied of a job that is verified then; null where that is not known, or not so. */
export const copyLeft = (job) => (job.eta_reason === "verification" && job.eta_copy_seconds > 0 ? job.eta_copy_seconds : null);

/** The time left of an active job, or the reason why there is none; never zero. Of a copy that is verified then, its own and that. */
export function timeLeft(job) {
  if (job.eta_seconds > 0) return { text: duration(job.eta_seconds), isNumber: true };
  if (job.status === "pending") return { text: "not started", isNumber: false };
  if (job.eta_reason === "verification") {
    const copy = copyLeft(job);
    return { text: copy === null ? "verification" : `${duration(copy)} + verification`, isNumber: false };
  }
  if (verification(job)) return { text: "verifying", isNumber: false };
  const reason = job.eta_reason ?? (job.eta_seconds === 0 ? "finalizing" : "measuring");
  return { text: ETA_WORDS[reason] ?? "measuring", isNumber: false };
}

/** How long the job's attempt took, or has been running; a dash where it never began. */
export function took(job, now) {
  const begun = moment(job.started_at) ?? moment(job.created_at);
  const ended = moment(job.completed_at) ?? now;
  return begun === null ? duration(null) : duration((ended - begun) / 1000);
}

/** `2 of 3`: where the job's phase stands among those that its run goes through; '' for another sender, whose are not known. */
export function phaseStep(job) {
  const step = job.sender.startsWith("clientd/") && Object.hasOwn(STEPS, job.current_phase) ? STEPS[job.current_phase] : 0;
  return step ? `${step} of 3` : "";
}

/**
 * When the job ends, `{at, low, high}` in milliseconds, by the hub's estimate of the moment it last heard of it. All null
 * where it has none; without a range both its ends are `at`.
 */
export function finish(job) {
  const heard = moment(job.last_telemetry_at);
  if (heard === null || !(job.eta_seconds > 0)) return { at: null, low: null, high: null };
  const then = (seconds) => heard + (seconds ?? job.eta_seconds) * 1000;
  return { at: then(null), low: then(job.eta_low_seconds), high: then(job.eta_high_seconds) };
}

/** Whose word the end is, as the end of a sentence; '' where nobody's yet. */
export const closedBy = (job) => VOICES[job.closed_by] ?? "";

/** What stands before the reason of an end that is not the sender's own word. */
export function verdict(job) {
  return job.closed_by && job.closed_by !== "sender" ? `Closed by ${closedBy(job)}: ` : "";
}

export const voice = (said) => VOICES[said] ?? said;

/** Why a job needs attention, as a sentence (see sentence.js); null where it does not. */
export function trouble(job, now) {
  if (job.status === "stalled") {
    const heard = moment(job.last_telemetry_at);
    if (heard === null) return ["Never heard of since it was created."];
    const place = job.progress_percent === null ? "" : ` at ${percent(job.progress_percent)}`;
    return ["No telemetry since ", { at: heard, text: clock(heard) }, ` (${age(heard, now)})${place}, phase ${job.current_phase}.`];
  }
  if (job.not_moving) {
    const still = duration((now - moment(job.last_moved_at)) / 1000);
    return [`Heard, but nothing has moved for ${still}, phase ${job.current_phase}.`];
  }
  return job.error_message ? [job.error_message] : null;
}

/** What a screen reader is told of a progress bar. */
export function progressText(subject, status) {
  const { done, of } = amount(subject);
  const share = subject.progress_percent === null ? "progress unknown" : percent(subject.progress_percent);
  const again = verification(subject);
  const verified = again && `verified ${again.done} ${again.of}`;
  return [share, `${done} ${of}`.trim(), verified, status].filter(Boolean).join(", ");
}

/** The sentences for changes of state, `{job, was}`, short enough to be read aloud. */
export function announcement(news) {
  const told = news.filter(({ job, was }) => was !== null || job.status !== "pending");
  if (told.length <= 3) return told.map(({ job }) => `${machine(job)} is ${job.status}.`).join(" ");
  const counts = new Map();
  for (const { job } of told) counts.set(job.status, (counts.get(job.status) ?? 0) + 1);
  const parts = [...counts].map(([status, number]) => `${number} ${status}`);
  return `${told.length} jobs changed: ${parts.join(", ")}.`;
}
