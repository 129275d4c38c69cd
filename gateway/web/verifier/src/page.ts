// The panel of the product page: it fetches the journey, has it checked, and says
// what came of it. It asks for nothing but the journey that its section names.
import { base64, type Bytes, concat, decode, encode } from "./bytes.ts";
import { canonical } from "./gs1/identifier.ts";
import { Checker, patience } from "./checker.ts";
import { maxSaved } from "./saved.ts";
import { parseTrust, policyFragment, trustOfFragment } from "./sources.ts";
import { type TrustTexts } from "./trust.ts";
import { type Report } from "./words.ts";

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
		addEventListener("hashchange", () => this.believe() && void this.check());
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
			if (pinned) this.source = { trust: pinned, from: "from the link that led here", own: true };
			else if (!this.source.own) this.source.trust = parseTrust(this.section.dataset["trust"] ?? "{}", {});
			return true;
		} catch (e) {
			this.show({ tone: "bad", reason: "policy", headline: "Not checked: the keys and policy cannot be read.", lines: [String(e)] });
			return false;
		}
	}

	private async load(): Promise<void> {
		const address = this.section.dataset["journey"];
		if (!address) return this.show({ tone: "part", headline: "Drop a saved proof here to check it.", lines: [] });
		this.show({ tone: "part", headline: "Checking on your device …", lines: [] }, true);
		try {
			this.subject = { saved: await fetchBytes(address), from: `fetched from ${new URL(address, location.href).host}`, file: false };
		} catch (e) {
			return this.show({ tone: "part", reason: "absent", headline: "Not checked on your device: the proofs did not come.", lines: [String(e)] });
		}
		await this.check();
	}

	// take takes files: a saved proof, or keys and a policy.
	private async take(files: File[]): Promise<void> {
		for (const file of files) {
			if (file.size > maxSaved) continue;
			const saved = new Uint8Array(await file.arrayBuffer());
			if (!isProof(saved)) {
				try {
					this.trustIn(decode(saved), `from the file ${file.name}`);
				} catch (e) {
					return this.show({ tone: "bad", headline: `${file.name} is neither a saved proof nor keys and a policy.`, lines: [String(e)] });
				}
				continue;
			}
			this.subject = { saved, from: `from the file ${file.name}`, file: true };
		}
		await this.check();
	}

	private trustIn(text: string, from: string): void {
		this.source = { trust: parseTrust(text, this.source.own ? this.source.trust : {}), from, own: true };
	}

	private async check(): Promise<void> {
		const { subject, section } = this;
		const { trust } = this.source;
		if (!subject) return;
		if (!trust.logPolicy) return this.show({ tone: "part", reason: "policy", headline: "Not checked: there are no keys to check with.", lines: ["Choose a policy of the log, from somebody whom you trust."] });
		const run = ++this.run;
		const { report, milliseconds } = await this.checker.check({
			saved: subject.saved,
			asked: subject.file ? undefined : asked(section.dataset["id"]),
			trust: subject.file ? { ...trust, maxAge: trust.maxAge ?? anyAge } : trust,
			now: BigInt(Math.floor(Date.now() / 1000)),
		});
		if (run !== this.run) return;
		if (!subject.file) markSteps(report);
		this.show({ ...report, lines: [...report.lines, `Checked in ${Math.ceil(milliseconds)} ms.`] });
	}

	// show puts a report into the section: what is wrong comes first on the page.
	private show(report: Report, busy = false): void {
		const { section, subject, source } = this;
		section.className = `verification ${report.tone}`;
		section.toggleAttribute("aria-busy", busy);
		section.dataset["reason"] = report.reason ?? "";
		section.setAttribute("role", report.tone === "bad" ? "alert" : "status");
		if (report.tone === "bad") section.parentElement?.prepend(section);
		section.replaceChildren(
			element("h2", "Checked on your device"),
			element("p", element("strong", report.headline)),
			...(report.about ? [element("p", element("bdi", report.about))] : []),
			element("ul", ...report.lines.map((line) => element("li", element("bdi", line))), ...(busy ? [] : this.provenance())),
			...list("Left out", report.missing),
			...list(
				"The entries, as your device read them",
				report.entries?.map((e) => `${e.said} · entry ${e.index}${e.flaw ? ` · ${e.flaw}` : ""}`),
			),
			...(busy ? [] : [this.actions(subject, source)]),
		);
	}

	// provenance says whose keys, whose proofs and whose code this rests on.
	private provenance(): HTMLElement[] {
		const { subject, source } = this;
		const lines = [`Keys and policy: ${source.from}.`];
		if (subject) lines.push(`The proofs: ${subject.from}.`);
		lines.push(`Checked by the script of ${location.host || "a saved page"}, SHA-256 ${this.checker.code}. An independent check is that of the program tallyroot, or of this script on another’s page.`);
		return lines.map((line) => element("li", line));
	}

	private actions(subject: Subject | undefined, source: Source): HTMLElement {
		const files = element("input") as HTMLInputElement;
		Object.assign(files, { type: "file", multiple: true, onchange: () => void this.take([...(files.files ?? [])]) });
		const all: Node[] = [element("label", "Check a saved proof, or use keys and a policy of your own: ", files)];
		if (subject) all.push(button("Save the proof", () => save(subject.saved, this.section.dataset["id"] ?? "proof")));
		if (source.trust.logPolicy) {
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
	const typed = pathname.endsWith("/id") ? new URLSearchParams(search).get("id") : null;
	const id = canonical(typed ?? origin + pathname + search);
	return id !== null && (typed !== null || id.startsWith("https://id.gs1.org/")) ? id : page;
}

// markSteps compares the steps that the server wrote into the page with those that
// were checked, and reports those that were not.
function markSteps(report: Report): void {
	if (!report.entries) return;
	const proved = new Set(report.entries.map((e) => "e" + e.index));
	const strange = [...document.querySelectorAll("li.step[id]")].filter((li) => !proved.has(li.id));
	strange.forEach((li) => li.classList.add("unchecked"));
	if (strange.length === 0) return;
	Object.assign(report, { tone: "bad", reason: "page-steps", headline: `Do not rely on this page: ${strange.length} of the steps that it shows are not in the journey.` });
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

function list(summary: string, items: string[] | undefined): HTMLElement[] {
	if (!items || items.length === 0) return [];
	return [element("details", element("summary", `${summary} (${items.length})`), element("ol", ...items.map((item) => element("li", element("bdi", item)))))];
}
