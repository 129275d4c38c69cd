// Proofs of the history index: which value its map has under a key, or that it has
// none; and the leaves of the index log.
import { byteLength, type Bytes, cut, equal, sha256, unhex } from "./bytes.ts";
import { type Checkpoint, hash, parseBody } from "./checkpoint.ts";
import { emptyRoot } from "./merkle.ts";
import { Refusal, under } from "./refusal.ts";
import { get, isArray, isObject, type Value } from "./value.ts";

// A leaf of the map and its path. If the key is present the leaf is its own, else
// that of another one, or none in an empty map.
export interface MapProof {
	present: boolean;
	leaf: { key: Bytes; value: Bytes } | undefined;
	path: { bit: number; hash: Bytes }[]; // from the leaf to the root
}

const maxPath = 256;

const malformed = (problem: string) => new Refusal("malformed", problem);

export function parseMapProof(v: Value | undefined): MapProof {
	const present = get(v, "present");
	const [key, value, path] = [get(v, "key"), get(v, "value"), get(v, "path")];
	if (!isObject(v) || v.size !== 4 || typeof present !== "boolean" || typeof key !== "string" || typeof value !== "string" || !isArray(path) || path.length > maxPath) {
		throw malformed("a map proof has the members present, key, value and path");
	}
	const steps = path.map((step) => {
		const bit = get(step, "bit");
		const sibling = get(step, "hash");
		const b = typeof sibling === "string" ? hash(sibling) : undefined;
		if (!isObject(step) || step.size !== 2 || typeof bit !== "number" || !Number.isInteger(bit) || bit < 0 || bit > 255 || !b) {
			throw malformed("a step of a map proof has a bit from 0 to 255 and a hash");
		}
		return { bit, hash: b };
	});
	if (key === "" && value === "") return { present, leaf: undefined, path: steps };
	const [k, val] = [hash(key), hash(value)];
	if (!k || !val) throw malformed("the key or value of a map proof is no hash");
	return { present, leaf: { key: k, value: val }, path: steps };
}

const bitOf = (key: Bytes, n: number): number => (key[n >> 3]! >> (7 - (n & 7))) & 1;

// checkMapProof checks that the proof is one for the key in the map of that root.
export function checkMapProof(p: MapProof, root: Bytes, key: Bytes): void {
	if (!p.leaf) {
		if (p.present || p.path.length > 0) throw malformed("the map proof has no leaf, and says more than that the map is empty");
		if (!equal(root, emptyRoot())) throw new Refusal("map-root", "the proof says that the index is empty, and it is not");
		return;
	}
	const at = p.leaf.key;
	if (p.present !== equal(at, key)) {
		throw p.present ? new Refusal("map-key", "the proof is about another key") : new Refusal("map-absence", "the proof that nothing is there is the key's own entry");
	}
	let node = sha256(at, p.leaf.value);
	p.path.forEach((step, i) => {
		if (i > 0 && step.bit >= p.path[i - 1]!.bit) throw new Refusal("map-path", "the bits of the proof's path do not fall");
		if (bitOf(key, step.bit) !== bitOf(at, step.bit)) throw new Refusal("map-absence", "the proof that nothing is there leads past the key's own place");
		const [left, right] = bitOf(at, step.bit) === 0 ? [node, step.hash] : [step.hash, node];
		node = sha256(left, right, Uint8Array.of(step.bit));
	});
	if (!equal(node, root)) throw new Refusal("map-root", "the proof does not lead to the index's root");
}

export interface Leaf {
	mapRoot: Bytes;
	checkpoint: Checkpoint; // of the log, not of the index log
}

const leafPrefix = "tallyroot/index/v1\n";
const maxLeaf = leafPrefix.length + 65 + 255 + 1 + 21 + 45;

export function parseLeaf(text: string): Leaf {
	const [root, body] = (text.startsWith(leafPrefix) && cut(text.slice(leafPrefix.length), "\n")) || ["", ""];
	if (byteLength(text) > maxLeaf || !/^[0-9a-f]{64}$/.test(root)) {
		throw new Refusal("leaf-form", "the leaf is not its name, a root in hexadecimal and a checkpoint's three lines");
	}
	return { mapRoot: unhex(root), checkpoint: under(() => "leaf-form", () => parseBody(body)) };
}
