// The chat's page: one open poll at a time, one way by which messages reach the page.
"use strict";

const KEPT = 500; // messages in the page
const SOONEST = 500; // milliseconds before a failed poll is tried again; doubles up to LATEST
const LATEST = 15000;

const room = document.getElementById("room");
const scroll = document.getElementById("scroll");
const list = document.getElementById("messages");
const composer = document.getElementById("composer");
const field = document.getElementById("body");
const xsrf = composer.elements["_xsrf"].value;

function setState(name, text) {
  room.dataset.state = name;
  document.getElementById("state-text").textContent = text;
}

function post(url, fields) {
  return fetch(url, { method: "POST", body: new URLSearchParams({ _xsrf: xsrf, ...fields }) });
}

// Marks our own messages, and tells the time of the reader's clock instead of UTC.
function dress(item) {
  item.classList.toggle("mine", item.dataset.author === room.dataset.me);
  const time = item.querySelector("time");
  const sent = new Date(time.dateTime);
  time.textContent = sent.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  time.title = sent.toLocaleString();
}

function toBottom() {
  scroll.scrollTop = scroll.scrollHeight;
}

// The server escapes what visitors wrote: `html` is its own template.
function show(messages) {
  const following = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 80;
  for (const message of messages) {
    if (list.querySelector(`[data-id="${CSS.escape(message.id)}"]`)) continue;
    list.insertAdjacentHTML("beforeend", message.html);
    const item = list.lastElementChild;
    dress(item);
    item.classList.add("new");
    if (list.children.length > KEPT) list.firstElementChild.remove();
  }
  if (following) toBottom();
}

async function poll() {
  const last = list.lastElementChild;
  const answer = await post("/a/message/updates", last ? { cursor: last.dataset.id } : {});
  if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
  show((await answer.json()).messages);
}

async function follow() {
  let pause = SOONEST;
  setState("on", "Live");
  for (;;) {
    try {
      await poll();
      pause = SOONEST;
      setState("on", "Live");
    } catch (error) {
      setState("off", "Reconnecting");
      await new Promise((resolve) => setTimeout(resolve, pause));
      pause = Math.min(2 * pause, LATEST);
    }
  }
}

composer.addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = field.value.trim();
  if (!body) return;
  field.value = "";
  field.focus();
  toBottom();
  try {
    const answer = await post(composer.action, { body });
    if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
  } catch (error) {
    // What could not be said stays in the field, in front of what was typed meanwhile.
    field.value = `${body} ${field.value}`.trim();
    setState("off", "Not sent");
  }
});

for (const item of list.children) dress(item);
toBottom();
follow();
