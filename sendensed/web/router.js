/**
 * Router: an address of the page as what it shows, and back. Pure.
 *
 *     #/                       the jobs          #/calendar      machines by days
 *     #/job/ID                 one job           #/appliances    who sends
 *     #/machines               all machines      #/hub           the hub itself
 *     #/machine/NAME           one machine       each with an optional ?query
 *
 * All of it stands behind the '#', so it works under any path that a proxy puts before the hub. Ids and names may hold
 * anything; each is one percent-encoded segment.
 */

const ALONE = new Set(["machines", "calendar", "appliances", "hub"]);
const NAMED = new Set(["job", "machine"]);
const HOME = { page: "overview", id: null, query: {} };

/** `{page, id, query}` of a `location.hash`; the jobs' page for an address that is none of ours. */
export function parse(hash) {
  const [path, query = ""] = parts(hash.replace(/^#?\/?/, ""));
  const [page, id, ...more] = path.split("/");
  if (more.length > 0) return HOME;
  if (page === "" && id === undefined) return { ...HOME, query: readQuery(query) };
  if (ALONE.has(page) && id === undefined) return { page, id: null, query: readQuery(query) };
  const name = NAMED.has(page) && id ? decoded(id) : null;
  return name === null ? HOME : { page, id: name, query: readQuery(query) };
}

/** The address of a route, for links; parts of its query that are empty are left out. */
export function address({ page, id = null, query = {} }) {
  const place = page === "overview" ? "" : page + (id === null ? "" : `/${encodeURIComponent(id)}`);
  const told = Object.entries(query).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const text = new URLSearchParams(told).toString();
  return `#/${place}${text && `?${text}`}`;
}

export const jobLink = (id) => address({ page: "job", id });
export const machineLink = (name) => address({ page: "machine", id: name });

/** What stands before and behind the first '?'. */
function parts(text) {
  const mark = text.indexOf("?");
  return mark < 0 ? [text] : [text.slice(0, mark), text.slice(mark + 1)];
}

const readQuery = (text) => Object.fromEntries(new URLSearchParams(text));

function decoded(segment) {
  try {
    return decodeURIComponent(segment);
  } catch {
    return null;
  }
}
