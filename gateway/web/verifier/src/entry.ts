// Entries: the bytes of the log's leaves, and the keys that sign them. Parsed as
// strictly as package entry in Go; docs/entries.md describes the format.
import { type Bytes, cut, decode, encode, sha256, unbase64 } from "./bytes.ts";
import { type Question, registrable } from "./ed25519.ts";
import { canonical, parseCanonical } from "./jcs.ts";
import { keyID } from "./policy.ts";
import { Refusal } from "./refusal.ts";
import { get, isObject, type JSONObject, text, type Value } from "./value.ts";

export const operator = "operator";

const maxSize = 65535;
const maxOrigin = 255;
const maxSlug = 63;
const maxKeyName = maxOrigin + "/managed/".length + maxSlug;
const headerPrefix = "tallyroot/entry/v1 ";
const signatureSize = 4 + 64;

export interface Entry {
	origin: string;
	participants: string[];
	json: JSONObject;
	text: Bytes; // what is signed
	signatures: Signature[]; // one for each participant, in their order
}

export interface Signature {
	name: string;
	keyID: number;
	bytes: Bytes;
}

// parseEntry reads an entry; its signatures are judged elsewhere.
export function parseEntry(b: Bytes): Entry {
	if (b.length > maxSize) throw new Refusal("too-large", `the entry has ${b.length} bytes; at most ${maxSize} are allowed`);
	const first = b.indexOf(10);
	const second = first < 0 ? -1 : b.indexOf(10, first + 1);
	const [origin, participants] = parseHeader(ascii(b.subarray(0, Math.max(first, 0))));
	let json: Value = null;
	try {
		if (second >= 0) json = parseCanonical(b.subarray(first + 1, second));
	} catch {
		// not canonical JSON
	}
	if (!isObject(json)) throw new Refusal("json", "the entry's second line is not a canonical JSON object");
	return { origin, participants, json, text: b.subarray(0, second + 1), signatures: parseSignatures(b.subarray(second + 1), origin, participants) };
}

// ascii reads a text; what is no ASCII becomes a character that stands in nothing.
const ascii = (b: Bytes): string => Array.from(b, (c) => (c < 0x80 ? String.fromCharCode(c) : "\0")).join("");

function parseHeader(header: string): [origin: string, participants: string[]] {
	const [origin, list] = (header.startsWith(headerPrefix) && cut(header.slice(headerPrefix.length), " ")) || ["", ""];
	const participants = list.split(",");
	const both = participants.length === 2 && participants[0] !== participants[1] && participants.every(isParticipant);
	const one = participants.length === 1 && (list === operator || isParticipant(list));
	if (!isName(origin, maxOrigin) || !(one || both)) throw new Refusal("header", "the entry's first line is malformed");
	return [origin, participants];
}

// isParticipant tells whether s can be a participant's id, which operator cannot.
export const isParticipant = (s: string): boolean => /^[a-z0-9][a-z0-9.-]{0,62}$/.test(s) && s !== operator;

const isName = (s: string, limit: number): boolean => s.length <= limit && /^[!-*,-~]+$/.test(s);

export const keyName = (origin: string, role: "own" | "managed", participant: string): string => `${origin}/${role}/${participant}`;
export const operatorKeyName = (origin: string): string => `${origin}/operator`;

function parseSignatures(b: Bytes, origin: string, participants: string[]): Signature[] {
	const bad = (problem: string) => new Refusal("signatures", `the entry's signature lines are malformed: ${problem}`);
	let rest: string;
	try {
		rest = decode(b);
	} catch {
		throw bad("they are not UTF-8");
	}
	const [empty, ...lines] = rest.split("\n");
	if (empty !== "" || lines.pop() !== "" || lines.length !== participants.length) throw bad("want an empty line and one line for each signer");
	return lines.map((line, i) => {
		const signature = line.startsWith("— ") ? parseSignature(line.slice(2)) : undefined;
		const id = participants[i]!;
		const names = id === operator ? [operatorKeyName(origin)] : [keyName(origin, "own", id), keyName(origin, "managed", id)];
		if (!signature || !names.includes(signature.name)) throw bad(`line ${i + 1} is no signature by ${id}`);
		return signature;
	});
}

// parseSignature reads a key's name, a space and base64 of key id and signature;
// undefined if line is anything else.
export function parseSignature(line: string): Signature | undefined {
	const parts = cut(line, " ");
	const raw = parts && unbase64(parts[1]);
	if (!parts || !raw || raw.length !== signatureSize || !isName(parts[0], maxKeyName)) return undefined;
	return { name: parts[0], keyID: new DataView(raw.buffer).getUint32(0), bytes: raw.slice(4) };
}

// A Verifier is the public part of a key that signs entries.
export interface Verifier {
	vkey: string;
	name: string;
	id: number;
	public: Bytes;
}

// parseVerifier reads the verifier key of a key that may be registered; undefined
// if vkey is anything else.
export function parseVerifier(vkey: string): Verifier | undefined {
	const [name, rest] = cut(vkey, "+") ?? ["", ""];
	const [id, encoded] = cut(rest, "+") ?? ["", ""];
	const raw = unbase64(encoded);
	if (raw?.length !== 33 || raw[0] !== 1 || !isName(name, maxKeyName)) return undefined;
	const number = keyID(name, raw);
	const key = raw.slice(1);
	if (id !== number.toString(16).padStart(8, "0") || !registrable(key)) return undefined;
	return { vkey, name, id: number, public: key };
}

// fits tells whether a signature says that the key made it.
export const fits = (key: Verifier, s: Signature): boolean => s.name === key.name && s.keyID === key.id;

export const question = (key: Verifier, text: Bytes, s: Signature): Question => ({ public: key.public, text, signature: s.bytes });

const statementPrefix = "tallyroot:";

export const typeOf = (v: Value): string => text(get(v, "type"));
export const isStatement = (v: Value): boolean => typeOf(v).startsWith(statementPrefix);

// identity tells entries apart: two of one identity are one thing said twice.
// undefined when the JSON lacks the members of which it is made. Its SHA-256 is the
// identity of docs/entries.md.
export function identity(participant: string, v: JSONObject): string | undefined {
	const parts: (string | undefined)[] = [participant];
	const type = typeOf(v);
	if (isStatement(v)) {
		const about: Record<string, string | undefined> = {
			Genesis: text(get(v, "origin")) || undefined,
			Participant: text(get(v, "id")) || undefined,
			Product: text(get(v, "identifier")) || undefined,
			Place: text(get(v, "identifier")) || undefined,
			Operator: operator,
			Void: "",
		};
		const name = type.slice(statementPrefix.length);
		const number = name === "Genesis" ? 0 : get(v, "number");
		const count = typeof number === "number" ? String(number) : "";
		parts.push(type, Object.hasOwn(about, name) ? about[name] : undefined, /^[0-9]+$/.test(count) ? count : undefined);
	} else {
		parts.push(text(get(v, "eventID")) || undefined);
		if (v.has("errorDeclaration")) parts.push(text(get(get(v, "errorDeclaration"), "declarationTime")) || undefined);
	}
	return parts.includes(undefined) ? undefined : parts.join("\0");
}

// sameButDeclaration tells whether an error declaration may withdraw the original.
export function sameButDeclaration(original: JSONObject, declaration: JSONObject): boolean {
	const rest = (v: JSONObject) => canonical(new Map([...v].filter(([name]) => name !== "errorDeclaration" && name !== "recordTime")));
	return rest(original) === rest(declaration);
}

export const identityHash = (id: string): Bytes => sha256(encode(id));
