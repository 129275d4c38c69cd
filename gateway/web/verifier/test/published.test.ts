// Published vectors of Merkle trees and of the map, which nobody here wrote.
// TALLYROOT_TESTDATA names their folder.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Bytes } from "../src/bytes.ts";
import { attempt } from "../src/refusal.ts";
import { checkMapProof, type MapProof } from "../src/map.ts";
import { continues, included } from "../src/merkle.ts";

const folder = process.env["TALLYROOT_TESTDATA"] ?? "";
const skip = existsSync(join(folder, "README.md")) ? false : "the published case files are not here: set TALLYROOT_TESTDATA to their folder";

const raw = (s: string | undefined): Bytes => new Uint8Array(Buffer.from(s ?? "", "base64"));

// read gives the cases of a folder; numbers are texts, since some have 64 bits.
const read = (path: string): any[] =>
	(readdirSync(join(folder, path), { recursive: true }) as string[])
		.filter((name) => name.endsWith(".json"))
		.map((name) => JSON.parse(readFileSync(join(folder, path, name), "utf8").replace(/: (\d+)/g, ': "$1"')));

test("inclusion proofs of RFC 6962", { skip }, () => {
	const cases = read("rfc6962/inclusion");
	assert.ok(cases.length > 50);
	for (const c of cases) {
		const leaf = raw(c.leafHash);
		const holds = leaf.length === 32 && included(BigInt(c.leafIdx), BigInt(c.treeSize), leaf, (c.proof ?? []).map(raw), raw(c.root));
		assert.equal(holds, !c.wantErr, JSON.stringify(c));
	}
});

test("consistency proofs of RFC 6962", { skip }, () => {
	const cases = read("rfc6962/consistency");
	assert.ok(cases.length > 50);
	for (const c of cases) {
		// Every log continues the empty one, without a proof; these vectors ask for more.
		if (c.desc === "size1 is zero and size2 is not zero") continue;
		const holds = continues(BigInt(c.size1), BigInt(c.size2), raw(c.root1), raw(c.root2), (c.proof ?? []).map(raw));
		assert.equal(holds, !c.wantErr, JSON.stringify(c));
	}
});

test("proofs of the map", { skip }, () => {
	const lines = readFileSync(join(folder, "mpt/mpt_inclusion_kats.jsonl"), "utf8").trim().split("\n");
	assert.ok(lines.length > 10);
	for (const line of lines) {
		const c = JSON.parse(line);
		const proof = raw(c.proof);
		assert.equal(Buffer.from(proof.subarray(0, 9)).toString("latin1"), "mptproof\x01");
		const key = raw(c.leaves[c.target_index].key);
		const p: MapProof = { present: true, leaf: { key, value: proof.slice(9, 41) }, path: [] };
		for (let at = 41; at < proof.length; at += 33) p.path.push({ bit: proof[at]!, hash: proof.slice(at + 1, at + 33) });
		checkMapProof(p, raw(c.root), key);
		// Of no other key, and with no bit changed, does it hold; nor does it show that the key is absent.
		const holds = (changed: MapProof, k = key) => attempt(() => [checkMapProof(changed, raw(c.root), k)]) !== undefined;
		for (const other of c.leaves) if (other.key !== c.leaves[c.target_index].key) assert.ok(!holds(p, raw(other.key)) && !holds({ ...p, present: false }, key), c.label);
		const flipped = p.leaf!.value.slice();
		flipped[31]! ^= 1;
		assert.ok(!holds({ ...p, leaf: { key, value: flipped } }), c.label);
		p.path.forEach((_, i) => assert.ok(!holds({ ...p, path: p.path.toSpliced(i, 1) }), c.label));
	}
});
