/** Pages of what was answered as a whole. */

/** How many rows a page has. */
const ROWS = 50;

/** The page that begins where the cursor says, as a list wants it. */
export function pageOf<Row>(rows: Row[], cursor: string | undefined) {
  const begin = Math.max(0, Math.trunc(Number(cursor ?? 0)) || 0);
  const end = begin + ROWS;
  return { data: rows.slice(begin, end), has_more: end < rows.length, next_cursor: String(end) };
}
