// What a reader believes before it reads.
import { type Policy, checkFresh, checkSigned, defaultMaxAge, met, parsePolicy, publicPart, type Verdict } from "./policy.ts";
import { Refusal, under } from "./refusal.ts";

export interface Trust {
	// Whose checkpoints are believed: the log's key and the witnesses' quorum.
	policy: Policy;
	// The same of the index log. If it is undefined, the index log's key in the log's
	// first entry is taken, for which the log's own signature vouches, and no witness.
	indexPolicy: Policy | undefined;
	// Verifier keys, among the witnesses of indexPolicy, of those who cosign an index
	// checkpoint only after they have rebuilt the index from the log. No policy can say
	// that of a witness, and no server: it is the reader's own statement.
	indexVerifiers: readonly string[];
	// The verifier key of the log's operator, the present one or a former one. If it is
	// undefined, the one in the log's first entry is taken.
	operatorKey: string | undefined;
	// The reader's clock, in seconds since 1970; undefined leaves it out.
	now: bigint | undefined;
	// How old a checkpoint may be, in seconds; undefined: a day for histories and
	// journeys, any age for receipts.
	maxAge: bigint | undefined;
}

// The texts that a Trust is made of.
export interface TrustTexts {
	logPolicy?: string | undefined;
	indexPolicy?: string | undefined;
	indexVerifiers?: readonly string[] | undefined;
	operatorKey?: string | undefined;
	maxAge?: bigint | undefined;
}

export function readTrust(t: TrustTexts, now?: bigint): Trust {
	if (!t.logPolicy) throw new Refusal("policy", "there is no policy for the log");
	const trust: Trust = {
		policy: parsePolicy(t.logPolicy),
		indexPolicy: t.indexPolicy ? parsePolicy(t.indexPolicy) : undefined,
		indexVerifiers: t.indexVerifiers ?? [],
		operatorKey: t.operatorKey || undefined,
		now,
		maxAge: t.maxAge,
	};
	for (const vkey of trust.indexVerifiers) {
		if (!trust.indexPolicy?.witnesses.some((w) => w.vkey === vkey)) throw new Refusal("policy", `the index-verifier ${vkey} is no witness of the index log's policy`);
		if (trust.policy.witnesses.some((w) => publicPart(w.vkey) === publicPart(vkey))) {
			throw new Refusal("policy", `the key of the index-verifier ${vkey} is also a plain witness's of the log; an index-verifier has a key of its own`);
		}
	}
	return trust;
}

// independent tells whether the index policy's quorum cannot be met without an
// index-verifier.
export const independent = (t: Trust): boolean =>
	t.indexPolicy !== undefined && t.indexVerifiers.length > 0 && !met(t.indexPolicy, (w) => !t.indexVerifiers.includes(w.vkey));

// checkRole judges a signed checkpoint of one of the two logs.
export const checkRole = (role: "log" | "index", p: Policy, signed: string): Verdict => under((reason) => `${role}-${reason}`, () => checkSigned(p, signed));

// checkTime checks when a checkpoint of the log was witnessed.
export const checkTime = (t: Trust, v: Verdict): void => checkFresh(v, t.now, t.maxAge ?? defaultMaxAge);
