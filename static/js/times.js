// Shows every <time> as how long ago it was, with the reader's own date and time beside it as a title.
(() => {
  const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60]];
  const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  const absolute = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

  const ago = (moment) => {
    const seconds = (moment - Date.now()) / 1000;
    for (const [unit, length] of UNITS) {
      if (-seconds >= length) return relative.format(Math.ceil(seconds / length), unit);
    }
    return "just now";
  };

  const show = () => {
    for (const time of document.querySelectorAll("time[datetime]")) {
      const moment = new Date(time.dateTime);
      const text = ago(moment);
      if (time.textContent !== text) time.textContent = text;
      const title = absolute.format(moment);
      if (time.title !== title) time.title = title;
    }
  };

  show();
  setInterval(show, 15000);
  new MutationObserver(show).observe(document.body, { childList: true, subtree: true, characterData: true });
})();
