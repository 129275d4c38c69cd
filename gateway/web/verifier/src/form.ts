// The form of a statement's JSON: which members it has, and what each may be. The
// limits are those of package participant in Go, in bytes where they are of a text.
import { byteLength } from "./bytes.ts";
import { parseSignature, parseVerifier, type Signature, type Verifier } from "./entry.ts";
import { Refusal } from "./refusal.ts";
import { isArray, isObject, type JSONObject, type Value } from "./value.ts";

export const maxText = 256;
export const maxDescription = 8192;
export const maxLink = 2048;
const maxKeys = 16;

export const wrong = (name: string, want: string) => new Refusal("statement", `the statement's ${name} is not ${want}`);

// A Form reads the members of one object, each once, and throws at the first that
// is not what it must be.
export class Form {
	private readonly v: JSONObject;
	private known = 0; // members that are there and were asked for

	constructor(v: Value) {
		if (!isObject(v)) throw wrong("form", "an object");
		this.v = v;
	}

	// done refuses members that nobody asked for.
	done(): void {
		if (this.known !== this.v.size) throw wrong("list of members", "the one that it must have");
	}

	optional(name: string): Value | undefined {
		const v = this.v.get(name);
		if (v !== undefined) this.known++;
		return v;
	}

	text(name: string, limit = maxText): string {
		return checkText(name, this.optional(name), limit);
	}

	optionalText(name: string, limit: number): string | undefined {
		return this.v.has(name) ? this.text(name, limit) : undefined;
	}

	texts(name: string, most: number, limit: number): string[] {
		const list = this.optional(name);
		if (!isArray(list) || list.length > most) throw wrong(name, `a list of at most ${most} texts`);
		const texts = list.map((item) => checkText(name, item, limit));
		if (new Set(texts).size < texts.length) throw wrong(name, "a list that has each once");
		return texts;
	}

	// count reads a whole number that JSON carries unharmed everywhere.
	count(name: string, least: number): number {
		const n = this.optional(name);
		if (!Number.isSafeInteger(n) || (n as number) < least) throw wrong(name, `a whole number from ${least}`);
		return n as number;
	}

	key(name: string, keyName?: string): Verifier {
		return checkKey(name, this.text(name, maxLink), keyName);
	}

	keys(name: string): Verifier[] {
		return this.texts(name, maxKeys, maxLink).map((vkey) => checkKey(name, vkey));
	}

	// proofs reads the member proofs, which is absent or not empty.
	proofs(): Signature[] {
		if (!this.v.has("proofs")) return [];
		const proofs = this.texts("proofs", 2 * maxKeys, maxLink).map(parseSignature);
		if (proofs.length === 0 || proofs.includes(undefined)) throw wrong("proofs", "signature lines without their dash");
		return proofs as Signature[];
	}
}

function checkText(name: string, v: Value | undefined, limit: number): string {
	if (typeof v !== "string" || v === "" || byteLength(v) > limit || /[\x00-\x09\x0b-\x1f\x7f-\x9f]/.test(v)) {
		throw wrong(name, `a text of 1 to ${limit} bytes`);
	}
	return v;
}

function checkKey(name: string, vkey: string, keyName?: string): Verifier {
	const key = parseVerifier(vkey);
	if (!key || (keyName !== undefined && key.name !== keyName)) throw wrong(name, `the verifier key of ${keyName ?? "a key that may be registered"}`);
	return key;
}
