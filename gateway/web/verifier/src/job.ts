// One check, as the page asks its worker for it.
import { type Bytes } from "./bytes.ts";
import { checkHistory } from "./history.ts";
import { checkJourney, checkProof } from "./journeycheck.ts";
import { Refusal } from "./refusal.ts";
import { formOf } from "./saved.ts";
import { readTrust, type TrustTexts } from "./trust.ts";
import { historyReport, journeyReport, refusalReport, type Report } from "./words.ts";

export interface Job {
	saved: Bytes; // a proof, a journey or a history
	asked: string | undefined; // in the reader's own words; then a history alone is no answer
	trust: TrustTexts;
	now: bigint;
}

export interface Answer {
	report: Report;
	milliseconds: number;
}

// answer makes the check. Whatever happens, it gives a report, and never one that
// says more than was checked.
export function answer(job: Job): Answer {
	const start = performance.now();
	return { report: report(job), milliseconds: performance.now() - start };
}

function report({ saved, asked, trust, now }: Job): Report {
	try {
		const t = readTrust(trust, now);
		const form = formOf(saved);
		// Who asked for a thing asked for its journey: its own history says nothing of what
		// it was made from, or packed in.
		if (form === "history" && asked === undefined) return historyReport(checkHistory(saved, undefined, t));
		return journeyReport(form === "proof" ? checkProof(saved, asked, t) : checkJourney(saved, asked, t));
	} catch (e) {
		if (e instanceof Refusal) return refusalReport(e);
		return { tone: "bad", unchecked: true, reason: "internal", headline: "This could not be checked: the check itself failed.", yes: [], no: [], wrong: [String(e)], details: [] };
	}
}
