// What things are called: the fold of the product and place statements about one
// identifier.
import { type Entry, typeOf } from "./entry.ts";
import { Form, maxDescription, maxLink, wrong } from "./form.ts";
import { checkGrant } from "./grant.ts";
import { canonical, namesOf } from "./gs1/identifier.ts";
import { Refusal } from "./refusal.ts";
import { checkNumber, type Effect, effectOf, type State } from "./state.ts";
import { type JSONObject } from "./value.ts";

// The newest statement of a type that holds.
export interface Described {
	index: bigint;
	participant: string;
}

export class Master {
	product: Described | undefined;
	place: Described | undefined;
	private readonly numbers = new Map<string, number>();
	private readonly identifier: string;

	constructor(identifier: string) {
		this.identifier = identifier;
	}

	// apply takes the next entry under the identifier's key of kind master whose
	// signature holds at its position.
	apply(index: bigint, e: Entry, state: State): Effect {
		return effectOf(() => {
			const type = typeOf(e.json);
			const isProduct = type === "tallyroot:Product";
			const { identifier, number } = isProduct ? parseProduct(e.json) : parsePlace(e.json);
			if (identifier !== this.identifier) throw wrong("identifier", this.identifier);
			const [participant, ...others] = e.participants as [string, ...string[]];
			if (others.length > 0) throw new Refusal("signers", "one participant alone signs it");
			if (!state.covers(participant, index, identifier)) throw new Refusal("grant", `${participant} has no grant for ${identifier}`);
			const series = `${type} ${participant}`;
			checkNumber(number, (this.numbers.get(series) ?? 0) + 1);
			this.numbers.set(series, number);
			this[isProduct ? "product" : "place"] = { index, participant };
		});
	}
}

interface About {
	identifier: string;
	number: number;
}

function begin(v: JSONObject): [Form, About] {
	const f = new Form(v);
	f.text("type");
	const identifier = f.text("identifier", maxLink);
	if (canonical(identifier) !== identifier || namesOf(identifier).join(" ") !== identifier) throw wrong("identifier", "a canonical one that names one thing");
	const about = { identifier, number: f.count("number", 1) };
	f.text("name");
	return [f, about];
}

function parseProduct(v: JSONObject): About {
	const [f, about] = begin(v);
	f.optionalText("brand", 256);
	f.optionalText("description", maxDescription);
	const picture = f.optional("picture");
	if (picture !== undefined) {
		const p = new Form(picture);
		if (!/^sha256:[0-9a-f]{64}$/.test(p.text("digest"))) throw wrong("digest", "sha256: and 64 hexadecimal digits");
		const link = p.text("link", maxLink);
		if (!/^https?:\/\/./.test(link)) throw wrong("link", "an https link");
		checkGrant(link); // in ASCII
		p.done();
	}
	f.done();
	return about;
}

function parsePlace(v: JSONObject): About {
	const [f, about] = begin(v);
	f.optionalText("address", maxDescription);
	const degrees = (name: string, most: number): boolean => {
		const d = f.optional(name);
		if (d !== undefined && (typeof d !== "number" || Math.abs(d) > most)) throw wrong(name, `degrees up to ${most}`);
		return d !== undefined;
	};
	if (degrees("latitude", 90) !== degrees("longitude", 180)) throw wrong("latitude", "there together with longitude");
	f.done();
	return about;
}
