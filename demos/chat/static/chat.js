// The chat's page: what is said in the room comes over channels, what we say goes by POST.
import { Channels } from "/zonda.js";

const KEPT = 500; // messages in the page
const WAYS = { websocket: "WebSocket", sse: "server-sent events", poll: "long polling" };

const room = document.getElementById("room");
const scroll = document.getElementById("scroll");
const list = document.getElementById("messages");
const people = document.getElementById("people");
const composer = document.getElementById("composer");
const field = document.getElementById("body");
const xsrf = composer.elements["_xsrf"].value;

function setState(name, text, title = "") {
  room.dataset.state = name;
  document.getElementById("state-text").textContent = text;
  document.getElementById("state").title = title;
}

// Marks our own messages, and tells the time of the reader's clock instead of UTC.
function dress(item) {
  item.classList.toggle("mine", item.dataset.visitor === room.dataset.me);
  const time = item.querySelector("time");
  const sent = new Date(time.dateTime);
  time.textContent = sent.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  time.title = sent.toLocaleString();
}

function toBottom() {
  scroll.scrollTop = scroll.scrollHeight;
}

// The server escapes what visitors wrote: `html` is its own template.
function show(html) {
  const following = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 80;
  list.insertAdjacentHTML("beforeend", html);
  const item = list.lastElementChild;
  dress(item);
  item.classList.add("new");
  if (list.children.length > KEPT) list.firstElementChild.remove();
  if (following) toBottom();
}

const here = new Map(); // client -> visitor, who may have several windows open
function showPeople() {
  const visitors = new Map([...here.values()].map(({ id, name }) => [id, name]));
  const names = [...visitors.values()].sort();
  people.hidden = names.length === 0;
  people.textContent = `${names.length} here`;
  people.title = names.join(", ");
}

// `?transports=sse,poll` in the page's address leaves some out, to see what happens then.
const asked = new URLSearchParams(location.search).get("transports");
const channels = new Channels("/channels", asked ? { transports: asked.split(",") } : {});
channels.on("state", ({ state, transport }) => {
  room.dataset.transport = transport ?? "";
  if (state === "open") setState("on", "Live", `over ${WAYS[transport]}`);
  else setState("off", "Reconnecting");
});
channels.subscribe("room", {
  since: room.dataset.position,
  presence: true,
  message: ({ data }) => show(data.html),
  // What is missing cannot be had one by one any more; the page has what is kept.
  gap: () => location.reload(),
  members: (members) => {
    here.clear();
    for (const { client, info } of members) here.set(client, info);
    showPeople();
  },
  joined: ({ client, info }) => (here.set(client, info), showPeople()),
  left: ({ client }) => (here.delete(client), showPeople()),
  error: (error) => setState("off", error.message),
});

composer.addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = field.value.trim();
  if (!body) return;
  field.value = "";
  field.focus();
  toBottom();
  try {
    const answer = await fetch(composer.action, { method: "POST", body: new URLSearchParams({ _xsrf: xsrf, body }) });
    if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
  } catch (error) {
    // What could not be said stays in the field, in front of what was typed meanwhile.
    field.value = `${body} ${field.value}`.trim();
    setState("off", "Not sent", error.message);
  }
});

for (const item of list.children) dress(item);
toBottom();
