// The first three checks: what all histories of one file are proved at.
import { type Bytes, encode, equal } from "./bytes.ts";
import { parseEntry } from "./entry.ts";
import { type Leaf, parseLeaf } from "./map.ts";
import { included, leafHash } from "./merkle.ts";
import { type Policy, trusting, type Verdict, type Witness } from "./policy.ts";
import { Refusal, under, within } from "./refusal.ts";
import { type SavedHistory, type SavedIndex } from "./saved.ts";
import { indexOrigin, parseGenesis } from "./statement.ts";
import { checkRole, checkTime, independent, type Trust } from "./trust.ts";

export interface Anchor {
	log: Verdict; // of the log's checkpoint; its size is M
	index: Verdict; // of the index log's, whose newest leaf is about the log's
	mapRoot: Bytes; // in that leaf
	independent: boolean; // the index log's quorum cannot be met without an index-verifier
	rebuilders: Witness[]; // the index-verifiers that cosigned
	indexFromGenesis: boolean; // the index log's key was taken from the log's first entry
	operatorTrusted: boolean; // the reader's own key vouches for the operator, and not the log's first entry
}

// same tells whether two histories are proved at one checkpoint of each log.
export function same(a: SavedHistory, b: SavedHistory): boolean {
	const [x, y] = [a.index, b.index];
	return a.logCheckpoint === b.logCheckpoint && x.checkpoint === y.checkpoint && x.leaf === y.leaf && x.leafProof.length === y.leafProof.length && x.leafProof.every((h, i) => equal(h, y.leafProof[i]!));
}

// checkAnchor makes the checks. h is any of the histories, all of which are the same
// there; operator is the operator's, if there is one.
export function checkAnchor(t: Trust, h: SavedHistory, operator: SavedHistory | undefined): Anchor {
	const log = () => checkRole("log", t.policy, h.logCheckpoint);
	// Without a policy for the index log, the log must vouch for its key first.
	const before = t.indexPolicy ? undefined : log();
	const [index, leaf] = checkIndex(t.indexPolicy ?? genesisPolicy(before!, operator), h.index);
	const verdict = before ?? log();
	const [a, b] = [verdict.checkpoint, leaf.checkpoint];
	if (a.origin !== b.origin || a.size !== b.size || !equal(a.root, b.root)) {
		throw new Refusal("log-leaf", `the index was made from size ${b.size} of ${b.origin}, and the checkpoint is of size ${a.size} of ${a.origin}${a.size === b.size ? ", with another root" : ""}`);
	}
	checkTime(t, verdict);
	const rebuilders = index.witnesses.filter((w) => t.indexVerifiers.includes(w.vkey));
	return { log: verdict, index, mapRoot: leaf.mapRoot, independent: independent(t), rebuilders, indexFromGenesis: before !== undefined, operatorTrusted: false };
}

// checkIndex makes checks 1 and 2.
function checkIndex(p: Policy, from: SavedIndex): [Verdict, Leaf] {
	const v = checkRole("index", p, from.checkpoint);
	const { origin, size, root } = v.checkpoint;
	if (size === 0n) throw new Refusal("index-empty", "the index log is empty");
	const leaf = parseLeaf(from.leaf);
	if (indexOrigin(leaf.checkpoint.origin) !== origin) throw new Refusal("leaf-log", `the leaf is about the log ${leaf.checkpoint.origin}, and the index log is ${origin}`);
	if (!included(size - 1n, size, leafHash(encode(from.leaf)), from.leafProof, root)) throw new Refusal("leaf-inclusion", "the leaf is not the newest one of the index log");
	return [v, leaf];
}

// genesisPolicy gives the policy that trusts the index log's key in the log's first
// entry.
function genesisPolicy(log: Verdict, operator: SavedHistory | undefined): Policy {
	const first = operator?.entries[0];
	if (first?.index !== 0n) throw new Refusal("genesis", "the index log's key was not given, and the log's first entry, which names it, is not there", 0n);
	const { size, root } = log.checkpoint;
	within("operator operator", () => {
		if (!included(0n, size, leafHash(first.entry), first.proof, root)) throw new Refusal("inclusion", "it is not what stands in the log at that position", 0n);
	});
	return under(() => "genesis", () => trusting(parseGenesis(parseEntry(first.entry).json).indexKey.vkey));
}
