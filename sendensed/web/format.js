/**
 * Format: numbers and times as people read them. Pure; no DOM, no clock.
 *
 * Nothing is rounded up: a page that says 10.0 GiB or 62.3 % promises that at least as much is done. Times are
 * in the viewer's zone, and UTC where they are stamped; `null` and what is not a number is shown as a dash, never as zero.
 */

export const NONE = "–";

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAY = 86_400_000;

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
const two = (value) => String(value).padStart(2, "0");

/** `12.4 GiB`: binary units, one decimal, rounded down. */
export function bytes(count) {
  if (!isNumber(count) || count < 0) return NONE;
  let unit = 0;
  let value = count;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return unit === 0 ? `${Math.floor(value)} B` : `${tenths(value)} ${UNITS[unit]}`;
}

/** `274.2 MiB/s`, of bytes per second. */
export function speed(rate) {
  const text = bytes(rate);
  return text === NONE ? NONE : `${text}/s`;
}

/** `62.3 %`, rounded down to a tenth: 100 % is said of nothing that lacks a byte. */
export function percent(value) {
  if (!isNumber(value)) return NONE;
  return value >= 100 ? "100 %" : `${tenths(Math.max(value, 0))} %`;
}

/** `62 %`, for narrow places. */
export function wholePercent(value) {
  return isNumber(value) ? `${Math.floor(Math.min(Math.max(value, 0), 100))} %` : NONE;
}

function tenths(value) {
  // A product such as 32.3 * 10 falls short of its integer by a rounding error, which must not cost a tenth.
  return (Math.floor(value * 10 + 1e-9) / 10).toFixed(1);
}

/** `45 s`, `4 min 05 s`, `3 h 07 min`, `2 d 4 h`, of seconds. */
export function duration(seconds) {
  if (!isNumber(seconds)) return NONE;
  const whole = Math.max(Math.floor(seconds), 0);
  const [days, hours] = [Math.floor(whole / 86_400), Math.floor(whole / 3600) % 24];
  const minutes = Math.floor(whole / 60) % 60;
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${two(minutes)} min`;
  return minutes ? `${minutes} min ${two(whole % 60)} s` : `${whole} s`;
}

/** How long ago, as `12 s ago`; a moment slightly ahead of the clock is `0 s ago`. Milliseconds. */
export function age(moment, now) {
  return isNumber(moment) && isNumber(now) ? `${duration((now - moment) / 1000)} ago` : NONE;
}

/** RFC 3339 as milliseconds since 1970; null for null and what is no time. */
export function moment(text) {
  const parsed = typeof text === "string" ? Date.parse(text) : NaN;
  return Number.isNaN(parsed) ? null : parsed;
}

/** `02:14:07` in the viewer's zone, of milliseconds. */
export function clock(at) {
  if (!isNumber(at)) return NONE;
  const date = new Date(at);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** `02:14:07` within the last day of `now`, `21 Nov 02:14` before that, with the year where it is another. */
export function when(at, now) {
  if (!isNumber(at)) return NONE;
  if (Math.abs(now - at) < DAY) return clock(at);
  const date = new Date(at);
  const year = date.getFullYear() === new Date(now).getFullYear() ? "" : ` ${date.getFullYear()}`;
  return `${date.getDate()} ${MONTHS[date.getMonth()]}${year} ${clock(at).slice(0, 5)}`;
}

/** `05:40`, to the minute, with the day before it where that is not the day of `now`. */
export function daytime(at, now) {
  if (!isNumber(at)) return NONE;
  const [date, today] = [new Date(at), new Date(now)];
  const time = clock(at).slice(0, 5);
  return date.toDateString() === today.toDateString() ? time : `${date.getDate()} ${MONTHS[date.getMonth()]} ${time}`;
}

/** `2026-11-23 02:14:07 UTC`, for what a pointer rests on and for what is compared with the hub's own sentences. */
export function stamp(at) {
  return isNumber(at) ? `${new Date(at).toISOString().slice(0, 19).replace("T", " ")} UTC` : "";
}

/** `2026-11-23 02:14:07 to 02:40:00 UTC`, with the second date where it is another. */
export function stampRange(from, to) {
  const [first, last] = [stamp(from), stamp(to)];
  const day = first.slice(0, 11);
  return `${first.replace(" UTC", "")} to ${last.startsWith(day) ? last.slice(day.length) : last}`;
}

/** `1,234 things`, with the word's plural where there is not exactly one. */
export function count(number, one, many = `${one}s`) {
  return `${String(number).replace(/\B(?=(\d{3})+$)/g, ",")} ${number === 1 ? one : many}`;
}
