// The page that the server wrote, held against what the device proved: a server that
// gives a good proof beside a page that tells something else is caught here.
import { plural, type Report, type Told } from "./words.ts";

// A Difference is what is wrong with a step of the page.
type Difference = "strange" | "changed" | "newer";

const said: Record<Difference, string> = {
	strange: "Not in the log’s journey of this, although the page shows it",
	changed: "The page does not tell it as it stands in the log",
	newer: "Newer than the proof, and not checked",
};

// compare marks the steps of the page, and puts into the report what is wrong with
// them. shown is the log's size when the server made the page, and cut how many older
// steps it left out, both by its own word. It tells whether the page is older than the
// proof: then nothing can be said of differences but that it is to be loaded again.
export function compare(report: Report, shown: bigint | undefined, cut: number): boolean {
	const { entries, size } = report;
	if (!entries || size === undefined) return false;
	const proved = new Map(entries.map((e) => [e.index, e]));
	const steps = new Set<string>();
	const count = { strange: 0, changed: 0, newer: 0 };
	for (const li of all()) {
		const index = /^e(0|[1-9][0-9]{0,19})$/.exec(li.id)?.[1] ?? "";
		const e = steps.has(index) ? undefined : proved.get(index); // each is told once
		steps.add(index);
		const d = e ? (agrees(li, e) ? undefined : "changed") : index !== "" && BigInt(index) >= size ? "newer" : "strange";
		if (d) count[d]++;
		mark(li, index, e, d);
	}
	const hidden = entries.filter((e) => !steps.has(e.index) && !(e.beside !== undefined && proved.has(e.beside)));
	if (hidden.length > 0) report.hidden = hidden;
	const warned = [...document.querySelectorAll(".alert")].map((p) => p.textContent);
	report.alerts = report.alerts?.filter((text) => !warned.includes(text)) ?? [];
	const wrong = wrongs(report, count, cut);
	if (wrong && shown !== undefined && entries.some((e) => BigInt(e.index) >= shown)) return true;
	if (wrong && report.tone !== "bad") {
		report.yes.unshift("The proofs themselves hold. It is this page that tells something else.");
		Object.assign(report, { tone: "bad", reason: wrong[0], headline: `Do not rely on this page: ${wrong[1]}.` });
	} else if (count.newer > 0 && report.tone === "good") {
		Object.assign(report, { tone: "part", reason: "newer", headline: `${plural(count.newer, "step of this page is", "steps of this page are")} newer than the proof, and not checked.` });
	}
	return false;
}

function wrongs({ alerts, hidden }: Report, count: Record<Difference, number>, cut: number): [reason: string, sentence: string] | undefined {
	const { strange, changed } = count;
	if (strange > 0) return ["page-steps", strange === 1 ? "one of the steps that it shows is not in the journey" : `${strange} of the steps that it shows are not in the journey`];
	if (changed > 0) return ["page-changed", `it does not tell ${plural(changed, "step", "steps")} as the log has ${changed === 1 ? "it" : "them"}`];
	if (alerts?.length) return ["page-alert", "it hides a warning that stands in the log"];
	if (hidden && hidden.length !== cut) return ["page-hides", `it hides ${plural(hidden.length, "entry that stands", "entries that stand")} in the log`];
	return undefined;
}

// agrees tells whether the page tells a step as it stands in the log, in what of it a
// device can compare: its time, and whether it counts.
function agrees(li: HTMLElement, e: Told): boolean {
	const at = Date.parse(li.querySelector("time")?.dateTime ?? "") / 1000;
	return (Number.isNaN(at) ? e.at === undefined : at === e.at) && li.classList.contains("withdrawn") === e.withdrawn && li.classList.contains("odd") === e.odd;
}

const all = (): NodeListOf<HTMLElement> => document.querySelectorAll("li.step");

// place is where the page has room for what the device found of a step.
function place(li: HTMLElement): Element {
	return li.querySelector(".proof summary, .checked") ?? li.appendChild(Object.assign(document.createElement("p"), { className: "checked" }));
}

// mark says beside the step what the device found.
function mark(li: HTMLElement, index: string, e: Told | undefined, d: Difference | undefined): void {
	li.classList.toggle("unchecked", d === "strange" || d === "changed");
	li.classList.toggle("newer", d === "newer");
	place(li).textContent = `${d ? said[d] : "✓ Checked on your device"}: entry ${index}`;
	const read = li.querySelector(".proof .read");
	if (read && e) read.textContent = `Your device read: ${e.said}${e.flaw ? ` · ${e.flaw}` : ""}.`;
}

// unmark takes the marks away, when nothing of the page is proved.
export function unmark(): void {
	for (const li of all()) {
		li.classList.remove("unchecked", "newer");
		place(li).textContent = `Not proved on your device: entry ${li.id.slice(1)}`;
	}
}
