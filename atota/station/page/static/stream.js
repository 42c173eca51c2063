// One event stream for all pages of a browser: a browser has six connections for one server, and each page that
// held one would take it away from the next. A page that comes gets a snapshot, since the stream is opened anew.

const KINDS = ["snapshot", "lane", "counters", "notice", "sound", "ping"];
const pages = new Set();
let source = null;
let timer = 0;

function open() {
  clearTimeout(timer);
  source?.close();
  source = new EventSource("/events");
  for (const kind of KINDS) {
    source.addEventListener(kind, ({ data }) => pages.forEach((page) => page.postMessage({ kind, data })));
  }
  source.onerror = () => { // the browser itself tries again, but not after an answer that was an error
    if (source.readyState === EventSource.CLOSED) timer = setTimeout(open, 1000);
  };
}

self.onconnect = ({ ports: [page] }) => {
  pages.add(page);
  page.onmessage = () => { // the page goes away
    pages.delete(page);
    if (pages.size) return;
    clearTimeout(timer);
    source?.close();
  };
  open();
};
