// Where keys and policy come from, when a reader brings them: a file, or the part of
// the page's address that no server sees.
import { decode, encode, unbase64 } from "./bytes.ts";
import { parse } from "./jcs.ts";
import { parsePolicy } from "./policy.ts";
import { Refusal } from "./refusal.ts";
import { isObject, items } from "./value.ts";
import { type TrustTexts } from "./trust.ts";

export const policyFragment = "#policy=";

const bad = () => new Refusal("policy", "want a tlog-policy, or a JSON object of the members logPolicy, indexPolicy, indexVerifiers, operatorKey and maxAge");

export const isObjectText = (text: string): boolean => text.trimStart().startsWith("{");

// parseTrust reads keys and policy: a JSON object, or a tlog-policy, of the log or of
// the index log by its log's name, which is put beside what the reader brought before.
export function parseTrust(text: string, before: TrustTexts): TrustTexts {
	if (!isObjectText(text)) {
		const index = parsePolicy(text).logs.every((l) => l.name.endsWith("/index"));
		return { ...before, [index ? "indexPolicy" : "logPolicy"]: text };
	}
	let v;
	try {
		v = parse(encode(text));
	} catch {
		throw bad();
	}
	if (!isObject(v)) throw bad();
	const trust: { [name: string]: unknown } = {};
	for (const [name, value] of v) {
		if (name === "indexVerifiers" && items(value).every((item) => typeof item === "string")) trust[name] = items(value);
		else if (name === "maxAge" && typeof value === "string" && /^[0-9]{1,18}$/.test(value)) trust[name] = BigInt(value);
		else if (["logPolicy", "indexPolicy", "operatorKey"].includes(name) && typeof value === "string") trust[name] = value;
		else throw bad();
	}
	return trust;
}

// trustOfFragment reads the policy of an address; undefined if it has none.
export function trustOfFragment(hash: string): TrustTexts | undefined {
	if (!hash.startsWith(policyFragment)) return undefined;
	const b = hash.slice(policyFragment.length).replaceAll("-", "+").replaceAll("_", "/");
	const text = unbase64(b.padEnd(Math.ceil(b.length / 4) * 4, "="));
	if (!text) throw bad();
	return parseTrust(decode(text), {});
}
