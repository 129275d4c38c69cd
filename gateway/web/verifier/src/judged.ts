// What is to be made of an entry that stands in the log.
import { type Bytes } from "./bytes.ts";
import { type Entry, identity, isStatement, sameButDeclaration } from "./entry.ts";
import { type Effect } from "./state.ts";
import { get, without } from "./value.ts";

export interface Judged {
	readonly index: bigint;
	readonly entry: Entry;
	readonly leafHash: Bytes;
	problem?: string; // why the entry is unauthenticated
	detail?: string; // the same, for people
	duplicateOf?: bigint; // the entry that said the same before; this one has no effect
	withdrawnBy?: bigint; // the error declaration that withdraws it
	withdraws?: bigint; // the event that this error declaration withdraws
	effect?: Effect; // of a statement, where the history tells
}

// counts tells whether the entry is authenticated, no duplicate, and no statement
// without effect. A withdrawn event counts, as one that was withdrawn.
export const counts = (j: Judged): boolean => j.problem === undefined && j.duplicateOf === undefined && (j.effect?.applied ?? true);

// leadsOn tells whether what the event says is followed: it counts, and is neither
// withdrawn nor an error declaration.
export const leadsOn = (j: Judged): boolean =>
	j.problem === undefined && j.duplicateOf === undefined && j.withdrawnBy === undefined && get(j.entry.json, "errorDeclaration") === undefined;

// relate marks, among entries in the log's order, the duplicates, the error
// declarations that withdraw an event, and the events that they withdraw. An
// unauthenticated entry takes no part in it.
export function relate(entries: readonly Judged[]): void {
	const seen = new Map<string, Judged>(); // by identity, the first one
	for (const j of entries) {
		if (j.problem !== undefined) continue;
		const id = identity(j.entry.participants[0]!, j.entry.json);
		if (id === undefined) continue;
		const first = seen.get(id);
		if (first) j.duplicateOf = first.index;
		else seen.set(id, j);
	}
	for (const j of entries) {
		if (j.problem !== undefined || j.duplicateOf !== undefined) continue;
		const original = withdrawn(j, seen);
		if (!original) continue;
		j.withdraws = original.index;
		original.withdrawnBy ??= j.index;
	}
}

// withdrawn finds the event that j, if it is an error declaration, withdraws: the
// same event by the same first participant, which may stand before it or after.
function withdrawn({ entry: { json, participants } }: Judged, seen: Map<string, Judged>): Judged | undefined {
	const by = participants[0]!;
	if (!json.has("errorDeclaration") || isStatement(json) || identity(by, json) === undefined) return undefined;
	const original = seen.get(identity(by, without(json, "errorDeclaration")) ?? "");
	return original && sameButDeclaration(original.entry.json, json) ? original : undefined;
}
