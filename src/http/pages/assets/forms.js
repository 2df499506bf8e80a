// Helps with forms of the set-up. Each of them works without this script.
"use strict";

// What stands behind # in the address is the link's secret: into the form, and out of sight.
const ofAddress = document.querySelector("[data-of-address]");
if (ofAddress && location.hash.length > 1) {
  ofAddress.querySelector("input").value = location.hash.slice(1);
  ofAddress.hidden = true;
  history.replaceState(null, "", location.pathname);
}

// A short name for addresses, as the server would make it, until somebody types another.
const LETTERS = { ä: "ae", ö: "oe", ü: "ue", ß: "ss" };
const naming = document.querySelector("[data-names]");
if (naming) {
  const slug = document.getElementById(naming.dataset.names);
  let isOwn = slug.value !== "";
  slug.addEventListener("input", () => (isOwn = slug.value !== ""));
  naming.addEventListener("input", () => {
    if (isOwn) return;
    const letters = naming.value.toLowerCase().normalize("NFC").replace(/[äöüß]/g, (one) => LETTERS[one]);
    const plain = letters.normalize("NFD").replace(/\p{M}/gu, "");
    const words = plain.split(/[^a-z0-9]+/).filter((word) => word);
    slug.value = words.join("-").slice(0, slug.maxLength).replace(/-+$/, "");
  });
}

// The browser's own time zone, first of all and where none was said.
const zone = document.querySelector("[data-zone]");
if (zone) {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const option = [...zone.list.options].find((one) => one.value === own);
  if (option) zone.list.prepend(option);
  if (option && zone.value === "") zone.value = own;
  zone.addEventListener("focus", () => zone.select());
}

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const text = document.getElementById(button.dataset.copy);
    getSelection().selectAllChildren(text);
    try {
      await navigator.clipboard.writeText(text.textContent);
    } catch {
      // Browsers keep the clipboard from pages that came unencrypted; what is selected can be copied.
      document.execCommand("copy");
    }
    button.textContent = button.dataset.copied;
  });
}
