// Claims say whether anything is missing, in the words that all implementations
// share. Nothing else in the verifier may say that a thing is complete.
import { type Anchor } from "./anchor.ts";

export type Claim =
	| "complete" // nothing that the log holds is missing, and somebody else than the operator rebuilt the index that says so
	| "complete-by-operator" // nothing that the operator's index has is missing
	| "page" // the positions are complete, and some of the entries are not here
	| "incomplete"; // histories to which the journey leads are missing

// claimOf gives what can be said of what is proved at an anchor: whole tells whether
// all entries are here, missing how many histories are not.
export function claimOf(a: Anchor, whole: boolean, missing = 0): Claim {
	if (missing > 0) return "incomplete";
	if (!whole) return "page";
	return a.independent ? "complete" : "complete-by-operator";
}
