// One check, as the page asks its worker for it.
import { type Bytes } from "./bytes.ts";
import { checkHistory } from "./history.ts";
import { checkJourney } from "./journeycheck.ts";
import { Refusal } from "./refusal.ts";
import { readTrust, type TrustTexts } from "./trust.ts";
import { historyReport, journeyReport, refusalReport, type Report } from "./words.ts";

export interface Job {
	saved: Bytes; // a journey or a history
	asked: string | undefined; // in the reader's own words
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
		return isHistory(saved) ? historyReport(checkHistory(saved, undefined, t)) : journeyReport(checkJourney(saved, asked, t));
	} catch (e) {
		if (e instanceof Refusal) return refusalReport(e);
		return { tone: "bad", unchecked: true, reason: "internal", headline: "This could not be checked: the check itself failed.", lines: [String(e)] };
	}
}

// isHistory tells a history from a journey, by how the service begins them.
const isHistory = (saved: Bytes): boolean => /^\s*\{\s*"id"/.test(new TextDecoder().decode(saved.subarray(0, 100)));
