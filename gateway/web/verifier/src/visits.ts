// What this device saw at earlier visits, and whether the logs still continue it. The
// browser keeps, for this host, the newest checkpoint of each log that was verified
// here, by the log's key, and a digest of the keys and policy that the server proposed.
import { type Bytes, encode, hex, sha256 } from "./bytes.ts";
import { parseCheckpoint } from "./checkpoint.ts";
import { attempt, Refusal } from "./refusal.ts";
import { Memory } from "./remember.ts";
import { date, type Report, type Seen } from "./words.ts";

// A Prover asks the server for the proof that one size of a log continues another.
export type Prover = (role: Seen["role"], from: bigint, to: bigint) => Promise<readonly Bytes[]>;

const prefix = "tallyroot:";
const logs = { log: "the log", index: "the log’s index" };

// visit holds the checkpoints of a report against those of earlier visits, remembers
// the newer ones, and puts into the report what came of it.
export async function visit(report: Report, prove: Prover): Promise<void> {
	for (const seen of report.seen ?? []) {
		if (report.reason !== "fork" && report.reason !== "inconsistent") await compare(report, seen, prove);
	}
}

async function compare(report: Report, { role, key, signed }: Seen, prove: Prover): Promise<void> {
	const { origin, size } = parseCheckpoint(signed).checkpoint;
	const memory = new Memory();
	const before = recall(key);
	if (before) attempt(() => memory.see(before.text, []));
	const last = memory.last(origin)?.size;
	let proof: readonly Bytes[] = [];
	let without = "";
	if (last && last !== size) proof = await (last < size ? prove(role, last, size) : prove(role, size, last)).catch((e: unknown) => ((without = e instanceof Error ? e.message : String(e)), []));
	try {
		memory.see(signed, proof);
	} catch (e) {
		if (!(e instanceof Refusal)) throw e;
		const saw = `what this device saw on ${before!.at}`;
		if (without && size > last!) {
			// No proof is not yet a lie, and may be the network's fault.
			return weaken(report, "unproved", `Whether ${logs[role]} continues ${saw} could not be checked.`, without);
		}
		Object.assign(report, {
			tone: "bad",
			reason: e.reason,
			claim: undefined,
			yes: [],
			wrong: [`${e.message}.`, ...(without ? [without] : [])],
			headline: `Do not rely on this: ${logs[role]} ${e.reason === "fork" ? `is another one than ${saw}` : `is not shown to continue ${saw}`}.`,
		});
		return;
	}
	if (last !== undefined && last > size) weaken(report, "older", `Your device saw a newer state of ${logs[role]} on ${before!.at}: newer entries are missing here.`);
	else if (last !== undefined) report.details.push(`It continues ${logs[role]} as this device saw it on ${before!.at}, with size ${last}.`);
	if (last === undefined || size > last) keep(key, signed);
}

// proposed tells whether the server proposes the keys and policy that it proposed at
// earlier visits.
export function proposed(report: Report, trust: string): void {
	const digest = hex(sha256(encode(trust)));
	const before = recall("trust");
	if (before && before.text !== digest) weaken(report, "trust", `The keys and policy are not those that this server named on ${before.at}.`);
	if (before?.text !== digest) keep("trust", digest);
}

// weaken takes back the best of what a report says, for a doubt.
function weaken(report: Report, reason: string, doubt: string, why = ""): void {
	if (report.tone === "good") Object.assign(report, { tone: "part", reason, headline: doubt });
	else report.no.unshift(doubt);
	if (why) report.no.push(why);
}

// A browser that keeps nothing has no earlier visits.
function recall(name: string): { text: string; at: string } | undefined {
	try {
		const { text, at } = JSON.parse(localStorage.getItem(prefix + name)!);
		return typeof text === "string" && typeof at === "number" ? { text, at: date(BigInt(at)) } : undefined;
	} catch {
		return undefined;
	}
}

function keep(name: string, text: string): void {
	try {
		localStorage.setItem(prefix + name, JSON.stringify({ text, at: Math.floor(Date.now() / 1000) }));
	} catch {
		// there is no earlier visit next time
	}
}
