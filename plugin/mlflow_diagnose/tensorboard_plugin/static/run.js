// One run: the diagnosis in the words and the order of the report's page.

import { text } from "./api.js";
import { badge, drawing, el, named, prose, svg } from "./dom.js";
import { link } from "./list.js";

const NARROW = 560; // pixels of room below which the narrow chart is the readable one

export class RunView {
  #told = null;
  #width = "";
  #announce;
  #find;

  /**
   * @param announce tells a sentence to those who listen
   * @param find lists the runs that show what is named
   */
  constructor(announce, find) {
    this.#announce = announce;
    this.#find = find;
    this.element = el("section", { id: "run", "aria-label": "The open run", tabindex: "-1" });
    this.figure = el("div", { class: "drawing" });
    new ResizeObserver(() => this.#redraw()).observe(this.element);
  }

  /** Show a run as the server told of it, keeping what the reader opened and how far he read. */
  show(told) {
    const before = this.#told;
    const same = before?.id === told.id;
    this.#told = told;
    const open = new Set(same ? [...this.element.querySelectorAll("details[open]")].map((each) => each.dataset.key) : []);
    const focused = same && this.element.contains(document.activeElement) ? document.activeElement.closest("details")?.dataset.key : null;
    const top = this.element.scrollTop;
    this.element.replaceChildren(...this.#parts(told));
    for (const each of this.element.querySelectorAll("details")) {
      each.open = open.has(each.dataset.key);
      if (focused && each.dataset.key === focused) each.querySelector("summary").focus({ preventScroll: true });
    }
    this.element.scrollTop = same ? top : 0;
    if (!same) this.figure.replaceChildren();
    if (told.state !== "ready") return;
    this.#width = "";
    this.#redraw();
    if (!same || before.headline !== told.headline) this.#announce(`${told.name}: ${told.headline}`);
  }

  /** Show that no run is open. */
  rest(page) {
    this.#told = null;
    const focused = this.element.contains(document.activeElement) ? document.activeElement.value : null;
    this.element.replaceChildren(overview(page, this.#find));
    if (focused) [...this.element.querySelectorAll("button")].find((each) => each.value === focused)?.focus();
  }

  async #redraw() {
    const told = this.#told;
    const room = this.element.clientWidth;
    if (!told?.chart || !room) return;
    const width = room < NARROW ? "narrow" : "wide";
    if (width === this.#width) return;
    this.#width = width;
    const drawn = drawing(await text("chart", { id: told.id, width }));
    if (drawn && this.#told === told && this.#width === width) this.figure.replaceChildren(drawn);
  }

  #parts(told) {
    const back = el("p", { class: "back" }, el("a", { href: link(null) }, "‹ All runs"));
    if (told.state !== "ready") return [back, el("section", { class: "card" }, el("h2", {}, told.id), el("p", {}, why(told)))];
    return [
      back,
      head(told),
      section("Three vital signs", el("ul", { class: "signs" }, told.signs.map(sign))),
      told.chart ? section("The curves", this.#chart(told)) : null,
      told.findings.length ? section("What was found", told.findings.map(cause)) : null,
      told.reading.length
        ? section("What the loss value means here", el("div", { class: "card reading" }, told.reading.map((each) => el("p", {}, prose(each)))))
        : null,
      section("Behind the diagnosis", behind(told)),
    ].filter((part) => part !== null);
  }

  #chart(told) {
    this.figure.setAttribute("role", "img");
    this.figure.setAttribute("aria-label", told.chart);
    return el("figure", { class: "card" }, this.figure, el("figcaption", {}, told.caption));
  }
}

function why(told) {
  if (told.state === "gone") return "This run is not in the logs any more.";
  return told.state === "unreadable" ? told.why : "Reading and judging…";
}

function section(title, ...children) {
  const id = title.toLowerCase().replaceAll(" ", "-");
  return el("section", { "aria-labelledby": id }, el("h3", { id }, title), ...children);
}

function head(told) {
  return el(
    "header",
    { class: "card" },
    el("p", { class: "name" }, badge(told.status, told.status_word), el("span", {}, "Run ", el("strong", {}, named(told.name)))),
    el("h2", {}, told.headline),
    el("p", { class: "lead" }, prose(told.lead)),
    told.first ? el("p", { class: "first" }, el("strong", {}, "Try this first"), " ", prose(told.first)) : null,
    told.sentence ? el("p", { class: "muted" }, told.sentence) : null,
  );
}

function sign(told) {
  const [kind, mark, word] = told.value === null ? ["unknown", "?", "Unknown"] : told.value ? ["yes", "✓", "Yes"] : ["no", "✗", "No"];
  return el(
    "li",
    { class: "card" },
    el("p", { class: "question" }, told.question),
    el("p", { class: `answer ${kind}` }, el("span", { "aria-hidden": "true" }, mark), ` ${word}`),
    el("p", { class: "because" }, prose(told.because)),
  );
}

function cause(finding) {
  const effects = finding.consequences.map((each, place) =>
    fold(`${finding.title}/${each.title}/${place}`, "", [el("strong", {}, each.title), badge(each.severity), muted(each.brief)], details(each, "h6")),
  );
  return el(
    "article",
    { class: "card" },
    el("header", {}, el("h4", {}, finding.title), badge(finding.severity)),
    details(finding, "h5"),
    effects.length ? el("div", { class: "explained" }, el("h5", {}, "What follows from it"), effects) : null,
  );
}

function details(finding, heading) {
  const curves = finding.curves.flatMap((name, place) => [place ? ", " : "", el("code", {}, name)]);
  const others = finding.more_curves ? " and others" : "";
  return [
    el("p", { class: "message" }, prose(finding.message)),
    finding.evidence.length
      ? el(
          "table",
          { class: "evidence" },
          el("caption", {}, "The numbers"),
          el("tbody", {}, finding.evidence.map(([name, value]) => el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, value)))),
        )
      : null,
    ...paragraphs(heading, "Why it matters", finding.why),
    ...(finding.try.length
      ? [el(heading, {}, "What to try first"), el("ol", { class: "remedies" }, finding.try.map((each) => el("li", {}, prose(each))))]
      : []),
    finding.wrong.length ? el("div", { class: "wrong" }, paragraphs(heading, "When this is wrong", finding.wrong)) : null,
    el("p", { class: "seen" }, `Seen at ${finding.steps}`, curves.length ? [" of ", ...curves, others] : "", `, with ${finding.confidence}.`),
  ];
}

function paragraphs(heading, title, texts) {
  return texts.length ? [el(heading, {}, title), ...texts.map((each) => el("p", {}, prose(each)))] : [];
}

function behind(told) {
  const unchecked = table(["Because", "Rules"], told.not_checked.map(({ reason, rules }) => [prose(reason), rules]));
  const roles = table(
    ["Role", "Curve", "Points"],
    told.roles.map(({ role, curve, points }) => [role, el("code", {}, curve), points.flatMap((each, place) => (place ? [el("br"), each] : [each]))]),
    ["Points"],
  );
  const others = told.others.flatMap((name, place) => [place ? ", " : "", el("code", {}, name)]);
  const params = table(["Name", "Value"], told.params.map(([name, value]) => [el("code", {}, name), value]));
  return [
    told.not_checked.length ? fold("unchecked", "card", [el("strong", {}, "Not checked"), muted(`${told.not_checked_count} could not judge this run`)], unchecked) : null,
    fold("dispute", "card", [el("strong", {}, "If you disagree"), muted("which curve was taken as what, and where the limits are")], dispute(told, roles, others)),
    told.params.length
      ? fold("params", "card", [el("strong", {}, "Parameters"), muted("as logged")], params, told.params_left ? el("p", { class: "muted" }, rest(told.params_left)) : null)
      : null,
  ].filter((part) => part !== null);
}

/** Which curve was taken as what, by which limits it was judged, and how to change either. */
function dispute(told, roles, others) {
  const lines = [...told.role_lines, ...(told.lines.length ? ["", ...told.lines] : [])].join("\n");
  return [
    told.config ? el("p", {}, "Judged by what ", el("code", {}, told.config), " says.") : null,
    el("h4", {}, "Curves and their roles"),
    told.roles.length ? roles : null,
    ...told.notes.map((note) => el("p", {}, note)),
    others.length ? el("p", { class: "muted" }, "Not judged: ", ...others, rest(told.others_left)) : null,
    ...(told.thresholds.length ? [el("h4", {}, "Thresholds of the rules that spoke"), thresholds(told.thresholds)] : []),
    el("h4", {}, "To change any of it"),
    el(
      "p",
      { class: "muted" },
      "Put lines such as these, changed, into a file ",
      el("code", {}, "mlflow-diagnose.toml"),
      " in the logdir, or in the folder in which TensorBoard was started. The tab follows it, and the command line judges by it too. The role ",
      el("code", {}, "none"),
      " leaves a curve out.",
    ),
    el("pre", { tabindex: "0", "aria-label": "Lines for mlflow-diagnose.toml" }, el("code", {}, lines)),
  ];
}

/** The limits of each rule under its name. */
function thresholds(all) {
  const count = { class: "count" };
  const head = el("tr", {}, el("th", { scope: "col" }, "Threshold"), el("th", { scope: "col", ...count }, "Value"), el("th", { scope: "col" }, "What it is"));
  const rules = [...new Set(all.map(({ rule }) => rule))];
  return el(
    "table",
    { class: "thresholds" },
    el("thead", {}, head),
    ...rules.map((rule) =>
      el(
        "tbody",
        {},
        el("tr", {}, el("th", { scope: "rowgroup", colspan: "3" }, el("strong", {}, rule))),
        all.filter((each) => each.rule === rule).map(({ name, value, meaning }) => el("tr", {}, el("td", {}, el("code", {}, name)), el("td", count, value), el("td", {}, meaning))),
      ),
    ),
  );
}

function rest(left) {
  return left ? ` and ${left.toLocaleString("en")} more` : "";
}

function fold(key, kind, summary, ...children) {
  return el("details", { class: `fold ${kind}`, "data-key": key }, el("summary", {}, ...summary.flatMap((part) => [part, " "])), ...children);
}

function muted(words) {
  return el("span", { class: "muted" }, words);
}

/** A table; what stands under a heading in `counts` is a number. */
function table(heads, rows, counts = []) {
  const kind = (place) => (counts.includes(heads[place]) ? { class: "count" } : {});
  return el(
    "table",
    {},
    el("thead", {}, el("tr", {}, heads.map((head, place) => el("th", { scope: "col", ...kind(place) }, head)))),
    el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell, place) => el("td", kind(place), cell))))),
  );
}

/** All runs in a glance: how they stand, and which faults they show. */
function overview(page, find) {
  if (!page?.total) return el("section", { class: "rest" }, el("h2", {}, "Diagnose"), el("p", { class: "muted" }, page?.trouble || "No run has logged a scalar yet."));
  const count = (kind) => page.counts[kind] ?? 0;
  const line = (kind, word) => (count(kind) ? el("li", {}, badge(kind, `${count(kind).toLocaleString("en")} ${word}`)) : null);
  const most = Math.max(...page.verdicts.map(([, critical, warning]) => critical + warning));
  const runs = page.named === 1 ? "One run" : `${page.named.toLocaleString("en")} runs`;
  return el(
    "section",
    { class: "rest" },
    el("h2", {}, page.named === page.total ? runs : `${runs} of ${page.total.toLocaleString("en")}`),
    el(
      "ul",
      { class: "stand" },
      line("critical", "critical"),
      line("warning", "with a warning"),
      line("healthy", "with nothing wrong found"),
      line("insufficient_data", "with too little logged to judge"),
      line("unreadable", "unreadable"),
      line("waiting", "not judged yet"),
    ),
    page.verdicts.length
      ? [
          el("h3", {}, "What they show"),
          el("ul", { class: "faults" }, page.verdicts.map(([verdict, critical, warning]) => fault(verdict, critical, warning, most, find))),
        ]
      : null,
    el("p", { class: "muted" }, "Pick a run to see what is wrong with it and what to try first."),
  );
}

function fault(verdict, critical, warning, most, find) {
  const told = [critical && `${critical.toLocaleString("en")} critical`, warning && `${warning.toLocaleString("en")} with a warning`];
  const bar = svg(
    "svg",
    { class: "bar", viewBox: `0 0 ${most} 1`, preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { class: "critical", width: critical, height: 1 }),
    svg("rect", { class: "warning", x: critical, width: warning, height: 1 }),
  );
  return el(
    "li",
    {},
    el(
      "button",
      { type: "button", value: verdict, title: told.filter(Boolean).join(", "), onclick: () => find(verdict) },
      el("span", {}, verdict),
      bar,
      el("span", { class: "count" }, critical ? badge("critical", critical.toLocaleString("en")) : null, " ", warning ? badge("warning", warning.toLocaleString("en")) : null),
    ),
  );
}
