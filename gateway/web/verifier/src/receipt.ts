// Receipts (https://c2sp.org/tlog-proof): the proof that one entry is in a log.
import { byteLength, type Bytes, cut, parseU64, unbase64 } from "./bytes.ts";
import { hash, parseCheckpoint } from "./checkpoint.ts";
import { type Entry, parseEntry } from "./entry.ts";
import { included, leafHash } from "./merkle.ts";
import { checkFresh, type Verdict } from "./policy.ts";
import { Refusal, under } from "./refusal.ts";
import { checkRole, type Trust } from "./trust.ts";

const maxSize = 512 << 10;
const maxProof = 64;
const maxExtra = 64 << 10;
const header = "c2sp.org/tlog-proof@v1\n";

export interface Receipt {
	index: bigint;
	proof: Bytes[];
	checkpoint: string;
}

export function parseReceipt(text: string): Receipt {
	const bad = (problem: string) => new Refusal("malformed", `this is no receipt: ${problem}`);
	const [head, checkpoint] = (text.startsWith(header) && cut(text.slice(header.length), "\n\n")) || [];
	if (byteLength(text) > maxSize || head === undefined || checkpoint === undefined) throw bad("want its first line, its lines, an empty one and a checkpoint");
	const lines = head.split("\n");
	if (lines[0]!.startsWith("extra ")) {
		const extra = unbase64(lines.shift()!.slice(6));
		if (!extra || extra.length === 0 || extra.length > maxExtra) throw bad("its extra line is not base64");
	}
	const line = lines.shift() ?? "";
	const index = line.startsWith("index ") ? parseU64(line.slice(6)) : undefined;
	const proof = lines.map(hash);
	if (index === undefined || proof.length > maxProof || proof.includes(undefined)) throw bad("it has no index, or its proof is not made of hashes");
	under(() => "malformed", () => parseCheckpoint(checkpoint));
	return { index, proof: proof as Bytes[], checkpoint };
}

export interface CheckedReceipt {
	entry: Entry;
	index: bigint;
	leafHash: Bytes;
	log: Verdict;
}

// checkReceipt checks a receipt for an entry. It does not judge the entry's
// signatures: the keys that held then stand in the log and not in the receipt.
export function checkReceipt(bytes: Bytes, text: string, trust: Trust): CheckedReceipt {
	const { index, proof, checkpoint } = parseReceipt(text);
	const log = checkRole("log", trust.policy, checkpoint);
	checkFresh(log, trust.now, trust.maxAge);
	const { origin, size, root } = log.checkpoint;
	const leaf = leafHash(bytes);
	if (index >= size) throw new Refusal("beyond", `the log's size is ${size}`, index);
	if (!included(index, size, leaf, proof, root)) throw new Refusal("inclusion", "it is not what stands in the log at that position", index);
	const entry = under(() => "entry", () => parseEntry(bytes));
	if (entry.origin !== origin) throw new Refusal("origin", `it is written for the log ${entry.origin}, and this is ${origin}`, index);
	return { entry, index, leafHash: leaf, log };
}
