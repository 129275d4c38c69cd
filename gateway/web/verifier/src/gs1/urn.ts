// EPC URNs, read as package provenance/gs1 reads them in urn.go.

import { checkDigit } from "./checks.ts";
import { write, type Element } from "./link.ts";
import { digits, sets, unescape } from "./text.ts";

// Scheme is one EPC URI scheme of the Tag Data Standard that holds a GS1 key.
interface Scheme {
	readonly key: string; // its AI
	readonly kind?: "class"; // urn:epc:class: and not urn:epc:id:
	readonly digits?: number; // of company prefix and reference together; none: the reference is of any length
	readonly indicator?: true; // the reference's first digit is the key's first
	readonly zero?: true; // the key begins with a 0 that the URN does not have
	readonly pieces?: true; // piece and total follow the reference
	readonly serial?: string; // its AI; none when the serial is the end of the key's value
	readonly serialMax?: number; // its characters; none when there is no serial
	readonly numeric?: true; // the serial is digits
	readonly pattern?: true; // urn:epc:idpat: with * for the serial stands for the key alone
}

const schemes = new Map<string, Scheme>(Object.entries({
	sgtin: { key: "01", digits: 13, indicator: true, serial: "21", serialMax: 20, pattern: true },
	lgtin: { key: "01", kind: "class", digits: 13, indicator: true, serial: "10", serialMax: 20 },
	upui: { key: "01", digits: 13, indicator: true, serial: "235", serialMax: 28, pattern: true },
	sscc: { key: "00", digits: 17, indicator: true },
	sgln: { key: "414", digits: 12, serial: "254", serialMax: 20 },
	pgln: { key: "417", digits: 12 },
	grai: { key: "8003", digits: 12, zero: true, serialMax: 16, pattern: true },
	giai: { key: "8004" },
	ginc: { key: "401" },
	gsrn: { key: "8018", digits: 17 },
	gsrnp: { key: "8017", digits: 17 },
	gsin: { key: "402", digits: 16 },
	gdti: { key: "253", digits: 12, serialMax: 17, pattern: true },
	sgcn: { key: "255", digits: 12, serialMax: 12, numeric: true, pattern: true },
	cpi: { key: "8010", serial: "8011", serialMax: 12, numeric: true, pattern: true },
	itip: { key: "8006", digits: 13, indicator: true, pieces: true, serial: "21", serialMax: 20, pattern: true },
}));

// Schemes that hold no GS1 key, and kinds that are no identity.
const foreignSchemes = ["gid", "usdod", "adi", "bic", "imovn"];
const foreignKinds = ["tag", "pat", "raw"];

// variableMax is how many characters company prefix and reference have together
// where their length is not fixed.
const variableMax = 30;

// foreign stands for an EPC URN without a GS1 key, which stands for itself.
export const foreign = Symbol();

// canonicalURN gives the canonical form of what begins with urn:epc:. It is
// undefined for one that is to be refused.
export function canonicalURN(id: string): string | typeof foreign | undefined {
	const [, kind, rest] = /^urn:epc:([^:]*):?(.*)$/.exec(id)!;
	if (foreignKinds.includes(kind!)) return foreign;
	const [, name, body] = /^([^:]*):(.*)$/.exec(rest!) ?? [];
	if (name === undefined || !["id", "class", "idpat"].includes(kind!)) return undefined;
	if (foreignSchemes.includes(name)) return foreign;
	const scheme = schemes.get(name);
	const pattern = kind === "idpat";
	if (!scheme || !(pattern ? scheme.pattern : kind === (scheme.kind ?? "id"))) return undefined;
	const elements = read(scheme, name, pattern, body!);
	return elements && write(elements);
}

// mistypedURN says whether a URN of another namespace can only have been meant as
// an EPC URN: it goes on like one, as urn:ecp:id:sgtin: does.
export function mistypedURN(id: string): boolean {
	const name = /^urn:[^:]*:(?:id|class|idpat):([^:]*):/.exec(id)?.[1];
	return name !== undefined && schemes.has(name);
}

// read reads what follows the scheme's name.
function read(s: Scheme, name: string, pattern: boolean, body: string): Element[] | undefined {
	const more = s.pieces || s.serialMax ? "([^.]*)\\." : "(.*)";
	const pieces = s.pieces ? "([0-9]{2})\\.([0-9]{2})\\." : "()()";
	const found = new RegExp(`^([0-9]{6,12})\\.${more}${pieces}(.*)$`).exec(body);
	if (!found) return undefined;
	const [company, reference, piece, total, serial] = found.slice(1) as [string, string, string, string, string];
	if (!referenceFits(s, name, company, reference)) return undefined;
	if (s.serialMax && !(pattern ? serial === "*" : serialFits(s, serial))) return undefined;
	const plainSerial = pattern ? "" : unescape(serial)!;
	let key = company + unescape(reference)!;
	if (s.digits) {
		if (s.indicator) key = reference[0]! + company + reference.slice(1);
		if (s.zero) key = "0" + key;
		key += checkDigit(key) + piece + total;
	}
	if (s.serialMax && !s.serial) key += plainSerial;
	const elements: Element[] = [[s.key, key]];
	// An extension of 0 means that a place has none.
	if (s.serial && !pattern && !(name === "sgln" && serial === "0")) elements.push([s.serial, plainSerial]);
	return elements;
}

function referenceFits(s: Scheme, name: string, company: string, reference: string): boolean {
	if (s.digits) return reference.length === s.digits - company.length && digits(reference);
	const n = count(reference, name === "cpi" ? "Y" : "X");
	const least = company.length === 12 && name !== "giai" ? 0 : 1;
	return n >= least && n <= variableMax - company.length;
}

function serialFits(s: Scheme, serial: string): boolean {
	const n = count(serial, s.numeric ? "N" : "X");
	return n >= 1 && n <= s.serialMax! && !(s.serial === "8011" && n > 1 && serial.startsWith("0"));
}

// count counts the characters of a part, each of which is in the set, escaped or
// one that a URN leaves unescaped; -1 when another is among them.
function count(part: string, set: string): number {
	const all = part.match(/%[0-9A-Fa-f]{2}|[^"#%&/<>?]/g) ?? [];
	return all.join("") === part && all.every((c) => sets[set]!.test(unescape(c) ?? "\0")) ? all.length : -1;
}
