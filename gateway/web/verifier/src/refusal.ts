// A Refusal says why something is not believed: reason is the short word that all
// implementations share (provenance/testdata/vectors/README.md), the message is for
// people.
export class Refusal extends Error {
	readonly reason: string;
	// Where: which history, of several, and the entry's position in the log.
	history: string | undefined;
	readonly index: bigint | undefined;

	constructor(reason: string, message: string, index?: bigint) {
		super(message);
		this.reason = reason;
		this.index = index;
	}
}

// under gives what f gives; of a Refusal, the reason is another one.
export function under<T>(name: (reason: string) => string, f: () => T): T {
	try {
		return f();
	} catch (e) {
		if (!(e instanceof Refusal)) throw e;
		throw new Refusal(name(e.reason), e.message, e.index);
	}
}

// within gives what f gives; of a Refusal it says in which history it is, unless it
// says so already.
export function within<T>(history: string, f: () => T): T {
	try {
		return f();
	} catch (e) {
		if (e instanceof Refusal) e.history ??= history;
		throw e;
	}
}

// attempt gives what f gives, and undefined when f refuses.
export function attempt<T>(f: () => T): T | undefined {
	try {
		return f();
	} catch (e) {
		if (e instanceof Refusal) return undefined;
		throw e;
	}
}
