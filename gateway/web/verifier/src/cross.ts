// What two good proofs of one log say of each other.
import { equal } from "./bytes.ts";
import { type CheckedHistory } from "./history.ts";
import { name } from "./journey.ts";
import { keys } from "./keys.ts";
import { title } from "./reading.ts";
import { type CheckedReceipt } from "./receipt.ts";
import { Refusal } from "./refusal.ts";

// cross holds a receipt against a history: if the receipt's entry has the history's
// key and stands below its size, the history must have it. It gives whether that is
// so. A history with an index proof that fails here shows that the operator, and
// whoever cosigned its index as its verifier, said what is not so.
export function cross(r: CheckedReceipt, h: CheckedHistory): boolean {
	const [a, b] = [r.log.checkpoint, h.anchor.log.checkpoint];
	if (a.origin !== b.origin) return false;
	if (a.size === b.size && !equal(a.root, b.root)) throw new Refusal("fork", `at size ${a.size} the log has two roots`);
	const belongs = keys(r.entry.participants, r.entry.json).some((k) => name(k) === name(h.key));
	if (h.positions.includes(r.index)) {
		const j = h.entries.find((e) => e.index === r.index); // of a page it may be none
		if ((j && !equal(j.leafHash, r.leafHash)) || !belongs) throw new Refusal("fork", "the receipt has another entry there than the history", r.index);
		return true;
	}
	if (r.index >= b.size || !belongs) return false;
	throw new Refusal("hidden", `the receipt proves it, and it belongs to ${title(h.key)}`, r.index);
}
