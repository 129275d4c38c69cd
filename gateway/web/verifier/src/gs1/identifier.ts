// The canonical form of identifiers, and what they name: what package
// provenance/gs1 does in Go, and in the end byte for byte. It is frozen, as the
// keys of the history index are.

import { isWeb, Link, write } from "./link.ts";
import { canonicalURN, foreign, mistypedURN } from "./urn.ts";

// canonical gives the one form in which an identifier is compared and indexed. A
// GS1 identifier, as Digital Link on any domain, EPC URN, class URN or EPC
// pattern, gives a Digital Link at https://id.gs1.org; any other URI of printable
// ASCII gives itself. It is null for what is refused.
export function canonical(id: string): string | null {
	// Whatever is of other characters is neither a GS1 identifier nor a URI.
	if (!/^[!-~]+$/.test(id)) return null;
	if (id.startsWith("urn:epc:")) {
		const urn = canonicalURN(id);
		if (urn !== foreign) return urn ?? null;
	} else if (mistypedURN(id)) {
		return null;
	} else if (isWeb(id)) {
		const link = new Link(id);
		if (link.path) return write(link.path);
		if (!link.standsForItself() && (link.claims() || !link.hasHost())) return null;
	}
	if (!/^[a-z][a-z0-9+.-]*:./.test(id) || (!isWeb(id) && /^https?:/.test(id))) return null;
	return id;
}

// namesOf gives what an identifier names, most specific first; it is what the
// history index is keyed by, so it is total. A Digital Link with a serial names
// the item, with a lot the lot, with both the two; a variant beside either is
// left out. Any other identifier names its canonical form, and text that has none
// its exact string. There is always one at least.
export function namesOf(id: string): [string, ...string[]] {
	if (isWeb(id) && /^[!-~]+$/.test(id)) {
		const link = new Link(id);
		if (link.path) return link.names();
	}
	return [canonical(id) ?? id];
}
