// The log goes on by itself: each hint of the page's event stream asks for the lines after the last.

const MOST_LINES = 5000;
const box = document.querySelector('[data-log]');

if (box) {
  const list = box.querySelector('ol');
  const toEnd = () => (box.scrollTop = box.scrollHeight);
  let busy = false, again = false;

  async function more() {
    if (busy) return void (again = true);
    busy = true;
    const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
    try {
      const address = `${box.dataset.log}&after=${list.lastElementChild?.dataset.id ?? box.dataset.after}`;
      const answer = await fetch(address, { headers: { 'X-Requested-With': 'fetch' } });
      if (answer.ok) list.insertAdjacentHTML('beforeend', (await answer.text()).trim());
    } catch {
      // The page says by itself that it is offline.
    } finally {
      busy = false;
    }
    document.querySelector('[data-log-empty]')?.toggleAttribute('hidden', list.childElementCount > 0);
    while (list.childElementCount > MOST_LINES) list.firstElementChild.remove();
    if (atEnd) toEnd();
    if (again) {
      again = false;
      more();
    }
  }

  document.addEventListener('log', (event) => {
    const about = event.detail?.subdomain;
    if (box.dataset.log && (!about || about === box.dataset.logModel)) more();
  });
  toEnd();
}
