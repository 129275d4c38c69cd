// A JSON value as package jcs in Go has it. Objects are maps, so that no name of
// a member means anything to JavaScript; a number is one that JSON carries
// unharmed, never -0.
export type Value = null | boolean | number | string | readonly Value[] | JSONObject;
export type JSONObject = ReadonlyMap<string, Value>;

export const isObject = (v: Value | undefined): v is JSONObject => v instanceof Map;
export const isArray = (v: Value | undefined): v is readonly Value[] => Array.isArray(v);

// get gives a member; undefined when v has none of that name or is no object.
export const get = (v: Value | undefined, name: string): Value | undefined => (isObject(v) ? v.get(name) : undefined);

// text gives the content of a string, and "" for all else.
export const text = (v: Value | undefined): string => (typeof v === "string" ? v : "");

// items gives the elements of an array, and none for all else.
export const items = (v: Value | undefined): readonly Value[] => (isArray(v) ? v : []);

// without gives a copy of an object that lacks the members names.
export function without(v: JSONObject, ...names: string[]): JSONObject {
	return new Map([...v].filter(([name]) => !names.includes(name)));
}
