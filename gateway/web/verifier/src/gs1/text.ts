// The characters of GS1 identifiers. A value that was unescaped holds bytes: one
// character below U+0100 for each.

// sets are the sets of the GS1 General Specifications, section 7.11: digits (N),
// CSET 82 (X), CSET 39 (Y), base64url (Z).
export const sets: Readonly<Record<string, RegExp>> = {
	N: /^[0-9]*$/,
	X: /^[!"%-?A-Z_a-z]*$/,
	Y: /^[#\-/0-9A-Z]*$/,
	Z: /^[-_=0-9A-Za-z]*$/,
};

export const digits = (s: string): boolean => /^[0-9]*$/.test(s);

// escape leaves unreserved characters alone (RFC 3986).
export const escape = (value: string): string =>
	value.replace(/[^A-Za-z0-9._~-]/g, (c) => "%" + c.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0"));

// unescape undoes escapes once, in a query also + for a space; undefined when a %
// begins no escape, or one stands for NUL.
export function unescape(s: string, query = false): string | undefined {
	if (/%(?![0-9A-Fa-f]{2})|%00/.test(s)) return undefined;
	return (query ? s.replace(/\+/g, " ") : s).replace(/%(..)/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
}
