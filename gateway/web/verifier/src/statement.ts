// What the operator's statements say: docs/entries.md describes them.
import { encode, type Bytes } from "./bytes.ts";
import { isParticipant, operator, operatorKeyName, type Signature, type Verifier } from "./entry.ts";
import { Form, maxLink, wrong } from "./form.ts";
import { checkGrant } from "./grant.ts";
import { canonical } from "./jcs.ts";
import { get, type JSONObject, text, without } from "./value.ts";

const keysVersion = 1;
const maxOrigin = 255;
const maxGrants = 1000;

export const indexOrigin = (origin: string): string => origin + "/index";

export interface Genesis {
	origin: string;
	logKey: Verifier;
	indexKey: Verifier;
	operatorKey: Verifier;
}

export function parseGenesis(v: JSONObject): Genesis {
	const f = new Form(v);
	f.text("type");
	const origin = f.text("origin", maxOrigin);
	const g = { origin, logKey: f.key("logKey", origin), indexKey: f.key("indexKey", indexOrigin(origin)), operatorKey: f.key("operatorKey", operatorKeyName(origin)) };
	if (f.count("keysVersion", 1) !== keysVersion) throw wrong("keysVersion", String(keysVersion));
	f.done();
	return g;
}

export interface Statement {
	id: string;
	number: number;
	name: string;
	own: Verifier[];
	managed: Verifier[];
	grants: string[];
	active: boolean;
	recovery: boolean;
	proofs: Signature[];
}

export function parseStatement(v: JSONObject): Statement {
	const f = new Form(v);
	f.text("type");
	const id = f.text("id");
	if (!isParticipant(id)) throw wrong("id", "a participant's");
	const s = {
		id,
		number: f.count("number", 1),
		name: f.text("name"),
		own: f.keys("ownKeys"),
		managed: f.keys("managedKeys"),
		grants: f.texts("grants", maxGrants, maxLink),
		proofs: f.proofs(),
	};
	s.grants.forEach(checkGrant);
	const state = f.text("state");
	if (state !== "active" && state !== "disabled") throw wrong("state", "active or disabled");
	const recovery = f.optional("recovery") ?? false;
	if (recovery === false ? v.has("recovery") : recovery !== true) throw wrong("recovery", "true, or left out");
	f.done();
	return { ...s, active: state === "active", recovery: recovery === true };
}

export interface Rollover {
	number: number;
	key: Verifier;
	proofs: Signature[];
}

export function parseRollover(v: JSONObject): Rollover {
	const f = new Form(v);
	f.text("type");
	const r = { number: f.count("number", 1), key: f.key("operatorKey"), proofs: f.proofs() };
	f.done();
	return r;
}

// proofText is what a key signs to agree to a statement.
export function proofText(origin: string, v: JSONObject): Bytes {
	const about = v.has("id") ? text(get(v, "id")) : operator;
	return encode(`tallyroot/key-proof/v1 ${origin} ${about}\n${canonical(without(v, "proofs"))}\n`);
}
