// How a verdict is told: in plain words, the short ones first. Nothing here decides
// anything; what may be said of completeness is claim.ts's to say.
import { type Anchor } from "./anchor.ts";
import { type Claim } from "./claim.ts";
import { type CheckedHistory } from "./history.ts";
import { roles } from "./journey.ts";
import { type CheckedJourney } from "./journeycheck.ts";
import { counts, type Judged, leadsOn } from "./judged.ts";
import { type Verdict, type Witness } from "./policy.ts";
import { title } from "./reading.ts";
import { type Refusal } from "./refusal.ts";
import { type State } from "./state.ts";
import { noTime, time } from "./time.ts";
import { get, text } from "./value.ts";

// good: nothing is missing, and somebody else than the operator vouches for that.
// part: what is here is right, and less is claimed. bad: something is wrong.
export type Tone = "good" | "part" | "bad";

// A Report is what the panel shows. All of it is text, whoever wrote it.
export interface Report {
	tone: Tone;
	unchecked?: true; // nothing was checked
	reason?: string; // the short word of a refusal
	headline: string; // what it comes to
	claim?: string | undefined; // how complete it is, to the letter
	yes: string[]; // what was found
	no: string[]; // what this does not show
	wrong?: string[]; // what does not hold, or why nothing was checked
	details: string[];
	alerts?: string[]; // what a shopper must know first
	missing?: string[];
	hidden?: Told[]; // entries that the page does not show
	entries?: Told[];
	size?: bigint; // of the log at which all is proved
	seen?: Seen[];
}

// A Told is an entry as the device read it.
export interface Told {
	index: string;
	said: string;
	flaw?: string; // why it does not count
	at?: number; // the event's time, in seconds since 1970
	withdrawn: boolean;
	odd: boolean; // a duplicate, without a good signature, or itself a withdrawal
	beside?: string; // the entry that it withdraws, with which it is told
}

// A Seen is a signed checkpoint that a verdict rests on.
export interface Seen {
	role: "log" | "index";
	key: string; // the name and id of the log's key
	signed: string;
	at?: string; // when it was witnessed, in words
}

const tones: Record<Claim, Tone> = { complete: "good", "complete-by-operator": "part", page: "part", incomplete: "bad" };

const months = "January February March April May June July August September October November December".split(" ");

// date writes a time in seconds since 1970 as the page writes its own.
export function date(seconds: bigint): string {
	const d = new Date(Number(seconds) * 1000);
	const two = (n: number) => String(n).padStart(2, "0");
	return `${d.getUTCDate()} ${months[d.getUTCMonth()]} ${d.getUTCFullYear()}, ${two(d.getUTCHours())}:${two(d.getUTCMinutes())} UTC`;
}

// who names witnesses by their keys' own names, which nobody else chose.
const who = (list: readonly Witness[]): string => list.map((w) => w.name).join(", ");

export const plural = (n: number, one: string, many: string): string => `${n} ${n === 1 ? one : many}`;

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
		case "incomplete":
			return "Journey incomplete: histories to which it leads were left out.";
	}
}

// headline says the same to somebody who knows of no index.
function headline(claim: Claim, n: number): string {
	switch (claim) {
		case "complete":
			return n > 0 ? "Nothing is missing, and nothing was changed." : "Nothing is logged about this, and that is proved.";
		case "complete-by-operator":
			return n > 0 ? "Nothing was changed. Only the operator says that nothing is missing." : "Nothing is logged about this, says the log’s operator.";
		case "incomplete":
			return "Do not rely on this: something is missing.";
		default:
			return "Nothing was changed.";
	}
}

// about gives what all reports share: n entries are told of. Where nobody asked for
// something, what it is about is named in the open, to be compared.
function about(claim: Claim, a: Anchor, n: number, unsigned: number, asked: boolean, id: string): Report {
	const { origin, size } = a.log.checkpoint;
	// That there is nothing is proved as well, and yet nothing good about a thing.
	const tone = claim === "complete" && n === 0 ? "part" : tones[claim];
	const r: Report = { tone, headline: headline(claim, n), claim: sentence(claim, a), yes: [], no: [], details: [], size, seen: [] };
	if (claim === "complete") r.yes.push(`${who(a.rebuilders)}, not the operator, went through the whole log: it holds nothing${n > 0 ? " else" : ""} about this.`);
	if (n > 0) r.yes.push(`${n === 1 ? "The one entry stands" : `All ${n} entries stand`} in the log as reported${unsigned > 0 ? "." : ", and every signature holds."}`);
	if (a.log.time !== undefined) r.yes.push(`Everybody is shown the same log: enough witnesses saw it at ${date(a.log.time)}. They are: ${who(a.log.witnesses)}.`);
	if (unsigned > 0) r.no.push(`Who reported ${plural(unsigned, "entry", "entries")}: the signatures do not hold. Such an entry is unauthenticated and counts for nothing.`);
	if (claim === "complete-by-operator") r.no.push("That nothing was left out: nobody but the operator has gone through the log for that.");
	if (a.log.time === undefined) r.no.push("That everybody is shown the same log: no witness vouches for it (quorum none).");
	if (n > 0) r.no.push("That a report is true: whoever made it answers for that.");
	if (!asked) r.no.push(`What you asked for: the file itself says what it is about. Compare that: ${id}.`);
	r.details.push(`The log is ${origin}, of ${size} entries then.`);
	for (const [what, v] of [["log", a.log], ["index log", a.index]] as const) {
		if (v && v.witnesses.length > 0) r.details.push(`Who cosigned the ${what}, by the policy’s names: ${v.witnesses.map((w) => w.label).join(", ")}.`);
	}
	if (a.indexFromGenesis) r.details.push("The index log’s key was taken from the log’s first entry.");
	if (!a.operatorTrusted) r.details.push("The operator’s key was taken from the log’s first entry.");
	r.details.push("Names and descriptions of products and places are not part of this proof.");
	const see = (role: Seen["role"], v: Verdict) => r.seen!.push({ role, key: v.key, signed: v.signed, ...(v.time === undefined ? {} : { at: date(v.time) }) });
	see("log", a.log);
	see("index", a.index);
	return r;
}

const unsigned = (list: readonly Judged[]): number => list.filter((j) => j.problem !== undefined).length;

export function journeyReport(v: CheckedJourney): Report {
	const r = about(v.claim, v.anchor, v.steps.length, unsigned(v.steps.map((s) => s.entry)), v.asked, v.journey.id);
	if (v.claim === "incomplete") {
		r.reason = v.claim;
		if (v.notFollowed.length > 0) r.wrong = [`It says itself that it did not follow ${plural(v.notFollowed.length, "identifier", "identifiers")}: there may be more than it proves at once.`];
	}
	r.details.unshift(v.journey.id, `Your device followed it through ${plural(v.journey.keys.length, "history", "histories")}.`);
	r.missing = v.missing.map(title);
	r.alerts = alerts(v.steps.map((s) => s.entry));
	r.entries = v.steps.map(({ step, entry }) => told(entry, v.state, roles[step.role]!));
	return r;
}

export function historyReport(v: CheckedHistory): Report {
	const r = about(v.claim, v.anchor, v.entries.length, unsigned(v.entries), v.asked, title(v.key));
	r.details.unshift(title(v.key), `${plural(v.entries.length, "entry", "entries")} of ${v.positions.length}.`);
	r.alerts = alerts(v.entries);
	r.entries = v.entries.map((j) => told(j));
	return r;
}

// What a disposition says to a shopper, as the page says it.
const warnings: Record<string, string> = {
	recalled: "This was recalled. Do not use it; ask the shop.",
	expired: "This was reported as expired.",
	stolen: "This was reported as stolen.",
};

function alerts(list: readonly Judged[]): string[] {
	const found = list.filter(leadsOn).map((j) => /^(?:urn:epcglobal:cbv:disp:|https:\/\/ref\.gs1\.org\/cbv\/Disp-)?([a-z]+)$/.exec(text(get(j.entry.json, "disposition")))?.[1] ?? "");
	return Object.keys(warnings).flatMap((word) => (found.includes(word) ? warnings[word]! : []));
}

// told says what an entry says, as shortly as it can.
function told(j: Judged, state?: State, role = ""): Told {
	const { json, participants } = j.entry;
	const name = (id: string) => state?.info(id, j.index)?.name ?? id;
	const words = ["eventTime", "type", "action", "bizStep", "disposition"].map((member) => text(get(json, member))).concat(role === "self" ? "" : role, `by ${participants.map(name).join(" and ")}`);
	const flaw = j.problem !== undefined ? `unauthenticated: ${j.detail}` : j.duplicateOf !== undefined ? `a duplicate of entry ${j.duplicateOf}` : j.withdrawnBy !== undefined ? `withdrawn by entry ${j.withdrawnBy}` : counts(j) ? undefined : "without effect";
	const at = time(text(get(json, "eventTime")));
	return {
		index: String(j.index),
		said: words.filter(Boolean).join(" · "),
		withdrawn: j.withdrawnBy !== undefined,
		odd: j.problem !== undefined || j.duplicateOf !== undefined || json.has("errorDeclaration"),
		...(flaw === undefined ? {} : { flaw }),
		...(at === noTime ? {} : { at: Math.floor(Number(at) / 1e6) }),
		...(j.withdraws === undefined ? {} : { beside: String(j.withdraws) }),
	};
}

export function refusalReport(e: Refusal): Report {
	const where = [e.history && `history of ${e.history}`, e.index !== undefined && `entry ${e.index}`].filter(Boolean).join(", ");
	return { tone: "bad", reason: e.reason, headline: `Do not rely on this: ${sentences[e.reason] ?? "it does not hold"}.`, yes: [], no: [], wrong: [where ? `${where}: ${e.message}.` : `${e.message}.`], details: [] };
}

// What each way to fail means.
const sentences: Record<string, string> = {
	policy: "the keys and policy that were given cannot be used",
	malformed: "what the server gave is not of its form",
	asked: "this is about something other than what was asked for",
	mixed: "its histories are not all proved at one checkpoint",
	twice: "a history stands there twice",
	"index-form": "the index log’s checkpoint is malformed",
	"index-origin": "the index checkpoint is of an index log that is not trusted",
	"index-signature": "a signature of the index log’s checkpoint does not hold",
	"index-unsigned": "the index log’s key did not sign its checkpoint",
	"index-quorum": "too few vouch that nothing was left out: the index log’s checkpoint lacks cosignatures",
	"index-empty": "the index log is empty",
	"leaf-form": "the leaf of the index log is malformed",
	"leaf-log": "the leaf of the index log is about another log",
	"leaf-inclusion": "newer entries may be hidden: the leaf is not the newest one of the index log",
	"log-form": "the log’s checkpoint is malformed",
	"log-origin": "the checkpoint is of a log that is not trusted",
	"log-signature": "a signature of the log’s checkpoint does not hold",
	"log-unsigned": "the log’s key did not sign its checkpoint",
	"log-quorum": "too few witnesses saw this log: others may be shown another one",
	"log-leaf": "newer entries may be hidden: the index was not made from the log that is shown",
	stale: "newer entries may be hidden: it was not witnessed recently enough",
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
