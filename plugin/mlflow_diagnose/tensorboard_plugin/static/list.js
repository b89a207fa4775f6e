// The list of runs: a page of it at a time, filtered by name and by how a run stands.

import { badge, el, named, svg } from "./dom.js";

const STANDS = [
  ["critical", "Critical"],
  ["warning", "Warning"],
  ["healthy", "Healthy"],
  ["insufficient_data", "Too little logged"],
  ["unreadable", "Unreadable"],
];
const PAGE = 50;
const TYPING = 150; // ms after the last key before the list follows

export class RunList {
  #query = { q: "", status: "", sort: "", offset: 0, limit: PAGE };
  #changed;
  #typing;
  #shown = null;
  #open = "";

  /** @param changed called when another part of the list is wanted */
  constructor(changed) {
    this.#changed = changed;
    this.filter = el("input", {
      type: "search",
      placeholder: "Filter by name or verdict",
      "aria-label": "Filter runs by name or verdict",
      autocomplete: "off",
      spellcheck: "false",
      oninput: () => {
        clearTimeout(this.#typing);
        this.#typing = setTimeout(() => this.#want({ q: this.filter.value.trim() }), TYPING);
      },
    });
    this.sort = el(
      "select",
      { "aria-label": "Order of the runs", onchange: () => this.#want({ sort: this.sort.value }) },
      el("option", { value: "" }, "By name"),
      el("option", { value: "worst" }, "Worst first"),
    );
    this.stands = el("div", { class: "stands", role: "group", "aria-label": "Show only" });
    this.progress = el("div", { class: "progress", hidden: true });
    this.items = el("ol", { class: "runs" });
    this.pager = el("div", { class: "pager" });
    this.empty = el("p", { class: "empty muted", hidden: true });
    this.items.addEventListener("keydown", (event) => this.#walk(event));
    this.element = el(
      "nav",
      { "aria-label": "Runs" },
      el("div", { class: "tools" }, el("div", { class: "find" }, this.filter, this.sort), this.stands, this.progress),
      this.empty,
      this.items,
      this.pager,
    );
  }

  get query() {
    return this.#query;
  }

  /** Show the runs whose name or verdict holds these words. */
  find(words) {
    this.filter.value = words;
    this.#want({ q: words, status: "" });
  }

  #want(part) {
    this.#query = { ...this.#query, offset: 0, ...part };
    this.#changed();
  }

  /** Show a page of the list as the server gave it. */
  show(page) {
    this.#shown = page;
    this.#query.offset = page.offset;
    this.#showStands(page);
    this.#showProgress(page);
    const focused = document.activeElement?.dataset?.run;
    this.items.replaceChildren(...page.rows.map((row) => this.#item(row)));
    this.mark(this.#open);
    if (focused !== undefined) {
      [...this.items.querySelectorAll("a")].find((link) => link.dataset.run === focused)?.focus({ preventScroll: true });
    }
    this.#showPager(page);
    this.empty.hidden = page.rows.length > 0;
    this.empty.textContent = emptiness(page);
  }

  /** Mark the run that is open. */
  mark(run) {
    this.#open = run;
    for (const link of this.items.querySelectorAll("a")) {
      if (link.dataset.run === run) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }

  #item(row) {
    const step = row.best_step === null ? "" : `step ${row.best_step.toLocaleString("en")}`;
    const more = [row.brief, step && !row.brief.replaceAll(",", "").includes(step.replaceAll(",", "")) ? `best at ${step}` : ""].filter(Boolean).join(" · ");
    return el(
      "li",
      {},
      el(
        "a",
        { href: link(row.run_id), "data-run": row.run_id },
        el("span", { class: "name", title: row.run_id }, named(row.run_id)),
        small(row.lines),
        el("span", { class: "what" }, badge(row.status, row.verdict)),
        el("span", { class: "brief", title: more || null }, more),
      ),
    );
  }

  #showStands(page) {
    const all = ["", "All"];
    const there = [all, ...STANDS.filter(([kind]) => page.counts[kind] || this.#query.status === kind)];
    const focused = this.stands.contains(document.activeElement) ? document.activeElement.value : null;
    this.stands.replaceChildren(
      ...there.map(([kind, word]) =>
        el(
          "button",
          {
            type: "button",
            value: kind,
            class: kind || "all",
            "aria-pressed": String(this.#query.status === kind),
            onclick: () => this.#want({ status: kind }),
          },
          word,
          el("span", { class: "count" }, (kind ? (page.counts[kind] ?? 0) : page.named).toLocaleString("en")),
        ),
      ),
    );
    if (focused !== null) this.stands.querySelector(`button[value="${focused}"]`)?.focus();
  }

  #showProgress(page) {
    const done = page.total - page.waiting;
    this.progress.hidden = !page.waiting;
    if (!page.waiting) return this.progress.replaceChildren();
    const told = `Judged ${done.toLocaleString("en")} of ${page.total.toLocaleString("en")}`;
    this.progress.replaceChildren(el("progress", { max: page.total, value: done, "aria-label": "Runs judged" }), told);
  }

  #showPager(page) {
    const last = Math.min(page.offset + page.limit, page.matching);
    this.pager.hidden = page.matching <= page.limit;
    const focused = this.pager.contains(document.activeElement) ? document.activeElement.value : null;
    const step = (word, value, offset, possible) =>
      el("button", { type: "button", value, disabled: !possible, onclick: () => this.#turn(offset) }, word);
    const place = `${(page.offset + 1).toLocaleString("en")} to ${last.toLocaleString("en")} of ${page.matching.toLocaleString("en")}`;
    this.pager.replaceChildren(
      step("Previous", "previous", Math.max(page.offset - page.limit, 0), page.offset > 0),
      el("span", { class: "muted" }, place),
      step("Next", "next", page.offset + page.limit, last < page.matching),
    );
    if (focused) this.pager.querySelector(`button[value="${focused}"]:enabled`)?.focus();
  }

  #turn(offset) {
    this.#want({ offset });
    this.element.scrollTo({ top: 0 });
  }

  /** Up and down go from run to run. */
  #walk(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const links = [...this.items.querySelectorAll("a")];
    const next = links[links.indexOf(document.activeElement) + step];
    if (next) {
      event.preventDefault();
      next.focus();
    }
  }
}

/** The address at which a run is open. TensorBoard's frame has a `<base>`, so a bare `#...` would leave it. */
export function link(run) {
  return `${location.pathname}${location.search}#${run === null ? "" : new URLSearchParams({ run })}`;
}

function emptiness(page) {
  if (page.trouble) return page.trouble;
  if (!page.scanned) return "Looking for runs…";
  return page.total ? "No run fits." : "No run has logged a scalar yet.";
}

/** The main curves of a run, small. */
function small(lines) {
  const pair = (points) => points.reduce((text, at, place) => text + (place ? (place % 2 ? "," : " ") : "") + at, "");
  return svg(
    "svg",
    { class: "small", viewBox: "-3 -6 106 112", preserveAspectRatio: "none", "aria-hidden": "true", focusable: "false" },
    ...lines.map((line) => svg("polyline", { class: line.split || "train", points: pair(line.points) })),
  );
}
