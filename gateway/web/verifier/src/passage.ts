// What leads on from an entry of a history. Members of events that are not of
// EPCIS's form are passed over.
import { namesOf } from "./gs1/identifier.ts";
import { type Key, Kind } from "./keys.ts";
import { forever, noTime, time } from "./time.ts";
import { get, items, type JSONObject, text } from "./value.ts";

// An Entry of a history. One has effect that is signed, first of its identity, and
// neither withdrawn nor a withdrawal; only such an entry leads on.
export interface Entry {
	index: bigint;
	json: JSONObject;
	effect: boolean;
}

export interface Passage extends Entry {
	at: bigint; // noTime if it has none
	own: boolean; // it is about the identifier itself, and not only about what is of it
	// Of one that has effect:
	lots: string[]; // what the identifier is of, as the entry links them
	parents: string[]; // what it was packed into
	output: boolean; // it came out of a transformation of
	inputs: string[]; // these,
	transformations: string[]; // and of those that were logged apart
}

export function passageOf(e: Entry, key: Key): Passage {
	const v = e.json;
	const p: Passage = { ...e, at: time(text(get(v, "eventTime"))), own: isAbout(v, key.id), lots: [], parents: [], output: false, inputs: [], transformations: [] };
	if (!e.effect) return p;
	if (key.kind === Kind.transformation) p.inputs = inputs(v);
	if (key.kind !== Kind.object) return p;
	// An item is of its lot: the event names both in one link.
	const lots = objects(v).map(namesOf).filter((names) => names.length === 2 && names[0] === key.id);
	p.lots = [...new Set(lots.map((names) => names[1]!))];
	if (text(get(v, "type")) === "TransformationEvent" && outputs(v).includes(key.id)) {
		p.output = true;
		p.inputs = inputs(v);
		p.transformations = identifiers([text(get(v, "transformationID"))]);
	} else if (packs(v, "ADD") && children(v).includes(key.id)) {
		p.parents = parents(v);
	}
	return p;
}

// Endings are the times at which things were taken out of one parent, rising.
export class Endings {
	private readonly all: bigint[] = []; // a DELETE that names no children takes all out
	private readonly child = new Map<string, bigint[]>();

	constructor(passages: readonly Passage[], parent: string) {
		for (const { json, effect, at } of passages) {
			if (!effect || at === noTime || !packs(json, "DELETE") || !parents(json).includes(parent)) continue;
			const out = children(json);
			if (out.length === 0) this.all.push(at);
			for (const id of out) {
				const times = this.child.get(id);
				if (times) times.push(at);
				else this.child.set(id, [at]);
			}
		}
		for (const times of [this.all, ...this.child.values()]) times.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
	}

	// after is when the thing was first taken out since then; forever if it was not.
	after(id: string, from: bigint): bigint {
		const ends = [this.all, this.child.get(id) ?? []].map((times) => times.find((t) => t >= from) ?? forever);
		return ends[0]! < ends[1]! ? ends[0]! : ends[1]!;
	}
}

// listed gives the strings of the lists called epcs and the classes of those called
// quantities, as they were sent; "" stands for what is no string.
const listed = (v: JSONObject, epcs: string, quantities: string): string[] => [
	...items(get(v, epcs)).map(text),
	...items(get(v, quantities)).map((item) => text(get(item, "epcClass"))),
];

// identifiers gives what the strings name.
const identifiers = (raw: string[]): string[] => raw.filter(Boolean).flatMap((r) => namesOf(r) as string[]);

// packs tells whether an event puts things into others, or takes them out.
const packs = (v: JSONObject, action: string): boolean =>
	["AggregationEvent", "AssociationEvent"].includes(text(get(v, "type"))) && text(get(v, "action")) === action;

const parents = (v: JSONObject): string[] => identifiers([text(get(v, "parentID"))]);
const children = (v: JSONObject): string[] => identifiers(listed(v, "childEPCs", "childQuantityList"));
const inputs = (v: JSONObject): string[] => identifiers(listed(v, "inputEPCList", "inputQuantityList"));
const outputs = (v: JSONObject): string[] => identifiers(listed(v, "outputEPCList", "outputQuantityList"));

// objects gives, as they were sent, the things that an event is about.
const objects = (v: JSONObject): string[] => [
	...listed(v, "epcList", "quantityList"),
	...listed(v, "childEPCs", "childQuantityList"),
	...listed(v, "outputEPCList", "outputQuantityList"),
];

// isAbout tells whether an event is about the thing itself: what happens to one item
// of a lot is in the lot's history, and happened to no other item of it.
const isAbout = (v: JSONObject, id: string): boolean => [...objects(v), text(get(v, "parentID"))].some((raw) => namesOf(raw)[0] === id);
