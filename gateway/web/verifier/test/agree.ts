// Reads cases with Go's answers, one to a line, and tells where TypeScript gives
// others. It is run by the Go test in internal/agree.

import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { hex } from "../src/bytes.ts";
import { canonical as canonicalID, namesOf } from "../src/gs1/identifier.ts";
import { canonical, parse, parseCanonical } from "../src/jcs.ts";
import { keyHash, keys } from "../src/keys.ts";

type Case =
	| { what: "identifier"; id: string; answer: unknown }
	| { what: "json"; bytes: string; answer: unknown }
	| { what: "keys"; bytes: string; participants: string[]; answer: unknown };

// attempt gives null for bytes that are refused: no JSON, or no UTF-8. Any other
// failure is a mistake in what is tested.
function attempt(f: () => string): string | null {
	try {
		return f();
	} catch (e) {
		if (e instanceof SyntaxError || (e instanceof TypeError && "code" in e && e.code === "ERR_ENCODING_INVALID_ENCODED_DATA")) return null;
		throw e;
	}
}

function answer(c: Case): unknown {
	if (c.what === "identifier") return { canonical: canonicalID(c.id), names: namesOf(c.id) };
	const bytes = new Uint8Array(Buffer.from(c.bytes, "base64"));
	if (c.what === "keys") {
		return keys(c.participants, parse(bytes)).map((key) => ({ kind: key.kind, id: key.id, hash: hex(keyHash(key)) }));
	}
	return {
		canonical: attempt(() => canonical(parse(bytes))),
		isCanonical: attempt(() => canonical(parseCanonical(bytes))) !== null,
	};
}

const most = 20; // differences that are shown
let cases = 0;
let differences = 0;
for await (const line of createInterface({ input: createReadStream(process.argv[2]!) })) {
	const c = JSON.parse(line) as Case;
	const got = JSON.stringify(answer(c));
	const want = JSON.stringify(c.answer);
	cases++;
	if (got !== want && ++differences <= most) {
		const of = c.what === "identifier" ? c.id : Buffer.from(c.bytes, "base64").toString("latin1");
		console.error(`${c.what} ${JSON.stringify(of)}:\n  Go         ${want}\n  TypeScript ${got}`);
	}
}
console.log(`${cases} cases, ${differences} differences`);
process.exitCode = differences > 0 ? 1 : 0;
