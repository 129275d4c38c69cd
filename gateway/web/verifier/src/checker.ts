// Who makes the checks: a worker, so that the page stays quick whatever it is given.
import { type Bytes, hex, sha256 } from "./bytes.ts";
import { type Answer, answer, type Job } from "./job.ts";

// patience is how long a check may take, in milliseconds.
export const patience = 60_000;

// quick is how long it may take of what has at most maxQuick bytes, as a shopper's
// journey has. A worker that does not answer then is held up by something else, by a
// browser that saves power, say; the page itself makes the check.
const quick = 3_000;
const maxQuick = 512 << 10;

// startPatience is how long a worker may take to start.
const startPatience = 5_000;

// maxHere is what the page itself checks, in bytes, where there can be no worker:
// what takes it seconds at most.
const maxHere = 4 << 20;

export class Checker {
	// code is the SHA-256 of the script that makes the checks, in hexadecimal, as far as
	// it is known.
	code = "unknown";
	private readonly text: Promise<Bytes | undefined>;
	private worker: Promise<Worker | undefined>;
	private busy = false;

	// A Checker's worker runs the very bytes that the page runs: the browser holds both
	// against the page's digest of them.
	constructor(script: HTMLScriptElement | null) {
		if (script?.integrity.startsWith("sha256-")) this.code = hex(Uint8Array.from(atob(script.integrity.slice(7)), (c) => c.charCodeAt(0)));
		this.text = read(script);
		this.worker = this.start();
	}

	// start gives a worker that has said that it is there; undefined where there can be
	// none.
	private async start(): Promise<Worker | undefined> {
		const text = await this.text;
		if (!text) return undefined;
		const address = URL.createObjectURL(new Blob([text as BlobPart], { type: "text/javascript" }));
		const worker = await new Promise<Worker | undefined>((resolve) => {
			setTimeout(resolve, startPatience);
			try {
				const worker = new Worker(address);
				worker.onmessage = () => resolve(worker);
				worker.onerror = () => resolve(undefined); // the page's policy lets it have none
			} catch {
				resolve(undefined);
			}
		});
		if (worker) this.code = hex(sha256(text));
		return worker;
	}

	// check makes one check; one that is still going on is given up and never answered.
	async check(job: Job): Promise<Answer> {
		if (this.busy) this.restart();
		const worker = await this.worker;
		if (!worker) return this.here(job);
		this.busy = true;
		const result = await new Promise<Answer | "slow" | "broken">((resolve) => {
			const timer = setTimeout(() => resolve("slow"), job.saved.length > maxQuick ? patience : quick);
			const end = (result: Answer | "broken") => {
				clearTimeout(timer);
				resolve(result);
			};
			worker.onmessage = ({ data }: MessageEvent<Answer>) => end(data);
			worker.onerror = () => end("broken");
			worker.postMessage(job);
		});
		this.busy = false;
		if (result === "slow") {
			this.restart();
			if (job.saved.length <= maxQuick) return this.here(job);
			return { report: { tone: "bad", unchecked: true, reason: "slow", headline: "Not checked: the check took too long.", yes: [], no: [], details: [] }, milliseconds: patience };
		}
		if (result !== "broken") return result;
		this.worker = Promise.resolve(undefined);
		return this.here(job);
	}

	private restart(): void {
		void this.worker.then((worker) => worker?.terminate());
		this.worker = this.start();
		this.busy = false;
	}

	private async here(job: Job): Promise<Answer> {
		if (job.saved.length > maxHere) return { report: { tone: "part", unchecked: true, reason: "slow", headline: "Not checked: this is too large to check where no worker runs.", yes: [], no: [], details: [] }, milliseconds: 0 };
		await new Promise((resolve) => setTimeout(resolve)); // the page shows what it is doing first
		return answer(job);
	}
}

// read gives the script's bytes, again; undefined where they cannot be had, as on a
// page that is a file.
async function read(script: HTMLScriptElement | null): Promise<Bytes | undefined> {
	if (!script?.src) return undefined;
	try {
		const response = await fetch(script.src, { integrity: script.integrity, cache: "force-cache", credentials: "omit" });
		return response.ok ? new Uint8Array(await response.arrayBuffer()) : undefined;
	} catch {
		return undefined;
	}
}
