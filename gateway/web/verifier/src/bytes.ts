import { sha256 as hash } from "@noble/hashes/sha2.js";

export type Bytes = Uint8Array;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export const sha256 = (...parts: Bytes[]): Bytes => hash(parts.length === 1 ? parts[0]! : concat(...parts));
export const encode = (s: string): Bytes => encoder.encode(s);

// decode reads UTF-8; it throws when there is anything else. A byte order mark is kept.
export const decode = (b: Bytes): string => decoder.decode(b);

// byteLength is the length of a text in UTF-8.
export const byteLength = (s: string): number => encode(s).length;

export function concat(...parts: Bytes[]): Bytes {
	const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
	let at = 0;
	for (const p of parts) {
		out.set(p, at);
		at += p.length;
	}
	return out;
}

export const equal = (a: Bytes, b: Bytes): boolean => a.length === b.length && a.every((x, i) => x === b[i]);

export const hex = (b: Bytes): string => Array.from(b, (x) => x.toString(16).padStart(2, "0")).join("");

export const unhex = (s: string): Bytes => Uint8Array.from(s.match(/../g) ?? [], (x) => parseInt(x, 16));

// u64 gives a number as eight bytes, big-endian.
export function u64(n: bigint): Bytes {
	const b = new Uint8Array(8);
	new DataView(b.buffer).setBigUint64(0, n);
	return b;
}

export const maxU64 = (1n << 64n) - 1n;

// parseU64 reads a decimal number below 2^64 without leading zeros; undefined if
// s is anything else.
export function parseU64(s: string): bigint | undefined {
	if (!/^(0|[1-9][0-9]{0,19})$/.test(s)) return undefined;
	const n = BigInt(s);
	return n <= maxU64 ? n : undefined;
}

// base64 writes the standard alphabet, padded.
export function base64(b: Bytes): string {
	let s = "";
	for (let i = 0; i < b.length; i += 0x1000) s += String.fromCharCode(...b.subarray(i, i + 0x1000));
	return btoa(s);
}

// unbase64 reads what base64 gives and nothing else; undefined if s is anything else.
export function unbase64(s: string): Bytes | undefined {
	let raw: string;
	try {
		raw = atob(s);
	} catch {
		return undefined;
	}
	// atob passes over spaces, missing padding and the bits behind the last byte.
	const last = raw.length % 3 || Math.min(3, raw.length);
	if (s.length !== 4 * Math.ceil(raw.length / 3) || (last > 0 && !s.endsWith(btoa(raw.slice(-last))))) return undefined;
	const b = new Uint8Array(raw.length);
	for (let i = 0; i < b.length; i++) b[i] = raw.charCodeAt(i);
	return b;
}

// cut splits s at the first sep; undefined when there is none.
export function cut(s: string, sep: string): [string, string] | undefined {
	const i = s.indexOf(sep);
	return i < 0 ? undefined : [s.slice(0, i), s.slice(i + sep.length)];
}

// compareBytes orders texts as their UTF-8 is ordered: by code points.
export function compareBytes(a: string, b: string): number {
	for (let i = 0; i < a.length && i < b.length; i++) {
		if (a[i] !== b[i]) return rank(a.charCodeAt(i)) - rank(b.charCodeAt(i));
	}
	return a.length - b.length;
}

// rank puts the halves of surrogate pairs behind all other code units.
const rank = (unit: number): number => (unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800);
