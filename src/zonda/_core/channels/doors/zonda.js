// Channels of zonda in a browser: topics over WebSocket, server-sent events or long polling, whichever works.
// What goes over the wire: docs/channels-protocol.md of zonda.
//
//   const channels = new Channels("/channels");
//   channels.subscribe("room.1", { message(m) { show(m.data); }, gap() { location.reload(); } });
//   await channels.publish("room.1", { text: "hello" });

/**
 * @typedef {{topic: string, data: any, position?: string}} Message  bytes are a Uint8Array
 * @typedef {{topic: string, position?: string, recovered: boolean}} Gap  messages are missing here
 * @typedef {{client: string, info: any}} Member
 * @typedef {Object} Handlers  each may be left out
 * @property {string} [since]  a position: what came behind it comes first
 * @property {boolean} [presence]  tell who is here, comes and goes
 * @property {(m: Message) => void} [message]
 * @property {(g: Gap) => void} [gap]
 * @property {(m: Member) => void} [joined]
 * @property {(m: Member) => void} [left]
 * @property {(all: Member[]) => void} [members]
 * @property {(s: {position?: string, recovered?: boolean}) => void} [subscribed]  again at each reconnection
 * @property {(e: ChannelError) => void} [error]  the subscription has ended, unless the code is "unavailable"
 * @typedef {Object} Options  times in milliseconds
 * @property {("websocket" | "sse" | "poll")[]} [transports]  the best one first
 * @property {string} [client]  our id, for presence; random by default
 * @property {Object<string, string> | (() => Object<string, string>)} [headers]  of requests, not of WebSockets
 * @property {number} [timeout]  8000: to open a transport, and for a sign of life when one is due
 * @property {number} [publishTimeout]  30000: for a command, its repetitions included
 * @property {number} [queue]  256: commands that may wait for their answers
 * @property {[number, number]} [backoff]  [500, 30000]: the first wait before reconnecting, and the longest
 * @property {number} [better]  60000: until a better transport is tried again; doubles up to an hour
 */

const LASTED = 10_000; // a connection that held for so long did not fail
const QUIET = 25_000; // a WebSocket without a message for so long is asked for one
const DEAD = 60_000; // an event stream without a byte for so long is given up: comments are 25 s apart at most
const HOUR = 3_600_000;

/** `code`: as in the protocol; or, from here, "closed", "too-many", "unavailable" (no answer in time). */
export class ChannelError extends Error {
  constructor(code, message, topic) {
    super(message);
    Object.assign(this, { name: "ChannelError", code, topic });
  }
}

/** A topic that we want; `Channels.subscribe` makes it. */
class Subscription {
  constructor(owner, topic, handlers) {
    this.topic = topic;
    /** Where the newest message stood: what `since` takes. @type {string | null} */
    this.position = handlers.since ?? null;
    this.presence = Boolean(handlers.presence);
    this._owner = owner;
    this._handlers = handlers;
    this._id = 0; // of the command that asked for it
    this._live = false; // what comes is ours, not an earlier subscription's
  }

  unsubscribe() {
    this._owner._drop(this);
  }

  _tell(name, value) {
    call((v) => this._handlers[name]?.(v), value);
  }

  _take(object) {
    const { topic } = this;
    if ("subscribed" in object) {
      if (object.id !== undefined && object.id !== this._id) return;
      this._live = true;
      // Where it is true what was missed comes now, and moves the position.
      if (object.recovered !== true) this.position = object.position || null;
      if (object.recovered === false) this._tell("gap", { topic, position: object.position, recovered: false });
      this._tell("subscribed", object);
    } else if (!this._live) {
      return;
    } else if ("presence" in object) {
      this._tell("members", object.members);
    } else if ("joined" in object || "left" in object) {
      this._tell("joined" in object ? "joined" : "left", object.joined ?? object.left);
    } else if (object.gap) {
      this.position = object.position || this.position;
      this._tell("gap", object);
    } else if ("data" in object || "base64" in object) {
      const { position } = object;
      if (position && !isBehind(position, this.position)) return; // it came before
      if (position) this.position = position;
      this._tell("message", { topic, data: "data" in object ? object.data : fromBase64(object.base64), position });
    }
  }
}

/** A connection to channels: any number of topics, kept up until `close()`. */
export class Channels {
  /** @param {string} url @param {Options} [options] */
  constructor(url, options = {}) {
    this.url = new URL(url, globalThis.location?.href);
    this.client = options.client ?? randomId();
    /** @type {"connecting" | "open" | "closed"} */
    this.state = "connecting";
    /** The transport in use. @type {string | null} */
    this.transport = null;
    this._options = {
      transports: Object.keys(TRANSPORTS), headers: {}, timeout: 8000, publishTimeout: 30_000, queue: 256,
      backoff: [500, 30_000], better: 60_000, ...options,
    };
    this._subscriptions = new Map(); // by topic
    this._commands = new Map(); // by id, in order: those without an answer
    this._listeners = { state: new Set(), error: new Set() };
    this._lastId = 0;
    this._link = null; // the transport in use
    this._opening = null; // one that is being opened
    this._run = null; // of `_connect`: an object of its own, so that an older one sees that it is over
    this._pause = this._options.better;
    this._closed = new AbortController();
    const when = (target, event, then) => target?.addEventListener?.(event, then, { signal: this._closed.signal });
    const wake = () => (this._wakeUp?.(), this._link?.check(true));
    when(globalThis, "online", wake);
    when(globalThis.document, "visibilitychange", () => document.visibilityState === "visible" && wake());
    // The back/forward cache takes no page with an open connection.
    when(globalThis, "pagehide", () => this._stop());
    when(globalThis, "pageshow", (event) => event.persisted && this._connect());
    queueMicrotask(() => this.state !== "closed" && this._connect());
  }

  /** Subscribes to a topic; once each. @param {string} topic @param {Handlers} handlers */
  subscribe(topic, handlers) {
    if (this.state === "closed") throw new ChannelError("closed", "the channels are closed", topic);
    if (this._subscriptions.has(topic)) throw new ChannelError("bad-request", `subscribed already: ${topic}`, topic);
    const subscription = new Subscription(this, topic, handlers);
    this._subscriptions.set(topic, subscription);
    this._changed();
    return subscription;
  }

  /**
   * Publishes JSON or bytes; sends it again, with the same key, until there is an answer or no time left.
   * @param {string} topic @param {any} data @param {{key?: string}} [options]
   * @returns {Promise<string | null>} its position, where there is a history; fails with a ChannelError
   */
  async publish(topic, data, { key = randomId() } = {}) {
    const bytes = data instanceof ArrayBuffer ? new Uint8Array(data) : data;
    const body = bytes instanceof Uint8Array ? { base64: toBase64(bytes) } : { data: data ?? null };
    return (await this._command({ publish: topic, ...body, key })).position || null;
  }

  /** Who is here. @param {string} topic @returns {Promise<Member[]>} */
  async presence(topic) {
    return (await this._command({ presence: topic })).members;
  }

  /**
   * `on("state", ({state, transport}) => ...)`; `on("error", (e) => ...)`: what concerns no subscription.
   * @returns {() => void} a function that ends it
   */
  on(event, listener) {
    this._listeners[event].add(listener);
    return () => this._listeners[event].delete(listener);
  }

  /** Ends everything; commands without an answer fail. */
  close() {
    if (this.state === "closed") return;
    this._closed.abort();
    this._subscriptions.clear();
    for (const id of [...this._commands.keys()]) this._fail(id, "closed", "the channels were closed");
    this._setState("closed", null);
    this._stop();
  }

  // ---- commands

  _command(command) {
    const { queue, publishTimeout } = this._options;
    return new Promise((resolve, reject) => {
      const id = (command.id = this._nextId());
      const late = () => this._fail(id, "unavailable", `no answer within ${publishTimeout / 1000} seconds`);
      const full = this._commands.size >= queue;
      this._commands.set(id, { command, resolve, reject, timer: setTimeout(late, publishTimeout), sentBy: null });
      if (this.state === "closed") this._fail(id, "closed", "the channels are closed");
      else if (full) this._fail(id, "too-many", `${queue} commands wait for answers, no more are allowed`);
      else this._link?.flush();
    });
  }

  _take(id) {
    const entry = this._commands.get(id);
    clearTimeout(entry.timer);
    this._commands.delete(id);
    return entry;
  }

  _fail(id, code, message) {
    const { command, reject } = this._take(id);
    reject(new ChannelError(code, message, command.publish ?? command.presence));
  }

  _nextId() {
    return ++this._lastId;
  }

  // ---- subscriptions

  _drop(subscription) {
    if (this._subscriptions.get(subscription.topic) !== subscription) return;
    this._subscriptions.delete(subscription.topic);
    this._changed();
  }

  _changed() {
    if (this._told) return; // several in a row are one
    this._told = true;
    queueMicrotask(() => {
      this._told = false;
      this._link?.changed();
    });
  }

  /** What a transport heard. */
  _receive(object, link) {
    const topic = object.topic ?? object.subscribed ?? object.presence;
    let subscription = this._subscriptions.get(topic);
    if (subscription && !link.knows(subscription)) subscription = null; // it is for an earlier one
    const entry = this._commands.get(object.id);
    const soon = this._options.backoff[0] * (1 + Math.random());
    if (!object.error) {
      if (entry) this._take(object.id).resolve(object);
      else subscription?._take(object);
      return;
    }
    const { code, message } = object.error;
    if (entry && code === "unavailable") {
      setTimeout(() => ((entry.sentBy = null), this._link?.flush()), soon); // the same, with the same key
    } else if (entry) {
      this._fail(object.id, code, message);
    } else if (subscription && (object.id ?? subscription._id) === subscription._id) {
      if (code === "unavailable") {
        setTimeout(() => (link.forget(subscription), this._changed()), soon);
      } else {
        link.forget(subscription);
        this._subscriptions.delete(topic);
      }
      subscription._tell("error", new ChannelError(code, message, topic));
    } else if (object.id === undefined) {
      this._emit("error", new ChannelError(code, message, topic));
    }
  }

  // ---- the connection

  async _connect() {
    const run = (this._run = {});
    const { transports, backoff } = this._options;
    let first = recall(this.url);
    let tries = 0; // in a row, of which none lasted
    let link = null; // or one that was opened beside the one before
    while (this._run === run) {
      if (!link) this._setState("connecting", null);
      const at = Math.max(0, transports.indexOf(first));
      for (const name of [...transports.slice(at), ...transports.slice(0, at)]) {
        if (this._run === run) link ??= await this._open(name);
      }
      if (this._run !== run) break;
      let end = "lost";
      if (link) {
        const begun = Date.now();
        end = await this._use(link);
        // One that was opened, and never said anything, does not work.
        first = transports[(transports.indexOf(link.name) + (link.heard ? 0 : 1)) % transports.length];
        if (Date.now() - begun >= LASTED) tries = 0;
      }
      link = end instanceof Transport ? end : null;
      if (transports.includes(end)) first = end;
      const wait = Math.min(backoff[1], backoff[0] * 2 ** tries++) * (0.5 + Math.random() / 2);
      if (this._run === run && (end === "lost" || tries > 3)) {
        await new Promise((resolve) => setTimeout((this._wakeUp = resolve), wait));
      }
    }
    link?.close();
  }

  /** A transport that works, or null. */
  async _open(name, beside = false) {
    const link = (this._opening = new TRANSPORTS[name](this, name, beside));
    try {
      await within(this._options.timeout, link.open());
      return link;
    } catch {
      link.close();
      return null;
    } finally {
      this._opening = null;
    }
  }

  /** Uses a transport until it ends: "bye", "lost", the name of one to try, or one that is open. */
  async _use(link) {
    const { transports, timeout, better } = this._options;
    const betters = transports.slice(0, transports.indexOf(link.name));
    if (!betters.length) this._pause = better;
    this._link = link;
    remember(this.url, link.name);
    this._setState("open", link.name);
    link.changed();
    link.flush();
    const watch = setInterval(() => link.check(), timeout / 4);
    let end, timer;
    while (!end) {
      const due = new Promise((resolve) => (timer = betters.length && setTimeout(resolve, this._pause)));
      end = await Promise.race([link.done, due]);
      clearTimeout(timer);
      if (end) break;
      this._pause = Math.min(2 * this._pause, HOUR);
      // A WebSocket can be tried beside; another stream would bring what this one brings, so this one has to end.
      if (betters.includes("websocket")) end = await this._open("websocket", true);
      if (betters.at(-1) !== "websocket") end ??= betters.at(-1);
    }
    clearInterval(watch);
    link.close();
    this._link = null;
    return end;
  }

  _stop() {
    this._run = null;
    this._opening?.close();
    this._link?.close();
    this._wakeUp?.();
  }

  _setState(state, transport) {
    if (this.state === state && this.transport === transport) return;
    Object.assign(this, { state, transport });
    this._emit("state", { state, transport });
  }

  _emit(event, value) {
    for (const listener of this._listeners[event]) call(listener, value);
  }
}

/** One connection.  `open()` is done when something was heard; `done` when it has ended: "bye" or "lost". */
class Transport {
  constructor(owner, name, beside) {
    Object.assign(this, { owner, name, beside, heard: 0, over: false });
    this.done = new Promise((resolve) => (this._done = resolve));
  }

  end(why) {
    this.over = true;
    this._done(why);
  }
}

class WebSocketTransport extends Transport {
  told = new Map(); // the server knows these, by topic
  asked = 0; // when we said what has to be answered

  open() {
    return new Promise((opened, failed) => {
      const address = new URL(this.owner.url);
      address.protocol = address.protocol.replace("http", "ws");
      address.searchParams.set("client", this.owner.client);
      this.socket = new WebSocket(address.href);
      this.socket.onopen = () => {
        this.send({ ping: true, id: 0 });
        if (!this.beside) this.changed();
      };
      this.socket.onmessage = ({ data }) => {
        this.heard = Date.now();
        this.asked = 0;
        opened();
        if (!this.over) this.owner._receive(JSON.parse(data), this);
      };
      this.socket.onclose = ({ code }) => {
        failed();
        this.end(code === 1001 ? "bye" : "lost");
      };
    });
  }

  send(command) {
    this.asked ||= Date.now();
    this.socket.send(JSON.stringify(command));
  }

  changed() {
    const wanted = this.owner._subscriptions;
    for (const [topic, subscription] of this.told) {
      if (wanted.get(topic) === subscription) continue;
      this.told.delete(topic);
      this.send({ unsubscribe: topic, id: 0 });
    }
    for (const [topic, subscription] of wanted) {
      if (this.told.has(topic)) continue;
      this.told.set(topic, subscription);
      subscription._live = false;
      const id = (subscription._id = this.owner._nextId());
      const { position, presence } = subscription;
      this.send({ subscribe: topic, id, since: position ?? undefined, presence: presence || undefined });
    }
  }

  knows(subscription) {
    return this.told.get(subscription.topic) === subscription;
  }

  forget(subscription) {
    this.told.delete(subscription.topic);
  }

  flush() {
    for (const entry of this.owner._commands.values()) {
      if (entry.sentBy !== this) this.send(entry.command);
      entry.sentBy = this;
    }
  }

  check(now = false) {
    const time = Date.now();
    if (this.asked && time - this.asked > this.owner._options.timeout) this.end("lost");
    else if (!this.asked && (now || time - this.heard > QUIET)) this.send({ ping: true, id: 0 });
  }

  close() {
    this.end("lost");
    this.socket?.close();
  }
}

/** What SSE and long polling have in common: topics stand in the query, commands are posted. */
class HttpTransport extends Transport {
  told = new Set();
  cursors = new Map(); // of the server's, for topics that it knows
  abort = new AbortController();

  open() {
    return new Promise((opened, failed) => {
      Object.assign(this, { opened, failed });
      this.changed();
      if (!this.told.size) opened();
    });
  }

  changed() {
    const wanted = [...this.owner._subscriptions.values()];
    if (wanted.length === this.told.size && wanted.every((subscription) => this.told.has(subscription))) return;
    this.told = new Set(wanted);
    this.abort.abort();
    this.abort = new AbortController();
    this.begun = Date.now();
    this.heard = 0;
    const { signal } = this.abort;
    if (!wanted.length) return;
    for (const subscription of wanted) subscription._live = true;
    this.listen(signal).catch((error) => {
      if (signal.aborted) return;
      this.failed(error);
      this.end("lost");
    });
  }

  knows(subscription) {
    return this.told.has(subscription);
  }

  forget(subscription) {
    this.told.delete(subscription);
    this.cursors.delete(subscription);
  }

  async get(accept, more, signal) {
    const query = { client: this.owner.client, ...more };
    const cursor = [];
    const topics = [];
    for (const subscription of this.told) {
      const { topic, position, presence } = subscription;
      topics.push(["topic", topic], ...(presence ? [["presence", topic]] : []));
      const at = this.cursors.get(subscription) ?? position;
      if (at !== null) cursor.push(`${topic}=${at}`);
    }
    if (cursor.length) query.cursor = cursor.join();
    const response = await this.fetch([...Object.entries(query), ...topics], { headers: { Accept: accept }, signal });
    const object = response.ok ? {} : await response.json();
    if (object.error) this.receive(object);
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    return response;
  }

  fetch(query, { headers, ...more }) {
    const address = new URL(this.owner.url);
    for (const [name, value] of query) address.searchParams.append(name, value);
    const ours = this.owner._options.headers;
    const all = { ...(typeof ours === "function" ? ours() : ours), ...headers };
    return fetch(address, { credentials: "same-origin", cache: "no-store", headers: all, ...more });
  }

  receive(object) {
    this.heard = Date.now();
    if (object.bye) this.end("bye");
    else if (!this.over) this.owner._receive(object, this);
  }

  async flush() {
    if (this.posting) return;
    this.posting = true; // one at a time: they stay in their order
    for (let tries = 0; !this.over && this.owner._commands.size; tries++) {
      const [{ command }] = this.owner._commands.values();
      await this.post(command).catch(() => null);
      if (!this.owner._commands.has(command.id)) tries = 0;
      else await sleep(Math.min(8000, 500 * 2 ** tries) * (0.5 + Math.random() / 2));
    }
    this.posting = false;
  }

  async post(command) {
    const { origin } = this.owner.url;
    const xsrf = origin === globalThis.location?.origin && document.cookie.match(/(?:^|; )_xsrf=([^;]*)/);
    const headers = { "Content-Type": "application/json", ...(xsrf ? { "X-XSRFToken": xsrf[1] } : {}) };
    const request = { method: "POST", headers, body: JSON.stringify(command) };
    const response = await within(this.owner._options.timeout, this.fetch([["client", this.owner.client]], request));
    const code = response.status === 403 ? "forbidden" : response.status < 500 ? "bad-request" : "unavailable";
    const other = { error: { code, message: `HTTP ${response.status}` } }; // somebody in between
    this.owner._receive({ ...(await response.json().catch(() => other)), id: command.id }, this);
  }

  check() {}

  close() {
    this.end("lost");
    this.abort.abort();
    this.failed?.();
  }
}

class SSETransport extends HttpTransport {
  async listen(signal) {
    const response = await this.get("text/event-stream", {}, signal);
    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    let rest = "";
    let data = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) throw new Error("the stream has ended");
      if (signal.aborted) return;
      this.heard = Date.now();
      this.opened();
      const lines = (rest + decoder.decode(value, { stream: true })).split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop();
      for (const line of lines) {
        if (line.startsWith("data:")) data += line.slice(5);
        else if (!line && data) this.receive(JSON.parse(data));
        if (!line) data = "";
      }
    }
  }

  check() {
    const over = this.heard ? this.heard + DEAD : this.begun + this.owner._options.timeout;
    if (this.told.size && Date.now() > over) this.end("lost");
  }
}

class PollTransport extends HttpTransport {
  async listen(signal) {
    // The first one does not wait: it shows that this way is open.
    for (let wait = 0; this.told.size && !this.over && !signal.aborted; wait = 25) {
      const begun = Date.now();
      const time = 1000 * wait + this.owner._options.timeout;
      const answer = await within(time, this.get("application/json", { wait }, signal).then((r) => r.json()));
      if (signal.aborted) return;
      this.opened();
      // Of topics that go on where they were the server says nothing.
      const said = new Set(answer.messages.map((object) => object.subscribed ?? (object.error && object.topic)));
      for (const subscription of wait ? [] : this.told) {
        const { topic, position } = subscription;
        if (!said.has(topic)) subscription._take({ subscribed: topic, ...(position && { position, recovered: true }) });
      }
      for (const object of answer.messages) this.receive(object);
      for (const part of answer.cursor ? answer.cursor.split(",") : []) {
        const at = part.lastIndexOf("=");
        const subscription = this.owner._subscriptions.get(part.slice(0, at));
        if (this.told.has(subscription)) this.cursors.set(subscription, part.slice(at + 1));
      }
      // A server that answers at once and has nothing to say is not asked without end.
      const news = answer.messages.some((object) => "topic" in object && !object.error);
      if (wait && !news && Date.now() - begun < 1000) await sleep(1000);
    }
  }
}

const TRANSPORTS = { websocket: WebSocketTransport, sse: SSETransport, poll: PollTransport };

function call(handler, value) {
  try {
    handler(value);
  } catch (error) {
    globalThis.reportError?.(error); // the page's own fault; the connection goes on
  }
}

function sleep(time) {
  return new Promise((resolve) => setTimeout(resolve, time));
}

function within(time, promise) {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error("too late")), time)));
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function isBehind(position, other) {
  const [epoch, offset] = position.split(":");
  const [otherEpoch, otherOffset] = (other ?? "").split(":");
  return epoch !== otherEpoch || Number(offset) > Number(otherOffset);
}

function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function toBase64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}

function fromBase64(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

// Storage may be forbidden, or full: then nothing is remembered.
function recall(url) {
  try {
    return localStorage.getItem(`zonda.channels ${url}`);
  } catch {
    return null;
  }
}

function remember(url, transport) {
  try {
    localStorage.setItem(`zonda.channels ${url}`, transport);
  } catch {
    return;
  }
}
