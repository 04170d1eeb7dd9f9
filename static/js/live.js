// Maintains and displays the page's live connection, and prevents older versions of a run from replacing newer ones.
(() => {
  const SIGNED_OUT = 4401;
  const OTHER_RIGHTS = 4403;
  const TOO_MANY = 4429;
  const MOST_FAILURES = 2; // failed connections before the page polls instead
  const POLL_MS = 5000;
  const TIMEOUT_MS = 10000;
  const SILENT_MS = 60000; // the server sends a message every 25 seconds
  const BRIEF_MS = 2000;
  const SLEPT_MS = 10000;
  const SLEPT_HIDDEN_MS = 150000; // browsers run timers in hidden pages only once a minute

  let connection = null;
  let failures = 0;
  let polling = null;
  let timeout = null;
  let lasting = null;
  let receivedAt = 0;
  let seenAt = Date.now(); // when the page was last known to be right
  let restored = false; // from the back/forward cache, and not live yet

  const element = () => document.getElementById("live");

  // The page says nothing of an interruption that is over at once.
  const setState = (state) => {
    const live = element();
    if (!live || live.dataset.state === state) return;
    clearTimeout(lasting);
    delete live.dataset.lasting;
    if (state === "connecting") lasting = setTimeout(() => (element().dataset.lasting = ""), BRIEF_MS);
    if (state !== "live") document.getElementById("seen-at").dateTime = new Date(seenAt).toISOString();
    live.dataset.state = state;
  };

  // Describes what the page shows, so that the server sends only what has changed since.
  const describe = (parameters) => {
    const runs = [...document.querySelectorAll("#main [data-version]")];
    parameters.set("shown", runs.map(({ id, dataset }) => `${id.slice("run-".length)}.${dataset.version}`).join());
    parameters.delete("more");
    if (document.querySelector(".runs__more")) parameters.set("more", "1");
    parameters.set("since", document.getElementById("toasts").dataset.since);
    document.dispatchEvent(new CustomEvent("live:describe", { detail: parameters }));
  };

  const describeToSocket = () => {
    if (!connection) return;
    const url = new URL(connection.url);
    describe(url.searchParams);
    connection.url = url.href;
  };

  // Reconnects at once, without htmx's delay, by replacing the element, whose connection htmx then drops.
  const reconnect = () => {
    const live = element();
    if (!connection) return;
    const anew = live.cloneNode(true);
    live.replaceWith(anew);
    connection.socket?.close();
    connection = null;
    htmx.process(anew);
  };

  // The page may show what its user may not see any more. What was typed is filled in again, if there still is a form.
  const reload = () => {
    document.dispatchEvent(new CustomEvent("live:reload"));
    location.reload();
  };

  // A page is live when the first message after connecting has been shown, not when the socket is open.
  document.addEventListener("htmx:ws:before:connection", ({ detail }) => {
    connection = detail.connection;
    describeToSocket();
    if (failures < MOST_FAILURES && !polling) setState("connecting");
    receivedAt = Date.now();
    clearTimeout(timeout);
    timeout = setTimeout(startPolling, TIMEOUT_MS);
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    if (connection && connection.socket?.readyState !== WebSocket.OPEN) reconnect();
    if (polling) poll();
  });
  document.addEventListener("htmx:ws:after:message:incoming", () => {
    failures = 0;
    restored = false;
    receivedAt = seenAt = Date.now();
    clearTimeout(timeout);
    clearInterval(polling);
    polling = null;
    setState("live");
  });
  document.addEventListener("htmx:ws:close", ({ detail }) => {
    if (detail.code === SIGNED_OUT) {
      if (restored) return location.reload();
      clearTimeout(timeout);
      return setState("signed-out");
    }
    if (detail.code === OTHER_RIGHTS) return reload();
    failures = detail.code === TOO_MANY ? MOST_FAILURES : failures + 1;
    if (failures >= MOST_FAILURES) return startPolling();
    if (!polling) setState("connecting");
  });

  // Polls for the same changes where WebSockets are blocked or deliver nothing.
  const startPolling = () => {
    if (polling) return;
    polling = setInterval(poll, POLL_MS);
    poll();
  };
  const poll = () => {
    if (!document.hidden) htmx.trigger("#live-poll", "live:poll");
  };
  const isPoll = (ctx) => ctx?.sourceElement.id === "live-poll";

  document.addEventListener("htmx:config:request", ({ detail }) => {
    if (!isPoll(detail.ctx)) return;
    describe(detail.ctx.request.body);
    detail.ctx.request.timeout = TIMEOUT_MS;
  });
  document.addEventListener("htmx:after:request", ({ detail }) => {
    if (!isPoll(detail.ctx) || !polling) return;
    const { status } = detail.ctx.response;
    if (status === 401) {
      clearInterval(polling);
      return setState("signed-out");
    }
    if (status === 205) return reload();
    if (status < 400) seenAt = Date.now();
    setState(status < 400 ? "polling" : "offline");
  });

  // After sleep, a network change or a NAT timeout, a dead connection may still look open.
  let tick = Date.now();
  setInterval(() => {
    const slept = Date.now() - tick > (document.hidden ? SLEPT_HIDDEN_MS : SLEPT_MS);
    const silent = connection?.socket?.readyState === WebSocket.OPEN && Date.now() - receivedAt > SILENT_MS;
    tick = Date.now();
    if (slept || silent) reconnect();
  }, 1000);
  window.addEventListener("online", reconnect);
  // htmx has closed the socket of a page that was left, because browsers keep no page with an open one.
  window.addEventListener("pageshow", ({ persisted }) => {
    restored = persisted;
    if (persisted) reconnect();
  });

  // Pushes and responses may arrive out of order: the newer version wins.
  document.addEventListener("htmx:before:swap", ({ detail }) => {
    for (const { fragment, swapSpec } of detail.tasks) {
      for (const arriving of fragment.querySelectorAll("[data-version]")) {
        const shown = document.getElementById(arriving.id);
        if (!shown) {
          if (!("kept" in arriving.dataset)) continue;
          arriving.remove(); // the server assumed a row that this page does not have
          reconnect();
          continue;
        }
        const stale = Number(shown.dataset.version) >= Number(arriving.dataset.version);
        if (swapSpec.style.endsWith("Morph")) {
          if (stale) arriving.replaceWith(shown.cloneNode(true));
        } else if (stale) {
          arriving.remove();
        } else {
          shown.remove();
        }
      }
    }
  });

  // The server is unreachable.
  document.addEventListener("htmx:error", ({ detail }) => {
    if (!detail.ctx) return;
    if (isPoll(detail.ctx)) return setState("offline");
    const notices = document.getElementById("notices");
    notices.replaceChildren(document.getElementById("unreachable").content.cloneNode(true));
  });
  document.addEventListener("htmx:before:request", ({ detail }) => {
    const inBackground = isPoll(detail.ctx) || detail.ctx.sourceElement.id === "task-checks";
    if (!inBackground) document.getElementById("notices").replaceChildren();
  });
})();
