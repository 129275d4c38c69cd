// Who makes the checks: a worker, so that the page stays quick whatever it is given.
import { type Answer, answer, type Job } from "./job.ts";

// patience is how long a check may take, in milliseconds.
export const patience = 60_000;

// maxHere is what the page itself checks, in bytes, where there can be no worker:
// what takes it seconds at most.
const maxHere = 4 << 20;

export class Checker {
	private readonly script: string;
	private worker: Worker | undefined;

	// A Checker starts its worker at once, from the address of this script.
	constructor(script: string) {
		this.script = script;
		this.worker = this.start();
	}

	private start(): Worker | undefined {
		try {
			return new Worker(this.script);
		} catch {
			return undefined; // the page is a file, or its policy lets it have none
		}
	}

	// check makes one check; one that is still going on is given up and never answered.
	async check(job: Job): Promise<Answer> {
		if (this.busy) this.restart();
		const worker = this.worker;
		if (!worker) return this.here(job);
		this.busy = true;
		const result = await new Promise<Answer | "slow" | "broken">((resolve) => {
			const timer = setTimeout(() => resolve("slow"), patience);
			worker.onmessage = ({ data }: MessageEvent<Answer>) => {
				clearTimeout(timer);
				resolve(data);
			};
			worker.onerror = () => {
				clearTimeout(timer);
				resolve("broken");
			};
			worker.postMessage(job);
		});
		this.busy = false;
		if (result === "slow") {
			this.restart();
			return { report: { tone: "bad", reason: "slow", headline: "Not checked: the check took too long.", lines: [] }, milliseconds: patience };
		}
		if (result !== "broken") return result;
		this.worker = undefined;
		return this.here(job);
	}

	private busy = false;

	private restart(): void {
		this.worker?.terminate();
		this.worker = this.start();
		this.busy = false;
	}

	private async here(job: Job): Promise<Answer> {
		if (job.saved.length > maxHere) return { report: { tone: "part", reason: "slow", headline: "Not checked: this is too large to check where no worker runs.", lines: [] }, milliseconds: 0 };
		await new Promise((resolve) => setTimeout(resolve)); // the page shows what it is doing first
		return answer(job);
	}
}
