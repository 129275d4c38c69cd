// noTime stands for the time of an event that has none, or none that can be read,
// and is before all others.
export const noTime = -(1n << 63n);
export const forever = (1n << 63n) - 1n;

const form = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:Z|([+-])(\d\d):(\d\d))$/;

// time reads the time of an event, an xsd:dateTimeStamp such as
// 2026-11-21T12:30:00.5+02:00, in microseconds since 1970, rounded down.
export function time(s: string): bigint {
	const found = form.exec(s);
	if (!found) return noTime;
	const [year, month, day, hour, minute, second] = found.slice(1, 7).map(Number) as [number, number, number, number, number, number];
	const minutes = Number(found[10] ?? 0);
	const offset = Number(found[9] ?? 0) * 60 + minutes;
	const date = new Date(0);
	date.setUTCFullYear(year, month - 1, day);
	const exists = date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
	if (year < 1 || !exists || hour > 23 || minute > 59 || second > 59 || minutes > 59 || offset > 14 * 60) return noTime;
	const seconds = date.getTime() / 1000 + hour * 3600 + minute * 60 + second - (found[8] === "-" ? -offset : offset) * 60;
	return BigInt(seconds) * 1_000_000n + BigInt((found[7] ?? "").slice(0, 6).padEnd(6, "0"));
}
