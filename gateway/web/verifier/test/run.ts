// The verdict of this verifier on a case of the vectors, in the form of their README.
import { type Anchor } from "../src/anchor.ts";
import { base64, type Bytes, decode, encode, hex, unbase64 } from "../src/bytes.ts";
import { parseCheckpoint } from "../src/checkpoint.ts";
import { cross } from "../src/cross.ts";
import { holdAll, holds, holdsForCheckpoint } from "../src/ed25519.ts";
import { identity, identityHash, parseEntry, parseVerifier, typeOf } from "../src/entry.ts";
import { covers } from "../src/grant.ts";
import { canonical as canonicalID, namesOf } from "../src/gs1/identifier.ts";
import { type CheckedHistory, checkHistory } from "../src/history.ts";
import { canonical, parse } from "../src/jcs.ts";
import { roles } from "../src/journey.ts";
import { type CheckedJourney, checkJourney, checkProof } from "../src/journeycheck.ts";
import { counts, type Judged } from "../src/judged.ts";
import { compareKeys, type Key, keyHash, keys, type Kind, kinds } from "../src/keys.ts";
import { checkMapProof, parseLeaf, parseMapProof } from "../src/map.ts";
import { continues, included, leafHash, listRoot, listValue } from "../src/merkle.ts";
import { checkFresh, checkSigned, defaultMaxAge, needsWitnesses, parsePolicy, type Verdict } from "../src/policy.ts";
import { checkReceipt } from "../src/receipt.ts";
import { Refusal } from "../src/refusal.ts";
import { Memory } from "../src/remember.ts";
import { formOf } from "../src/saved.ts";
import { noTime, time } from "../src/time.ts";
import { readTrust, type Trust } from "../src/trust.ts";

type M = { [name: string]: any };

export interface Case {
	name: string;
	what: string;
	input: M;
	trust?: M;
	verdict: M;
}

// run gives the verdict; what is refused is not ok, for a reason where the kind of
// case has reasons.
export function run(c: Case): M {
	const f = runners[c.input["kind"] as string];
	if (!f) throw new Error(`unknown kind ${c.input["kind"]}`);
	try {
		return f(c.input, c.trust ?? {});
	} catch (e) {
		if (!(e instanceof Refusal)) throw e;
		return bare.includes(c.input["kind"]) ? { ok: false } : { ok: false, reason: e.reason };
	}
}

const bare = ["checkpoint", "policy", "leaf"];

// bytes takes out what stands there as text, or as base64 where it is no Unicode.
const bytes = (m: M, name: string): Bytes => (typeof m[name] === "string" ? encode(m[name]) : raw(m[name + "Base64"]));
const raw = (s: string): Bytes => new Uint8Array(Buffer.from(s, "base64"));

// text is bytes as the verifier meets a text: from a file, strictly decoded.
function text(m: M, name: string): string {
	try {
		return decode(bytes(m, name));
	} catch {
		throw new Refusal(m["kind"] === "checked" ? "form" : "malformed", "no Unicode");
	}
}

const optional = (s: string | undefined): bigint | undefined => (s === undefined ? undefined : BigInt(s));
const keyOf = (m: M): Key => ({ kind: kinds.indexOf(m["kind"]) as Kind, id: m["id"] });
const keyJSON = (k: Key): M => ({ kind: kinds[k.kind], id: k.id });

const trustOf = (t: M): Trust =>
	readTrust({ logPolicy: t["logPolicy"], indexPolicy: t["indexPolicy"], indexVerifiers: t["indexVerifiers"], operatorKey: t["operatorKey"], maxAge: optional(t["maxAge"]) }, optional(t["now"]));

const verdictJSON = (v: Verdict): M => ({
	ok: true,
	size: String(v.checkpoint.size),
	witnesses: v.witnesses.map((w) => w.label),
	...(v.time === undefined ? {} : { time: String(v.time) }),
});

const anchorJSON = (a: Anchor): M => ({ ...verdictJSON(a.log), operatorTrusted: a.operatorTrusted, indexFromGenesis: a.indexFromGenesis, ...(a.rebuilders.length > 0 ? { rebuilders: a.rebuilders.map((w) => w.label) } : {}) });

function judgedJSON(j: Judged): M {
	const out: M = { index: String(j.index), counts: counts(j) };
	if (j.problem !== undefined) out["problem"] = j.problem;
	for (const name of ["duplicateOf", "withdrawnBy", "withdraws"] as const) if (j[name] !== undefined) out[name] = String(j[name]);
	if (j.effect) out["effect"] = j.effect.reason;
	if (j.effect?.recovery) out["recovery"] = true;
	return out;
}

const checkedHistory = (m: M, t: M): CheckedHistory => checkHistory(bytes(m, "saved"), t["asked"] && keyOf(t["asked"]), trustOf(t));

function journeyJSON(v: CheckedJourney): M {
	const steps = [...v.steps].sort((a, b) => (a.step.index < b.step.index ? -1 : 1));
	return {
		...anchorJSON(v.anchor),
		...(v.missing.length > 0 ? { ok: false, reason: "incomplete" } : {}),
		claim: v.claim,
		asked: v.asked,
		keys: [...v.journey.keys].sort(compareKeys).map(keyJSON),
		missing: v.missing.map(keyJSON),
		steps: steps.map(({ step, entry }) => ({ index: String(step.index), role: roles[step.role], ...(entry.problem === undefined ? {} : { problem: entry.problem }) })),
	};
}

const runners: { [kind: string]: (m: M, trust: M) => M } = {
	history(m, t) {
		const v = checkedHistory(m, t);
		const out: M = { ...anchorJSON(v.anchor), claim: v.claim, asked: v.asked, positions: v.positions.map(String), entries: v.entries.map(judgedJSON) };
		for (const name of ["product", "place"] as const) {
			const d = v.master?.[name];
			if (d) out[name] = { index: String(d.index), participant: d.participant };
		}
		return out;
	},
	journey: (m, t) => journeyJSON(checkJourney(bytes(m, "saved"), t["asked"]?.id, trustOf(t))),
	proof(m, t) {
		const saved = bytes(m, "saved");
		const v = checkProof(saved, t["asked"]?.id, trustOf(t));
		if (formOf(saved) !== "proof" && !("savedBase64" in m)) throw new Error("a good proof is not seen to be one");
		return journeyJSON(v);
	},
	receipt(m, t) {
		const v = checkReceipt(raw(m["entry"]), text(m, "receipt"), trustOf(t));
		return { ...verdictJSON(v.log), index: String(v.index) };
	},
	cross(m, t) {
		return { ok: true, covered: cross(checkReceipt(raw(m["entry"]), text(m, "receipt"), trustOf(t)), checkedHistory(m, t)) };
	},
	state(m) {
		const memory = new Memory();
		const sizes: M = {};
		for (const step of m["steps"] as M[]) {
			const signed = text(step, "checkpoint");
			const { origin } = checkSigned(parsePolicy(m["policy"]), signed).checkpoint;
			memory.see(signed, ((step["proof"] ?? []) as string[]).map(raw));
			sizes[origin] = String(memory.last(origin)!.size);
		}
		return { ok: true, sizes };
	},
	json(m) {
		try {
			return { ok: true, canonical: canonical(parse(bytes(m, "text"))) };
		} catch {
			return { ok: false };
		}
	},
	base64(m) {
		const b = unbase64(Buffer.from(bytes(m, "text")).toString("latin1"));
		return b ? { ok: true, hex: hex(b) } : { ok: false };
	},
	identifier(m) {
		const c = canonicalID(m["id"]);
		return { ok: true, names: namesOf(m["id"]), ...(c === null ? {} : { canonical: c }) };
	},
	keys(m) {
		const found = keys(m["participants"] ?? [], parse(bytes(m, "json")));
		return { ok: true, keys: found.map((k) => ({ ...keyJSON(k), hash: base64(keyHash(k)) })) };
	},
	entry(m) {
		const b = raw(m["entry"]);
		const e = parseEntry(b);
		const id = identity(e.participants[0]!, e.json);
		const out: M = { ok: true, origin: e.origin, participants: e.participants, type: typeOf(e.json), leafHash: base64(leafHash(b)) };
		if (id !== undefined) out["identity"] = base64(identityHash(id));
		return out;
	},
	signature(m) {
		const q = { public: raw(m["public"]), text: raw(m["text"]), signature: raw(m["signature"]) };
		if (m["rule"] === "checkpoint") return { ok: holdsForCheckpoint(q) };
		const ok = holds(q);
		if (holdAll([q, q]).some((each) => each !== ok)) throw new Error("a batch decides otherwise");
		return { ok };
	},
	verifier(m) {
		const v = parseVerifier(m["vkey"]);
		return v ? { ok: true, name: v.name, id: v.id.toString(16).padStart(8, "0"), public: base64(v.public) } : { ok: false };
	},
	checkpoint(m) {
		const { checkpoint: c, note } = parseCheckpoint(text(m, "checkpoint"));
		return { ok: true, origin: c.origin, size: String(c.size), root: base64(c.root), signatures: note.signatures.map((s) => s.name) };
	},
	policy(m) {
		const p = parsePolicy(text(m, "policy"));
		return { ok: true, logs: p.logs.map((l) => l.vkey), witnesses: p.witnesses.map((w) => w.label), needsWitnesses: needsWitnesses(p) };
	},
	checked(m) {
		const v = checkSigned(parsePolicy(m["policy"]), text(m, "checkpoint"));
		checkFresh(v, optional(m["now"]), optional(m["maxAge"]) ?? defaultMaxAge);
		return verdictJSON(v);
	},
	leaf(m) {
		const l = parseLeaf(text(m, "leaf"));
		return { ok: true, mapRoot: base64(l.mapRoot), origin: l.checkpoint.origin, size: String(l.checkpoint.size), root: base64(l.checkpoint.root) };
	},
	list(m) {
		const positions = (m["positions"] as string[]).map(BigInt);
		return { ok: true, root: base64(listRoot(positions)), value: base64(listValue(positions)) };
	},
	map(m) {
		let v;
		try {
			v = parse(bytes(m, "proof"));
		} catch {
			return { ok: false, reason: "malformed" };
		}
		const p = parseMapProof(v);
		checkMapProof(p, raw(m["root"]), raw(m["key"]));
		return { ok: true, present: p.present, ...(p.present ? { value: base64(p.leaf!.value) } : {}) };
	},
	inclusion(m) {
		return { ok: included(BigInt(m["index"]), BigInt(m["size"]), raw(m["leafHash"]), (m["proof"] ?? []).map(raw), raw(m["root"])) };
	},
	consistency(m) {
		return { ok: continues(BigInt(m["from"]), BigInt(m["to"]), raw(m["fromRoot"]), raw(m["toRoot"]), (m["proof"] ?? []).map(raw)) };
	},
	time(m) {
		const at = time(m["text"]);
		return at === noTime ? { ok: false } : { ok: true, micros: String(at) };
	},
	grant(m) {
		return { ok: covers(m["grant"], m["id"]) };
	},
};

