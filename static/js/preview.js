// Shows the first rows of a chosen table, so that a wrong file is noticed before the run. The browser reads them itself.
(() => {
  const READ_BYTES = 65536;
  const MOST_ROWS = 6; // with the first one, which mostly has the names of the columns
  const MOST_COLUMNS = 20;
  const LONGEST_CELL = 40;

  const decoded = (bytes) => {
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true }); // the last character may be cut
    } catch {
      return new TextDecoder("windows-1252").decode(bytes);
    }
  };

  const separatorOf = (text) => {
    const line = text.slice(0, 2000).replace(/"[^"]*"/g, "").split(/\r?\n/)[0];
    return [..."\t;,|"].reduce((best, one) => (line.split(one).length > line.split(best).length ? one : best), ",");
  };

  // As RFC 4180 has it: a quoted cell may hold separators, line breaks and doubled quotes.
  const rowsOf = (text, isWhole) => {
    const separator = separatorOf(text);
    const rows = [];
    let row = [], cell = "", isQuoted = false;
    const end = () => (row.push(cell), (cell = ""));
    for (let at = 0; at < text.length && rows.length < MOST_ROWS; at++) {
      const one = text[at];
      if (isQuoted) {
        if (one !== '"') cell += one;
        else if (text[at + 1] === '"') cell += text[++at];
        else isQuoted = false;
      } else if (one === '"' && !cell) isQuoted = true;
      else if (one === separator) end();
      else if (one === "\n") (end(), rows.push(row), (row = []));
      else if (one !== "\r") cell += one;
    }
    if (isWhole && rows.length < MOST_ROWS && (cell || row.length)) (end(), rows.push(row));
    return rows;
  };

  const drawn = (tag, text) => {
    const element = document.createElement(tag);
    element.textContent = text.length > LONGEST_CELL ? `${text.slice(0, LONGEST_CELL - 1)}…` : text;
    return element;
  };

  const table = (rows) => {
    const made = document.createElement("table");
    for (const [number, row] of rows.entries()) {
      const cells = row.slice(0, MOST_COLUMNS).map((text) => drawn(number ? "td" : "th", text));
      if (row.length > MOST_COLUMNS) cells.push(drawn(number ? "td" : "th", "…"));
      made.insertRow().append(...cells);
    }
    return made;
  };

  document.addEventListener("change", async ({ target }) => {
    const preview = target.matches("input[type=file]") && document.getElementById(target.id.replace(/-input$/, "-preview"));
    if (!preview) return;
    const file = [...target.files].find(({ name }) => /\.(csv|tsv)$/i.test(name));
    const bytes = file && (await file.slice(0, READ_BYTES).arrayBuffer());
    const rows = file ? rowsOf(decoded(bytes), file.size <= READ_BYTES) : [];
    if (file && ![...target.files].includes(file)) return; // another one has been chosen meanwhile
    preview.hidden = !rows.length;
    preview.replaceChildren(...(rows.length ? [drawn("p", `First rows of ${file.name}`), table(rows)] : []));
  });
})();
