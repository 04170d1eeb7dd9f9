// Shows every <time> in the reader's own way: how long ago it was, or where data-exact asks for it the date and time.
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
      const text = "exact" in time.dataset ? absolute.format(moment) : ago(moment);
      if (time.textContent !== text) time.textContent = text;
      const title = absolute.format(moment);
      if (time.title !== title) time.title = title;
    }
  };

  show();
  setInterval(show, 15000);
  new MutationObserver(show).observe(document.body, { childList: true, subtree: true, characterData: true });
})();
