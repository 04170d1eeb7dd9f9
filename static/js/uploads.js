// Shows the progress of uploads with a button to cancel, and rejects files that are too large before uploading.
(() => {
  const MB = 1e6;
  const SPOKEN = 0.25; // fraction between announcements, so that screen readers are not flooded

  const sent = new Map(); // the files of each input when it was submitted
  const hasFiles = (body) => body instanceof FormData && [...body.values()].some((value) => value.size > 0);
  const megabytes = (bytes) => (bytes / MB).toFixed(bytes < 10 * MB ? 1 : 0);

  const show = (loaded, total) => {
    const upload = document.getElementById("upload");
    if (!upload) return;
    const [words, spoken] = upload.querySelectorAll("p");
    const done = loaded >= total;
    upload.hidden = false;
    upload.querySelector("progress").value = total ? loaded / total : 0;
    words.textContent = done ? "Uploaded. The server is saving it…" : `${megabytes(loaded)} of ${megabytes(total)} MB uploaded`;
    const quarter = Math.floor(loaded / total / SPOKEN) * SPOKEN * 100;
    const say = done ? "Uploaded" : `${quarter}% uploaded`;
    if (spoken.textContent !== say) spoken.textContent = say;
  };

  const headersOf = (request) =>
    new Headers(request.getAllResponseHeaders().trim().split("\r\n").filter(Boolean).map((line) => line.split(/: (.*)/s, 2)));

  // A replacement for fetch, which cannot report upload progress.
  const send = (action, { method, headers, body, signal }) =>
    new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open(method, action);
      for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
      request.upload.onprogress = ({ loaded, total }) => show(loaded, total);
      request.onload = () => {
        const { status, statusText } = request;
        resolve(new Response(status === 204 ? null : request.responseText, { status, statusText, headers: headersOf(request) }));
      };
      request.onerror = () => reject(new TypeError("the server could not be reached"));
      request.onabort = () => reject(new DOMException("cancelled", "AbortError"));
      signal.addEventListener("abort", () => request.abort());
      request.send(body);
    });

  document.addEventListener("htmx:config:request", ({ detail: { ctx } }) => {
    if (hasFiles(ctx.request.body)) ctx.request.timeout = 0; // no time limit for large files
  });
  document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => {
    if (!hasFiles(ctx.request.body)) return;
    ctx.fetch = send;
    for (const input of ctx.request.form.querySelectorAll("input[type=file]")) sent.set(input, input.files);
    document.querySelector("#upload button").onclick = () => ctx.request.abort();
    show(0, 1);
  });
  document.addEventListener("htmx:finally:request", ({ detail: { ctx } }) => {
    if (ctx.fetch !== send) return;
    const upload = document.getElementById("upload");
    if (upload) upload.hidden = true;
    // The returned form already refers to the uploaded files, so clear the inputs to avoid uploading them twice.
    const shown = ctx.response && (ctx.response.status < 300 || ctx.response.status === 422);
    for (const [input, files] of sent) if (shown && input.files === files) input.value = "";
    sent.clear();
  });

  // The server decides by the ending of the name; a media type that the browser does not know is left to it.
  const isAccepted = ({ name, type }, kinds) =>
    kinds.some((kind) => {
      if (kind.startsWith(".")) return name.toLowerCase().endsWith(kind.toLowerCase());
      return !type || type === kind || (kind.endsWith("/*") && type.startsWith(kind.slice(0, -1)));
    });

  const problemWith = (input) => {
    const most = Number(input.dataset.mostBytes);
    const kinds = input.accept.split(",").filter(Boolean);
    const large = [...input.files].find((file) => file.size > most);
    if (large) return `${large.name} is larger than ${most / MB} MB. Choose a smaller file.`;
    const other = kinds.length && [...input.files].find((file) => !isAccepted(file, kinds));
    return other ? `${other.name} is not an accepted type. Choose one of those below.` : "";
  };

  document.addEventListener("change", ({ target }) => {
    if (!target.matches("input[type=file][data-most-bytes]")) return;
    const problem = problemWith(target);
    const words = document.getElementById(target.id.replace(/-input$/, "-refused"));
    words.hidden = !problem;
    words.querySelector("span").textContent = problem;
    if (problem) target.value = "";
    // The server's message is about the file that was chosen before.
    document.getElementById(target.id.replace(/-input$/, "-check"))?.replaceChildren();
    target.removeAttribute("aria-invalid");
  });
})();
