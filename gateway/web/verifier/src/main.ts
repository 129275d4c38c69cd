// The script of the product page, and of the worker that it starts from itself.
import { answer, type Job } from "./job.ts";
import { start } from "./page.ts";

if (typeof document === "undefined") {
	onmessage = ({ data }: MessageEvent<Job>) => postMessage(answer(data));
	postMessage("ready");
} else {
	start(document.currentScript as HTMLScriptElement | null);
}
