// The panel of the product page: it fetches the journey, has it checked, holds the
// page against it, and says what came of it. It asks only the host that its section
// names, for the journey, and for proofs that the logs continue what it saw before.
import { base64, type Bytes, concat, decode, encode, parseU64 } from "./bytes.ts";
import { Checker, patience } from "./checker.ts";
import { hash } from "./checkpoint.ts";
import { compare, unmark } from "./compare.ts";
import { canonical } from "./gs1/identifier.ts";
import { encodeProof, formOf, maxSaved } from "./saved.ts";
import { isObjectText, parseTrust, policyFragment, trustOfFragment } from "./sources.ts";
import { type TrustTexts } from "./trust.ts";
import { button, element, View } from "./view.ts";
import { proposed, type Prover, visit } from "./visits.ts";
import { type Report, type Tone } from "./words.ts";

const anyAge = 1n << 62n; // what was saved long ago is as good as it was

// How often the journey is asked for again while the page has newer entries than its
// proof, and how long is waited before, in milliseconds. An index is a second behind
// its log.
const tries = 4;
const pause = 1500;

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
	private readonly view: View;
	private readonly checker: Checker;
	private readonly saving: HTMLElement;
	private readonly link = element("a", "A link with these keys") as HTMLAnchorElement;
	private source: Source = { trust: {}, from: `from ${location.host || "this page"}, whose word this checks`, own: false };
	private subject: Subject | undefined;
	private run = 0; // the newest check; answers to older ones are thrown away

	constructor(section: HTMLElement, script: HTMLScriptElement | null) {
		this.section = section;
		this.checker = new Checker(script);
		this.saving = button("Save the proof", () => this.save());
		const again = button("Check again", () => void this.load());
		again.hidden = !section.dataset["journey"];
		const files = element("input") as HTMLInputElement;
		const take = () => void this.take([...(files.files ?? [])]).then(() => (files.value = ""));
		Object.assign(files, { type: "file", multiple: true, onchange: take });
		const own = element("details", element("summary", "Use keys of your own, or check a saved proof"));
		own.toggleAttribute("open", again.hidden);
		own.append(
			element("p", "Keys that the server names prove only that it keeps its own word. Get the log’s policies from somebody whom you trust, as a file, or as a link to this page. A proof that was saved needs no network: drop it anywhere on this page, or choose it."),
			element("p", element("label", "Files with a proof or with policies: ", files)),
			element("p", this.link),
		);
		this.view = new View(section, element("div", element("p", this.saving, again), own));
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
			this.fail("bad", "policy", "The keys and policy cannot be read.", words(e));
			return false;
		}
	}

	private async load(): Promise<void> {
		const run = ++this.run;
		const address = this.section.dataset["journey"];
		if (!address) return this.fail("part", "absent", "Choose a saved proof to check it, or drop it here.");
		this.view.busy();
		try {
			const saved = await fetchBytes(address);
			if (run !== this.run) return;
			this.subject = { saved, from: `fetched from ${new URL(address, location.href).host}`, file: false };
		} catch (e) {
			if (run === this.run) this.fail("part", "absent", "The proofs did not come, so nothing is checked.", words(e));
			return;
		}
		await this.check();
	}

	// take takes files: a saved proof, or keys and a policy.
	private async take(files: File[]): Promise<void> {
		this.run++;
		for (const file of files) {
			if (file.size > maxSaved) return this.fail("bad", "malformed", `${file.name} is too large.`);
			const bytes = new Uint8Array(await file.arrayBuffer());
			if (formOf(bytes)) {
				this.subject = { saved: bytes, from: `from the file ${file.name}`, file: true };
				continue;
			}
			try {
				const { trust, from, own } = this.source;
				const text = decode(bytes);
				const added = own && !isObjectText(text); // to what the reader brought before
				this.source = { trust: parseTrust(text, added ? trust : {}), from: `${added ? `${from}, and ` : ""}from the file ${file.name}`, own: true };
			} catch (e) {
				return this.fail("bad", "policy", `${file.name} is neither a saved proof nor keys and a policy.`, words(e));
			}
		}
		await this.check();
	}

	// check makes the attempt-th check of what there is.
	private async check(attempt = 1): Promise<void> {
		const { subject, section, source } = this;
		const { trust, own } = source;
		if (!subject) return;
		if (!trust.logPolicy) return this.fail("part", "policy", "There are no keys to check with.", "Choose a policy of the log, from somebody whom you trust.");
		const run = ++this.run;
		this.view.busy();
		const { report, milliseconds } = await this.checker.check({
			saved: subject.saved,
			asked: subject.file ? undefined : asked(section.dataset["id"]),
			trust: subject.file ? { ...trust, maxAge: trust.maxAge ?? anyAge } : trust,
			now: BigInt(Math.floor(Date.now() / 1000)),
		});
		if (run !== this.run) return;
		const checked = `Checked in ${Math.ceil(milliseconds)} ms.`;
		if (subject.file) {
			unmark();
			whose(report, own);
			return this.show(report, checked);
		}
		const shown = parseU64(section.dataset["size"] ?? "");
		if (report.size !== undefined && shown !== undefined && shown > report.size && attempt < tries) {
			await new Promise((resolve) => setTimeout(resolve, pause));
			const saved = await fetchBytes(section.dataset["journey"]!).catch(() => undefined);
			if (run !== this.run) return;
			if (saved) this.subject = { ...subject, saved };
			return this.check(saved ? attempt + 1 : tries);
		}
		if (!report.entries) unmark();
		else if (!compare(report, shown, Number(section.dataset["cut"] ?? 0))) reloaded(false);
		else if (!reloaded(true)) return location.reload();
		else Object.assign(report, { tone: "bad", reason: "page-older", headline: "Do not rely on this page: it is older than the log, and stays so when it is loaded again." });
		await visit(report, prover(section.dataset["consistency"]));
		if (run !== this.run) return;
		if (!own) proposed(report, section.dataset["trust"] ?? "");
		whose(report, own);
		this.show(report, checked);
	}

	// fail says why nothing was checked.
	private fail(tone: Tone, reason: string, headline: string, ...wrong: string[]): void {
		unmark();
		this.show({ tone, unchecked: true, reason, headline, yes: [], no: [], wrong, details: [] });
	}

	private show(report: Report, ...more: string[]): void {
		const { subject, source } = this;
		this.saving.hidden = !subject;
		this.link.hidden = !source.own;
		if (source.own) this.link.href = policyFragment + base64(encode(JSON.stringify(source.trust, (_, v: unknown) => (typeof v === "bigint" ? String(v) : v)))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
		this.view.show(report, [
			`Keys and policy: ${source.from}.`,
			...(subject ? [`The proofs were ${subject.from}.`] : []),
			`The script that checks is from ${location.host || "a saved page"}. Its SHA-256 is ${this.checker.code}.`,
			"An independent check is that of the program tallyroot, or of this script on another’s page.",
			...more,
		]);
	}

	private save(): void {
		const { subject, section } = this;
		if (!subject) return;
		const id = canonical(asked(section.dataset["id"]) ?? "") ?? "proof";
		const saved = subject.file || formOf(subject.saved) !== "journey" ? subject.saved : encodeProof(id, subject.saved);
		const link = element("a") as HTMLAnchorElement;
		link.href = URL.createObjectURL(new Blob([saved as BlobPart], { type: "application/json" }));
		link.download = id.replace(/^https:\/\/id\.gs1\.org\//, "").replace(/[^A-Za-z0-9.-]+/g, "-") + ".proof.json";
		link.click();
		setTimeout(() => URL.revokeObjectURL(link.href), patience);
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

// reloaded tells whether this page was loaded again just before because it was older
// than its proof, and notes whether it is so now.
function reloaded(now: boolean): boolean {
	const mark = `tallyroot:reloaded ${location.pathname}${location.search}`;
	try {
		const before = sessionStorage.getItem(mark) !== null;
		if (now && !before) sessionStorage.setItem(mark, "");
		else sessionStorage.removeItem(mark);
		return before;
	} catch {
		return true; // without a memory it could go on for ever
	}
}

// prover asks the service that a page's section names.
const prover =
	(address: string | undefined): Prover =>
	async (role, from, to) => {
		if (!address) throw new Error("the page does not say where such proofs are");
		const answer: unknown = JSON.parse(decode(await fetchBytes(`${address}?from=${from}&to=${to}${role === "index" ? "&log=index" : ""}`)));
		const proof = (answer as { proof?: unknown }).proof;
		if (!Array.isArray(proof)) throw new Error("the server’s answer is no proof");
		return proof.map((h) => hash(String(h)) ?? new Uint8Array());
	};

// whose says on whose keys a good report rests: who rebuilds an index is the reader's to
// say, and not the server's.
function whose(report: Report, own: boolean): void {
	if (report.tone === "good") report.claim = report.claim?.replace(/\.$/, own ? ", by keys that did not come from this server." : ", by the keys that this server names.");
}

const words = (e: unknown): string => (e instanceof Error ? e.message : String(e));

async function fetchBytes(address: string): Promise<Bytes> {
	const response = await fetch(address, { headers: { Accept: "application/json" }, credentials: "omit", cache: "no-store", signal: AbortSignal.timeout(patience) });
	if (response.status === 503) throw new Error("The server is busy, or its proofs are not made yet (503). Check again in a moment.");
	if (!response.ok || !response.body) throw new Error(`The server answered ${response.status}.`);
	const parts: Bytes[] = [];
	let size = 0;
	const reader = response.body.getReader();
	for (;;) {
		const { done, value } = await reader.read();
		if (done) return concat(...parts);
		size += value.length;
		if (size > maxSaved) {
			void reader.cancel();
			throw new Error("The server’s answer is too large.");
		}
		parts.push(value);
	}
}
