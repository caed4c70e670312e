// The playground: asks the model for its inputs, makes a form of them, runs it, shows the answer.
import { field, make } from './fields.js';

const place = document.querySelector('[data-playground]');
const endpoint = place.dataset.playground;
const find = (name) => place.querySelector(`[data-${name}]`);
const sample = JSON.parse(document.getElementById('play-sample').textContent);
let described;
let inputs = [];
let outputs = [];
let running = false;

async function call(path, options = {}) {
  const headers = { ...options.headers };
  const token = document.getElementById('play-token')?.value.trim();
  if (token) headers.Authorization = `Bearer ${token}`;
  const began = performance.now();
  const answer = await fetch(endpoint + path, { ...options, headers, credentials: 'omit' });
  const text = await answer.text();
  const total = performance.now() - began;
  return { status: answer.status, ok: answer.ok, text, total, timing: answer.headers.get('Server-Timing') };
}

const words = (milliseconds) =>
  milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function reason(answer) {
  const error = parsed(answer.text)?.error;
  const words = error?.message ?? error;
  return typeof words === 'string' ? words : `It answered with ${answer.status}.`;
}

find('ask').addEventListener('submit', async (event) => {
  event.preventDefault();
  say('Asking. If it sleeps, it wakes up first …');
  try {
    const answer = await call('/info');
    if (!answer.ok) return refuse(reason(answer), { token: [401, 403].includes(answer.status) });
    say('');
    described = parsed(answer.text);
    stage();
  } catch {
    refuse(`${endpoint} can't be reached from this browser.`);
  }
});

function say(text, { wrong = false } = {}) {
  const says = find('asking');
  says.className = wrong ? 'error' : 'hint';
  says.textContent = text;
  document.getElementById('play-token')?.setAttribute('aria-invalid', false);
}

function refuse(text, { token = false } = {}) {
  say(text, { wrong: true });
  if (!token) return;
  const field = document.getElementById('play-token');
  field?.setAttribute('aria-invalid', true);
  field?.focus();
}

// Also what "Reset" does: the browser's own would forget the sample.
function stage() {
  const specs = Array.isArray(described?.inputs) ? described.inputs : [];
  outputs = Array.isArray(described?.outputs) ? described.outputs : [];
  inputs = specs.map((spec, index) => field(spec, { start: sample[spec.name], index }));
  const run = make('button', { class: 'btn primary' }, 'Run');
  const reset = make('button', { class: 'btn', type: 'reset' }, 'Reset');
  const bar = make('div', { class: 'bar' }, run, reset);
  find('inputs').replaceChildren(...inputs.map((each) => each.element), bar);
  find('ask').querySelector('.btn').classList.remove('primary'); // now it is "Run"
  find('stage').hidden = false;
  find('inputs').querySelector('input, textarea, select, button').focus();
}

find('inputs').addEventListener('reset', (event) => {
  event.preventDefault();
  stage();
});

find('inputs').addEventListener('submit', async (event) => {
  event.preventDefault();
  const body = running ? null : written();
  if (body === null) return;
  const run = find('inputs').querySelector('.btn.primary');
  wait(run);
  try {
    const answer = await call('/query', { method: 'POST', body, headers: { 'Content-Type': 'application/json' } });
    show(answer);
    offerToKeep(body, answer);
  } catch {
    show({ status: 'no answer', ok: false, text: JSON.stringify({ error: 'The connection was lost. Try again.' }) });
  } finally {
    running = false;
    run.removeAttribute('aria-disabled');
    run.textContent = 'Run';
  }
});

// The query as JSON; null when a field can't be read, which then says so.
function written() {
  for (const each of inputs) each.complain('');
  const values = {};
  for (const each of inputs) {
    try {
      values[each.name] = each.read();
    } catch (error) {
      blame(each, `That is not JSON: ${error.message}`);
      return null;
    }
  }
  return JSON.stringify(values);
}

function blame(input, text) {
  input.complain(text);
  input.control.focus();
}

// Not `disabled`, which would throw the keyboard's focus away. What was answered before goes.
function wait(run) {
  running = true;
  run.setAttribute('aria-disabled', true);
  run.textContent = 'Running …';
  find('status').hidden = true;
  find('time').hidden = true;
  find('golden')?.setAttribute('hidden', '');
  find('json').textContent = '';
  find('result').replaceChildren(make('p', { class: 'muted sm' }, 'Running. If it sleeps, it wakes up first …'));
  find('result').closest('.pane').firstElementChild.scrollIntoView({ block: 'nearest' });
}

function show(answer) {
  const status = find('status');
  status.hidden = false;
  status.textContent = answer.status;
  status.className = `chip right ${answer.ok ? 'ok' : 'bad'}`;
  const value = parsed(answer.text);
  find('json').textContent = typeof value === 'string' ? value : JSON.stringify(value, null, 2);
  find('result').replaceChildren(...(answer.ok ? results(value) : [make('p', { class: 'error' }, reason(answer))]));
  const wrong = answer.ok ? undefined : inputs.find(({ name }) => name === value?.error?.param);
  if (wrong) blame(wrong, reason(answer));
  time(answer);
}

// What was asked and how it was answered, ready to be kept: only people who may write have this form.
function offerToKeep(body, answer) {
  const form = place.querySelector('[data-golden]');
  if (!form) return;
  const said = parsed(answer.text);
  const keys = said && typeof said === 'object' && !Array.isArray(said) ? Object.keys(said) : [];
  form.elements.input.value = body;
  form.elements.expected_status.value = answer.status;
  form.elements.expected_keys.value = keys.filter((key) => !key.includes(',')).slice(0, 50).join(', ');
  form.hidden = false;
}

function results(value) {
  if (typeof value !== 'object' || value === null) return [output('answer', value)];
  const types = Object.fromEntries(outputs.map((spec) => [spec.name, spec.type]));
  // In the order the model declares them, then whatever else it says.
  const names = [...Object.keys(types), ...Object.keys(value).filter((name) => !(name in types))];
  return names.filter((name) => name in value).map((name) => output(name, value[name], types[name]));
}

function output(name, value, type) {
  const label = make('p', { class: 'hint mono' }, name);
  if (typeof value === 'string' && value.startsWith('data:image/')) {
    return make('div', { class: 'mt' }, label, make('img', { src: value, alt: `${name}: the picture the model answered with` }));
  }
  const plain = typeof value !== 'object' || value === null;
  if (plain && type !== 'file') {
    return make('div', { class: 'mt' }, label, make('p', { class: 'say' }, String(value)));
  }
  return make('div', { class: 'mt' }, label, make('pre', { class: 'log', tabindex: 0 }, pretty(value)));
}

// Line by line, except for rows of plain values: a vector has hundreds of them.
function pretty(value) {
  const row = Array.isArray(value) && value.every((each) => typeof each !== 'object');
  return row ? `[${value.map((each) => JSON.stringify(each)).join(', ')}]` : JSON.stringify(value, null, 2);
}

function time({ total, timing }) {
  const place = find('time');
  place.hidden = !timing; // refused before the model had it, or not answered at all
  if (place.hidden) return;
  const part = (name) => Number(timing?.match(new RegExp(`${name};dur=([\\d.]+)`))?.[1] ?? 0);
  const held = part('hold');
  const model = part('model');
  const figures = [['Total', total], ['Wake-up and waiting', held], ['Model', model]];
  place.querySelector('.kv').replaceChildren(
    ...figures.map(([name, value]) => make('span', {}, `${name} `, make('b', {}, words(value)))),
  );
  const share = Math.round((1000 * held) / Math.max(total, held + model, 1));
  const [waited, ran] = place.querySelectorAll('rect');
  waited.setAttribute('width', share);
  ran.setAttribute('x', share && share + 3);
  ran.setAttribute('width', Math.max(0, 1000 - share - 3));
  place.querySelector('svg').setAttribute('aria-label', `${words(held)} of ${words(total)} went to waiting`);
  find('next').textContent = held > 200
    ? `It had to wake up or was busy. The next call takes about ${words(model)} while it stays awake.`
    : 'It was awake.';
}
