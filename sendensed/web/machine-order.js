/**
 * Machine order: the list of machines by any of its columns. The hub gives machines by name alone, for how their runs went is
 * worked out as they are read; so to order them the page reads all of them, up to a limit that it names. Pure but for `readAll`.
 */

import { read } from "./api.js";
import { moment } from "./format.js";
import { ordered } from "./order.js";

/** Machines read at once: the hub's most. */
const PAGE = 200;
/** Machines that are ordered; of more, those whose names come first. */
export const MOST = 2_000;

/** By column what machines are ordered by; `job` is the one that runs. */
const KEYS = {
  machine: (machine) => machine.name.toLowerCase(),
  now: (_, job) => job?.progress_percent ?? null,
  good: (machine) => moment(machine.last_success_at),
  last: (machine) => moment(machine.last_run_at),
  success: (machine) => machine.success_percent,
  size: (machine) => machine.last_bytes,
  mean: (machine) => machine.mean_bytes,
  took: (machine) => machine.mean_seconds,
  within: (machine) => machine.within_percent,
};

/** Whether `name` is a column that orders. */
export const isOrder = (name) => Object.hasOwn(KEYS, name ?? "");

/** The machines as the query asks for them; `active` are their running jobs, by name. */
export function arranged(query, machines, active) {
  if (!isOrder(query.sort)) return machines;
  const key = KEYS[query.sort];
  return ordered(machines, (machine) => key(machine, active.get(machine.name)), query.order === "desc");
}

/** All pages of an address of machines as one answer; its `next` is null unless there are more than `MOST`. */
export async function readAll(address) {
  const machines = [];
  let cursor = "";
  do {
    const { status, body } = await read(`${address}&limit=${PAGE}&cursor=${encodeURIComponent(cursor)}`);
    if (status !== 200) return { status, body };
    machines.push(...body.machines);
    cursor = body.next;
  } while (cursor && machines.length < MOST);
  return { status: 200, body: { machines, next: cursor } };
}
