// All vectors that verifiers share: the verdict must be the one that stands there,
// member for member. TALLYROOT_VECTORS names their folder.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Case, run } from "./run.ts";

const folder = process.env["TALLYROOT_VECTORS"];
if (!folder) throw new Error("TALLYROOT_VECTORS names no folder");

const files = readdirSync(folder).filter((name) => name.endsWith(".json"));
assert.ok(files.length > 0, `no vectors in ${folder}`);

for (const file of files) {
	test(file, async (t) => {
		const cases = JSON.parse(readFileSync(join(folder, file), "utf8")) as Case[];
		assert.ok(cases.length > 0);
		for (const c of cases) {
			await t.test(c.name, () => assert.deepEqual(run(c), c.verdict, c.what));
		}
	});
}
