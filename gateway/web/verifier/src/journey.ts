// The rule by which a journey is followed: which histories tell what happened to one
// thing, to its lot, to what it was packed in while it was packed in it, and to what
// it was made from until then. Whoever logs events shapes journeys, so what is
// followed and looked at is bounded whatever they say.
import { canonical, namesOf } from "./gs1/identifier.ts";
import { type Key, Kind } from "./keys.ts";
import { Endings, type Entry, type Passage, passageOf } from "./passage.ts";
import { Refusal } from "./refusal.ts";
import { forever, noTime } from "./time.ts";

const maxHistories = 256;
const maxTasks = 4 * maxHistories;
const maxLooks = 1 << 20;

// A Source gives the history of a key, in the log's order: the whole of it, or what
// there is of it.
export type Source = (key: Key) => { entries: Entry[]; whole: boolean };

// Roles say why a step belongs to a journey, the closest first: it names the thing
// itself; its lot; what it was packed in then; what it was made from; or the thing
// was used up in it.
export const roles = ["self", "batch", "container", "ingredient", "use"] as const;
const [self, batch, container, ingredient, use] = [0, 1, 2, 3, 4];

export interface Step {
	index: bigint;
	role: number; // of roles
	key: Key; // of the history through which it belongs to the journey
	time: bigint; // the event's, or noTime
}

export interface Journey {
	id: string; // canonical
	keys: Key[]; // the histories that tell of it, those too that hold nothing
	missed: Key[]; // those that the source did not give whole, or that a bound cut off
	steps: Step[]; // by the events' own times, then by position
}

// A span of the events' own times, both ends included.
interface Window {
	from: bigint;
	to: bigint;
}

const always: Window = { from: noTime, to: forever };

// An event without a time belongs to every window: a journey has rather too much
// than too little.
const has = (w: Window, at: bigint): boolean => at === noTime || (w.from <= at && at <= w.to);

const least = (a: bigint, b: bigint): bigint => (a < b ? a : b);

// An identifier to follow during a window; own: only what is about the thing itself.
interface Task {
	id: string;
	role: number;
	window: Window;
	own: boolean;
}

interface History {
	key: Key;
	passages: Passage[];
	ends?: Endings;
}

export const name = (key: Key): string => `${key.kind} ${key.id}`;

// follow follows the thing that id names in any of its spellings.
export function follow(id: string, source: Source): Journey {
	const thing = canonical(id);
	if (thing === null) throw new Refusal("asked", `${id} is no identifier`);
	return new Follower(thing, source).journey;
}

class Follower {
	readonly journey: Journey;
	private readonly source: Source;
	private readonly tasks: Task[] = [];
	private readonly pushed = new Set<string>();
	private readonly steps = new Map<bigint, Step>();
	private readonly histories = new Map<string, History>();
	private readonly missed = new Set<string>();
	private looks = 0;

	constructor(id: string, source: Source) {
		this.source = source;
		this.journey = { id, keys: [], missed: [], steps: [] };
		const [thing, lot] = namesOf(id);
		this.push({ id: thing, role: self!, window: always, own: false });
		if (lot !== undefined) this.push({ id: lot, role: batch!, window: always, own: true });
		for (let i = 0; i < this.tasks.length; i++) this.follow(this.tasks[i]!);
		this.end({ kind: Kind.input, id: thing }, use!);
		this.end({ kind: Kind.place, id: thing }, self!);
		this.journey.steps = [...this.steps.values()].sort((a, b) => (a.time < b.time || (a.time === b.time && a.index < b.index) ? -1 : 1));
	}

	// miss says that the history of the key is not followed, or not to its end.
	private miss(key: Key): void {
		if (this.missed.has(name(key)) || this.missed.size >= maxTasks) return;
		this.missed.add(name(key));
		this.journey.missed.push(key);
	}

	// history reads one history, once; an empty one when the bound is met.
	private history(key: Key): History {
		const known = this.histories.get(name(key));
		if (known) return known;
		if (this.histories.size >= maxHistories) {
			this.miss(key);
			return { key, passages: [] };
		}
		const { entries, whole } = this.source(key);
		if (!whole) this.miss(key);
		const h = { key, passages: entries.map((e) => passageOf(e, key)) };
		this.histories.set(name(key), h);
		this.journey.keys.push(key);
		return h;
	}

	private push(t: Task): void {
		const id = [t.id, t.role, t.window.from, t.window.to, t.own].join("\0");
		if (t.window.from > t.window.to || this.pushed.has(id)) return;
		if (this.pushed.size >= maxTasks) return this.miss({ kind: Kind.object, id: t.id });
		this.pushed.add(id);
		this.tasks.push(t);
	}

	private add(p: Passage, role: number, key: Key): void {
		const have = this.steps.get(p.index);
		if (!have) this.steps.set(p.index, { index: p.index, role, key, time: p.at });
		else if (role < have.role) Object.assign(have, { role, key });
	}

	// look counts what is looked at of a history; false when the bound is met.
	private look(h: History): boolean {
		this.looks += h.passages.length;
		if (this.looks > maxLooks) this.miss(h.key);
		return this.looks <= maxLooks;
	}

	private follow(t: Task): void {
		const h = this.history({ kind: Kind.object, id: t.id });
		if (!this.look(h)) return;
		for (const p of h.passages) {
			if (!has(t.window, p.at) || (t.own && !p.own)) continue;
			this.add(p, t.role, h.key);
			for (const lot of p.lots) this.push({ id: lot, role: Math.max(t.role, batch!), window: t.window, own: true });
			if (p.output) this.followInputs(p, t);
			for (const parent of p.parents) this.followParent(parent, p, t);
		}
	}

	// followInputs goes on with what was made into an event's outputs before then: its
	// own inputs, and those that were logged apart under the same transformationID.
	private followInputs(p: Passage, t: Task): void {
		const before = { from: noTime, to: p.at === noTime ? t.window.to : least(p.at, t.window.to) };
		const go = (id: string) => this.push({ id, role: ingredient!, window: before, own: false });
		p.inputs.forEach(go);
		for (const id of p.transformations) {
			const h = this.history({ kind: Kind.transformation, id });
			if (!this.look(h)) continue;
			for (const part of h.passages) {
				this.add(part, ingredient!, h.key);
				part.inputs.forEach(go);
			}
		}
	}

	// followParent goes on with what the passage packed t.id in, until it was taken out.
	private followParent(parent: string, p: Passage, t: Task): void {
		const h = this.history({ kind: Kind.object, id: parent });
		h.ends ??= new Endings(h.passages, parent);
		const from = p.at === noTime ? t.window.from : p.at;
		this.push({ id: parent, role: Math.max(t.role, container!), window: { from, to: least(h.ends.after(t.id, from), t.window.to) }, own: false });
	}

	// end adds a history from which nothing leads on.
	private end(key: Key, role: number): void {
		const h = this.history(key);
		for (const p of h.passages) this.add(p, role, key);
	}
}
