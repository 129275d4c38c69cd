// The check of a saved history.
import { type Anchor, checkAnchor, same } from "./anchor.ts";
import { type Bytes } from "./bytes.ts";
import { type Claim, claimOf } from "./claim.ts";
import { name } from "./journey.ts";
import { type Judged } from "./judged.ts";
import { type Key } from "./keys.ts";
import { canonicalKey, type HistoryVerdict, keyOf, operatorKey, Reading, signersOf, tells, title } from "./reading.ts";
import { Refusal, within } from "./refusal.ts";
import { decodeHistory, type SavedHistory } from "./saved.ts";
import { type Trust } from "./trust.ts";

export interface CheckedHistory extends HistoryVerdict {
	anchor: Anchor;
	asked: boolean; // the reader said what it asked for, and this is it
	claim: Claim;
}

// checkHistory checks a saved history by the seven checks. asked is what the reader
// asked for, in its own words; without it the history's own word is taken, and the
// verdict says so. It throws a Refusal when anything is wrong.
export function checkHistory(saved: Bytes, asked: Key | undefined, trust: Trust): CheckedHistory {
	const h = decodeHistory(saved);
	const key = keyOf(h);
	if (asked && name(canonicalKey(asked)) !== name(key)) throw new Refusal("asked", `it is the history of ${title(key)}, and the question was ${title(asked)}`);
	for (const inner of h.participants) {
		if (!same(h, inner)) within(`${inner.kind} ${inner.id}`, mixed);
	}
	const isOperator = name(key) === name(operatorKey);
	const reading = new Reading(trust, checkAnchor(trust, h, isOperator ? h : h.participants.find((p) => p.kind === "operator")));
	const entries = reading.proved(h, key);
	reading.judge(readSigners(reading, h, key, entries), [entries]);
	const verdict = reading.verdict(h, key, entries);
	return { ...verdict, anchor: reading.anchor, asked: asked !== undefined, claim: claimOf(reading.anchor, entries.length === h.positions.length) };
}

export function mixed(): never {
	throw new Refusal("mixed", "the histories are not all proved at one checkpoint");
}

// readSigners checks the histories inside of h, and that those are there that the
// signatures of h's entries are judged by.
function readSigners(reading: Reading, h: SavedHistory, key: Key, entries: Judged[]): Iterable<Judged[]> {
	const signers = new Map<string, Judged[]>();
	const refuse = (problem: string, index?: bigint) => new Refusal("participants", `the signers' histories are not those that are needed: ${problem}`, index);
	if (tells(key) && entries.length === h.positions.length) signers.set(name(key), entries);
	const seen = new Set<string>();
	for (const inner of h.participants) {
		const innerKey = keyOf(inner);
		const id = name(innerKey);
		if (!tells(innerKey) || seen.has(id) || inner.entries.length !== inner.positions.length) throw refuse(`that of ${title(innerKey)} is of no signer, there twice or not whole`);
		seen.add(id);
		const list = within(title(innerKey), () => reading.proved(inner, innerKey));
		if (!signers.has(id)) signers.set(id, list);
	}
	if (!signers.has(name(operatorKey))) throw refuse("that of the operator is missing");
	for (const j of entries) {
		const absent = signersOf(j).find((s) => !signers.has(name(s)));
		if (absent) throw refuse(`that of ${absent.id} is missing`, j.index);
	}
	return signers.values();
}

