/**
 * Jobs: every job the page knows, as the feed's frames tell it. Pure; no socket, no DOM.
 *
 * A job never goes back: of two versions the one with the higher revision stays, in whatever order they come.
 * A job created at another time is another job, though it has the same id: the hub's database was made anew.
 */

import { Traces } from "./traces.js";

/** Finished jobs kept, as many as the hub keeps for viewers: the page may stay open for weeks. */
export const FINISHED_KEPT = 500;
/** Failed ones kept besides: a failure among a thousand good ends is what the page is for. */
export const FAILED_KEPT = 1_000;

const ACTIVE = new Set(["pending", "running", "stalled"]);

export const isActive = (job) => ACTIVE.has(job.status);

export class Jobs {
  /** By id, the one changed last standing last. */
  byId = new Map();
  /** The feed's position, to resume from; null where a snapshot is needed. */
  sequence = null;
  /** Speeds seen, for charts. */
  traces = new Traces();

  /** Takes a `snapshot` frame: what it does not hold is gone. Returns the changes of state against before. */
  snapshot(frame) {
    const before = this.byId;
    this.byId = new Map();
    this.sequence = frame.sequence;
    const news = this.#take(frame.jobs, before);
    this.traces.keep(this.byId);
    return news;
  }

  /** Takes a `changes` frame. Returns the changes of state, `{job, was}`; `was` is null for a new job. */
  changes(frame) {
    this.sequence = frame.sequence;
    return this.#take(frame.jobs, this.byId);
  }

  /** Takes failures that the feed was too short for. */
  recall(jobs) {
    const unknown = jobs.filter((job) => !this.byId.has(job.id));
    this.byId = new Map([...unknown.map((job) => [job.id, job]), ...this.byId]);
    this.#forgetOldest();
  }

  #take(jobs, before) {
    const news = [];
    for (const told of jobs) {
      const known = before.get(told.id);
      const job = known !== undefined && isNewer(known, told) ? known : told;
      this.byId.delete(job.id);
      this.byId.set(job.id, job);
      if (job !== known) this.traces.add(job, known);
      if (known?.status !== job.status) news.push({ job, was: known?.status ?? null });
    }
    this.#forgetOldest();
    return news;
  }

  #forgetOldest() {
    const finished = [...this.byId.values()].filter((job) => !isActive(job));
    const failed = finished.filter((job) => job.status === "failed");
    const others = finished.filter((job) => job.status !== "failed");
    for (const [jobs, kept] of [[failed, FAILED_KEPT], [others, FINISHED_KEPT]]) {
      for (const job of jobs.slice(0, Math.max(jobs.length - kept, 0))) {
        this.byId.delete(job.id);
        this.traces.forget(job.id);
      }
    }
  }
}

/** Whether the version `known` of a job is at least as new as `told`. */
export function isNewer(known, told) {
  return known.created_at === told.created_at && known.revision >= told.revision;
}
