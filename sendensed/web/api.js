/**
 * Api: the hub's answers over HTTP, read beside the feed. Addresses are relative to the page.
 */

/** The address of a job's JSON; any id is one path segment. */
export const jobAddress = (id) => `api/v1/jobs/${encodeURIComponent(id)}`;

/** How long an answer may take, in milliseconds. */
const DEADLINE = 10_000;

/**
 * `{status, body}`: the HTTP status (0 where there was no answer in time) and the JSON (null where it
 * is none). Never throws.
 */
export async function read(address) {
  try {
    const answer = await fetch(address, { cache: "no-store", signal: AbortSignal.timeout(DEADLINE) });
    const isJson = (answer.headers.get("content-type") ?? "").includes("json");
    return { status: answer.status, body: isJson ? await answer.json() : null };
  } catch {
    return { status: 0, body: null };
  }
}

/** Asks the hub to do something; `{status, body}` as `read` gives them. The browser says itself where it comes from. */
export async function post(address) {
  try {
    const answer = await fetch(address, { method: "POST", signal: AbortSignal.timeout(DEADLINE) });
    const isJson = (answer.headers.get("content-type") ?? "").includes("json");
    return { status: answer.status, body: isJson ? await answer.json() : null };
  } catch {
    return { status: 0, body: null };
  }
}
