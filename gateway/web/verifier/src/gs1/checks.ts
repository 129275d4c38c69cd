// The linters of GS1's dictionary, by their names there: whether a component's
// value, whose length and characters are right, is one. What package
// provenance/gs1 does in lint.go; what it does not enforce is not in the table.

import { countries } from "./table.ts";
import { unescape } from "./text.ts";

// checkDigit is the check digit that belongs after s, which are digits: weights 3,
// 1 from the right, modulo 10.
export function checkDigit(s: string): string {
	let sum = 0;
	for (let i = s.length - 1, weight = 3; i >= 0; i--, weight = 4 - weight) sum += weight * Number(s[i]);
	return String((10 - (sum % 10)) % 10);
}

// two is the number of two digits.
const two = (v: string, at: number): number => Number(v.slice(at, at + 2));

// date says whether v, YYMMDD, is a date in the given century.
function date(century: number, v: string, dayMayBeZero = false): boolean {
	const year = century * 100 + two(v, 0);
	const month = two(v, 2);
	const day = two(v, 4);
	const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
	const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1];
	return days !== undefined && day <= days && (day > 0 || dayMayBeZero);
}

function country(v: string): boolean {
	for (let i = 0; i < countries.length; i += 3) if (countries.startsWith(v, i)) return true;
	return false;
}

const cset82 = "!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
const cset32 = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
const pairWeights = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83];

// checkPair is the check character pair of GS1 General Specifications, section 7.9.5.
function checkPair(v: string): boolean {
	const n = v.length - 2;
	if (n < 1 || n > pairWeights.length) return false;
	let sum = 0;
	for (let i = 0; i < n; i++) sum += cset82.indexOf(v[i]!) * pairWeights[n - 1 - i]!;
	sum %= 1021;
	return v.slice(n) === cset32[sum >> 5]! + cset32[sum & 31]!;
}

function iban(v: string): boolean {
	if (!/^[A-Z]{2}[0-9]{2}[0-9A-Z]+$/.test(v)) return false;
	let rest = 0;
	for (const c of v.slice(4) + v.slice(0, 4)) rest = Number(rest + String(parseInt(c, 36))) % 97;
	return rest === 1;
}

const oneOf = (choices: string) => (v: string) => choices.includes(v);
const below = (limit: number) => (v: string) => Number(v) < limit;

export const checks: Readonly<Record<string, (v: string) => boolean>> = {
	csum: (v) => checkDigit(v.slice(0, -1)) === v.slice(-1),
	csumalpha: checkPair,
	gcppos1: (v) => /^[0-9]{4}/.test(v),
	gcppos2: (v) => /^.[0-9]{4}/.test(v),
	zero: (v) => !/[^0]/.test(v),
	nonzero: (v) => /[^0]/.test(v),
	nozeroprefix: (v) => !/^0./.test(v),
	yymmdd: (v) => date(20, v),
	yymmd0: (v) => date(20, v, true),
	yyyymmdd: (v) => date(two(v, 0), v.slice(2)),
	hhmi: (v) => two(v, 0) < 24 && two(v, 2) < 60,
	hh: below(24),
	mi: below(60),
	ss: below(60),
	winding: oneOf("019"),
	yesno: oneOf("01"),
	iso5218: oneOf("0129"),
	hyphen: oneOf("-"),
	importeridx: (v) => /^[-\w]/.test(v),
	mediatype: (v) => (v > "00" && v < "11") || v > "79",
	latitude: below(1800000001),
	longitude: below(3600000001),
	posinseqslash: (v) => /^[1-9]\/[0-9]$/.test(v) && v[0]! <= v[2]!,
	pcenc: (v) => unescape(v) !== undefined,
	iban,
	iso3166: country,
	iso3166999: (v) => v === "999" || country(v),
	iso3166alpha2: (v) => /^[A-Z]{2}/.test(v),
};
