// One event stream per page. An event is a hint: the page then fetches its own fragment.

const SOON = 1000; // while a wake is under way its progress is asked for each second
const LONGEST_WAIT = 30000;

export function follow({ announce }) {
  const place = () => document.querySelector('[data-live]');
  if (!place() || !window.htmx) return;
  const offline = document.getElementById('offline');
  let source, wait = 1000, retry, soon, busy = false, again = false;

  async function refresh() {
    const here = place();
    if (!here || document.hidden) return;
    if (busy) return void (again = true);
    busy = true;
    const before = here.dataset.word;
    try {
      await htmx.ajax('GET', here.dataset.live, { target: here, swap: 'outerMorph' });
    } finally {
      busy = false;
    }
    const now = place();
    document.dispatchEvent(new Event('fresh'));
    if (before && now?.dataset.word !== before) announce(`${now.dataset.liveModel} is ${now.dataset.word.toLowerCase()}`);
    plan();
    if (again) {
      again = false;
      refresh();
    }
  }

  function plan() {
    clearTimeout(soon);
    if (place()?.hasAttribute('data-live-soon')) soon = setTimeout(refresh, SOON);
  }

  function open() {
    clearTimeout(retry);
    source?.close();
    source = new EventSource('/live/');
    source.addEventListener('hello', () => {
      if (!offline.hidden) {
        refresh(); // what happened meanwhile
        document.dispatchEvent(new CustomEvent('log'));
      }
      offline.hidden = true;
      wait = 1000;
    });
    source.addEventListener('model', refresh);
    source.addEventListener('usage', refresh);
    source.addEventListener('log', (event) => {
      document.dispatchEvent(new CustomEvent('log', { detail: JSON.parse(event.data) }));
    });
    source.onerror = () => {
      // Let a stream that merely ended come back before anybody is told.
      if (source.readyState === EventSource.CONNECTING && wait === 1000) {
        wait = 2000;
        return;
      }
      source.close();
      offline.hidden = false;
      clearTimeout(retry);
      retry = setTimeout(open, wait);
      wait = Math.min(wait * 2, LONGEST_WAIT);
    };
  }

  document.addEventListener('visibilitychange', () => {
    if (document.hidden) {
      source?.close();
      clearTimeout(retry);
    } else {
      open();
      refresh();
      document.dispatchEvent(new CustomEvent('log'));
    }
  });
  addEventListener('pagehide', () => source?.close());
  open();
  plan();
}
