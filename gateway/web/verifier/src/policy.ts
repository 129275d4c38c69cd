// Trust policies (https://c2sp.org/tlog-policy), and what they say of a checkpoint.
import { byteLength, type Bytes, concat, cut, encode, sha256, unbase64 } from "./bytes.ts";
import { type Checkpoint, parseCheckpoint, validOrigin } from "./checkpoint.ts";
import { holdsForCheckpoint } from "./ed25519.ts";
import { type Key, type Signature, verified } from "./note.ts";
import { Refusal } from "./refusal.ts";

const maxEach = 64; // logs, witnesses, groups
const maxSize = 256 << 10;
const noWitness = "none";

const typeEd25519 = 1;
const typeCosignature = 4;

export interface Log extends Key {
	vkey: string;
	public: Bytes;
}

export interface Witness extends Log {
	label: string; // its name within the policy
}

interface Group {
	name: string;
	k: number;
	members: string[];
}

export interface Policy {
	logs: Log[];
	witnesses: Witness[];
	groups: Group[]; // members stand before their group
	quorum: string;
}

// What a policy says of a checkpoint. time, in seconds since 1970, is the latest
// one such that the cosignatures of that time or later alone meet the quorum;
// undefined when none is asked for.
export interface Verdict {
	checkpoint: Checkpoint;
	signed: string; // as it came
	key: string; // the name and id of the log's key that signed it
	witnesses: Witness[]; // those that cosigned, in the policy's order
	time: bigint | undefined;
}

const bad = (problem: string) => new Refusal("policy", problem);

// parsePolicy reads a policy file.
export function parsePolicy(text: string): Policy {
	if (byteLength(text) > maxSize) throw bad(`the policy has more than ${maxSize} bytes`);
	const p: Policy = { logs: [], witnesses: [], groups: [], quorum: "" };
	const defined = new Set<string>();
	const members = new Set<string>();
	const define = (name: string) => {
		if (name === noWitness || defined.has(name)) throw bad(`the name ${name} is taken`);
		defined.add(name);
	};
	const full = (list: unknown[]) => {
		if (list.length === maxEach) throw bad(`more than ${maxEach} of one kind`);
	};
	text.split("\n").forEach((line, n) => {
		try {
			if (/[\x00-\x08\x0b-\x1f\x7f]/.test(line)) throw bad("control character");
			const [keyword, ...words] = line.split(/[ \t]+/).filter(Boolean);
			if (keyword === undefined || keyword.startsWith("#")) return;
			if (keyword === "log" && (words.length === 1 || words.length === 2)) {
				full(p.logs);
				p.logs.push(distinct(p.logs, parseKey(words[0]!, typeEd25519)));
			} else if (keyword === "witness" && (words.length === 2 || words.length === 3)) {
				full(p.witnesses);
				const key = distinct(p.witnesses, parseKey(words[1]!, typeCosignature));
				define(words[0]!);
				p.witnesses.push({ ...key, label: words[0]! });
			} else if (keyword === "group" && words.length > 2) {
				full(p.groups);
				const [name, threshold, ...names] = words as [string, string, ...string[]];
				const k = threshold === "any" ? 1 : threshold === "all" ? names.length : /^[1-9][0-9]{0,4}$/.test(threshold) ? Number(threshold) : 0;
				if (k < 1 || k > names.length) throw bad(`the threshold of group ${name} is not all, any or one up to its members`);
				for (const m of names) {
					if (!defined.has(m) || members.has(m)) throw bad(`${m} is no witness or group of an earlier line, or a member twice`);
					members.add(m);
				}
				define(name);
				p.groups.push({ name, k, members: names });
			} else if (keyword === "quorum" && words.length === 1 && !p.quorum) {
				if (words[0] !== noWitness && !defined.has(words[0]!)) throw bad(`the quorum ${words[0]} is no witness or group of an earlier line`);
				p.quorum = words[0]!;
			} else {
				throw bad(`${keyword} is not what can stand here`);
			}
		} catch (e) {
			if (e instanceof Refusal) e.message = `line ${n + 1} of the policy: ${e.message}`;
			throw e;
		}
	});
	if (!p.quorum) throw bad('the policy has no quorum line; one that asks for no witness says "quorum none"');
	return p;
}

function distinct<T extends Log>(earlier: T[], key: Log): Log {
	const id = publicPart(key.vkey);
	if (earlier.some((e) => publicPart(e.vkey) === id)) throw bad(`the public key of ${key.name} stands on an earlier line`);
	return key;
}

// publicPart is the part of a verifier key behind its name and id.
export const publicPart = (vkey: string): string => vkey.slice(vkey.indexOf("+", vkey.indexOf("+") + 1) + 1);

// parseKey reads a verifier key of one type.
function parseKey(vkey: string, type: number): Log {
	const [name, rest] = cut(vkey, "+") ?? ["", ""];
	const [id, text] = cut(rest, "+") ?? ["", ""];
	const raw = unbase64(text);
	if (!raw || raw.length !== 33 || raw[0] !== type || !validOrigin(name)) throw bad(`${vkey} is no verifier key of type ${type}`);
	const number = keyID(name, raw);
	if (id !== number.toString(16).padStart(8, "0")) throw bad(`the key id of ${vkey} is not that of its name and key`);
	const key = raw.slice(1);
	return {
		vkey,
		name,
		id: number,
		public: key,
		verify: (signed, signature) => {
			if (type === typeEd25519) return holdsForCheckpoint({ public: key, text: signed, signature });
			const seconds = cosignedAt(signature);
			return seconds !== undefined && holdsForCheckpoint({ public: key, text: concat(encode(`cosignature/v1\ntime ${seconds}\n`), signed), signature: signature.slice(8) });
		},
	};
}

// keyID is the key id of signed-note: of a name, and the type and public key.
export const keyID = (name: string, raw: Bytes): number => new DataView(sha256(encode(name + "\n"), raw).buffer).getUint32(0);

// cosignedAt takes the time, in seconds, from a cosignature; undefined if it is none.
function cosignedAt(signature: Bytes): bigint | undefined {
	if (signature.length !== 72) return undefined;
	const seconds = new DataView(signature.slice(0, 8).buffer).getBigInt64(0);
	return seconds < 0n ? undefined : seconds;
}

// trusting gives the policy that trusts one log without any witness.
export const trusting = (logKey: string): Policy => ({ logs: [parseKey(logKey, typeEd25519)], witnesses: [], groups: [], quorum: noWitness });

export const hasLog = (p: Policy, vkey: string): boolean => p.logs.some((l) => l.vkey === vkey);

export const needsWitnesses = (p: Policy): boolean => p.quorum !== noWitness;

// met tells whether the witnesses that cosigned meet the quorum.
export function met(p: Policy, cosigned: (witness: Witness) => boolean): boolean {
	const is = new Set([noWitness]);
	for (const w of p.witnesses) if (cosigned(w)) is.add(w.label);
	for (const g of p.groups) if (g.members.filter((m) => is.has(m)).length >= g.k) is.add(g.name);
	return is.has(p.quorum);
}

// checkSigned verifies a signed checkpoint: a log of the policy signed it, its
// origin is exactly that log's name, every signature by a known key holds, and the
// quorum is met.
export function checkSigned(p: Policy, signed: string): Verdict {
	const { checkpoint, note } = parseCheckpoint(signed);
	if (!p.logs.some((l) => l.name === checkpoint.origin)) {
		throw new Refusal("origin", `it is of the log ${checkpoint.origin}; trusted is ${p.logs.map((l) => l.name).join(", ") || "none"}`);
	}
	const own = verified(note, p.logs).find((s) => s.name === checkpoint.origin);
	if (!own) {
		throw new Refusal("unsigned", `the log ${checkpoint.origin} did not sign it with a key that is trusted`);
	}
	const latest = new Map<Witness, bigint>();
	for (const w of p.witnesses) {
		const times = verified(note, [w]).map((s: Signature) => cosignedAt(s.bytes)!);
		if (times.length > 0) latest.set(w, times.reduce((a, b) => (a > b ? a : b)));
	}
	const v: Verdict = { checkpoint, signed, key: `${own.name}+${own.keyID.toString(16).padStart(8, "0")}`, witnesses: p.witnesses.filter((w) => latest.has(w)), time: undefined };
	if (!needsWitnesses(p)) return v;
	const times = [...latest.values()].sort((a, b) => (a > b ? -1 : 1));
	v.time = times.find((t) => met(p, (w) => (latest.get(w) ?? -1n) >= t));
	if (v.time === undefined) throw new Refusal("quorum", `cosigned by ${v.witnesses.map((w) => w.label).join(", ") || "none"}, which does not meet the quorum ${p.quorum}`);
	return v;
}

export const defaultMaxAge = 24n * 3600n;
const maxAhead = 300n;

// checkFresh tells whether the quorum's time is at most maxAge old and not ahead of
// now, in seconds. Without a quorum there is nothing to tell; without now or maxAge
// nothing is asked.
export function checkFresh(v: Verdict, now: bigint | undefined, maxAge: bigint | undefined): void {
	if (v.time === undefined || now === undefined) return;
	if (maxAge !== undefined && now - v.time > maxAge) throw new Refusal("stale", `a quorum vouches for it ${now - v.time} seconds ago; at most ${maxAge} are taken`);
	if (v.time - now > maxAhead) throw new Refusal("ahead", `a quorum vouches for it ${v.time - now} seconds ahead of this clock`);
}
