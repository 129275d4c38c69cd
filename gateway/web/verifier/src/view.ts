// What the panel looks like. Text that came from elsewhere never becomes markup.
import { type Report } from "./words.ts";

export function element(tag: string, ...children: (Node | string)[]): HTMLElement {
	const e = document.createElement(tag);
	e.append(...children);
	return e;
}

export function button(text: string, onclick: () => void): HTMLElement {
	return Object.assign(element("button", text), { type: "button", onclick });
}

const named = (name: string, e: HTMLElement): HTMLElement => Object.assign(e, { className: name });

const items = (name: string, texts: readonly string[]): HTMLElement[] =>
	texts.length > 0 ? [named(name, element("ul", ...texts.map((text) => element("li", element("bdi", text)))))] : [];

function fold(summary: string, texts: readonly string[] = [], open = false): HTMLElement[] {
	if (texts.length === 0) return [];
	const details = element("details", element("summary", summary), ...items("plain", texts));
	details.toggleAttribute("open", open);
	return [details];
}

const titles = { good: "Checked on your device", part: "Checked on your device, in part", bad: "Checked on your device" };

// A View shows reports in the page's section. What readers may be using stays where it
// is: the focus is never lost, and folds stay open.
export class View {
	private readonly section: HTMLElement;
	private readonly home = document.createComment("");
	private readonly title = element("h2");
	private readonly status = element("div");
	private readonly body = element("div");

	constructor(section: HTMLElement, controls: HTMLElement) {
		this.section = section;
		this.title.id = "verification-title";
		this.status.setAttribute("role", "status");
		section.setAttribute("aria-labelledby", this.title.id);
		section.before(this.home);
		section.replaceChildren(this.title, this.status, this.body, controls);
	}

	// busy says that something is going on; what was said before stays.
	busy(): void {
		this.section.setAttribute("aria-busy", "true");
		if (this.status.childElementCount > 0) return;
		this.title.textContent = "Checking on your device …";
	}

	// show shows a report: what is wrong comes first on the page.
	show(report: Report, details: readonly string[]): void {
		const { section } = this;
		section.className = `verification ${report.tone}`;
		section.dataset["reason"] = report.reason ?? "";
		this.title.textContent = report.unchecked ? "Not checked on your device" : report.entries?.length === 0 ? titles.good : titles[report.tone];
		this.status.setAttribute("role", report.tone === "bad" ? "alert" : "status");
		this.status.replaceChildren(
			named("headline", element("p", element("strong", element("bdi", report.headline)))),
			...(report.claim ? [element("p", element("bdi", report.claim))] : []),
			...items("alerts", report.alerts ?? []),
		);
		this.body.replaceChildren(
			...items("wrong", report.wrong ?? []),
			...items("yes", report.yes),
			...(report.tone === "bad" || report.no.length === 0 ? [] : [named("not", element("p", "This does not show:")), ...items("no", report.no)]),
			...fold(`Left out: ${report.missing?.length}`, report.missing, true),
			...fold(`In the log, and not on this page: ${report.hidden?.length}`, report.hidden?.map(line), true),
			...fold(`The entries as your device read them: ${report.entries?.length}`, report.entries?.map(line)),
			...fold("Whose keys, whose code", [...report.details, ...details]),
		);
		this.place(report.tone === "bad");
		section.setAttribute("aria-busy", "false");
	}

	private place(first: boolean): void {
		const { section, home } = this;
		const focused = document.activeElement;
		if (first && section.previousElementSibling) section.parentElement?.prepend(section);
		else if (!first && home.nextSibling !== section) home.after(section);
		if (focused instanceof HTMLElement && section.contains(focused)) focused.focus({ preventScroll: true });
	}
}

const line = (e: { said: string; index: string; flaw?: string }): string => `${e.said} · entry ${e.index}${e.flaw ? ` · ${e.flaw}` : ""}`;
