// JSON, read strictly and written in the one form of RFC 8785 (JSON
// Canonicalization Scheme): what package provenance/jcs does in Go. What is not
// I-JSON whose meaning survives that form is refused: duplicate names, lone
// surrogates, U+0000, invalid UTF-8, a byte order mark, numbers that a 64-bit
// float would change, and nesting deeper than maxDepth. Nothing is ever rounded,
// dropped or replaced.

import { decode, type Bytes } from "./bytes.ts";
import { isArray, isObject, type Value } from "./value.ts";

// maxDepth is how deep objects and arrays may be nested; the outermost has depth 1.
export const maxDepth = 64;

// parse reads exactly one JSON value, in any layout. It throws on anything else.
export function parse(bytes: Bytes): Value {
	return new Parser(decode(bytes)).whole();
}

// parseCanonical is parse for what must be in its canonical form already, as an
// entry's JSON must.
export function parseCanonical(bytes: Bytes): Value {
	const text = decode(bytes);
	const v = new Parser(text).whole();
	if (canonical(v) !== text) throw new SyntaxError("the JSON is not in its canonical form (RFC 8785)");
	return v;
}

// canonical writes a value that parse gave.
export function canonical(v: Value): string {
	if (isArray(v)) return `[${v.map(canonical).join()}]`;
	// JavaScript's own order of texts is the one that is asked for: by UTF-16 units.
	if (isObject(v)) return `{${[...v.keys()].sort().map((name) => `${JSON.stringify(name)}:${canonical(v.get(name)!)}`).join()}}`;
	return JSON.stringify(v);
}

const numberToken = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const space = /[ \t\n\r]*/y;
const words: [string, Value][] = [["true", true], ["false", false], ["null", null]];

class Parser {
	private at = 0;
	private readonly text: string;

	constructor(text: string) {
		this.text = text;
	}

	whole(): Value {
		const v = this.value(1);
		if (this.at < this.text.length) this.fail();
		return v;
	}

	private fail(problem = "not JSON"): never {
		throw new SyntaxError(`${problem} at ${this.at}`);
	}

	// value reads a value and the space around it.
	private value(depth: number): Value {
		this.token(space);
		const v = this.bare(depth);
		this.token(space);
		return v;
	}

	private bare(depth: number): Value {
		const c = this.text[this.at];
		if (c === '"') return this.string();
		if (c === "{" || c === "[") {
			if (depth > maxDepth) this.fail("nested too deep");
			this.at++;
			return c === "{" ? this.object(depth + 1) : this.array(depth + 1);
		}
		for (const [word, v] of words) {
			if (this.text.startsWith(word, this.at)) {
				this.at += word.length;
				return v;
			}
		}
		return this.number();
	}

	private object(depth: number): Value {
		const members = new Map<string, Value>();
		this.token(space);
		if (this.next("}")) return members;
		do {
			this.token(space);
			const name = this.string();
			if (members.has(name)) this.fail("a member name stands twice");
			this.token(space);
			if (!this.next(":")) this.fail();
			members.set(name, this.value(depth));
		} while (this.next(","));
		if (!this.next("}")) this.fail();
		return members;
	}

	private array(depth: number): Value {
		const items: Value[] = [];
		this.token(space);
		if (this.next("]")) return items;
		do items.push(this.value(depth));
		while (this.next(","));
		if (!this.next("]")) this.fail();
		return items;
	}

	private string(): string {
		const start = this.at;
		if (!this.next('"')) this.fail();
		for (; !this.next('"'); this.at++) {
			if (this.at >= this.text.length) this.fail();
			if (this.text[this.at] === "\\") this.at++;
		}
		// Which escapes there are, and that control characters need one, JSON.parse knows.
		const s: string = JSON.parse(this.text.slice(start, this.at));
		if (/[\0\p{Surrogate}]/u.test(s)) this.fail("U+0000 or half of a surrogate pair in a string");
		return s;
	}

	private number(): number {
		const token = this.token(numberToken);
		const n = Number(token) + 0; // not -0
		if (!token || !isFinite(n) || decimal(token) !== decimal(String(n))) this.fail("not a number that a 64-bit float holds");
		return n;
	}

	private next(c: string): boolean {
		const is = this.text[this.at] === c;
		if (is) this.at++;
		return is;
	}

	private token(pattern: RegExp): string {
		pattern.lastIndex = this.at;
		const found = pattern.exec(this.text)?.[0] ?? "";
		this.at += found.length;
		return found;
	}
}

// decimal gives the exact value of a number's text in one form: digits without
// zeros at either end, and a power of ten.
function decimal(token: string): string | 0 {
	const [, sign, whole, fraction = "", exponent = "0"] = /^(-?)(\d+)(?:\.(\d+))?(?:e(.+))?$/i.exec(token)!;
	const digits = (whole! + fraction).replace(/^0+/, "");
	let end = digits.length;
	while (digits[end - 1] === "0") end--;
	return end && `${sign}${digits.slice(0, end)}e${Number(exponent) - fraction.length + digits.length - end}`;
}
