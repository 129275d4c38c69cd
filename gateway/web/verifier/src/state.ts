// Who held which keys when: the fold of the operator's statements, in the log's
// order. A signature is judged by the state at its own position. Nothing in a log
// can make the fold fail: a statement that breaks a rule has no effect.
import { type Bytes } from "./bytes.ts";
import { type Question } from "./ed25519.ts";
import { type Entry, fits, keyName, operator, operatorKeyName, question, type Signature, typeOf, type Verifier } from "./entry.ts";
import { wrong } from "./form.ts";
import { covers } from "./grant.ts";
import { Refusal } from "./refusal.ts";
import { type Genesis, parseGenesis, parseRollover, parseStatement, proofText, type Statement } from "./statement.ts";
import { get } from "./value.ts";

// What a statement did; reason says why it did nothing.
export interface Effect {
	applied: boolean;
	reason: string;
	recovery: boolean; // own keys changed on the operator's word alone
}

export interface Info extends Statement {
	index: bigint; // of the statement
}

// effectOf gives the effect of a change, which refuses to do what it may not.
export function effectOf(change: () => void, recovery = false): Effect {
	try {
		change();
	} catch (problem) {
		if (problem instanceof Refusal) return { applied: false, reason: problem.reason, recovery: false };
		throw problem;
	}
	return { applied: true, reason: "applied", recovery };
}

// Holds answers whether a signature holds, by ZIP-215.
export type Holds = (q: Question) => boolean;

const refuse = (reason: string, message: string): never => {
	throw new Refusal(reason, message);
};

export class State {
	genesis: Genesis | undefined;
	private readonly operators: { index: bigint; key: Verifier }[] = [];
	private readonly members = new Map<string, Info[]>();
	private readonly held = new Map<string, string>(); // keys ever held, by name and id
	private readonly holds: Holds;

	constructor(holds: Holds) {
		this.holds = holds;
	}

	// apply takes the next statement about the operator or a participant; the
	// positions must rise.
	apply(index: bigint, e: Entry): Effect {
		return effectOf(() => this.change(index, e), get(e.json, "recovery") === true);
	}

	private change(index: bigint, e: Entry): void {
		switch (typeOf(e.json)) {
			case "tallyroot:Genesis":
				if (index !== 0n || this.genesis) refuse("genesis", "a Genesis is the log's first entry and nothing else is");
				this.genesis = this.judgeGenesis(e);
				this.setOperator(index, this.genesis.operatorKey);
				break;
			case "tallyroot:Operator":
				return this.rollover(index, e);
			case "tallyroot:Participant":
				return this.statement(index, e);
			default:
				refuse("statement", "it is no statement about keys");
		}
	}

	// judgeGenesis judges a Genesis by itself: it is signed with the key that it
	// names, for the log that it names.
	private judgeGenesis(e: Entry): Genesis {
		const g = parseGenesis(e.json);
		if (e.participants.join() !== operator) refuse("signers", "the operator alone signs it");
		if (e.origin !== g.origin) refuse("other-log", `it is written for the log ${e.origin} and names ${g.origin}`);
		if (!this.signed(e, [g.operatorKey])) refuse("bad-signature", "the operator's signature does not hold");
		return g;
	}

	private setOperator(index: bigint, key: Verifier): void {
		this.operators.push({ index, key });
		this.hold(key);
	}

	private rollover(index: bigint, e: Entry): void {
		const r = parseRollover(e.json);
		const { origin } = this.byOperator(index, e);
		checkNumber(r.number, this.operators.length);
		if (r.key.name !== operatorKeyName(origin)) throw wrong("operatorKey", "the operator's");
		if (!this.free(r.key)) refuse("key-id", "another key of this name has the same id");
		if (this.proven(proofText(e.origin, e.json), r.proofs, [r.key])?.length !== 1) refuse("key-proof", "the new key did not sign it");
		this.setOperator(index, r.key);
	}

	private statement(index: bigint, e: Entry): void {
		const s = parseStatement(e.json);
		const { origin } = this.byOperator(index, e);
		for (const [role, keys] of [["own", s.own], ["managed", s.managed]] as const) {
			if (keys.some((k) => k.name !== keyName(origin, role, s.id))) throw wrong(`${role} keys`, `those of ${s.id}`);
		}
		const versions = this.members.get(s.id) ?? [];
		const before = versions.at(-1);
		checkNumber(s.number, (before?.number ?? 0) + 1);
		const fresh = new Set<string>();
		for (const key of [...s.own, ...s.managed]) {
			if (!this.free(key) || fresh.has(handle(key))) refuse("key-id", "another key of this name has the same id");
			fresh.add(handle(key));
		}
		this.checkOwnKeys(before?.own ?? [], s, proofText(e.origin, e.json));
		versions.push({ ...s, index });
		this.members.set(s.id, versions);
		[...s.own, ...s.managed].forEach((key) => this.hold(key));
	}

	// checkOwnKeys judges the signatures that a change of own keys needs: each new
	// key's, and one of a key that held until now unless there was none or it is a
	// recovery. Every proof that is there must hold.
	private checkOwnKeys(before: Verifier[], s: Statement, text: Bytes): void {
		const signers = this.proven(text, s.proofs, [...before, ...s.own]);
		const has = (keys: Verifier[] | undefined, key: Verifier) => keys?.some((k) => k.vkey === key.vkey) ?? false;
		const added = s.own.filter((key) => !has(before, key));
		if (!signers || !added.every((key) => has(signers, key))) refuse("key-proof", "a key did not agree to it");
		const changed = added.length > 0 || before.length !== s.own.length;
		if (changed && !s.recovery && before.length > 0 && !before.some((key) => has(signers, key))) {
			refuse("key-change", "own keys change, and none that held until now agreed");
		}
	}

	// proven gives which of the keys signed the text; undefined when a proof is by
	// none of them, or one does not hold.
	private proven(text: Bytes, proofs: Signature[], keys: Verifier[]): Verifier[] | undefined {
		const signers: Verifier[] = [];
		for (const proof of proofs) {
			const key = keys.find((k) => fits(k, proof));
			if (!key || !this.holds(question(key, text, proof))) return undefined;
			signers.push(key);
		}
		return signers;
	}

	private hold(key: Verifier): void {
		this.held.set(handle(key), key.vkey);
	}

	// free tells whether no other key under its name ever had the key's id.
	private free(key: Verifier): boolean {
		return (this.held.get(handle(key)) ?? key.vkey) === key.vkey;
	}

	// byOperator judges that the operator alone signed the entry.
	private byOperator(index: bigint, e: Entry): Genesis {
		if (!this.genesis) throw new Refusal("genesis", "the log does not begin with a Genesis");
		if (e.participants.join() !== operator) refuse("signers", "the operator alone signs it");
		this.checkSigned(index, e);
		return this.genesis;
	}

	// checkSigned refuses an entry that is unauthenticated at its position, with why.
	checkSigned(index: bigint, e: Entry): void {
		if (!this.signed(e, this.keysOf(index, e))) refuse("bad-signature", "a signature of it does not hold");
	}

	private signed(e: Entry, keys: Verifier[]): boolean {
		return keys.every((key, i) => fits(key, e.signatures[i]!) && this.holds(question(key, e.text, e.signatures[i]!)));
	}

	// keysOf finds the key of each of the entry's signatures, as they held at that
	// position.
	private keysOf(at: bigint, e: Entry): Verifier[] {
		if (e.origin !== this.genesis?.origin) refuse("other-log", `it is written for the log ${e.origin}`);
		return e.participants.map((id, i) => {
			const info = this.info(id, at);
			if (id !== operator && !info) refuse("unknown-participant", `${id} was not registered there`);
			if (info && !info.active) refuse("disabled", `${id} was disabled there`);
			const keys = info ? [...info.own, ...info.managed] : [this.operators.findLast((o) => o.index < at)?.key];
			const key = keys.find((k) => k && fits(k, e.signatures[i]!));
			return key ?? refuse("unknown-key", `the key that ${id} signed with did not hold there`);
		});
	}

	// info gives what the statements before a position say of a participant.
	info(id: string, at: bigint): Info | undefined {
		return this.members.get(id)?.findLast((m) => m.index < at);
	}

	// covers tells whether the participant is active at a position, and has a grant
	// that covers the identifier.
	covers(id: string, at: bigint, identifier: string): boolean {
		const info = this.info(id, at);
		return info !== undefined && info.active && info.grants.some((g) => covers(g, identifier));
	}

	// operatorKey is the operator's key after all that was applied.
	get operatorKey(): Verifier | undefined {
		return this.operators.at(-1)?.key;
	}
}

const handle = (key: Verifier): string => `${key.name}+${key.id}`;

export function checkNumber(have: number, want: number): void {
	if (have !== want) refuse("number", `the statement's number is ${have}, and must be ${want}`);
}
