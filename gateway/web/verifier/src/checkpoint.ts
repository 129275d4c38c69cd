// Checkpoints (https://c2sp.org/tlog-checkpoint) without extension lines.
import { byteLength, type Bytes, parseU64, unbase64 } from "./bytes.ts";
import { type Note, parseNote, validName } from "./note.ts";
import { Refusal } from "./refusal.ts";

export interface Checkpoint {
	origin: string;
	size: bigint;
	root: Bytes;
}

const maxOrigin = 255;

export const validOrigin = (s: string): boolean => validName(s) && byteLength(s) <= maxOrigin;

// hash reads 32 bytes in base64; undefined if s is anything else.
export function hash(s: string): Bytes | undefined {
	const b = s.length === 44 ? unbase64(s) : undefined;
	return b?.length === 32 ? b : undefined;
}

// parseBody reads the three lines that are signed.
export function parseBody(text: string): Checkpoint {
	const [origin, size, root, end, ...more] = text.split("\n");
	const n = parseU64(size ?? "");
	const b = hash(root ?? "");
	if (!validOrigin(origin!) || n === undefined || !b || end !== "" || more.length > 0) {
		throw new Refusal("form", "the checkpoint's text is not the three lines origin, size and root");
	}
	return { origin: origin!, size: n, root: b };
}

export function parseCheckpoint(signed: string): { checkpoint: Checkpoint; note: Note } {
	const note = parseNote(signed);
	return { checkpoint: parseBody(note.text), note };
}
