"use strict";

const messages = document.getElementById("messages");
const state = document.getElementById("state");
const composer = document.getElementById("composer");
const text = document.getElementById("text");

const LONGEST_WAIT = 30000; // milliseconds between attempts to connect

let socket = null;
let me = "";
let attempts = 0;

function show(message) {
  const item = document.createElement("li");
  item.className = message.author === me ? "message mine" : "message";
  for (const name of ["author", "text"]) {
    const line = document.createElement("p");
    line.className = name;
    line.textContent = message[name]; // never as HTML
    item.append(line);
  }
  messages.append(item);
  item.scrollIntoView({ block: "end" });
}

const take = {
  welcome(event) {
    me = event.me;
    attempts = 0;
    messages.replaceChildren();
    event.history.forEach(show);
    text.disabled = false;
    text.focus();
  },
  said: show,
  here(event) {
    state.textContent = event.count === 1 ? "Only you are here" : `${event.count} are here`;
  },
};

function connect() {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  socket = new WebSocket(`${scheme}//${location.host}/socket`);
  socket.addEventListener("message", (event) => {
    const data = JSON.parse(event.data);
    take[data.kind](data);
  });
  socket.addEventListener("close", () => {
    text.disabled = true;
    state.textContent = "Connecting again";
    // Not all at the same moment, when the server comes back.
    setTimeout(connect, Math.min(LONGEST_WAIT, 500 * 2 ** attempts++) * (0.5 + Math.random() / 2));
  });
}

composer.addEventListener("submit", (event) => {
  event.preventDefault();
  if (socket.readyState === WebSocket.OPEN && text.value.trim()) {
    socket.send(text.value);
    text.value = "";
  }
});

connect();
