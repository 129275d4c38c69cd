// The Application Identifiers: what package provenance/gs1 has in ai.go.

import { checks } from "./checks.ts";
import { dictionary } from "./table.ts";
import { sets } from "./text.ts";

export interface Definition {
	readonly ai: string;
	readonly attribute: boolean; // may stand in the query of a Digital Link
	readonly parts: readonly Part[]; // of its value; none if it may stand nowhere in a link
	readonly key: boolean; // is a primary key of Digital Link
	readonly qualifiers: readonly string[][]; // of the key: alternative sequences, each in the order of the path
	readonly required: string | undefined; // the qualifier that the key cannot be without
}

// Part is one component of a value.
interface Part {
	readonly set: string;
	readonly min: number;
	readonly max: number;
	readonly optional: boolean;
	readonly checks: readonly string[];
}

const definitions = new Map<string, Definition>();

for (const line of dictionary.split("\n")) {
	const [ais, ...words] = line.split(" ");
	const [first, last = first] = ais!.split("-");
	const value = (name: string) => words.find((w) => w.startsWith(name))?.slice(name.length);
	const sequences = value("dlpkey=");
	const definition = {
		attribute: words.includes("?"),
		parts: words.filter((w) => /^\[?[NXYZ]/.test(w)).map(part),
		key: sequences !== undefined,
		qualifiers: (sequences ?? "").split("|").map((s) => s.split(",")),
		required: value("req="),
	};
	for (let n = Number(first); n <= Number(last); n++) {
		const ai = String(n).padStart(first!.length, "0");
		definitions.set(ai, { ai, ...definition });
	}
}

// part reads one component: N14,csum or [X..17].
function part(word: string): Part {
	const [, optional, set, variable, max, names] = /^(\[?)(.)(\.\.)?([0-9]+)\]?,?(.*)$/.exec(word)!;
	return { set: set!, min: variable ? 1 : Number(max), max: Number(max), optional: optional !== "", checks: names ? names.split(",") : [] };
}

// lookup gives the definition of an AI; undefined when there is none.
export const lookup = (ai: string): Definition | undefined => definitions.get(ai);

// checkDigits are the linters of check digits and check characters.
const checkDigits = ["csum", "csumalpha"];

// fits says whether a value has the length and the characters that its AI asks
// for, and passes those of its linters that are asked for.
export function fits(d: Definition, value: string, lint: "all" | "but check digits" | "none"): boolean {
	for (const p of d.parts) {
		const v = value.slice(0, p.max);
		if (v === "" && p.optional) break;
		if (v.length < p.min || !sets[p.set]!.test(v)) return false;
		if (lint !== "none") {
			for (const c of p.checks) if (!(lint === "but check digits" && checkDigits.includes(c)) && !checks[c]!(v)) return false;
		}
		value = value.slice(v.length);
	}
	return value === "";
}

// inSequence says whether AIs may stand in this order in a path: a primary key,
// then qualifiers that are a part of one of its sequences.
export function inSequence(key: Definition, qualifiers: readonly string[]): boolean {
	if (qualifiers.length === 0) return true;
	return key.qualifiers.some((sequence) => {
		let i = 0;
		for (const q of sequence) if (qualifiers[i] === q) i++;
		return i === qualifiers.length;
	});
}
