"use strict";
// A click on the head of a column sorts the rows by it, another one the other way round.
function valueOf(row, column) {
  const cell = row.cells[column];
  if (!("value" in cell.dataset)) return cell.textContent;
  return cell.dataset.value === "" ? null : Number(cell.dataset.value);
}
function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), "en", { numeric: true });
}
function sortBy(head) {
  const table = head.closest("table");
  const column = head.cellIndex;
  const rising = head.getAttribute("aria-sort") !== "ascending";
  const rows = Array.from(table.tBodies[0].rows);
  rows.sort((first, second) => {
    const a = valueOf(first, column);
    const b = valueOf(second, column);
    // What is not known comes last, whichever way.
    if (a === null || b === null) return (a === null) - (b === null);
    return rising ? compare(a, b) : compare(b, a);
  });
  for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", rising ? "ascending" : "descending");
  table.tBodies[0].append(...rows);
}
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => sortBy(button.closest("th")));
}
