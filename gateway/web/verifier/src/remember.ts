// What a reader remembers: the newest checkpoint of each log that it has seen, so
// that nobody can show it another log later.
import { type Bytes, equal } from "./bytes.ts";
import { type Checkpoint, parseCheckpoint } from "./checkpoint.ts";
import { continues } from "./merkle.ts";
import { Refusal, under } from "./refusal.ts";

export class Memory {
	private readonly logs = new Map<string, { checkpoint: Checkpoint; signed: string }>(); // by origin

	// last gives the newest checkpoint of the log of that origin.
	last(origin: string): Checkpoint | undefined {
		return this.logs.get(origin)?.checkpoint;
	}

	// see takes a signed checkpoint that was verified. proof shows, between it and the
	// last one, that the larger continues the smaller. A smaller one is no lie by
	// itself. It refuses two roots of one size, and what is not proved; then what is
	// remembered stays as it was.
	see(signed: string, proof: readonly Bytes[]): void {
		const now = under((reason) => `log-${reason}`, () => parseCheckpoint(signed).checkpoint);
		const last = this.last(now.origin);
		if (last) {
			if (now.size === last.size && !equal(now.root, last.root)) throw new Refusal("fork", `at size ${now.size} the log ${now.origin} was shown with two roots`);
			const [older, newer] = last.size > now.size ? [now, last] : [last, now];
			if (!continues(older.size, newer.size, older.root, newer.root, proof)) {
				throw new Refusal("inconsistent", `sizes ${older.size} and ${newer.size} of ${now.origin} are not proved to be of one log`);
			}
			if (now.size <= last.size) return;
		}
		this.logs.set(now.origin, { checkpoint: now, signed });
	}

	// texts gives the signed checkpoints, for keeping.
	get texts(): string[] {
		return [...this.logs.values()].map((l) => l.signed);
	}
}
