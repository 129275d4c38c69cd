// Trees of RFC 6962, section 2.1: inclusion and consistency proofs, and the list of
// positions that stands under a key of the history index.
import { type Bytes, concat, encode, equal, sha256, u64 } from "./bytes.ts";

export const leafHash = (leaf: Bytes): Bytes => sha256(Uint8Array.of(0), leaf);
export const nodeHash = (left: Bytes, right: Bytes): Bytes => sha256(Uint8Array.of(1), left, right);
export const emptyRoot = (): Bytes => sha256(new Uint8Array());

const bitLength = (n: bigint): number => (n === 0n ? 0 : n.toString(2).length);
const ones = (n: bigint): number => n.toString(2).replaceAll("0", "").length;
const bit = (n: bigint, i: number): boolean => ((n >> BigInt(i)) & 1n) === 1n;

// shape tells how many hashes of a proof stand below the point where the paths to
// the leaf and to the last one meet, and how many above it.
function shape(index: bigint, size: bigint): [inner: number, border: number] {
	const inner = bitLength(index ^ (size - 1n));
	return [inner, ones(index >> BigInt(inner))];
}

const chain = (seed: Bytes, proof: readonly Bytes[], index: bigint): Bytes =>
	proof.reduce((hash, sibling, i) => (bit(index, i) ? nodeHash(sibling, hash) : nodeHash(hash, sibling)), seed);

const chainLeft = (seed: Bytes, proof: readonly Bytes[], index: bigint): Bytes =>
	proof.reduce((hash, sibling, i) => (bit(index, i) ? nodeHash(sibling, hash) : hash), seed);

const chainBorder = (seed: Bytes, proof: readonly Bytes[]): Bytes => proof.reduce((hash, sibling) => nodeHash(sibling, hash), seed);

// included tells whether a leaf stands at index in the tree of that size and root.
export function included(index: bigint, size: bigint, leaf: Bytes, proof: readonly Bytes[], root: Bytes): boolean {
	if (index >= size) return false;
	const [inner, border] = shape(index, size);
	return proof.length === inner + border && equal(chainBorder(chain(leaf, proof.slice(0, inner), index), proof.slice(inner)), root);
}

// continues tells whether the tree of size to begins with all leaves of the tree of
// size from.
export function continues(from: bigint, to: bigint, fromRoot: Bytes, toRoot: Bytes, proof: readonly Bytes[]): boolean {
	if (from > to || (from === 0n && !equal(fromRoot, emptyRoot()))) return false;
	if (from === to) return proof.length === 0 && equal(fromRoot, toRoot);
	if (from === 0n) return proof.length === 0;
	if (proof.length === 0) return false;
	const [all, border] = shape(from - 1n, to);
	const low = bitLength(from & -from) - 1; // the lowest bit that is set
	const inner = all - low;
	const complete = from === 1n << BigInt(low);
	const seed = complete ? fromRoot : proof[0]!;
	const path = complete ? proof : proof.slice(1);
	if (path.length !== inner + border) return false;
	const index = (from - 1n) >> BigInt(low);
	const [below, above] = [path.slice(0, inner), path.slice(inner)];
	return equal(chainBorder(chainLeft(seed, below, index), above), fromRoot) && equal(chainBorder(chain(seed, below, index), above), toRoot);
}

// listRoot is the root of the tree over positions, each as eight bytes.
export function listRoot(positions: readonly bigint[]): Bytes {
	const stack: Bytes[] = []; // the complete subtrees, the largest first
	positions.forEach((p, i) => {
		let hash = leafHash(u64(p));
		for (let n = i; n & 1; n >>= 1) hash = nodeHash(stack.pop()!, hash);
		stack.push(hash);
	});
	return stack.length === 0 ? emptyRoot() : stack.reduceRight((right, left) => nodeHash(left, right));
}

// listValue is what the map has under the key of the positions.
export const listValue = (positions: readonly bigint[]): Bytes =>
	sha256(concat(encode("tallyroot/index/v1/list\0"), u64(BigInt(positions.length)), listRoot(positions)));
