// The saved form of histories and journeys, as a service answers with them and as
// they are kept in files: what package history reads in Go, as strictly.
import { type Bytes, concat, encode, parseU64, unbase64 } from "./bytes.ts";
import { hash } from "./checkpoint.ts";
import { parse } from "./jcs.ts";
import { type MapProof, parseMapProof } from "./map.ts";
import { Refusal } from "./refusal.ts";
import { isArray, isObject, type Value } from "./value.ts";

export const pageLimit = 1000; // entries in a history
const maxHistories = 4096; // in a journey
const maxProof = 64; // hashes

// maxSaved bounds what is read, in bytes: a phone's memory is the limit.
export const maxSaved = 64 << 20;

export interface SavedEntry {
	index: bigint;
	entry: Bytes;
	proof: Bytes[];
}

export interface SavedIndex {
	checkpoint: string;
	leaf: string;
	leafProof: Bytes[];
	mapProof: MapProof;
}

export interface SavedHistory {
	id: string;
	kind: string;
	index: SavedIndex; // shows that the positions are all there are
	logCheckpoint: string;
	positions: bigint[];
	entries: SavedEntry[];
	participants: SavedHistory[];
}

export interface SavedJourney {
	histories: SavedHistory[];
	notFollowed: string[];
}

// maxValues bounds how many JSON values it has, counted by its commas and opening
// brackets and braces: each takes many times more memory than bytes in the text.
const maxValues = 4 << 20;

const bad = (path: string, want: string) => new Refusal("malformed", `${path || "the file"} is not ${want}`);

function parseSaved(saved: Bytes): Value {
	if (saved.length > maxSaved) throw bad("", `of at most ${maxSaved} bytes`);
	let values = 0;
	for (const c of saved) if (c === 0x2c || c === 0x5b || c === 0x7b) values++;
	if (values > maxValues) throw bad("", `of at most ${maxValues} values`);
	try {
		return parse(saved);
	} catch {
		throw bad("", "JSON as RFC 7493 has it");
	}
}

const historyMembers = ["id", "kind", "indexCheckpoint", "indexLeaf", "indexProof", "logCheckpoint", "mapProof", "positions", "entries"];

export const decodeHistory = (saved: Bytes): SavedHistory => history("", parseSaved(saved), true);

export const decodeJourney = (saved: Bytes): SavedJourney => journey("", parseSaved(saved));

// proofVersion is the form of a proof, and the first thing in its text.
const proofVersion = "tallyroot/proof/v1";

// A SavedProof is a journey as a reader saves it and hands it on, with what was asked
// for. Whom to trust does not stand in it.
export interface SavedProof {
	id: string; // canonical
	journey: SavedJourney;
}

// decodeProof reads a proof, of its own version alone.
export function decodeProof(saved: Bytes): SavedProof {
	const v = object("", parseSaved(saved), ["proof", "id", "journey"]);
	if (v("proof") !== proofVersion) throw bad("proof", `${proofVersion}, the only form that is known here`);
	return { id: text("id", v("id")), journey: journey("journey", v("journey")) };
}

// encodeProof makes a proof of a journey that came as an answer, byte for byte.
export const encodeProof = (id: string, answer: Bytes): Bytes =>
	concat(encode(`{"proof":${JSON.stringify(proofVersion)},"id":${JSON.stringify(id)},"journey":`), answer, encode("}"));

// formOf tells what a file is, by how it begins; undefined: none of them.
export function formOf(saved: Bytes): "proof" | "journey" | "history" | undefined {
	const first = /^\s*\{\s*"(proof|histories|id)"/.exec(new TextDecoder().decode(saved.subarray(0, 100)))?.[1];
	return first === "proof" ? first : first === "histories" ? "journey" : first === "id" ? "history" : undefined;
}

function journey(path: string, v: Value): SavedJourney {
	const member = object(path, v, ["histories", "notFollowed"]);
	const at = (name: string) => [join(path, name), member(name)] as const;
	const histories = list(...at("histories"));
	if (histories.length > maxHistories) throw bad(join(path, "histories"), `a list of at most ${maxHistories}`);
	return {
		histories: histories.map((item, i) => history(`${join(path, "histories")}[${i}]`, item, false)),
		notFollowed: list(...at("notFollowed")).map((item, i) => text(`${join(path, "notFollowed")}[${i}]`, item)),
	};
}

// object gives the members of an object that has exactly those names.
function object(path: string, v: Value, names: string[]): (name: string) => Value {
	if (!isObject(v) || v.size !== names.length || !names.every((name) => v.has(name))) throw bad(path, `an object of the members ${names.join(", ")}`);
	return (name) => v.get(name)!;
}

function history(path: string, v: Value, whole: boolean): SavedHistory {
	const member = object(path, v, [...historyMembers, ...(whole ? ["participants"] : [])]);
	const at = (name: string) => [join(path, name), member(name)] as const;
	const map = <T>(name: string, f: (path: string, item: Value) => T): T[] => list(...at(name)).map((item, i) => f(`${join(path, name)}[${i}]`, item));
	return {
		id: text(...at("id")),
		kind: text(...at("kind")),
		logCheckpoint: text(...at("logCheckpoint")),
		index: {
			checkpoint: text(...at("indexCheckpoint")),
			leaf: text(...at("indexLeaf")),
			leafProof: hashes(...at("indexProof")),
			mapProof: parseMapProof(member("mapProof")),
		},
		positions: map("positions", number),
		entries: map("entries", entry),
		participants: whole ? map("participants", (p, item) => history(p, item, false)) : [],
	};
}

function entry(path: string, v: Value): SavedEntry {
	const member = object(path, v, ["index", "entry", "proof"]);
	return { index: number(join(path, "index"), member("index")), entry: bytes(join(path, "entry"), member("entry")), proof: hashes(join(path, "proof"), member("proof")) };
}

const join = (path: string, name: string): string => (path ? `${path}.${name}` : name);

function text(path: string, v: Value): string {
	if (typeof v !== "string") throw bad(path, "a text");
	return v;
}

function list(path: string, v: Value): readonly Value[] {
	if (!isArray(v)) throw bad(path, "a list");
	return v;
}

function number(path: string, v: Value): bigint {
	const n = typeof v === "string" ? parseU64(v) : undefined;
	if (n === undefined) throw bad(path, "a whole number below 2^64 as a text");
	return n;
}

function bytes(path: string, v: Value): Bytes {
	const b = unbase64(text(path, v));
	if (!b) throw bad(path, "canonical base64");
	return b;
}

function hashes(path: string, v: Value): Bytes[] {
	const items = list(path, v);
	if (items.length > maxProof) throw bad(path, `a list of at most ${maxProof} hashes`);
	return items.map((item) => {
		const b = typeof item === "string" ? hash(item) : undefined;
		if (!b) throw bad(path, "a list of hashes in base64");
		return b;
	});
}
