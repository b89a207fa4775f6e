// The tab: the list beside the open run, both asked for anew every few seconds while somebody looks.

import { Source } from "./api.js";
import { el } from "./dom.js";
import { link, RunList } from "./list.js";
import { RunView } from "./run.js";

const EVERY = 2500; // ms between two questions
const WHILE_JUDGING = 1000; // ms, while verdicts come in
const SOON = 400; // ms, while the server has only begun to look

/** Called by TensorBoard in the tab's frame. */
export async function render() {
  document.documentElement.lang = "en";
  document.title = "Diagnose";
  document.head.append(
    el("meta", { name: "viewport", content: "width=device-width, initial-scale=1" }),
    ...["parts.css", "diagnose.css"].map((name) => el("link", { rel: "stylesheet", href: new URL(name, import.meta.url) })),
  );
  followTheme();
  new Tab().start();
}

class Tab {
  #runs = new Source();
  #run = new Source();
  #page = null;
  #asking = 0; // counts the questions: an answer to any but the last is dropped
  #asleep = false;

  constructor() {
    this.said = el("p", { class: "unseen", role: "status", "aria-live": "polite" });
    this.lost = el("p", { class: "lost", role: "alert", hidden: true });
    this.list = new RunList(() => this.#ask());
    this.view = new RunView(
      (sentence) => {
        this.said.textContent = sentence;
      },
      (words) => this.list.find(words),
    );
  }

  get #open() {
    return new URLSearchParams(location.hash.slice(1)).get("run");
  }

  start() {
    document.body.append(
      el("main", {}, el("h1", { class: "unseen" }, "Diagnose"), this.lost, this.list.element, this.view.element),
      this.said,
    );
    this.list.element.addEventListener("click", (event) => this.#follow(event));
    this.view.element.addEventListener("click", (event) => this.#follow(event));
    addEventListener("hashchange", () => this.#turned());
    document.addEventListener("visibilitychange", () => this.#ask());
    // TensorBoard hides the frame of a tab that is not shown.
    new ResizeObserver(() => this.#asleep && this.#ask()).observe(document.documentElement);
    this.#turned();
  }

  /** Another run was opened, or none. */
  #turned() {
    document.body.classList.toggle("open", this.#open !== null);
    this.#run = new Source();
    this.list.mark(this.#open ?? "");
    if (this.#open === null) this.view.rest(this.#page);
    else this.view.show({ id: this.#open, state: "waiting" });
    this.#ask();
  }

  /** A link within the tab: the reader goes where the page goes, where only one half of it is shown. */
  #follow(event) {
    const target = event.target.closest("a");
    if (!target || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const run = target.dataset.run ?? null;
    if (run !== this.#open) location.assign(link(run));
    const hidden = getComputedStyle(this.list.element).display === "none" || run === null;
    queueMicrotask(() => (run === null ? this.list.filter : hidden || narrow() ? this.view.element : target).focus());
  }

  /** Ask for both, then again after a while; a later call takes the place of an earlier one. */
  async #ask() {
    const mine = ++this.#asking;
    this.#asleep = document.hidden || !innerHeight || !innerWidth;
    if (this.#asleep) return;
    let soon = false;
    try {
      const open = this.#open;
      const page = await this.#runs.ask("runs", this.list.query);
      if (mine !== this.#asking) return this.#runs.forget();
      if (page) {
        this.#page = page;
        this.list.show(page);
        if (open === null) this.view.rest(page);
      }
      soon = !this.#page.scanned;
      if (open !== null) {
        const told = await this.#run.ask("run", { id: open });
        if (mine !== this.#asking) return this.#run.forget();
        if (told) this.view.show({ id: open, ...told });
        soon ||= told?.state === "waiting";
      }
      this.#tellTrouble(this.#page.trouble);
    } catch (error) {
      if (mine !== this.#asking) return;
      this.#tellTrouble(`What is shown may be old: ${error.message}.`);
    }
    setTimeout(() => mine === this.#asking && this.#ask(), soon ? SOON : this.#page?.waiting ? WHILE_JUDGING : EVERY);
  }

  #tellTrouble(sentence) {
    if (this.lost.textContent !== sentence) this.lost.textContent = sentence;
    this.lost.hidden = !sentence;
  }
}

function narrow() {
  return matchMedia("(max-width: 51rem)").matches;
}

/** Light or dark as TensorBoard is, else as the reader's system is. */
function followTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let outside = null;
  try {
    outside = parent === window ? null : parent.document.body;
  } catch {
    // TensorBoard itself stands in a page of somebody else.
  }
  const follow = () => {
    const isDark = outside ? outside.classList.contains("dark-mode") : dark.matches;
    document.documentElement.dataset.theme = isDark ? "dark" : "light";
  };
  if (outside) new MutationObserver(follow).observe(outside, { attributes: true, attributeFilter: ["class"] });
  dark.addEventListener("change", follow);
  follow();
}
