/** Times as people read them: ISO dates, "2 min 12 s". */

const two = (value: number): string => String(value).padStart(2, "0");

/** "2026-11-21 04:05" in the reader's own time zone, or a dash. */
export function dateTime(iso: string | null | undefined): string {
  if (!iso) return "–";
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return iso;
  return `${isoDay(time)} ${two(time.getHours())}:${two(time.getMinutes())}`;
}

/** "2026-11-21" in the reader's own time zone, or a dash. */
export function day(iso: string | null | undefined): string {
  if (!iso) return "–";
  const time = new Date(iso);
  return Number.isNaN(time.getTime()) ? iso : isoDay(time);
}

/** "2026-11-21 04:05:09 UTC", the same for everybody who reads it. */
export function utcSecond(iso: string): string {
  return `${new Date(iso).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** The moment at which a day ("2026-11-21", so many days on) begins in UTC, as ISO. */
export function dayBegins(isoDate: string, daysOn = 0): string {
  const time = new Date(`${isoDate}T00:00:00Z`);
  time.setUTCDate(time.getUTCDate() + daysOn);
  return time.toISOString();
}

/** The moment so many days from now, as ISO. */
export function dayFromNow(days: number): string {
  const time = new Date();
  time.setDate(time.getDate() + days);
  return time.toISOString();
}

function isoDay(time: Date): string {
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
}

/** "42 s", "2 min 12 s", "1 h 5 min". */
export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** "~ 14 min left", "less than 1 min left": how long the rest will take. */
export function timeLeft(seconds: number): string {
  const minutes = Math.round(seconds / 60);
  if (minutes < 1) return "less than 1 min left";
  if (minutes < 90) return `~ ${minutes} min left`;
  return `~ ${Math.round(minutes / 60)} h left`;
}
