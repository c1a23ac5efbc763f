/**
 * Days: calendar days of the viewer's zone, as `2026-11-24`. Pure.
 */

/** The viewer's zone, by its name. */
export const zone = () => Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

/** A day of the address or of the hub; null for what is none. */
export function day(text) {
  if (!/^\d{4}-\d\d-\d\d$/.test(text ?? "")) return null;
  const at = Date.parse(`${text}T00:00:00Z`);
  return Number.isNaN(at) || new Date(at).toISOString().slice(0, 10) !== text ? null : text;
}

/** The day so many days later. */
export function plus(text, days) {
  return new Date(Date.parse(`${text}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10);
}

/** How many days later `other` is. */
export const between = (text, other) => Math.round((Date.parse(`${other}T00:00:00Z`) - Date.parse(`${text}T00:00:00Z`)) / 86_400_000);

/** All days from the first to the last. */
export const span = (first, last) => Array.from({ length: between(first, last) + 1 }, (_, index) => plus(first, index));

/** Where a day begins in the viewer's own zone, RFC 3339 in UTC. */
export function begin(text) {
  const [year, month, date] = text.split("-").map(Number);
  return new Date(year, month - 1, date).toISOString();
}

const SHORT = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", timeZone: "UTC" });

/** `Tue, 24 Nov`. */
export const dayText = (text) => SHORT.format(Date.parse(`${text}T00:00:00Z`));

/** 0 for Sunday to 6 for Saturday. */
export const weekday = (text) => new Date(Date.parse(`${text}T00:00:00Z`)).getUTCDay();
