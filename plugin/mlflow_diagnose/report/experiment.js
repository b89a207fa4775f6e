"use strict";
(() => {
  const table = document.getElementById("runs");
  const [text, status, rule, shown] = ["text", "status", "rule", "shown"].map((id) => document.getElementById(id));
  const rows = [...table.tBodies[0].rows].map((row) => ({
    row,
    text: row.textContent.toLowerCase(),
    status: row.dataset.s,
    rules: row.dataset.r.split(" "),
  }));

  const filter = () => {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const each of rows) {
      const fits =
        (!status.value || each.status === status.value) &&
        (!rule.value || each.rules.includes(rule.value)) &&
        words.every((word) => each.text.includes(word));
      each.row.hidden = !fits;
      count += fits;
    }
    document.querySelector(".none").hidden = count > 0;
    shown.textContent = shown.dataset.text
      .replace("{shown}", count.toLocaleString("en"))
      .replace("{all}", rows.length.toLocaleString("en"));
  };

  const valueOf = (row, column, kind) => {
    const cell = row.cells[column];
    if (kind !== "number") return cell.textContent.trim().toLowerCase();
    return cell.dataset.v === "" ? null : Number(cell.dataset.v);
  };

  const sort = (heading, kind) => {
    const column = heading.cellIndex;
    const way = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    const values = new Map(rows.map(({ row }) => [row, valueOf(row, column, kind)]));
    rows.sort((one, other) => {
      const [a, b] = [values.get(one.row), values.get(other.row)];
      if (a === null || b === null) return (a === null) - (b === null); // without a value: last, either way
      return way * (kind === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true }));
    });
    for (const each of heading.parentNode.cells) if (each.hasAttribute("aria-sort")) each.setAttribute("aria-sort", "none");
    heading.setAttribute("aria-sort", way === 1 ? "ascending" : "descending");
    table.tBodies[0].append(...rows.map(({ row }) => row));
  };

  for (const button of table.tHead.querySelectorAll("button"))
    button.addEventListener("click", () => sort(button.closest("th"), button.dataset.kind));
  for (const control of [text, status, rule]) control.addEventListener("input", filter);
  document.querySelector(".filters").hidden = false;
  filter();
})();
