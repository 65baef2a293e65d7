// All gateways of the network: what they tell it, and of this one what it tells its own page.
import {$, counted, element, follow, live, put, stateOf} from "/shared.js";

const OURS = "gatewayd";
const machines = new Map(), own = new Map(), sections = new Map();
const {compare} = new Intl.Collator(undefined, {numeric: true});
let names = [], ownNames = [], ownKnown = false, ownVersion = "", heard = false, searching = true, host = "";

// ---- what there is

// This machine first: another one may be called the same.
const place = machine => machine.local ? "" : machine.name;
const byName = (one, other) => compare(one.name, other.name);

// A port of this gateway: its page knows more than the network is told.
function ownPort(port, told) {
  const {session, lease} = port;
  const peer = session && (session.name && !session.peer.startsWith(session.name) ? `${session.name} from ${session.peer}` : session.peer);
  return {
    name: port.name,
    provider: OURS,
    state: stateOf(port),
    device: port.description || told?.device || port.device.replace("/dev/serial/by-id/", ""),
    places: told?.places?.length ? told.places : port.listeners,
    who: peer || "",
    lease: lease ? `lease of ${lease.holder}` : "",
  };
}

function withOwn(machine) {
  if (!ownKnown) return machine;
  const told = machine.ports.filter(one => one.provider === OURS), others = machine.ports.filter(one => one.provider !== OURS);
  const ports = ownNames.map(name => ownPort(own.get(name), told.find(one => one.name === name)));
  return {...machine, version: ownVersion, ports: [...ports, ...others], away: 0, local: true};
}

function all() {
  const found = names.map(name => machines.get(name));
  // The network may have another name for this machine than it has itself.
  const here = found.find(one => one.local && one.version) || found.find(one => one.local);
  const rest = found.filter(one => one !== here).map(one => ({...one, local: false})).sort(byName);
  if (!here && !ownKnown) return rest;
  return [withOwn(here || {name: host, version: "", ports: [], away: 0, desk: "", page: "", local: true}), ...rest];
}

// ---- how it looks

class Section {
  constructor() {
    this.root = $("#gateway").content.cloneNode(true).firstElementChild;
    this.list = $("ul", this.root);
    this.rows = new Map();
    this.last = "";
    const title = $("h2", this.root);
    title.id = `gateway-${Section.count = (Section.count || 0) + 1}`;
    this.root.setAttribute("aria-labelledby", title.id);
  }

  update(machine) {
    const now = JSON.stringify(machine);
    if (now === this.last) return;
    this.last = now;
    this.machine = machine;
    const {root} = this, held = machine.ports.filter(one => one.state === "held").length;
    const away = machine.away + machine.ports.filter(one => one.state === "away").length;
    put($("h2", root), machine.name);
    $(".here", root).hidden = !machine.local;
    const sum = [machine.version && `${OURS} ${machine.version}`, counted(machine.ports.length + machine.away, "port"), held && `${held} held`, away && `${away} away`];
    put($(".sum", root), sum.filter(Boolean).join(" · "));
    this.link(".desk", machine.desk && `telnet://${machine.desk}`, `Desk ${machine.desk}`);
    // Where it leads is said: anybody on the link may have written it.
    if (machine.local) this.link(".site", "/", "Page");
    else this.link(".site", machine.page, `Page at ${machine.page.split("/")[2]}`);
    machine.ports.forEach((port, index) => this.row(port, index));
    const kept = new Set(machine.ports.map(key));
    for (const [name, row] of this.rows) {
      if (kept.has(name)) continue;
      row.remove();
      this.rows.delete(name);
    }
    $(".more", root).hidden = !machine.away;
    put($(".more", root), `${machine.ports.length ? "and " : ""}${machine.away} ${machine.ports.length ? "more " : ""}${machine.away === 1 ? "port whose device is" : "ports whose devices are"} away`);
  }

  link(selector, href, text) {
    const link = $(selector, this.root);
    link.hidden = !href;
    if (!href) return link.removeAttribute("href");
    link.href = href;
    put(link, text);
    link.setAttribute("aria-label", `${text} of ${this.machine.name}`);
  }

  row(port, index) {
    let row = this.rows.get(key(port));
    if (!row) this.rows.set(key(port), row = $("#row").content.cloneNode(true).firstElementChild);
    if (this.list.children[index] !== row) this.list.insertBefore(row, this.list.children[index] || null);
    put($(".name", row), port.name);
    const state = $(".state", row);
    state.className = `state ${port.state || "untold"}`;
    put(state, port.state || "state not told");
    put($(".what", row), [port.provider !== OURS && port.provider, port.device].filter(Boolean).join(" · "));
    $(".dev", row).replaceChildren(...port.places.map(place => element("span", {}, place)));
    put($(".who span", row), port.who || "");
    put($(".who small", row), port.lease || "");
    row.words = [port.name, port.provider, port.device, port.state, ...port.places, port.who, port.lease].join(" ").toLowerCase();
  }

  // Shows what has all of the words, in its own text or in that of the gateway.
  filter(words) {
    const {name, version} = this.machine, mine = `${name} ${version && OURS}`.toLowerCase();
    let shown = 0;
    for (const row of this.rows.values()) {
      row.hidden = !words.every(word => `${mine} ${row.words}`.includes(word));
      shown += !row.hidden;
    }
    this.root.hidden = !shown && !words.every(word => mine.includes(word));
    return !this.root.hidden;
  }
}

const key = port => `${port.provider}/${port.name}`;

function draw() {
  const found = all(), list = $("#gateways"), kept = new Set(found.map(place));
  for (const [name, section] of sections) {
    if (kept.has(name)) continue;
    section.root.remove();
    sections.delete(name);
  }
  found.forEach((machine, index) => {
    if (!sections.has(place(machine))) sections.set(place(machine), new Section());
    const section = sections.get(place(machine));
    section.update({...machine, ports: [...machine.ports].sort(byName)});
    if (list.children[index] !== section.root) list.insertBefore(section.root, list.children[index] || null);
  });
  const ports = found.flatMap(one => one.ports), away = found.reduce((sum, one) => sum + one.away, 0);
  const count = (number, word) => [element("b", {}, String(number)), ` ${word}`];
  const parts = [...count(found.length, found.length === 1 ? "gateway" : "gateways"), " · ", ...count(ports.length + away, ports.length + away === 1 ? "port" : "ports")];
  for (const [state, more] of [["held", 0], ["away", away]]) {
    const number = more + ports.filter(one => one.state === state).length;
    if (number) parts.push(" · ", ...count(number, state));
  }
  $("#counts").replaceChildren(...parts);
  arrange();
}

function arrange() {
  const wanted = $("#filter input").value.trim().toLowerCase(), words = wanted.split(/\s+/);
  const shown = [...sections.values()].filter(one => one.filter(words)).length;
  $("#empty").hidden = shown > 0 || !heard;
  put($("#empty"), sections.size ? `No gateway or port is called “${wanted}”.` : searching ? "Looking around …" : "No gateway is told of on this network.");
}

function notice(title, text, link) {
  $("#notice").hidden = !title;
  put($("#notice strong"), title);
  $("#notice span").replaceChildren(text, ...(link ? [" ", link] : []));
}

// ---- what is heard

function takeFleet(message) {
  heard = true;
  ({searching} = message);
  for (const one of message.machines) machines.set(one.name, one);
  // Who comes back to the page finds what it showed, until the search is through.
  names = searching ? [...new Set([...message.names, ...names])] : message.names;
  for (const name of machines.keys()) if (!names.includes(name)) machines.delete(name);
  if (message.why) notice("Other gateways cannot be seen.", `${message.why}.`);
  else notice(message.left_out ? "There are more." : "", "So many services are told of on this network that not all are shown.");
  live(message.why ? "this gateway only" : searching ? "searching" : "live", true);
  draw();
}

function takeOwn(message) {
  ownKnown = !message.why;
  if (ownKnown) {
    for (const port of message.ports) own.set(port.name, port);
    ownNames = message.names;
    ownVersion = message.version;
  }
  draw();
}

async function begin() {
  const rights = await (await fetch("/rights")).json();
  host = rights.host;
  put($("#host"), `Ports of ${host}`);
  if (!rights.look) {
    live("sign in first", false);
    return notice("Only who has signed in may look.", "", element("a", {href: "/"}, "Sign in"));
  }
  const streams = [follow("/fleet/live", takeFleet, live), follow("/live", takeOwn, () => {})];
  const look = () => streams.forEach(one => document.hidden ? one.end() : one.begin());
  // Nobody is searched for by a page that nobody sees.
  document.addEventListener("visibilitychange", look);
  look();
}
$("#filter input").addEventListener("input", arrange);
begin();
