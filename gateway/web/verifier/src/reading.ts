// Checks 4 to 7 of the histories of one file, which share many entries: each is
// parsed, and its signatures are verified, once.
import { type Anchor } from "./anchor.ts";
import { type Bytes, equal, hex, sha256 } from "./bytes.ts";
import { holdAll, holds, type Question } from "./ed25519.ts";
import { type Entry, operator, parseEntry } from "./entry.ts";
import { namesOf } from "./gs1/identifier.ts";
import { name } from "./journey.ts";
import { type Judged, relate } from "./judged.ts";
import { type Key, keyHash, keys, Kind, kinds } from "./keys.ts";
import { checkMapProof } from "./map.ts";
import { Master } from "./master.ts";
import { included, leafHash, listValue } from "./merkle.ts";
import { hasLog } from "./policy.ts";
import { Refusal, under } from "./refusal.ts";
import { pageLimit, type SavedHistory } from "./saved.ts";
import { type Effect, type Holds, State } from "./state.ts";
import { type Trust } from "./trust.ts";

export const operatorKey: Key = { kind: Kind.operator, id: operator };

export const title = (key: Key): string => `${kinds[key.kind]} ${key.id}`;

// canonicalKey gives the key that is asked for when a reader names it in its own
// words: for a link with lot and serial, that of the item.
export function canonicalKey(key: Key): Key {
	return key.kind === Kind.by || key.kind === Kind.participant || key.kind === Kind.operator ? key : { kind: key.kind, id: namesOf(key.id)[0] };
}

// keyOf reads what a history says that it is about, which must be what stands in the
// index for it.
export function keyOf(h: SavedHistory): Key {
	const kind = (kinds as readonly string[]).indexOf(h.kind);
	if (kind < 0) throw new Refusal("malformed", `${h.kind} is no kind of history`);
	const key = { kind: kind as Kind, id: h.id };
	if (canonicalKey(key).id !== h.id) throw new Refusal("malformed", `the history's identifier ${h.id} is not ${canonicalKey(key).id}`);
	return key;
}

// tells tells whether the histories of a kind say who held which keys.
export const tells = (key: Key): boolean => key.kind === Kind.participant || name(key) === name(operatorKey);

// signersOf gives the keys of the participants that an entry names.
export const signersOf = (j: Judged): Key[] => j.entry.participants.filter((id) => id !== operator).map((id) => ({ kind: Kind.participant, id }));

// What a good history shows.
export interface HistoryVerdict {
	key: Key;
	positions: bigint[]; // of all entries under the key, as far as is claimed
	entries: Judged[]; // those that are here
	master: Master | undefined; // of kind master
}

interface Parsed {
	entry: Entry;
	keys: Set<string>;
}

export class Reading {
	readonly anchor: Anchor;
	state: State;
	private readonly trust: Trust;
	private readonly parsed = new Map<string, Parsed>(); // by leaf hash
	private effects = new Map<bigint, Effect>(); // of the operator's statements

	constructor(trust: Trust, anchor: Anchor) {
		this.trust = trust;
		this.anchor = anchor;
		this.state = new State(holds);
	}

	// proved makes checks 4 to 6.
	proved(h: SavedHistory, key: Key): Judged[] {
		this.checkList(h, key);
		checkPage(h);
		const { size, root } = this.anchor.log.checkpoint;
		return h.entries.map(({ index, entry, proof }) => {
			const leaf = leafHash(entry);
			if (!included(index, size, leaf, proof, root)) throw new Refusal("inclusion", "it is not what stands in the log at that position", index);
			const p = this.parse(leaf, entry, index);
			if (!p.keys.has(name(key))) throw new Refusal("key", `the entry does not belong to ${title(key)}`, index);
			return { index, entry: p.entry, leafHash: leaf };
		});
	}

	// checkList makes checks 4 and 5.
	private checkList(h: SavedHistory, key: Key): void {
		const proof = h.index.mapProof;
		checkMapProof(proof, this.anchor.mapRoot, keyHash(key));
		const { size } = this.anchor.log.checkpoint;
		h.positions.forEach((p, i) => {
			if (i > 0 && p <= h.positions[i - 1]!) throw new Refusal("order", `the positions do not rise: it follows ${h.positions[i - 1]}`, p);
			if (p >= size) throw new Refusal("beyond", `the log's size is ${size}`, p);
		});
		const value = h.positions.length > 0 ? listValue(h.positions) : undefined;
		const same = proof.present ? equal(value ?? listValue([]), proof.leaf!.value) : !value;
		if (!same) throw new Refusal("list", `the ${h.positions.length} positions of ${title(key)} are not those that the index has`);
	}

	private parse(leaf: Bytes, bytes: Bytes, index: bigint): Parsed {
		const id = hex(leaf);
		let p = this.parsed.get(id);
		if (!p) {
			const entry = under(() => "entry", () => parseEntryAt(bytes, index));
			p = { entry, keys: new Set(keys(entry.participants, entry.json).map(name)) };
			this.parsed.set(id, p);
		}
		return p;
	}

	// judge folds the operator's statements, checks that the log and its operator are
	// those that are trusted, and judges the signatures of all entries, each by the
	// state at its position.
	judge(signers: Iterable<Judged[]>, all: Judged[][]): void {
		const statements = [...signers].flat().sort((a, b) => (a.index < b.index ? -1 : 1));
		const problems = together((ask) => {
			this.fold(statements, ask);
			return this.authenticate(all);
		});
		for (const j of all.flat()) {
			const problem = problems.get(j.index);
			if (problem) [j.problem, j.detail] = [problem.reason, problem.message];
		}
	}

	private fold(statements: Judged[], ask: Holds): void {
		const { trust, anchor } = this;
		this.state = new State(ask);
		this.effects = new Map();
		anchor.operatorTrusted = false;
		for (const s of statements) {
			this.effects.set(s.index, this.state.apply(s.index, s.entry));
			anchor.operatorTrusted ||= trust.operatorKey !== undefined && this.state.operatorKey?.vkey === trust.operatorKey;
		}
		const { genesis } = this.state;
		const { origin } = anchor.log.checkpoint;
		const refuse = (problem: string) => new Refusal("genesis", problem, 0n);
		if (!genesis) throw refuse("the operator's history does not begin with a valid Genesis at position 0");
		if (genesis.origin !== origin) throw refuse(`it names the log ${genesis.origin}, and the checkpoint ${origin}`);
		if (!hasLog(trust.policy, genesis.logKey.vkey)) throw refuse("it names a key of the log that the policy does not");
		if (trust.indexPolicy && !hasLog(trust.indexPolicy, genesis.indexKey.vkey)) throw refuse("it names a key of the index log that the policy does not");
		if (trust.operatorKey !== undefined && !anchor.operatorTrusted) throw new Refusal("operator", `${trust.operatorKey} never was the operator's key`);
	}

	// authenticate gives what is wrong with the signatures of entries, by position.
	private authenticate(all: Judged[][]): Map<bigint, Refusal> {
		const problems = new Map<bigint, Refusal>();
		const done = new Set<bigint>([0n]); // the Genesis was judged by itself
		for (const { index, entry } of all.flat()) {
			if (done.has(index)) continue;
			done.add(index);
			try {
				this.state.checkSigned(index, entry);
			} catch (e) {
				if (!(e instanceof Refusal)) throw e;
				problems.set(index, e);
			}
		}
		return problems;
	}

	// verdict says what a history comes to whose entries were judged. A statement that
	// has effect is no duplicate: one of the same number before it had none.
	verdict(h: SavedHistory, key: Key, entries: Judged[]): HistoryVerdict {
		relate(entries);
		const fromFirst = entries.length === 0 || entries[0]!.index === h.positions[0];
		const master = key.kind === Kind.master && fromFirst ? new Master(key.id) : undefined;
		for (const j of entries) {
			const effect = master && j.problem === undefined ? master.apply(j.index, j.entry, this.state) : this.effects.get(j.index);
			if (effect) j.effect = effect;
			if (effect?.applied) delete j.duplicateOf;
		}
		return { key, positions: h.positions, entries, master };
	}
}

function parseEntryAt(bytes: Bytes, index: bigint): Entry {
	try {
		return parseEntry(bytes);
	} catch (e) {
		throw e instanceof Refusal ? new Refusal(e.reason, e.message, index) : e;
	}
}

// checkPage checks that the entries stand at the positions: at all of them, or, of
// more than pageLimit, at some that follow one another.
function checkPage(h: SavedHistory): void {
	let { positions } = h;
	const { entries } = h;
	if (positions.length > pageLimit && entries.length > 0) {
		const first = positions.indexOf(entries[0]!.index);
		if (first < 0) throw new Refusal("page", "it is not among the positions", entries[0]!.index);
		positions = positions.slice(first, first + entries.length);
	}
	if (entries.length !== positions.length || entries.length > pageLimit) throw new Refusal("page", `${entries.length} entries for ${h.positions.length} positions`);
	entries.forEach((e, i) => {
		if (e.index !== positions[i]) throw new Refusal("page", `the next position is ${positions[i]}`, e.index);
	});
}

// together gives what f gives, whose questions are answered all at once: first each
// with yes, and only if that was wrong of some, again with the truth. f changes
// nothing that it does not change anew.
function together<T>(f: (ask: Holds) => T): T {
	const asked: Question[] = [];
	let end: () => T;
	try {
		const result = f((q) => asked.push(q) > 0);
		end = () => result;
	} catch (e) {
		end = () => {
			throw e;
		};
	}
	const answers = holdAll(asked);
	if (answers.every(Boolean)) return end();
	const id = (q: Question) => hex(q.signature) + hex(q.public) + hex(sha256(q.text));
	const known = new Map(asked.map((q, i) => [id(q), answers[i]!]));
	return f((q) => known.get(id(q)) ?? holds(q));
}
