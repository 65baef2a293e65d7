// What both pages have: small tools, and a stream that comes back by itself.
export const $ = (selector, root = document) => root.querySelector(selector);
export const socketAddress = path => `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`;
export const counted = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

export function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function live(text, good) {
  $("#live").classList.toggle("lost", !good);
  put($("#live span"), text);
}

// The state of a port, in one word.
export function stateOf({state, session}) {
  return state === "absent" ? "away" : state !== "ready" ? state : session ? "held" : "free";
}

// Hears `path` from `begin` to `end`, or until the page is left: `take` gets each message, `tell` whether
// there is a connection.
export function follow(path, take, tell) {
  let socket = null, wait = 500, again = 0, wanted = false;
  const begin = () => {
    wanted = true;
    clearTimeout(again);
    if (socket && socket.readyState !== WebSocket.CLOSED) return;
    const made = socket = new WebSocket(socketAddress(path));
    made.onmessage = event => { wait = 500; take(JSON.parse(event.data)); };
    made.onclose = () => {
      if (made !== socket) return;
      tell("not connected", false);
      again = setTimeout(begin, wait);
      wait = Math.min(wait * 2, 8000);
    };
  };
  const end = () => {
    wanted = false;
    clearTimeout(again);
    socket?.close();
    socket = null;
  };
  addEventListener("pagehide", () => socket?.close());
  // A laptop that wakes, a phone that comes back: not after the rest of the wait.
  for (const event of ["online", "pageshow"]) addEventListener(event, () => wanted && begin());
  return {begin, end};
}
