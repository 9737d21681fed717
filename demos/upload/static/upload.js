// Sends each chosen file as the body of a PUT. XMLHttpRequest, because fetch tells no progress of what it sends.
"use strict";

const uploads = document.getElementById("uploads");
const drop = document.getElementById("drop");

function add(file) {
  const item = document.createElement("li");
  const name = document.createElement("b");
  const bar = document.createElement("progress");
  const result = document.createElement("code");
  name.textContent = file.name;
  bar.max = 1;
  bar.value = 0;
  item.append(name, bar, result);
  uploads.prepend(item);
  return { bar, result };
}

function send(file) {
  const { bar, result } = add(file);
  const request = new XMLHttpRequest();
  request.open("PUT", `/upload/${encodeURIComponent(file.name)}`);
  request.setRequestHeader("X-XSRFToken", document.body.dataset.xsrf);
  request.upload.addEventListener("progress", (event) => {
    if (event.lengthComputable) bar.value = event.loaded / event.total;
  });
  request.addEventListener("load", () => {
    if (request.status !== 200) {
      result.textContent = `refused: ${request.status} ${request.statusText}`;
      return;
    }
    const told = JSON.parse(request.responseText);
    bar.value = 1;
    result.textContent = `${told.size.toLocaleString()} bytes, pieces: ${told.pieces.toLocaleString()}, SHA-256 ${told.sha256}`;
  });
  request.addEventListener("error", () => {
    result.textContent = "the connection broke";
  });
  request.send(file);
}

document.getElementById("files").addEventListener("change", (event) => {
  for (const file of event.target.files) send(file);
});
drop.addEventListener("dragover", (event) => event.preventDefault());
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  for (const file of event.dataTransfer.files) send(file);
});
