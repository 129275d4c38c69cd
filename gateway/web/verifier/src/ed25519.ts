// Two rules for Ed25519 signatures, on the points of @noble/ed25519: that of
// ZIP-215, for entries, and that of Go's crypto/ed25519, for checkpoints. They
// differ on points that no honest signer makes, where all implementations must
// still agree.
import { hashes, Point, verify } from "@noble/ed25519";
import { sha512 } from "@noble/hashes/sha2.js";
import { type Bytes, concat, equal, hex } from "./bytes.ts";

hashes.sha512 = sha512;

export interface Question {
	public: Bytes; // 32 bytes
	text: Bytes;
	signature: Bytes; // 64 bytes
}

const order = Point.CURVE().n;

const littleEndian = (b: Bytes): bigint => BigInt("0x" + hex(Uint8Array.from(b).reverse()));

// point reads any encoding of a point, as both rules do.
function point(b: Bytes): Point | undefined {
	try {
		return Point.fromBytes(b, true);
	} catch {
		return undefined;
	}
}

const challenge = (q: Question): bigint => littleEndian(sha512(concat(q.signature.subarray(0, 32), q.public, q.text))) % order;

// scalar reads the second half of a signature; undefined if it is not below the
// group's order.
function scalar(q: Question): bigint | undefined {
	const s = littleEndian(q.signature.subarray(32));
	return s < order ? s : undefined;
}

// registrable tells whether a public key is canonical and not of small order.
export function registrable(key: Bytes): boolean {
	try {
		return !Point.fromBytes(key, false).isSmallOrder();
	} catch {
		return false;
	}
}

// holdsForCheckpoint tells whether a signature holds by RFC 8032 without the
// cofactor: the encoding of S·B - k·A is R, byte for byte.
export function holdsForCheckpoint(q: Question): boolean {
	if (q.signature.length !== 64) return false;
	const s = scalar(q);
	const key = point(q.public);
	if (s === undefined || !key) return false;
	return equal(sum([Point.BASE, key.negate()], [s, challenge(q)]).toBytes(), q.signature.subarray(0, 32));
}

// holds tells whether a signature holds by ZIP-215.
export const holds = (q: Question): boolean => q.signature.length === 64 && verify(q.signature, q.text, q.public, { zip215: true });

// holdAll answers many questions by ZIP-215, much faster than one by one while
// all signatures hold. What it says of each is what holds says, but for a chance
// of 2^-128.
export function holdAll(questions: readonly Question[]): boolean[] {
	if (questions.length < 2) return questions.map(holds);
	if (together(questions)) return questions.map(() => true);
	const half = questions.length >> 1;
	return [...holdAll(questions.slice(0, half)), ...holdAll(questions.slice(half))];
}

// together tells whether 8·(Σ zᵢ·Rᵢ + Σ zᵢkᵢ·Aᵢ - Σ zᵢsᵢ·B) is zero, with z of the
// reader's own dice.
function together(questions: readonly Question[]): boolean {
	const points: Point[] = [];
	const scalars: bigint[] = [];
	const keys = new Map<string, { point: Point; scalar: bigint }>();
	let base = 0n;
	for (const q of questions) {
		const s = q.signature.length === 64 ? scalar(q) : undefined;
		const r = s === undefined ? undefined : point(q.signature.subarray(0, 32));
		if (s === undefined || !r) return false;
		const name = hex(q.public);
		let key = keys.get(name);
		if (!key) {
			const p = point(q.public);
			if (!p) return false;
			keys.set(name, (key = { point: p, scalar: 0n }));
		}
		const z = littleEndian(crypto.getRandomValues(new Uint8Array(16)));
		points.push(r);
		scalars.push(z);
		key.scalar = (key.scalar + z * challenge(q)) % order;
		base = (base + z * s) % order;
	}
	for (const key of keys.values()) {
		points.push(key.point);
		scalars.push(key.scalar);
	}
	points.push(Point.BASE.negate());
	scalars.push(base);
	return sum(points, scalars).clearCofactor().is0();
}

// sum gives Σ scalarᵢ·pointᵢ by Pippenger's buckets. Nothing here is secret, so
// nothing takes constant time.
function sum(points: readonly Point[], scalars: readonly bigint[]): Point {
	const n = points.length;
	const width = n < 4 ? 2 : n < 24 ? 3 : n < 160 ? 4 : n < 1000 ? 6 : 8;
	const mask = (1n << BigInt(width)) - 1n;
	let total = Point.ZERO;
	for (let at = Math.ceil(253 / width) * width; at >= 0; at -= width) {
		if (!total.is0()) for (let i = 0; i < width; i++) total = total.double();
		const buckets: (Point | undefined)[] = new Array(1 << width);
		for (let i = 0; i < n; i++) {
			const digit = Number((scalars[i]! >> BigInt(at)) & mask);
			if (digit > 0) buckets[digit] = buckets[digit]?.add(points[i]!) ?? points[i]!;
		}
		let running: Point | undefined;
		let inWindow: Point | undefined;
		for (let digit = buckets.length - 1; digit > 0; digit--) {
			const b = buckets[digit];
			if (b) running = running?.add(b) ?? b;
			if (running) inWindow = inWindow?.add(running) ?? running;
		}
		if (inWindow) total = total.add(inWindow);
	}
	return total;
}
