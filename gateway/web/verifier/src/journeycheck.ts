// The check of a saved journey: the seven checks of all its histories, and whether
// they are all to which the thing leads. The reader finds that out for itself,
// through the entries that were verified.
import { type Anchor, checkAnchor, same } from "./anchor.ts";
import { type Bytes } from "./bytes.ts";
import { type Claim, claimOf } from "./claim.ts";
import { canonical, namesOf } from "./gs1/identifier.ts";
import { mixed } from "./history.ts";
import { follow, type Journey, name, type Step } from "./journey.ts";
import { type Judged, leadsOn } from "./judged.ts";
import { compareKeys, type Key, Kind } from "./keys.ts";
import { type HistoryVerdict, keyOf, operatorKey, Reading, signersOf, tells, title } from "./reading.ts";
import { Refusal, within } from "./refusal.ts";
import { decodeJourney, decodeProof, type SavedJourney } from "./saved.ts";
import { type State } from "./state.ts";
import { type Trust } from "./trust.ts";

export interface CheckedJourney {
	anchor: Anchor;
	asked: boolean; // the reader said what it asked for, and this is it
	journey: Journey; // as it was followed here
	missing: Key[]; // what is needed and not here, or not whole; sorted
	histories: HistoryVerdict[]; // all that were here
	steps: { step: Step; entry: Judged }[]; // as the histories have them
	notFollowed: string[]; // where the service says that it met a bound; no proof of anything
	state: State;
	claim: Claim;
}

// checkJourney checks a saved journey. asked is what the reader asked for, in its own
// words; without it the thing of the first history is taken, and the verdict says so.
// It throws a Refusal when anything that is there is wrong.
export function checkJourney(saved: Bytes, asked: string | undefined, trust: Trust): CheckedJourney {
	return check(decodeJourney(saved), asked, asked !== undefined, trust);
}

// checkProof checks a saved proof, likewise; without asked its own word is taken. It
// refuses one that is about another thing.
export function checkProof(saved: Bytes, asked: string | undefined, trust: Trust): CheckedJourney {
	const { id, journey } = decodeProof(saved);
	if (canonical(id) !== id) throw new Refusal("malformed", `the proof's id ${id} is not the canonical form of an identifier`);
	if (asked !== undefined && namesOf(asked)[0] !== namesOf(id)[0]) throw new Refusal("asked", `it is the proof of ${id}, and the question was ${asked}`);
	return check(journey, asked ?? id, asked !== undefined, trust);
}

// check checks a journey as that of about; without it, of the thing of its first
// history.
function check(file: SavedJourney, about: string | undefined, asked: boolean, trust: Trust): CheckedJourney {
	const keys = file.histories.map(keyOf);
	if (about === undefined && keys.length > 0 && keys[0]!.kind !== Kind.object) throw new Refusal("malformed", "it does not begin with the history of the thing that it is about");
	const id = canonical(about ?? keys[0]?.id ?? "");
	if (id === null) throw new Refusal("asked", "what was asked for is no identifier");
	const noOperator = new Refusal("participants", "the operator's history is missing");
	const first = file.histories[0];
	if (!first) throw noOperator;
	file.histories.forEach((h, i) => {
		if (!same(first, h)) within(title(keys[i]!), mixed);
	});
	const operator = file.histories[keys.findIndex((k) => name(k) === name(operatorKey))];
	const reading = new Reading(trust, checkAnchor(trust, first, operator));
	const signers: Judged[][] = [];
	const seen = new Set<string>();
	const lists = file.histories.map((h, i) =>
		within(title(keys[i]!), () => {
			const key = keys[i]!;
			if (seen.has(name(key))) throw new Refusal("twice", "a history stands there twice");
			seen.add(name(key));
			const list = reading.proved(h, key);
			if (!tells(key)) return list;
			if (list.length !== h.positions.length) throw new Refusal("participants", "the signer's history is not whole");
			signers.push(list);
			return list;
		}),
	);
	if (!operator) throw noOperator;
	reading.judge(signers, lists);
	const histories = file.histories.map((h, i) => reading.verdict(h, keys[i]!, lists[i]!));
	const byKey = new Map(histories.map((h) => [name(h.key), h]));
	const journey = follow(id, (key) => {
		const h = byKey.get(name(key));
		return { entries: h?.entries.map((j) => ({ index: j.index, json: j.entry.json, effect: leadsOn(j) })) ?? [], whole: h?.entries.length === h?.positions.length && !!h };
	});
	const missing = missingOf(journey, histories, seen);
	const steps = journey.steps.map((step) => ({ step, entry: byKey.get(name(step.key))!.entries.find((j) => j.index === step.index)! }));
	return {
		anchor: reading.anchor,
		asked,
		journey,
		missing,
		histories,
		steps,
		notFollowed: file.notFollowed,
		state: reading.state,
		claim: claimOf(reading.anchor, true, missing.length),
	};
}

// missingOf gathers what the journey needs and does not have.
function missingOf(journey: Journey, histories: HistoryVerdict[], here: Set<string>): Key[] {
	const missing = new Map(journey.missed.map((key) => [name(key), key]));
	for (const signer of histories.flatMap((h) => h.entries.flatMap(signersOf))) {
		if (!here.has(name(signer))) missing.set(name(signer), signer);
	}
	return [...missing.values()].sort(compareKeys);
}
