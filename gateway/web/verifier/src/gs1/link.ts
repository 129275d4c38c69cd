// GS1 Digital Links, read as package provenance/gs1 reads them in link.go.

import { fits, inSequence, lookup, type Definition } from "./ai.ts";
import { shortNames } from "./table.ts";
import { escape, unescape } from "./text.ts";

// stem is where canonical identifiers stand.
export const stem = "https://id.gs1.org";

// maxAttributes is how many AIs may stand in the query.
const maxAttributes = 64;

// Element is an Application Identifier and its value, unescaped.
export type Element = readonly [ai: string, value: string];

export const write = (elements: readonly Element[]): string => stem + elements.map(([ai, value]) => `/${ai}/${escape(value)}`).join("");

export const isWeb = (id: string): boolean => /^(https?|HTTPS?):\/\//.test(id);

// Link is a web URI. Where it is no Digital Link it has no path, and perhaps the
// key that it would have.
export class Link {
	readonly path: readonly Element[] | undefined; // the key, then its qualifiers in order
	private key: Definition | undefined;
	private keyValue = ""; // as it stands in the path
	private readonly uri: string;
	private readonly older: boolean;

	// older takes GTINs of 8, 12 and 13 digits, short names in the path, and wrong
	// check digits. The URI is printable ASCII.
	constructor(uri: string, older = false) {
		this.uri = uri;
		this.older = older;
		this.path = this.read();
	}

	private read(): Element[] | undefined {
		const [, domain, path = "", query = ""] = /^\w+:\/\/([^/]+)(\/[^?#]*)(?:\?([^#]*))?/.exec(this.uri) ?? [];
		if (domain === undefined || /[_~?#@!$&'()*+,;=%]/.test(domain)) return undefined;
		const segments = this.fromKey(path);
		if (!/^[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=%]*$/.test(this.uri)) return undefined;
		if (!segments) {
			if (path.endsWith("/")) this.fromKey(path.slice(0, -1));
			return undefined;
		}
		const elements: Element[] = [];
		for (let i = 0; i < segments.length; i += 2) {
			const d = this.pathAI(segments[i]!)!;
			const value = this.value(d, segments[i + 1]!);
			if (value === undefined) return undefined;
			elements.push([d.ai, value]);
		}
		const key = this.key!;
		const qualifiers = elements.slice(1).map(([ai]) => ai);
		if (!inSequence(key, qualifiers) || (key.required && !qualifiers.includes(key.required))) return undefined;
		return this.queryFits(query, key, qualifiers) ? elements : undefined;
	}

	// fromKey walks the pairs of AI and value from the right to the first key, and
	// gives the segments of the path from it on.
	private fromKey(path: string): string[] | undefined {
		const segments = path.split("/");
		for (let i = segments.length - 2; i > 0; i -= 2) {
			const d = this.pathAI(segments[i]!);
			if (!d) return undefined;
			if (d.key) {
				this.key = d;
				this.keyValue = segments[i + 1]!;
				return segments.slice(i);
			}
		}
		return undefined;
	}

	private pathAI(ai: string): Definition | undefined {
		return lookup(ai) ?? (this.older ? lookup(shortNames.get(ai) ?? "") : undefined);
	}

	// value unescapes and checks one value.
	private value(d: Definition, raw: string, query = false): string | undefined {
		let value = unescape(raw, query);
		if (!value) return undefined;
		if (this.older && d.ai === "01" && [8, 12, 13].includes(value.length)) value = value.padStart(14, "0");
		return fits(d, value, this.older ? "but check digits" : "all") ? value : undefined;
	}

	// queryFits says whether the AIs of the query are data attributes of the link.
	// Parameters that are no AIs are passed over.
	private queryFits(query: string, key: Definition, qualifiers: readonly string[]): boolean {
		const seen = [key.ai, ...qualifiers];
		const most = seen.length + maxAttributes;
		for (const pair of query.split("&")) {
			const [, ai, raw] = /^([0-9]+)=(.*)$/.exec(pair) ?? [];
			if (ai === undefined) continue;
			const d = lookup(ai);
			if (!d?.attribute || this.value(d, raw!, true) === undefined || seen.includes(ai)) return false;
			for (let at = 0; at <= qualifiers.length; at++) {
				if (inSequence(key, [...qualifiers.slice(0, at), ai, ...qualifiers.slice(at)])) return false; // it belongs in the path
			}
			if (seen.push(ai) > most) return false;
		}
		return true;
	}

	// claims says of a link that could not be read whether it can only have been
	// meant as a Digital Link: it stands at id.gs1.org, or its key's value has the
	// right form or at least begins with as many digits as the shortest key has,
	// even where the domain before the key was forgotten.
	claims(): boolean {
		if (this.host() === "id.gs1.org") return true;
		if (!this.key) this.fromKey(/\/\/([^?#]*)/.exec(this.uri)![0].slice(1));
		if (!this.key) return false;
		if (this.key.parts[0]!.set === "N") return /^[0-9]{13}/.test(this.keyValue);
		const value = unescape(this.keyValue);
		return value !== undefined && fits(this.key, value, "none") && /^[0-9]{4}/.test(value);
	}

	private host(): string {
		return /\/\/([^/?#]*)/.exec(this.uri)![1]!;
	}

	// hasHost says whether there is one, of characters that hosts have.
	hasHost(): boolean {
		return /^[^!$&'()*+,;=]+$/.test(this.host());
	}

	// standsForItself says of a link that could not be read that older readings
	// would take it: it is known for what it is, and not refused.
	standsForItself(): boolean {
		if (this.key && (this.key.ai !== "01" || this.keyValue.length === 14)) return false;
		return new Link(this.uri, true).path !== undefined;
	}

	// names gives what a Digital Link identifies, most specific first.
	names(): [string, ...string[]] {
		const [key, ...qualifiers] = this.path!;
		const [first, ...others] = ["21", "10"].flatMap((ai) => qualifiers.filter((q) => q[0] === ai)).map((q) => write([key!, q]));
		return first === undefined ? [write(this.path!)] : [first, ...others];
	}
}
