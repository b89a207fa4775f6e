// Elements, made so that nothing from a log can be more than text: strings become text nodes, never markup.

const SVG = "http://www.w3.org/2000/svg";
const DRAWN = new Set("svg g defs path use clipPath rect circle line polyline polygon text tspan title desc".split(" "));

/** An element: `attributes` by name (null and false leave one out), children as nodes or strings, null for none. */
export function el(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** The same in SVG. */
export function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick" || name === "oninput" || name === "onchange") element[name] = value;
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null));
  return element;
}

/** A sentence in which what stands between backticks is code. */
export function prose(text) {
  return text.split("`").map((part, place, all) => (place % 2 && place < all.length - 1 ? el("code", {}, part) : part));
}

/** A name that may break after its separators, and whose direction of writing stays its own. */
export function named(name) {
  return el("bdi", {}, name.split(/(?<=[/_\-.=,])/).flatMap((part, place) => (place ? [el("wbr"), part] : [part])));
}

/** A status or severity as a word with a sign, so that it is told without its colour. */
export function badge(kind, word = kind) {
  const sign = { critical: "✗", warning: "!", healthy: "✓", info: "i", waiting: "…" }[kind] ?? "?";
  return el("span", { class: `badge ${kind}` }, el("span", { "aria-hidden": "true" }, sign), ` ${word}`);
}

/** A drawing from its text: built anew from what draws, so that whatever else the text holds is left behind. */
export function drawing(text) {
  const parsed = new DOMParser().parseFromString(text, "image/svg+xml");
  return parsed.querySelector("parsererror") ? null : copied(parsed.documentElement);
}

function copied(node) {
  if (node.namespaceURI !== SVG || !DRAWN.has(node.localName)) return null;
  const copy = document.createElementNS(SVG, node.localName);
  for (const { name, localName, value } of node.attributes) {
    const leads = localName === "href" || /url\(/i.test(value);
    const inside = localName === "href" ? value.startsWith("#") : /^[^(]*url\(#[\w-]+\)[^(]*$/.test(value);
    if (name.startsWith("on") || name.startsWith("xmlns") || (leads && !inside)) continue;
    copy.setAttribute(localName === "href" ? "href" : name, value);
  }
  for (const child of node.childNodes) {
    if (child.nodeType === Node.TEXT_NODE) copy.append(child.data);
    else if (child.nodeType === Node.ELEMENT_NODE) copy.append(copied(child) ?? "");
  }
  return copy;
}
