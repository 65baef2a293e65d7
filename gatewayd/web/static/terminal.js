// The terminal of one port: shows what its line says, and types when it was asked to.
import {myName, size} from "/page.js";
import {element, socketAddress} from "/shared.js";
import {Terminal as Screen} from "/xterm/xterm.mjs";
import {FitAddon} from "/xterm/addon-fit.mjs";

document.head.append(element("link", {rel: "stylesheet", href: "/xterm/xterm.css"}));

const KEPT = 1 << 20; // bytes that another view is drawn from
const TOLD = new Set(["session-opened", "session-closed", "session-refused", "taken-over", "leased", "freed", "settings", "errors", "break-sent", "device", "discarded"]);
const ERRORS = [["breaks", "break received", "breaks received"], ["framing", "framing error", "framing errors"], ["parity", "parity error", "parity errors"], ["overruns", "overrun", "overruns"], ["buffer_overruns", "buffer overrun", "buffer overruns"]];
const PACES = {"": "at once", "line 100": "a line each 0.1 s", "line 1000": "a line each second", "character 10": "100 characters a second"};
const ENTERS = {"\r": "CR", "\n": "LF", "\r\n": "CR LF"};
const encoder = new TextEncoder();
const bytes = text => Uint8Array.from(atob(text), one => one.charCodeAt(0));
const base64 = data => btoa(Array.from(data, one => String.fromCharCode(one)).join(""));
const hex = value => value.toString(16).padStart(2, "0");
const clock = at => {
  const when = new Date(at / 1000);
  return `${when.toTimeString().slice(0, 8)}.${String(when.getMilliseconds()).padStart(3, "0")}`;
};

export class Terminal {
  constructor(card, rights, take) {
    this.card = card;
    this.port = card.port;
    this.rights = rights;
    this.kept = [];
    this.size = 0;
    this.total = null; // bytes that the device has said since the gateway was started, as far as we know
    this.errors = null;
    this.hold = "none";
    this.hushed = 0;
    this.wants = take; // to type, also after the connection was lost
    this.over = Boolean(card.port.session);
    this.wait = 500;
    this.build();
    this.connect();
  }

  // ---- the controls

  build() {
    const toggle = (text, title, act) => {
      const made = element("button", {type: "button", title}, text);
      made.setAttribute("aria-pressed", "false");
      made.addEventListener("click", () => act.call(this, this.press(made)));
      return made;
    };
    const button = (text, title, act) => {
      const made = element("button", {type: "button", title}, text);
      made.addEventListener("click", () => act.call(this));
      return made;
    };
    const choice = (label, options) => {
      const made = element("select");
      for (const [value, text] of Object.entries(options)) made.append(element("option", {value}, text));
      return [made, element("label", {}, label, made)];
    };
    this.role = element("strong");
    this.whose = element("span");
    this.note = element("span", {className: "note"});
    this.note.setAttribute("role", "status");
    this.taker = button("Type", "", this.ask);
    this.hexed = toggle("Hex", "show each byte as two digits", this.redraw);
    this.stamped = toggle("Times", "show when each line began", this.redraw);
    this.typed = toggle("Typed", "show what is sent to the device", this.redraw);
    this.record = button("Record", "files of what passed over this line", this.list);
    const save = button("Save", "what is shown here, as a file", this.save);
    const clear = button("Clear", "", this.clear);
    this.look = element("div", {className: "bar"}, this.role, this.whose, this.taker, this.hexed, this.stamped, this.typed, save, clear, this.record, this.note);

    this.signals = ["DTR", "RTS"].map(signal => toggle(signal, `${signal} on or off`, on => this.say({do: signal, on})));
    const [enter, enterLabel] = choice("Enter sends", ENTERS);
    const [pace, paceLabel] = choice("Paste", PACES);
    Object.assign(this, {enter, pace});
    this.stop = button("Stop pasting", "", () => this.pasted([]));
    this.stop.hidden = true;
    this.settings = this.lineForm(choice, button);
    const sets = button("Line", "baud rate, parity, stop bits, flow control", () => {
      this.settings.hidden = !this.settings.hidden;
      sets.setAttribute("aria-expanded", String(!this.settings.hidden));
    });
    sets.setAttribute("aria-expanded", "false");
    this.tools = element("div", {className: "bar"}, button("Break", "send a break", () => this.say({do: "break"})), ...this.signals, sets, enterLabel, paceLabel, this.stop,
      element("span", {}, "Shift+Tab leaves the terminal"));
    this.files = element("ul", {className: "files", hidden: true});
    this.place = element("div", {className: "screen"});
    this.root = element("section", {className: "term"}, this.look, this.tools, this.settings, this.files, this.place);
    this.root.setAttribute("aria-label", `terminal of ${this.card.name}`);
    this.card.root.append(this.root);

    this.screen = new Screen({convertEol: true, disableStdin: true, screenReaderMode: true, linkHandler: {activate: () => {}}, scrollback: 5000, fontSize: 13, fontFamily: getComputedStyle(document.documentElement).getPropertyValue("--mono"), theme: {background: "#0b0e12", foreground: "#d7dde3", brightBlack: "#7d8894", yellow: "#e3b341", green: "#4cc99a"}});
    const fit = new FitAddon();
    this.screen.loadAddon(fit);
    this.screen.open(this.place);
    this.resizes = new ResizeObserver(() => fit.fit());
    this.resizes.observe(this.place);
    this.screen.onData(data => this.key(data));
    this.screen.attachCustomKeyEventHandler(event => {
      if (event.key !== "Tab" || (this.hold === "yours" && !event.shiftKey)) return true;
      if (event.shiftKey && event.type === "keydown") {
        event.preventDefault();
        this.taker.focus();
      }
      return false;
    });
    this.place.addEventListener("paste", event => this.paste(event), true);
    this.show();
    this.root.scrollIntoView({block: "nearest"});
  }

  lineForm(choice, button) {
    this.baud = element("input", {type: "number", min: 1, max: 50000000, required: true});
    this.baud.setAttribute("list", "bauds");
    if (!document.getElementById("bauds")) {
      document.body.append(element("datalist", {id: "bauds"}, ...[9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600].map(value => element("option", {value}))));
    }
    const rows = {bytesize: ["Data", {8: "8", 7: "7", 6: "6", 5: "5"}], parity: ["Parity", {N: "none", E: "even", O: "odd", M: "mark", S: "space"}], stopbits: ["Stop", {1: "1", 1.5: "1.5", 2: "2"}], flow: ["Flow", {none: "none", rtscts: "RTS/CTS", xonxoff: "XON/XOFF"}]};
    this.fields = {};
    const labels = Object.entries(rows).map(([key, [label, options]]) => {
      const [select, made] = choice(label, options);
      this.fields[key] = select;
      return made;
    });
    const set = button("Set", "until you leave the port", () => {
      const wanted = Object.fromEntries(Object.entries(this.fields).map(([key, field]) => [key, field.value]));
      if (this.baud.reportValidity()) this.say({do: "line", baudrate: Number(this.baud.value), ...wanted});
    });
    return element("div", {className: "bar", hidden: true}, element("label", {}, "Baud", this.baud), ...labels, set);
  }

  press(button, on = button.getAttribute("aria-pressed") !== "true") {
    button.setAttribute("aria-pressed", String(on));
    return on;
  }

  pressed(button) {
    return button.getAttribute("aria-pressed") === "true";
  }

  update(port) {
    const before = this.port;
    this.port = port;
    if (before.line !== port.line || !this.baud.value) this.fill();
    this.show();
  }

  fill() {
    const [, baud, size_, parity, stop, flow] = this.port.line.match(/^(\d+) (\d)(\w)([\d.]+) ?(.*)$/) || [];
    if (!baud) return;
    this.baud.value = baud;
    Object.assign(this.fields.bytesize, {value: size_});
    Object.assign(this.fields.parity, {value: parity});
    Object.assign(this.fields.stopbits, {value: stop});
    Object.assign(this.fields.flow, {value: ["rtscts", "xonxoff"].includes(flow) ? flow : "none"});
  }

  show() {
    const mine = this.hold === "yours", {session, signals, record} = this.port;
    this.role.textContent = mine ? "You type." : this.hold === "asking" ? "Asking…" : "You watch.";
    this.role.className = mine ? "mine" : "";
    this.whose.textContent = mine ? "" : session ? `${session.name || session.peer} has it` : "nobody has it";
    const asking = this.hold === "asking";
    this.taker.textContent = mine ? "Leave" : asking ? "Stop asking" : session ? "Take over" : "Type";
    this.taker.disabled = !asking && !(this.rights.signed_in && this.rights.able);
    this.taker.title = this.taker.disabled ? (this.rights.signed_in ? "this page may only look" : "sign in first") : "";
    this.tools.hidden = !mine;
    if (!mine) this.settings.hidden = true;
    this.record.hidden = !(record && this.rights.signed_in);
    for (const button of this.signals) {
      button.hidden = !signals;
      this.press(button, Boolean(signals?.includes(button.textContent)));
    }
    this.screen.options.disableStdin = !mine;
    this.screen.options.cursorBlink = mine;
  }

  // Somebody has signed in: who may see more connects anew.
  allowed() {
    this.show();
    this.suspend();
  }

  tell(text) {
    this.note.textContent = text;
  }

  // ---- the connection

  connect() {
    this.socket = new WebSocket(socketAddress(`/port/${encodeURIComponent(this.card.name)}`));
    this.socket.onmessage = event => { this.wait = 500; this.receive(JSON.parse(event.data)); };
    this.socket.onclose = () => {
      this.hold = "none";
      this.tell("not connected");
      this.show();
      this.again = setTimeout(() => this.connect(), this.wait);
      this.wait = Math.min(this.wait * 2, 8000);
    };
  }

  say(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  take(over) {
    this.wants = true;
    this.say({do: "take", name: myName(), over});
  }

  ask() {
    if (this.hold === "none") return this.take(Boolean(this.port.session));
    this.wants = false;
    this.say({do: "leave"});
  }

  suspend() {
    this.socket.close();
  }

  close() {
    clearTimeout(this.again);
    this.pasted([]);
    this.socket.onclose = null;
    this.socket.close();
    this.resizes.disconnect();
    this.screen.dispose();
    this.root.remove();
  }

  receive(message) {
    if (message.watch) return this.watched(message.watch);
    if (message.away !== undefined) return this.tell(message.away);
    const before = this.hold;
    this.hold = message.hold;
    if (this.hold === "none") {
      this.wants = false;
      this.pasted([]);
      this.tell(message.why || "");
    }
    this.show();
    if (this.hold === "yours") {
      this.tell("");
      if (!message.echoed && !this.pressed(this.typed)) this.redraw(this.press(this.typed, true));
      this.fill();
      this.screen.focus();
    } else if (before === "yours") this.taker.focus();
  }

  watched({at, from_line, to_line, event, missed, missed_events, received, replay}) {
    if (received !== undefined) this.begun(at, received, replay ? bytes(replay) : new Uint8Array());
    if (from_line) {
      const data = bytes(from_line);
      this.total += data.length;
      this.keep({at, kind: "<", data});
    }
    if (to_line) this.keep({at, kind: ">", data: bytes(to_line)});
    if (missed) {
      this.total += missed;
      this.keep({at, kind: "!", text: `${missed} bytes missed`});
    }
    if (event) for (const text of this.words(event)) this.keep({at, kind: "!", text});
  }

  // The stream begins, or begins again: say what is missing between.
  begun(at, received, replay) {
    // Not before: the answer to what is typed is to be seen.
    if (this.wants && this.hold === "none") this.take(this.over);
    this.over = false;
    const before = this.total, gap = before === null ? replay.length : received - before;
    this.total = received;
    if (before !== null && gap < 0) {
      this.keep({at, kind: "!", text: "gatewayd was started anew; what was said before that is not known"});
    }
    const wanted = gap < 0 ? replay : replay.subarray(Math.max(0, replay.length - gap));
    const lost = before === null || gap < 0 ? 0 : gap - wanted.length;
    if (lost) this.keep({at, kind: "!", text: `${lost} bytes missed`});
    if (wanted.length) {
      if (before === null) this.keep({at, kind: "!", text: `the last ${size(wanted.length)} from before`});
      this.hush(() => this.keep({at, kind: "<", data: wanted, old: true}));
      if (before === null) this.keep({at, kind: "!", text: "from now on"});
    }
    if (before === null) this.tell(wanted.length ? `replayed ${size(wanted.length)}` : "");
    else this.tell(gap < 0 ? "gatewayd was started anew" : lost ? `connected again, ${lost} bytes missed` : "connected again, nothing missed");
  }

  words(event) {
    if (event.kind === "errors" && event.errors) {
      const before = this.errors || this.port && {breaks: this.port.breaks, framing: this.port.framing_errors, parity: this.port.parity_errors, overruns: this.port.overruns, buffer_overruns: this.port.buffer_overruns};
      this.errors = event.errors;
      const found = ERRORS.filter(([key]) => event.errors[key] > (before[key] || 0)).map(([key, one, many]) => {
        const count = event.errors[key] - (before[key] || 0);
        return count === 1 ? one : `${count} ${many}`;
      });
      return found.length ? found : event.text ? [event.text] : [];
    }
    return TOLD.has(event.kind) ? [event.text || event.kind] : [];
  }

  // ---- the screen

  keep(entry) {
    this.kept.push(entry);
    this.size += entry.data?.length || 64;
    while (this.size > KEPT) this.size -= this.kept.shift().data?.length || 64;
    this.draw(entry);
  }

  // What is drawn again may ask the terminal something, as escape sequences can: the device has had
  // its answer long ago.
  hush(draw) {
    this.hushed++;
    draw();
    this.screen.write("", () => this.hushed--);
  }

  redraw() {
    this.hush(() => this.drawAll());
  }

  drawAll() {
    this.screen.write("\x1bc"); // in its turn: what was written before may not be drawn yet
    this.middle = false;
    for (const entry of this.kept) this.draw(entry);
  }

  clear() {
    this.kept = [];
    this.size = 0;
    this.redraw();
  }

  draw({at, kind, data, text, old}) {
    if (kind === ">" && !this.pressed(this.typed)) return;
    if (kind === "!") {
      const stamp = this.pressed(this.stamped) || this.pressed(this.hexed) ? `\x1b[90m${clock(at)}\x1b[39m ` : "";
      this.screen.write(`${this.middle ? "\r\n" : ""}${stamp}\x1b[33m[${text.replace(/[^\x20-\x7e\xa0-\uffff]/g, "?")}]\x1b[39m\r\n`);
      this.middle = false;
    } else if (this.pressed(this.hexed)) this.dump(old ? "" : clock(at), kind, data);
    else if (kind === ">") {
      const shown = new TextDecoder("latin1").decode(data).replace(/\r\n?|\n/g, "\r\n").replace(/[^\x20-\x7e\r\n\xa0-\xff]/g, one => `^${String.fromCharCode(one.charCodeAt(0) ^ 64)}`);
      this.screen.write(`\x1b[32m${shown}\x1b[39m`);
      this.middle = !shown.endsWith("\n");
    } else if (this.pressed(this.stamped)) this.lines(old ? " ".repeat(12) : clock(at), data);
    else {
      this.screen.write(data);
      this.middle = data.at(-1) !== 10;
    }
  }

  lines(stamp, data) {
    let start = 0;
    while (start < data.length) {
      const end = data.indexOf(10, start) + 1 || data.length;
      if (!this.middle) this.screen.write(`\x1b[90m${stamp}\x1b[39m `);
      this.screen.write(data.subarray(start, end));
      this.middle = data[end - 1] !== 10;
      start = end;
    }
  }

  dump(stamp, kind, data) {
    const wide = this.screen.cols >= 84 ? 16 : 8, out = [];
    for (let start = 0; start < data.length; start += wide) {
      const row = Array.from(data.subarray(start, start + wide));
      const text = row.map(value => value > 31 && value < 127 ? String.fromCharCode(value) : "·").join("");
      out.push(`\x1b[90m${stamp.padStart(12)}\x1b[39m \x1b[${kind === ">" ? 32 : 39}m${kind} ${row.map(hex).join(" ").padEnd(wide * 3)} ${text}\x1b[39m\r\n`);
    }
    this.screen.write((this.middle ? "\r\n" : "") + out.join(""));
    this.middle = false;
  }

  // ---- typing

  key(data) {
    if (this.hold === "yours" && !this.hushed) this.type(data.replaceAll("\r", this.enter.value));
  }

  type(text) {
    const data = encoder.encode(text);
    for (let start = 0; start < data.length; start += 16384) {
      this.say({do: "type", data: base64(data.subarray(start, start + 16384))});
    }
  }

  paste(event) {
    const [by, milliseconds] = this.pace.value.split(" "), text = event.clipboardData.getData("text");
    if (this.hold !== "yours" || !by) return;
    event.preventDefault();
    event.stopPropagation();
    const whole = text.replace(/\r\n?|\n/g, this.enter.value);
    this.pasted(by === "line" ? whole.match(/[^\r\n]*[\r\n]+|[^\r\n]+$/g) || [] : [...whole], Number(milliseconds));
  }

  pasted(pieces, milliseconds) {
    clearInterval(this.pasting);
    this.stop.hidden = !pieces.length;
    if (!pieces.length) return;
    const all = pieces.length;
    const next = () => {
      if (!pieces.length) {
        this.tell("pasted");
        return this.pasted([]);
      }
      this.type(pieces.shift());
      this.tell(`pasting, ${all - pieces.length} of ${all}`);
    };
    this.pasting = setInterval(next, milliseconds);
    next();
  }

  // ---- files

  save() {
    const view = this.kept.map(({at, kind, data, text, old}) => {
      const said = data ? new TextDecoder().decode(data).replace(/\r\n/g, "\n").replace(/\n$/, "") : text;
      return `${old ? "before" : new Date(at / 1000).toISOString()} ${kind} ${said}\n`;
    });
    const href = URL.createObjectURL(new Blob(view, {type: "text/plain"}));
    element("a", {href, download: `${this.card.name}.log`}).click();
    setTimeout(() => URL.revokeObjectURL(href), 1000);
  }

  async list() {
    this.files.hidden = !this.files.hidden;
    if (this.files.hidden) return;
    const base = `/record/${encodeURIComponent(this.card.name)}`, answer = await fetch(base);
    if (!answer.ok) return this.files.replaceChildren(element("li", {}, (await answer.text()).trim()));
    const found = await answer.json();
    this.files.replaceChildren(...found.map(({name, size: length}) => element("li", {}, element("a", {href: `${base}/${name}`, download: `${this.card.name}-${name}`}, name), ` ${size(length)}`)));
    if (!found.length) this.files.replaceChildren(element("li", {}, "nothing was recorded yet"));
  }
}
