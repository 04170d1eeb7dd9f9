// Browsers submit values they cannot parse, such as half a date or "5e", as empty. Names those fields to the server,
// which then reports the error.
(() => {
  document.addEventListener("formdata", ({ target, formData }) => {
    for (const { name, validity } of target.elements) if (name && validity?.badInput) formData.append("_unread", name);
  });
})();
