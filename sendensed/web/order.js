/**
 * Order: rows by a key, and what a click on a column's heading makes of the order in the address. Pure.
 */

/** The rows by `key(row)`, those without one (null or '') last whichever way; rows of equal keys stay as they are. */
export function ordered(rows, key, isDescending) {
  const sign = isDescending ? -1 : 1;
  const keyed = rows.map((row, index) => ({ row, index, key: key(row) }));
  keyed.sort((a, b) => compare(a.key, b.key, sign) || a.index - b.index);
  return keyed.map(({ row }) => row);
}

function compare(a, b, sign) {
  if (a === b) return 0;
  if (a === null || a === "") return 1;
  if (b === null || b === "") return -1;
  return a < b ? -sign : sign;
}

/** The query after a click on a column: ascending, descending, and the page's own order again. */
export function turned(query, column) {
  if (query.sort !== column) return { ...query, sort: column, order: "asc" };
  if (query.order !== "desc") return { ...query, order: "desc" };
  return { ...query, sort: "", order: "" };
}
