// Comfort for pages that work without it: copying, theme, tabs, menus, dialogs, live updates.
import { follow } from './live.js';

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

export function announce(text) {
  const region = $('#announce');
  region.textContent = '';
  requestAnimationFrame(() => (region.textContent = text));
}

function toast(text) {
  $('.toast')?.remove();
  const note = document.createElement('div');
  note.className = 'toast';
  note.textContent = text;
  // A modal dialog covers everything outside of it.
  ($('dialog[open]') ?? document.body).append(note);
  announce(text);
  setTimeout(() => note.remove(), 2400);
}

async function copy(button) {
  const wanted = button.dataset.copy;
  const text = wanted.startsWith('#') ? $(wanted).textContent : wanted;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    if (!copyByHand(text)) return toast('Your browser refused. Select the text and copy it.');
  }
  button.dataset.done = '';
  setTimeout(() => delete button.dataset.done, 1500);
  toast('Copied');
}

// Pages served by plain http from another machine have no clipboard API.
function copyByHand(text) {
  const box = document.createElement('textarea');
  box.value = text;
  ($('dialog[open]') ?? document.body).append(box);
  box.select();
  const copied = document.execCommand('copy');
  box.remove();
  return copied;
}

function switchTheme() {
  const root = document.documentElement;
  const system = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
  root.dataset.theme = (root.dataset.theme ?? system) === 'dark' ? 'light' : 'dark';
  localStorage.setItem('theme', root.dataset.theme);
  document.dispatchEvent(new Event('theme'));
}

function selectTab(tab, { focus = false } = {}) {
  for (const each of $$('[role="tab"]', tab.parentElement)) {
    const chosen = each === tab;
    each.setAttribute('aria-selected', chosen);
    each.tabIndex = chosen ? 0 : -1;
    document.getElementById(each.getAttribute('aria-controls')).hidden = !chosen;
  }
  if (focus) tab.focus();
}

function closeMenus(except) {
  for (const menu of $$('details.menu[open]')) if (menu !== except) menu.open = false;
}

document.addEventListener('click', (event) => {
  const target = event.target;
  const button = target.closest('[data-copy]');
  if (button) copy(button);
  if (target.closest('[data-theme-toggle]')) switchTheme();
  const tab = target.closest('[role="tab"]');
  if (tab) selectTab(tab);
  const fill = target.closest('[data-fill]');
  if (fill) {
    const field = document.getElementById(fill.dataset.fill);
    field.value = fill.value;
    field.dispatchEvent(new Event('input', { bubbles: true }));
    field.focus();
  }
  const close = target.closest('dialog [data-close]');
  if (close) {
    event.preventDefault();
    close.closest('dialog').close();
  }
  if (target.matches('dialog')) target.close(); // the backdrop
  closeMenus(target.closest('details.menu'));
});

document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape') {
    const menu = event.target.closest?.('details.menu[open]');
    closeMenus();
    menu?.querySelector('summary').focus();
  }
  const tab = event.target.closest?.('[role="tab"]');
  if (!tab) return;
  const all = $$('[role="tab"]', tab.parentElement);
  const at = all.indexOf(tab);
  const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1 }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  selectTab(all.at(next % all.length), { focus: true });
});

// A link with hx-target="#dialog-content" opens the dialog; without script it is a page.
document.addEventListener('htmx:after:swap', () => {
  const dialog = $('#dialog');
  if (dialog && !dialog.open && $('#dialog-content').childElementCount) dialog.showModal();
});
$('#dialog')?.addEventListener('close', () => $('#dialog-content').replaceChildren());

// A page with a secret must not be sent again by a reload: reloading shows the page behind it.
const once = $('[data-keep-off-history]');
if (once) history.replaceState(null, '', once.dataset.keepOffHistory);
$('[data-focus]')?.focus();
// On a small screen the tabs scroll: show the one we are on.
$('.tabs [aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'center' });

follow({ announce });
