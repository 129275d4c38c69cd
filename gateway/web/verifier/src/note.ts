// Signed notes (https://c2sp.org/signed-note), parsed as strictly as package
// checkpoint in Go: what is taken prints back byte for byte.
import { byteLength, type Bytes, cut, encode, unbase64 } from "./bytes.ts";
import { Refusal } from "./refusal.ts";

const maxSize = 256 << 10;
const maxSignatures = 100;

export interface Signature {
	name: string;
	keyID: number;
	bytes: Bytes; // what follows the key id
}

export interface Note {
	text: string; // ends in LF
	signatures: Signature[];
}

// A Key is one whose signatures are known.
export interface Key {
	name: string;
	id: number;
	verify(text: Bytes, signature: Bytes): boolean;
}

const bad = (problem: string) => new Refusal("form", problem);

// Unicode's white space, which is not quite what JavaScript's \s is, plus signs and
// control characters do not stand in a name.
const notInName = /[\x00-\x20+\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

export const validName = (s: string): boolean => s !== "" && !notInName.test(s);

export function parseNote(signed: string): Note {
	if (byteLength(signed) > maxSize) throw bad(`the checkpoint has more than ${maxSize} bytes`);
	if (/[\x00-\x09\x0b-\x1f]/.test(signed)) throw bad("the checkpoint has a control character");
	const split = signed.lastIndexOf("\n\n");
	if (split < 0) throw bad("no blank line stands between the checkpoint's text and its signatures");
	const lines = signed.slice(split + 2).split("\n");
	if (lines.pop() !== "") throw bad("the last signature line does not end");
	if (lines.length === 0 || lines.length > maxSignatures) throw bad(`the checkpoint has ${lines.length} signature lines; want 1 to ${maxSignatures}`);
	return { text: signed.slice(0, split + 1), signatures: lines.map(parseSignature) };
}

function parseSignature(line: string): Signature {
	const parts = line.startsWith("— ") && cut(line.slice(2), " ");
	const raw = parts && unbase64(parts[1]);
	if (!parts || !raw || raw.length <= 4 || !validName(parts[0])) throw bad("a signature line is not an em dash, a key's name and base64");
	return { name: parts[0], keyID: new DataView(raw.buffer).getUint32(0), bytes: raw.slice(4) };
}

// verified gives the signatures that known keys made. A line is by a known key when
// both name and key id agree; if such a one does not hold, the note is refused.
// Signatures by other keys are passed over.
export function verified(note: Note, known: readonly Key[]): Signature[] {
	const text = encode(note.text);
	return note.signatures.filter((s) => {
		const key = known.find((k) => k.id === s.keyID && k.name === s.name);
		if (key && !key.verify(text, s.bytes)) throw new Refusal("signature", `the signature by ${s.name} does not hold`);
		return key;
	});
}
