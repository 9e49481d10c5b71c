"use strict";

// Sorting: a click (or Enter) on a column's title; numbers by their unrounded value, what has no
// value always last.
for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((header, column) => {
    header.firstElementChild.addEventListener("click", () => {
      const numeric = header.classList.contains("number");
      const before = header.getAttribute("aria-sort");
      const ascending = before ? before === "descending" : !numeric;
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      const key = (row) => {
        const cell = row.cells[column];
        if (!cell) return null;
        if (cell.dataset.value !== undefined) return Number(cell.dataset.value);
        return numeric ? null : cell.textContent;
      };
      const rows = [...body.rows].map((row) => [key(row), row]);
      rows.sort(([a], [b]) => {
        if (a === null || b === null) return (a === null) - (b === null);
        const order = typeof a === "number" && typeof b === "number"
          ? (a > b) - (a < b)
          : String(a).localeCompare(String(b), "en", { numeric: true });
        return ascending ? order : -order;
      });
      body.append(...rows.map(([, row]) => row));
    });
  });
}

// The page of samples. Entries are built when shown, and their text when opened, so that thousands
// open at once.
for (const box of document.querySelectorAll(".samples")) {
  const entries = JSON.parse(box.querySelector(".data").textContent);
  const form = box.querySelector(".filters");
  const list = box.querySelector(".entries");
  const found = box.querySelector(".found");
  const pages = box.querySelector(".pages");
  const pageSize = 50;
  let page = 0;

  const element = (name, css, text) => {
    const made = document.createElement(name);
    if (css) made.className = css;
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const distinct = (pick) =>
    [...new Set(entries.flatMap(pick))].filter((x) => x !== "")
      .sort((a, b) => a.localeCompare(b, "en", { numeric: true }));

  const filters = [];
  const addSelect = (title, values, matches) => {
    if (values.length < 2) return;
    const label = element("label", "", title);
    const select = element("select");
    select.name = title;
    select.append(new Option("all", ""));
    for (const value of values) select.append(new Option(value, value));
    label.append(select);
    form.append(label);
    filters.push((entry) => select.value === "" || matches(entry, select.value));
  };
  const several = entries.some((e) => e.answers.length > 1);
  addSelect("verdict", distinct((e) => e.answers.map((a) => a.verdict)),
    (e, value) => e.answers.some((a) => a.verdict === value));
  if (several) {
    addSelect("answers", ["agree", "disagree"], (e, value) => {
      const same = e.answers.every((a) => (a.verdict === "correct") === (e.answers[0].verdict === "correct"));
      return same === (value === "agree");
    });
  }
  addSelect("task", distinct((e) => [e.task]), (e, value) => e.task === value);
  addSelect("subject", distinct((e) => [e.subject]), (e, value) => e.subject === value);
  addSelect("level", distinct((e) => [e.level]), (e, value) => e.level === value);
  const search = element("input");
  search.type = "search";
  search.name = "text";
  const searchLabel = element("label", "", "contains");
  searchLabel.append(search);
  form.append(searchLabel);
  filters.push((entry) => {
    const text = search.value.toLowerCase();
    return text === "" || [entry.id, entry.question, entry.target].some((s) => s.toLowerCase().includes(text)) ||
      entry.answers.some((a) => a.output.toLowerCase().includes(text));
  });

  const fill = (details, entry) => {
    if (entry.question) {
      details.append(element("p", "", "Question"), element("pre", "", entry.question));
    }
    for (const answer of entry.answers) {
      const line = element("p");
      line.append(element("span", "badge " + answer.verdict, answer.verdict));
      const name = [answer.run, several && answer.attempt > 0 ? "attempt " + (answer.attempt + 1) : ""]
        .filter((s) => s !== "").join(", ");
      line.append(" " + (name ? name + ": " : "") + "expected ", element("code", "", entry.target || "–"),
        ", found ", element("code", "", answer.extracted || "nothing"));
      if (answer.reason) line.append(" (" + answer.reason + ")");
      line.append(" " + answer.facts);
      details.append(line);
      if (answer.thinking) {
        details.append(element("p", "", "Thinking"), element("pre", "thinking", answer.thinking));
      }
      details.append(element("pre", "", answer.output || "(no output)"));
    }
  };

  const show = () => {
    const chosen = entries.filter((entry) => filters.every((matches) => matches(entry)));
    const last = Math.max(0, Math.ceil(chosen.length / pageSize) - 1);
    page = Math.min(page, last);
    found.textContent = chosen.length === entries.length
      ? entries.length.toLocaleString("en") + " questions"
      : chosen.length.toLocaleString("en") + " of " + entries.length.toLocaleString("en") + " questions";
    list.replaceChildren(...chosen.slice(page * pageSize, (page + 1) * pageSize).map((entry) => {
      const details = element("details", "entry");
      const summary = element("summary");
      const badges = element("span", "badges");
      for (const answer of entry.answers) badges.append(element("span", "badge " + answer.verdict, answer.verdict));
      const about = [entry.id, entry.subject, entry.level && "level " + entry.level].filter(Boolean).join(" · ");
      summary.append(badges, element("span", "what", entry.question ? about + ": " + entry.question.slice(0, 160) : about),
        element("span", "facts", entry.answers.length === 1 ? entry.answers[0].facts : ""));
      details.append(summary);
      details.addEventListener("toggle", () => {
        if (details.open && details.children.length === 1) fill(details, entry);
      });
      return details;
    }));
    pages.replaceChildren();
    if (last > 0) {
      const step = (text, to) => {
        const button = element("button", "", text);
        button.type = "button";
        button.disabled = to < 0 || to > last;
        button.addEventListener("click", () => { page = to; show(); });
        return button;
      };
      pages.append(step("Previous", page - 1), "page " + (page + 1) + " of " + (last + 1), step("Next", page + 1));
    }
  };
  form.addEventListener("input", () => { page = 0; show(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  show();
}
