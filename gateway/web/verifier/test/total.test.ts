// Whatever it is given, the verifier answers: with a verdict or a refusal, never with
// another exception, and never green for what was changed where it counts.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Bytes, encode } from "../src/bytes.ts";
import { type Question, holdAll, holds } from "../src/ed25519.ts";
import { answer } from "../src/job.ts";
import { decodeJourney } from "../src/saved.ts";
import { type Case, run } from "./run.ts";
import { getPublicKey, sign } from "@noble/ed25519";

const folder = process.env["TALLYROOT_VECTORS"]!;

// dice are the same in each run.
function dice(seed: number): (n: number) => number {
	let x = seed;
	return (n) => {
		x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
		return Math.floor((x / 2 ** 32) * n);
	};
}

// change makes one change to a JSON value: a member left out, doubled, moved, made
// another, or a character of a text changed.
function change(v: any, roll: (n: number) => number): any {
	if (typeof v === "string") {
		const at = roll(v.length + 1);
		const put = ["", "A", "\n", "=", "9", "é", "\\", "\u2028", v.slice(0, 40)][roll(9)]!;
		return v.slice(0, at) + put + v.slice(at + roll(2));
	}
	if (Array.isArray(v) && v.length > 0) {
		const at = roll(v.length);
		switch (roll(6)) {
			case 0:
				return v.toSpliced(at, 1);
			case 1:
				return v.toSpliced(at, 0, v[roll(v.length)]);
			case 2:
				return v.toSpliced(at, 1, v[roll(v.length)]);
			default:
				return v.with(at, change(v[at], roll));
		}
	}
	if (v !== null && typeof v === "object" && Object.keys(v).length > 0) {
		const names = Object.keys(v);
		const name = names[roll(names.length)]!;
		const { [name]: old, ...rest } = v;
		if (roll(20) === 0) return rest;
		if (roll(20) === 0) return { ...v, [name]: v[names[roll(names.length)]!] };
		return { ...v, [name]: change(old, roll) };
	}
	return [null, true, 0, -1, 1e300, "", [], {}][roll(8)];
}

for (const file of ["histories.json", "journeys.json", "proofs.json", "signers.json"]) {
	test(`changes to ${file}`, () => {
		const roll = dice(file.length);
		const cases = JSON.parse(readFileSync(join(folder, file), "utf8")) as Case[];
		const good = cases.filter((c) => c.verdict["ok"] && typeof c.input["saved"] === "string");
		for (let i = 0; i < 120; i++) {
			const c = good[roll(good.length)]!;
			const saved = JSON.stringify(change(JSON.parse(c.input["saved"]), roll));
			const verdict = run({ ...c, input: { ...c.input, saved } });
			// What still is good says the same: the change was to what carries no meaning.
			if (verdict["ok"]) assert.deepEqual(verdict, c.verdict, `${c.name}, change ${i}`);
		}
	});
}

test("bytes that are changed", () => {
	const roll = dice(7);
	const cases = JSON.parse(readFileSync(join(folder, "histories.json"), "utf8")) as Case[];
	const c = cases.find((each) => each.verdict["ok"])!;
	for (let i = 0; i < 80; i++) {
		const saved = Buffer.from(c.input["saved"] as string);
		saved[roll(saved.length)]! ^= 1 << roll(8);
		const verdict = run({ ...c, input: { kind: "history", savedBase64: saved.toString("base64") } });
		if (verdict["ok"]) assert.deepEqual(verdict, c.verdict, `change ${i}`);
	}
});

test("a history is no answer to who asked for a thing", () => {
	const cases = JSON.parse(readFileSync(join(folder, "histories.json"), "utf8")) as Case[];
	const good = cases.filter((c) => c.verdict["claim"] === "complete" && typeof c.input["saved"] === "string" && c.trust?.["logPolicy"]);
	assert.ok(good.length > 0);
	for (const c of good) {
		const { now, asked: _, maxAge, ...texts } = c.trust!;
		const trust = maxAge === undefined ? texts : { ...texts, maxAge: BigInt(maxAge) };
		const job = { saved: encode(c.input["saved"]), trust, now: BigInt(now) };
		assert.notEqual(answer({ ...job, asked: undefined }).report.tone, "bad", c.name);
		for (const asked of [JSON.parse(c.input["saved"]).id, "urn:x:another"]) {
			assert.equal(answer({ ...job, asked }).report.tone, "bad", c.name);
		}
	}
});

test("what is small when it is sent and very large in memory is refused before it is read", () => {
	for (const many of ['"",'.repeat(4 << 20), "[".repeat(4 << 20)]) {
		assert.throws(() => decodeJourney(encode(`{"histories":[],"notFollowed":[${many}""]}`)), { reason: "malformed", message: /values/ });
	}
});

test("a journey has 64 MiB at most, as in Go", () => {
	const large = new Uint8Array((64 << 20) + 1).fill(0x20);
	large.set(encode(`{"histories":[],"notFollowed":[]}`));
	assert.deepEqual(decodeJourney(large.subarray(0, 64 << 20)).histories, []);
	assert.throws(() => decodeJourney(large), { reason: "malformed", message: /at most 67108864 bytes/ });
});

test("many signatures at once are judged as one by one", () => {
	const roll = dice(11);
	const keys = [1, 2, 3].map((n) => new Uint8Array(32).fill(n));
	for (let round = 0; round < 12; round++) {
		const questions: Question[] = Array.from({ length: roll(40) }, (_, i) => {
			const key = keys[roll(3)]!;
			const text = encode(`text ${round} ${i}`);
			const q = { public: getPublicKey(key) as Bytes, text, signature: sign(text, key) as Bytes };
			if (round % 3 === 0 || roll(10) > 0) return q;
			const part = roll(3) === 0 ? q.public : q.signature;
			part[roll(part.length)]! ^= 1 << roll(8);
			return q;
		});
		assert.deepEqual(holdAll(questions), questions.map(holds));
	}
});
