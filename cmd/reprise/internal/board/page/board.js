// Keeps the overview up to date: the server sends the figures as it renders them for the page itself,
// and what differs is changed in place, so that focus, selection and scrolling stay where they are.
"use strict";

const figures = document.getElementById("figures");
const pulse = document.getElementById("pulse");
const said = document.getElementById("pulse-text");
let summary = "";

// Both trees are of the same template: a child is known by its id, or by its place.
function renew(old, fresh) {
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  let at = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    const known = child.id && document.getElementById(child.id);
    if (known && known.parentNode === old && known !== at) {
      old.insertBefore(known, at);
      at = known;
    }
    if (at && at.nodeType === child.nodeType && at.nodeName === child.nodeName && (at.id || "") === (child.id || "")) {
      if (child.nodeType === Node.ELEMENT_NODE) renew(at, child);
      else if (at.nodeValue !== child.nodeValue) at.nodeValue = child.nodeValue;
      at = at.nextSibling;
    } else {
      old.insertBefore(child, at);
    }
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function say(state, text) {
  pulse.dataset.state = state;
  if (said.textContent !== text) said.textContent = text;
}

const stream = new EventSource("/events");
stream.addEventListener("figures", (event) => {
  const fresh = new DOMParser().parseFromString(event.data, "text/html").getElementById("live");
  renew(document.getElementById("live"), fresh);
  summary = document.getElementById("summary").textContent;
  const faulty = document.getElementById("faults");
  say(faulty ? "faulty" : "live", (faulty ? "not all is live: " : "live: ") + summary);
});
stream.addEventListener("error", () => {
  say("lost", stream.readyState === EventSource.CLOSED
    ? "not live: load the page again" : "not live: the board doesn’t answer; trying again");
});
addEventListener("pagehide", () => stream.close());
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
