// Grants: what a participant may describe.
import { wrong } from "./form.ts";

const isDigits = (s: string): boolean => /^[0-9]+$/.test(s);

// checkGrant refuses what cannot be a grant.
export function checkGrant(grant: string): void {
	const ok = isDigits(grant) ? grant.length >= 4 && grant.length <= 14 : /^[a-z][a-z0-9+.-]*:[!-~]+$/.test(grant);
	if (!ok) throw wrong("grants", "digits of a GS1 company prefix, an identifier or the beginning of some");
}

// covers tells whether a grant covers a canonical identifier. Digits cover the GS1
// identifiers whose company prefix begins with them; any other grant covers the
// identifier that it is and what continues it.
export function covers(grant: string, identifier: string): boolean {
	if (!isDigits(grant)) return identifier.startsWith(grant) && (identifier.length === grant.length || identifier[grant.length] === "/" || /[/:#]$/.test(grant));
	const stem = "https://id.gs1.org/";
	if (!identifier.startsWith(stem)) return false;
	const [ai, value = ""] = identifier.slice(stem.length).split("/");
	if (!["00", "01", "8006", "8003"].includes(ai!)) return value.startsWith(grant);
	// The company prefix stands behind one digit; a GTIN may also be written with its zeros.
	return value.startsWith(grant, 1) || (ai === "01" && grant.startsWith("0") && value.startsWith(grant));
}
