// The list of ports: what the gateway tells, drawn as it comes. Nothing is asked for again and again.
import {$, counted, element, follow, live, put, stateOf} from "/shared.js";

const LAMPS = ["DTR", "RTS", "CTS", "DSR", "CD", "RI"];
const SAMPLES = 120; // seconds of throughput
const cards = new Map();
const rights = {look: true, signed_in: false, able: false};
let names = [], skew = 0, about = {}, heard = false;

export const myName = () => localStorage.getItem("name") || "";

export function size(count) {
  for (const unit of ["B", "kB", "MB"]) {
    if (count < 1000) return `${count < 10 && count % 1 ? count.toFixed(1) : Math.round(count)} ${unit}`;
    count /= 1000;
  }
  return `${count.toFixed(1)} GB`;
}

function moment(iso) {
  const when = new Date(iso), today = new Date();
  const time = when.toLocaleTimeString([], {hour: "2-digit", minute: "2-digit"});
  return when.toDateString() === today.toDateString() ? time : `${when.toLocaleDateString()} ${time}`;
}

function span(iso) {
  const seconds = Math.max(0, Date.now() / 1000 + skew - Date.parse(iso) / 1000);
  for (const [length, unit] of [[86400, "days"], [3600, "h"], [60, "min"]]) {
    if (seconds >= 2 * length) return `${Math.floor(seconds / length)} ${unit}`;
  }
  return `${Math.floor(seconds)} s`;
}

class Card {
  constructor(name) {
    this.name = name;
    this.root = $("#port").content.cloneNode(true).firstElementChild;
    const title = $("h2", this.root), id = `port-${name}`;
    title.id = id;
    this.root.setAttribute("aria-labelledby", id);
    put($(".name", this.root), name);
    for (const lamp of LAMPS) {
      $(".lamps", this.root).append(element("li", {}, lamp, element("span", {className: "sr"})));
    }
    this.rx = Array(SAMPLES).fill(0);
    this.tx = Array(SAMPLES).fill(0);
    this.now = [0, 0];
    this.until = 0;
    this.flat = false;
    this.terminal = null;
    $(".open", this.root).addEventListener("click", () => this.toggle());
    $(".take", this.root).addEventListener("click", () => this.open(true));
    this.draw();
  }

  get state() {
    return stateOf(this.port);
  }

  update(port) {
    const now = performance.now();
    if (this.port) {
      const seconds = (now - this.at) / 1000, known = seconds < 3 ? Math.max(seconds, 0.25) : 1;
      this.now = ["received", "sent"].map(key => Math.max(0, port[key] - this.port[key]) / known);
      this.until = now + 1600;
    }
    this.at = now;
    this.port = port;
    const {root, state} = this;
    root.classList.toggle("gone", port.state !== "ready");
    $(".state", root).className = `state ${state}`;
    put($(".state", root), state);
    put($(".what", root), port.description);
    put($(".dev", root), [port.device.replace("/dev/serial/by-id/", ""), ...port.listeners.map(one => one.replace("127.0.0.1", ""))].join(" · "));
    $(".who", root).replaceChildren(...this.who());
    const {signals} = port;
    $(".lamps", root).hidden = !signals;
    LAMPS.forEach((lamp, index) => {
      const item = $(".lamps", root).children[index], on = Boolean(signals?.includes(lamp));
      item.classList.toggle("on", on);
      item.title = `${lamp} ${on ? "on" : "off"}`;
      put(item.lastChild, on ? " on" : " off");
    });
    put($(".sets", root), port.line);
    this.errors();
    this.buttons();
    this.terminal?.update(port);
  }

  who() {
    const {session, watchers, lease, state, cause, state_since, losses, lost_at} = this.port;
    const small = text => element("small", {}, text), lines = [];
    const first = element("span", {}, element("strong", {}, session ? session.name || session.peer : "nobody"));
    if (session?.name) first.append(session.peer.startsWith(session.name) ? session.peer.slice(session.name.length) : ` from ${session.peer}`);
    lines.push(first);
    if (session) lines.push(small(`since ${moment(session.since)} by ${session.face}${session.leaving ? ", leaving" : ""}`));
    if (watchers?.length) {
      const missed = watchers.reduce((sum, one) => sum + (one.missed || 0), 0);
      lines.push(small(`${watchers.length} watching: ${watchers.map(one => one.name || one.peer || one.peername).join(", ")}${missed ? `, ${size(missed)} missed` : ""}`));
    }
    if (lease) lines.push(small(`lease of ${lease.holder}${lease.note ? ` “${lease.note}”` : ""} until ${moment(lease.until)}`));
    if (state !== "ready") lines.push(small(`${cause || state}, since ${span(state_since)}`));
    else if (losses) lines.push(small(`lost ${losses === 1 ? "once" : `${losses} times`}, last ${moment(lost_at)}`));
    return lines;
  }

  errors() {
    const {port} = this, found = [];
    for (const [key, noun] of [["breaks", "break"], ["framing_errors", "framing error"], ["parity_errors", "parity error"], ["overruns", "overrun"], ["buffer_overruns", "buffer overrun"]]) {
      if (port[key]) found.push(counted(port[key], noun));
    }
    if (port.record?.cause) found.push("not recorded");
    const node = $(".err", this.root);
    node.classList.toggle("bad", found.length > 0);
    put(node, found.join(", ") || "no errors");
    node.title = port.record?.cause || "";
  }

  buttons() {
    const open = $(".open", this.root), take = $(".take", this.root), held = Boolean(this.port.session);
    put(open, this.terminal ? "Close" : "Watch");
    open.setAttribute("aria-label", `${open.textContent} ${this.name}`);
    open.setAttribute("aria-expanded", String(Boolean(this.terminal)));
    put(take, held ? "Take over" : "Type");
    take.setAttribute("aria-label", `${take.textContent}${held ? " " : " at "}${this.name}`);
    take.hidden = !(rights.signed_in && rights.able) || Boolean(this.terminal);
  }

  async toggle() {
    if (!this.terminal) return this.open(false);
    this.terminal.close();
    this.terminal = null;
    this.buttons();
  }

  async open(take) {
    if (this.terminal) return;
    const {Terminal} = await import("/terminal.js");
    if (this.terminal) return;
    this.terminal = new Terminal(this, rights, take);
    this.buttons();
  }

  tick(now) {
    if (now > this.until) this.now = [0, 0];
    this.rx.push(this.now[0]);
    this.tx.push(this.now[1]);
    this.rx.shift();
    this.tx.shift();
    const flat = !this.rx.some(Boolean) && !this.tx.some(Boolean);
    if (!flat || !this.flat) this.draw();
    this.flat = flat;
  }

  draw() {
    const most = Math.max(20, ...this.rx, ...this.tx);
    const path = values => "M" + values.map((value, x) => `${x} ${(32 - 30 * value / most).toFixed(1)}`).join("L");
    $(".rx", this.root).setAttribute("d", path(this.rx));
    $(".tx", this.root).setAttribute("d", path(this.tx));
    const [down, up] = this.now.map(rate => `${size(rate)}/s`);
    put($(".down", this.root), `↓ ${down}`);
    put($(".up", this.root), `↑ ${up}`);
    $("svg", this.root).setAttribute("aria-label", `last two minutes; now ${down} from and ${up} to the device`);
  }
}

function arrange() {
  const wanted = $("#filter input").value.trim().toLowerCase(), list = $("#ports");
  for (const [name, card] of cards) {
    if (names.includes(name)) continue;
    card.terminal?.close();
    card.root.remove();
    cards.delete(name);
  }
  let shown = 0;
  names.forEach((name, index) => {
    const card = cards.get(name);
    if (list.children[index] !== card.root) list.insertBefore(card.root, list.children[index] || null);
    card.root.hidden = !`${name} ${card.port.description}`.toLowerCase().includes(wanted);
    shown += !card.root.hidden;
  });
  const none = names.length ? `No port is called “${wanted}”.` : "No ports are configured.";
  $("#empty").hidden = shown > 0 || !heard;
  put($("#empty"), none);
}

function summary() {
  const all = [...cards.values()], parts = [element("b", {}, String(all.length)), all.length === 1 ? " port" : " ports"];
  for (const state of ["held", "away", "busy", "failed", "stuck"]) {
    const count = all.filter(card => card.state === state).length;
    if (count) parts.push(" · ", element("b", {}, String(count)), ` ${state}`);
  }
  $("#counts").replaceChildren(...parts);
  put($("#about"), about.version ? `gatewayd ${about.version} · up ${span(about.since)}` : "");
}

function take(message) {
  skew = message.now - Date.now() / 1000;
  if (message.why) return live(message.why, false);
  heard = true;
  about = message;
  for (const port of message.ports) {
    if (!cards.has(port.name)) cards.set(port.name, new Card(port.name));
    cards.get(port.name).update(port);
  }
  names = message.names;
  arrange();
  summary();
  live("live", true);
}

// A page that may be shown again keeps its sockets open otherwise, and the port with them.
addEventListener("pagehide", () => {
  for (const card of cards.values()) card.terminal?.suspend();
});
const stream = follow("/live", take, live);

setInterval(() => {
  const now = performance.now();
  for (const card of cards.values()) card.tick(now);
}, 1000);
setInterval(summary, 60000);
$("#filter input").addEventListener("input", arrange);

// ---- signing in

async function post(path, message) {
  return fetch(path, {method: "POST", body: JSON.stringify(message)});
}

async function learn() {
  Object.assign(rights, await (await fetch("/rights")).json());
  put($("#host"), rights.host);
  document.title = `${rights.host} · gatewayd`;
  put($("#rights"), !rights.look ? "Only who has signed in may look." : !rights.able && rights.signed_in
    ? "Signed in; this page was not given the right to type (gatewayd-web(8))." : !rights.signed_in
    ? "You may look on; sign in to type." : `Signed in${myName() ? ` as ${myName()}` : ""}.`);
  put($("#sign"), rights.signed_in ? "Sign out" : "Sign in");
  $("#sign").hidden = false;
  if (!rights.look) live("sign in first", false);
  for (const card of cards.values()) {
    card.buttons();
    card.terminal?.allowed();
  }
}

async function signIn(token) {
  const answer = await post("/sign-in", {token: token.trim().replace(/^.*token=/, "")});
  if (!answer.ok) return (await answer.text()).trim();
  await learn();
  stream.begin();
  return "";
}

$("#sign").addEventListener("click", async () => {
  if (rights.signed_in) {
    await post("/sign-out", {});
    location.reload();
    return;
  }
  const form = $("#signing form");
  form.reset();
  form.elements.name.value = myName();
  put($(".wrong", form), "");
  $("#signing").showModal();
});
$("#signing form").addEventListener("submit", async event => {
  if (!event.submitter?.value) return;
  event.preventDefault();
  const form = event.target;
  localStorage.setItem("name", form.elements.name.value.trim());
  const wrong = await signIn(form.elements.token.value);
  put($(".wrong", form), wrong);
  if (!wrong) $("#signing").close();
});

async function begin() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token) {
    // It is a secret: out of the address bar and the history first.
    history.replaceState(null, "", location.pathname);
    const wrong = await signIn(token);
    if (!wrong) return;
    $("#sign").click();
    put($("#signing .wrong"), wrong);
  }
  await learn();
  if (rights.look) stream.begin();
}
begin();
