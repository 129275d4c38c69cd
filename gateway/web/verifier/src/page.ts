// The panel of the product page: it fetches the journey, has it checked, and says
// what came of it. It asks for nothing but the journey that its section names.
import { base64, type Bytes, concat, decode, encode } from "./bytes.ts";
import { canonical } from "./gs1/identifier.ts";
import { Checker, patience } from "./checker.ts";
import { maxSaved } from "./saved.ts";
import { isObjectText, parseTrust, policyFragment, trustOfFragment } from "./sources.ts";
import { type TrustTexts } from "./trust.ts";
import { type Report, type Tone } from "./words.ts";

const anyAge = 1n << 62n; // what was saved long ago is as good as it was

// start fills the page's section verification; script is the element that this script
// came in.
export function start(script: HTMLScriptElement | null): void {
	const section = document.getElementById("verification");
	if (section) void new Panel(section, script).begin();
}

// What is trusted, and who said so.
interface Source {
	trust: TrustTexts;
	from: string;
	own: boolean; // it does not come from the server whose word is checked
}

// What was fetched, or read from a file.
interface Subject {
	saved: Bytes;
	from: string;
	file: boolean;
}

class Panel {
	private readonly section: HTMLElement;
	private readonly checker: Checker;
	private source: Source = { trust: {}, from: `from ${location.host || "this page"}, whose word this checks`, own: false };
	private subject: Subject | undefined;
	private run = 0; // the newest check; answers to older ones are thrown away

	constructor(section: HTMLElement, script: HTMLScriptElement | null) {
		this.section = section;
		this.checker = new Checker(script);
	}

	async begin(): Promise<void> {
		addEventListener("hashchange", () => location.hash.startsWith(policyFragment) && this.believe() && void this.check());
		for (const name of ["dragover", "drop"] as const) {
			addEventListener(name, (e) => {
				if (!e.dataTransfer?.types.includes("Files")) return;
				e.preventDefault();
				if (name === "drop") void this.take([...e.dataTransfer.files]);
			});
		}
		if (this.believe()) await this.load();
	}

	// believe takes the keys and policy of the page's address or, if it has none, those
	// that the server proposes. What cannot be read is never passed over.
	private believe(): boolean {
		try {
			const pinned = trustOfFragment(location.hash);
			if (pinned) this.source = { trust: pinned, from: "from the link that led here, as good as who gave it to you", own: true };
			else this.source.trust = parseTrust(this.section.dataset["trust"] ?? "{}", {});
			return true;
		} catch (e) {
			this.fail("bad", "policy", "The keys and policy cannot be read.", String(e));
			return false;
		}
	}

	private async load(): Promise<void> {
		const address = this.section.dataset["journey"];
		if (!address) return this.fail("part", "absent", "Drop a saved proof here to check it.");
		this.show({ tone: "part", unchecked: true, headline: "Checking on your device …", lines: [] }, true);
		try {
			this.subject = { saved: await fetchBytes(address), from: `fetched from ${new URL(address, location.href).host}`, file: false };
		} catch (e) {
			return this.fail("part", "absent", "The proofs did not come.", String(e));
		}
		await this.check();
	}

	// take takes files: a saved proof, or keys and a policy.
	private async take(files: File[]): Promise<void> {
		this.run++;
		for (const file of files) {
			if (file.size > maxSaved) return this.fail("bad", "malformed", `${file.name} is too large.`);
			const bytes = new Uint8Array(await file.arrayBuffer());
			if (isProof(bytes)) {
				this.subject = { saved: bytes, from: `from the file ${file.name}`, file: true };
				continue;
			}
			try {
				const { trust, from, own } = this.source;
				const text = decode(bytes);
				const added = own && !isObjectText(text); // to what the reader brought before
				this.source = { trust: parseTrust(text, added ? trust : {}), from: `${added ? `${from}, and ` : ""}from the file ${file.name}`, own: true };
			} catch (e) {
				return this.fail("bad", "policy", `${file.name} is neither a saved proof nor keys and a policy.`, String(e));
			}
		}
		await this.check();
	}

	private async check(): Promise<void> {
		const { subject, section } = this;
		const { trust } = this.source;
		if (!subject) return;
		if (!trust.logPolicy) return this.fail("part", "policy", "There are no keys to check with.", "Choose a policy of the log, from somebody whom you trust.");
		const run = ++this.run;
		section.setAttribute("aria-busy", "true");
		const { report, milliseconds } = await this.checker.check({
			saved: subject.saved,
			asked: subject.file ? undefined : asked(section.dataset["id"]),
			trust: subject.file ? { ...trust, maxAge: trust.maxAge ?? anyAge } : trust,
			now: BigInt(Math.floor(Date.now() / 1000)),
		});
		if (run !== this.run) return;
		if (!subject.file) markSteps(report);
		// Who rebuilds an index is the reader's to say: here the server did.
		if (!this.source.own && report.tone === "good") report.headline = report.headline.replace(/\.$/, ", by the keys that this server names.");
		this.show(report, false, `Checked in ${Math.ceil(milliseconds)} ms.`);
	}

	// fail says why nothing was checked.
	private fail(tone: Tone, reason: string, headline: string, ...lines: string[]): void {
		this.show({ tone, unchecked: true, reason, headline, lines });
	}

	// show puts a report into the section: what is wrong comes first on the page.
	private show(report: Report, busy = false, ...more: string[]): void {
		const { section, subject, source } = this;
		section.className = `verification ${report.tone}`;
		section.setAttribute("aria-busy", String(busy));
		section.dataset["reason"] = report.reason ?? "";
		section.setAttribute("role", report.tone === "bad" ? "alert" : "status");
		if (report.tone === "bad") section.parentElement?.prepend(section);
		section.replaceChildren(
			element("h2", report.unchecked && !busy ? "Not checked on your device" : "Checked on your device"),
			element("p", element("strong", report.headline)),
			...(report.about ? [element("p", element("bdi", report.about))] : []),
			element("ul", ...[...report.lines, ...(busy ? [] : [`Keys and policy: ${source.from}.`])].map((line) => element("li", element("bdi", line)))),
			...list(`Left out: ${report.missing?.length}`, report.missing, true),
			...list(`The entries as your device read them: ${report.entries?.length}`, report.entries?.map((e) => `${e.said} · entry ${e.index}${e.flaw ? ` · ${e.flaw}` : ""}`)),
			...list("Whose proofs, whose code", busy ? [] : [...this.rests(), ...more]),
			...(busy ? [] : [this.actions(subject, source)]),
		);
	}

	// rests says whose proofs and whose code this rests on, besides whose keys.
	private rests(): string[] {
		return [
			...(this.subject ? [`The proofs were ${this.subject.from}.`] : []),
			`The script of ${location.host || "a saved page"} checked them. Its SHA-256 is ${this.checker.code}.`,
			"An independent check is that of the program tallyroot, or of this script on another’s page.",
		];
	}

	private actions(subject: Subject | undefined, source: Source): HTMLElement {
		const files = element("input") as HTMLInputElement;
		Object.assign(files, { type: "file", multiple: true, onchange: () => void this.take([...(files.files ?? [])]) });
		const all: Node[] = [element("label", "Check a saved proof, or use keys and a policy of your own: ", files)];
		if (subject) all.push(button("Save the proof", () => save(subject.saved, this.section.dataset["id"] ?? "proof")));
		if (source.own) {
			const link = element("a", "Link with these keys") as HTMLAnchorElement;
			link.href = policyFragment + base64(encode(JSON.stringify(source.trust, (_, v: unknown) => (typeof v === "bigint" ? String(v) : v)))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
			all.push(link);
		}
		return element("p", ...all);
	}
}

// asked gives what the reader asked for: what stands in the page's address, which the
// server did not write. Only where that names nothing, the page's own word is taken.
function asked(page: string | undefined): string | undefined {
	const { origin, pathname, search } = location;
	const link = canonical(origin + pathname + search);
	if (link?.startsWith("https://id.gs1.org/")) return link;
	const typed = pathname.endsWith("/id") ? new URLSearchParams(search).get("id") : null;
	return canonical(typed ?? "") ?? page;
}

// markSteps compares the steps that the server wrote into the page with those that
// were checked, and reports those that were not.
function markSteps(report: Report): void {
	if (!report.entries) return;
	const proved = new Set(report.entries.map((e) => "e" + e.index));
	let strange = 0;
	for (const li of document.querySelectorAll("li.step[id]")) {
		if (li.classList.toggle("unchecked", !proved.has(li.id))) strange++;
	}
	if (strange > 0) Object.assign(report, { tone: "bad", reason: "page-steps", headline: `Do not rely on this page: ${strange} of the steps that it shows are not in the journey.` });
}

async function fetchBytes(address: string): Promise<Bytes> {
	const response = await fetch(address, { headers: { Accept: "application/json" }, credentials: "omit", cache: "no-store", signal: AbortSignal.timeout(patience) });
	if (!response.ok || !response.body) throw new Error(`the server answered ${response.status}`);
	const parts: Bytes[] = [];
	let size = 0;
	const reader = response.body.getReader();
	for (;;) {
		const { done, value } = await reader.read();
		if (done) return concat(...parts);
		size += value.length;
		if (size > maxSaved) {
			void reader.cancel();
			throw new Error("the server’s answer is too large");
		}
		parts.push(value);
	}
}

const isProof = (b: Bytes): boolean => /^\s*\{\s*"(histories|id)"/.test(new TextDecoder().decode(b.subarray(0, 100)));

function save(saved: Bytes, id: string): void {
	const link = document.createElement("a");
	link.href = URL.createObjectURL(new Blob([saved as BlobPart], { type: "application/json" }));
	link.download = id.replace(/^https:\/\/id\.gs1\.org\//, "").replace(/[^A-Za-z0-9.-]+/g, "-") + ".journey.json";
	link.click();
	setTimeout(() => URL.revokeObjectURL(link.href), patience);
}

function element(tag: string, ...children: (Node | string)[]): HTMLElement {
	const e = document.createElement(tag);
	e.append(...children);
	return e;
}

function button(text: string, onclick: () => void): HTMLElement {
	return Object.assign(element("button", text), { type: "button", onclick });
}

function list(summary: string, items: string[] | undefined, open = false): HTMLElement[] {
	if (!items || items.length === 0) return [];
	const details = element("details", element("summary", summary), element("ul", ...items.map((item) => element("li", element("bdi", item)))));
	details.toggleAttribute("open", open);
	return [details];
}
