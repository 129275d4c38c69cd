// Keys(entry) of the history index: what package provenance/historyindex does in
// Go. It is pure, total and frozen: the same entry has the same keys everywhere
// and for ever.

import { compareBytes, concat, encode, sha256, type Bytes } from "./bytes.ts";
import { namesOf } from "./gs1/identifier.ts";
import { get, items, text, type Value } from "./value.ts";

// kinds are the names of the kinds of key; a kind's number is its place here.
export const kinds = ["object", "input", "by", "participant", "master", "transformation", "operator", "place"] as const;

export const Kind = { object: 0, input: 1, by: 2, participant: 3, master: 4, transformation: 5, operator: 6, place: 7 } as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

// A Key is a kind and an identifier, which is a canonical one unless the entry's
// was malformed.
export interface Key {
	readonly kind: Kind;
	readonly id: string;
}

const salt = 0; // its length: version 1 has none

// keyHash is the key's place in the index.
export const keyHash = (key: Key): Bytes =>
	sha256(concat(encode("tallyroot/index/v1/key\0"), Uint8Array.of(key.kind, salt), encode(key.id)));

// compareKeys orders by kind, then by identifier bytewise.
export const compareKeys = (a: Key, b: Key): number => a.kind - b.kind || compareBytes(a.id, b.id);

// keys gives the keys under which an entry stands, sorted and each once. Members
// that are not of the form that EPCIS gives them are passed over; an identifier
// that is none is keyed as its exact string.
export function keys(participants: readonly string[], json: Value): Key[] {
	const found: Key[] = participants.map((id) => ({ kind: Kind.by, id }));
	const type = text(get(json, "type"));
	if (type.startsWith("tallyroot:")) statement(found, type, json);
	else event(found, json);
	found.sort(compareKeys);
	return found.filter((key, i) => i === 0 || compareKeys(key, found[i - 1]!) !== 0);
}

function statement(found: Key[], type: string, json: Value): void {
	const id = get(json, "id");
	switch (type) {
		case "tallyroot:Genesis":
		case "tallyroot:Operator":
			found.push({ kind: Kind.operator, id: "operator" });
			break;
		case "tallyroot:Participant":
			if (typeof id === "string") found.push({ kind: Kind.participant, id });
			break;
		case "tallyroot:Product":
		case "tallyroot:Place":
			add(found, Kind.master, get(json, "identifier"));
	}
}

function event(found: Key[], json: Value): void {
	const list = (kind: Kind, name: string) => items(get(json, name)).forEach((item) => add(found, kind, item));
	const quantities = (kind: Kind, name: string) => items(get(json, name)).forEach((item) => add(found, kind, get(item, "epcClass")));
	const before = found.length;
	list(Kind.object, "epcList");
	list(Kind.object, "childEPCs");
	add(found, Kind.object, get(json, "parentID"));
	list(Kind.object, "outputEPCList");
	quantities(Kind.object, "quantityList");
	quantities(Kind.object, "childQuantityList");
	quantities(Kind.object, "outputQuantityList");
	if (found.length === before) { // it names no object
		for (const name of ["readPoint", "bizLocation"]) add(found, Kind.place, get(get(json, name), "id"));
	}
	list(Kind.input, "inputEPCList");
	quantities(Kind.input, "inputQuantityList");
	add(found, Kind.transformation, get(json, "transformationID"));
}

// add adds what an identifier names, when it is a string.
function add(found: Key[], kind: Kind, v: Value | undefined): void {
	if (typeof v === "string") for (const id of namesOf(v)) found.push({ kind, id });
}
