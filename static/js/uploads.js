// Files on their way: how far they are, a way to cancel, and a word before one is sent that would be refused.
(() => {
  const MB = 1e6;
  const SPOKEN = 0.25; // of the whole; a screen reader would otherwise never be silent

  const sent = new Map(); // what was chosen in each input when it was sent
  const hasFiles = (body) => body instanceof FormData && [...body.values()].some((value) => value.size > 0);
  const megabytes = (bytes) => (bytes / MB).toFixed(bytes < 10 * MB ? 1 : 0);

  const show = (loaded, total) => {
    const upload = document.getElementById("upload");
    if (!upload) return;
    const [words, spoken] = upload.querySelectorAll("p");
    const done = loaded >= total;
    upload.hidden = false;
    upload.querySelector("progress").value = total ? loaded / total : 0;
    words.textContent = done ? "Sent. The server is putting it away…" : `${megabytes(loaded)} of ${megabytes(total)} MB sent`;
    const quarter = Math.floor(loaded / total / SPOKEN) * SPOKEN * 100;
    const say = done ? "Sent" : `${quarter}% sent`;
    if (spoken.textContent !== say) spoken.textContent = say;
  };

  const headersOf = (request) =>
    new Headers(request.getAllResponseHeaders().trim().split("\r\n").filter(Boolean).map((line) => line.split(/: (.*)/s, 2)));

  // What htmx expects of fetch, which cannot tell how much it has sent.
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
    if (hasFiles(ctx.request.body)) ctx.request.timeout = 0; // a large file takes as long as it takes
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
    // The form that came back has what was sent: it would be sent twice.
    const shown = ctx.response && (ctx.response.status < 300 || ctx.response.status === 422);
    for (const [input, files] of sent) if (shown && input.files === files) input.value = "";
    sent.clear();
  });

  document.addEventListener("change", ({ target }) => {
    if (!target.matches("input[type=file][data-most-bytes]")) return;
    const most = Number(target.dataset.mostBytes);
    const large = [...target.files].find((file) => file.size > most);
    const words = document.getElementById(target.id.replace(/-input$/, "-refused"));
    words.hidden = !large;
    if (!large) return;
    words.querySelector("span").textContent = `${large.name} is larger than ${most / MB} MB. Choose a smaller file.`;
    target.value = "";
  });
})();
