// What a reader is told: verdicts in plain words. Nothing here decides anything; what
// may be said of completeness is claim.ts's to say.
import { type Anchor } from "./anchor.ts";
import { type Claim } from "./claim.ts";
import { type CheckedHistory } from "./history.ts";
import { type CheckedJourney } from "./journeycheck.ts";
import { counts, type Judged } from "./judged.ts";
import { title } from "./reading.ts";
import { roles } from "./journey.ts";
import { type Witness } from "./policy.ts";
import { type Refusal } from "./refusal.ts";
import { get, text } from "./value.ts";

// good: nothing is missing, and somebody else than the operator vouches for that.
// part: what is here is right, and less is claimed. bad: something is wrong.
export type Tone = "good" | "part" | "bad";

// A Report is what the panel shows. All of it is text, whoever wrote it.
export interface Report {
	tone: Tone;
	unchecked?: true; // nothing was checked
	reason?: string; // the short word of a refusal
	headline: string;
	about?: string; // the identifier
	lines: string[];
	missing?: string[];
	entries?: { index: string; said: string; flaw?: string }[]; // as the device read them
}

const tones: Record<Claim, Tone> = { complete: "good", "complete-by-operator": "part", page: "part", entries: "part", incomplete: "bad" };

const date = (seconds: bigint): string => new Date(Number(seconds) * 1000).toISOString().replace("T", " ").replace(/:\d\d\.000Z/, " UTC");

// who names witnesses as the policy does, and by their keys' own names.
const who = (list: readonly Witness[]): string => list.map((w) => (w.label === w.name ? w.name : `${w.label} (${w.name})`)).join(", ");

const plural = (n: number, one: string, many: string): string => `${n} ${n === 1 ? one : many}`;

// sentence says how complete what is proved at the anchor is.
function sentence(claim: Claim, a: Anchor): string {
	const { size } = a.log.checkpoint;
	switch (claim) {
		case "complete":
			return a.log.time === undefined ? `Complete up to entry ${size}, rebuilt by ${who(a.rebuilders)}; no witness says when.` : `Complete up to entry ${size}, witnessed at ${date(a.log.time)}.`;
		case "complete-by-operator":
			return `Complete up to entry ${size} according to the operator’s index; not independently rebuilt.`;
		case "page":
			return "The list is complete, and some of its entries are not here.";
		case "entries":
			return "What is here stands in the log. Whether the log holds more about it, this cannot show.";
		case "incomplete":
			return "Journey incomplete: histories to which it leads were left out.";
	}
}

// vouched says who vouches for the logs and the operator.
function vouched(a: Anchor): string[] {
	const lines = [
		a.log.time === undefined
			? "The log’s own key vouches for that, and no witness (quorum none): it could show other readers another log."
			: `Witnesses vouch for that log: ${who(a.log.witnesses)}; the quorum at ${date(a.log.time)}.`,
	];
	if (a.independent) lines.push(`The index was rebuilt from the log by ${who(a.rebuilders)}.`);
	if (a.indexFromGenesis) lines.push("The index log’s key was taken from the log’s first entry.");
	if (!a.operatorTrusted) lines.push("The operator’s key was taken from the log’s first entry.");
	return lines;
}

const unasked = "The file itself says what it is about: compare that with what you asked for.";

export function journeyReport(v: CheckedJourney): Report {
	const { origin } = v.anchor.log.checkpoint;
	const n = v.steps.length;
	const lines = [
		n === 0 ? `Nothing is logged about it in the log ${origin}.` : `${plural(n, "entry tells", "entries tell")} of it, found in ${plural(v.journey.keys.length, "history", "histories")} that your device followed. Each is proved to stand in the log ${origin}.`,
	];
	const unsigned = v.steps.filter((s) => s.entry.problem !== undefined).length;
	if (unsigned > 0) lines.push(`${plural(unsigned, "entry is", "entries are")} unauthenticated and count for nothing: their signatures do not hold.`);
	else if (n > 0) lines.push("Every signature holds, by the keys that held at its place in the log.");
	if (!v.asked) lines.push(unasked);
	if (v.notFollowed.length > 0) lines.push(`The service says that it did not follow ${plural(v.notFollowed.length, "identifier", "identifiers")}.`);
	return {
		tone: tones[v.claim],
		...(v.claim === "incomplete" ? { reason: v.claim } : {}),
		headline: sentence(v.claim, v.anchor),
		about: v.journey.id,
		lines: [...lines, ...vouched(v.anchor)],
		missing: v.missing.map(title),
		entries: v.steps.map(({ step, entry }) => told(entry, roles[step.role]!)),
	};
}

export function historyReport(v: CheckedHistory): Report {
	const lines = [`${plural(v.entries.length, "entry", "entries")} of ${v.positions.length} about it, proved to stand in the log ${v.anchor.log.checkpoint.origin}.`];
	const unsigned = v.entries.filter((j) => j.problem !== undefined).length;
	if (unsigned > 0) lines.push(`${plural(unsigned, "entry is", "entries are")} unauthenticated and count for nothing: their signatures do not hold.`);
	if (!v.asked) lines.push(unasked);
	return { tone: tones[v.claim], headline: sentence(v.claim, v.anchor), about: title(v.key), lines: [...lines, ...vouched(v.anchor)], entries: v.entries.map((j) => told(j)) };
}

// told says what an entry says, as shortly as it can.
function told(j: Judged, role = "") {
	const { json, participants } = j.entry;
	const words = ["eventTime", "type", "action", "bizStep"].map((name) => text(get(json, name))).concat(role === "self" ? "" : role, `by ${participants.join(" and ")}`);
	const flaw = j.problem !== undefined ? `unauthenticated: ${j.detail}` : j.duplicateOf !== undefined ? `a duplicate of entry ${j.duplicateOf}` : j.withdrawnBy !== undefined ? `withdrawn by entry ${j.withdrawnBy}` : counts(j) ? undefined : "without effect";
	return { index: String(j.index), said: words.filter(Boolean).join(" · "), ...(flaw === undefined ? {} : { flaw }) };
}

export function refusalReport(e: Refusal): Report {
	const where = [e.history && `history of ${e.history}`, e.index !== undefined && `entry ${e.index}`].filter(Boolean).join(", ");
	return { tone: "bad", reason: e.reason, headline: `Do not rely on this: ${sentences[e.reason] ?? "it does not hold"}.`, lines: [where ? `${where}: ${e.message}.` : `${e.message}.`] };
}

// What each way to fail means.
const sentences: Record<string, string> = {
	policy: "the keys and policy that were given cannot be used",
	malformed: "what the server gave is not of its form",
	asked: "this is about something other than what was asked for",
	"no-index": "it lacks the proof from the history index",
	mixed: "its histories are not all proved at one checkpoint",
	twice: "a history stands there twice",
	"index-form": "the index log’s checkpoint is malformed",
	"index-origin": "the index checkpoint is of an index log that is not trusted",
	"index-signature": "a signature of the index log’s checkpoint does not hold",
	"index-unsigned": "the index log’s key did not sign its checkpoint",
	"index-quorum": "too few witnesses cosigned the index log’s checkpoint",
	"index-empty": "the index log is empty",
	"leaf-form": "the leaf of the index log is malformed",
	"leaf-log": "the leaf of the index log is about another log",
	"leaf-inclusion": "the leaf is not the newest one of the index log",
	"log-form": "the log’s checkpoint is malformed",
	"log-origin": "the checkpoint is of a log that is not trusted",
	"log-signature": "a signature of the log’s checkpoint does not hold",
	"log-unsigned": "the log’s key did not sign its checkpoint",
	"log-quorum": "too few witnesses cosigned the log’s checkpoint",
	"log-leaf": "the log’s checkpoint is not the one that the index was made from",
	stale: "the log’s checkpoint was not witnessed recently enough",
	ahead: "the log’s checkpoint was witnessed in the future",
	"map-key": "the index’s proof is about another key",
	"map-absence": "the index’s proof does not show that nothing is logged",
	"map-path": "the index’s proof is not a path to the root",
	"map-root": "the index’s proof does not lead to its root",
	order: "the positions do not rise",
	beyond: "a position is not below the log’s size",
	list: "entries were left out, or put in: the list is not the one that the index has",
	page: "the entries are not those at the positions",
	inclusion: "an entry is not what stands in the log",
	entry: "an entry is malformed",
	key: "an entry does not belong there",
	participants: "the signers’ histories are not those that are needed",
	genesis: "the log does not begin as it must",
	operator: "the log’s operator is not the one that is trusted",
	fork: "the log was shown in two versions",
	inconsistent: "the log is not shown to continue what this device saw before",
};
