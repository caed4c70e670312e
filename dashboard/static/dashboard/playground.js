// The playground: asks the model for its inputs, makes a form of them, runs it, shows the answer.
import { field, make } from './fields.js';

const place = document.querySelector('[data-playground]');
const endpoint = place.dataset.playground;
const find = (name) => place.querySelector(`[data-${name}]`);
const sample = JSON.parse(document.getElementById('play-sample').textContent);
let inputs = [];
let outputs = [];

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
  return error?.message ?? error ?? `It answered with ${answer.status}.`;
}

find('ask').addEventListener('submit', async (event) => {
  event.preventDefault();
  const says = find('asking');
  says.textContent = 'Asking. If it sleeps, it wakes up first …';
  try {
    const answer = await call('/info');
    says.textContent = answer.ok ? '' : reason(answer);
    if (answer.ok) stage(parsed(answer.text));
  } catch {
    says.textContent = `${endpoint} can't be reached from this browser.`;
  }
});

function stage(info) {
  const specs = Array.isArray(info?.inputs) ? info.inputs : [];
  outputs = Array.isArray(info?.outputs) ? info.outputs : [];
  inputs = specs.map((spec, index) => field(spec, { start: sample[spec.name], index }));
  const run = make('button', { class: 'btn primary' }, 'Run');
  const reset = make('button', { class: 'btn', type: 'reset' }, 'Reset');
  const bar = make('div', { class: 'bar' }, run, reset);
  find('inputs').replaceChildren(...inputs.map((each) => each.element), bar);
  find('stage').hidden = false;
  find('inputs').querySelector('input, textarea, select, button').focus();
}

find('inputs').addEventListener('submit', async (event) => {
  event.preventDefault();
  const run = event.submitter ?? find('inputs').querySelector('.btn.primary');
  let body;
  try {
    body = JSON.stringify(Object.fromEntries(inputs.map(({ name, read }) => [name, read()])));
  } catch (error) {
    return show({ status: 'not sent', ok: false, text: JSON.stringify({ error: `That is not JSON: ${error.message}` }) });
  }
  run.disabled = true;
  run.textContent = 'Running …';
  try {
    const answer = await call('/query', { method: 'POST', body, headers: { 'Content-Type': 'application/json' } });
    show(answer);
    offerToKeep(body, answer);
  } catch {
    show({ status: 'no answer', ok: false, text: JSON.stringify({ error: 'The connection was lost. Try again.' }) });
  } finally {
    run.disabled = false;
    run.textContent = 'Run';
  }
});

function show(answer) {
  const status = find('status');
  status.hidden = false;
  status.textContent = answer.status;
  status.className = `chip right ${answer.ok ? 'ok' : 'bad'}`;
  const value = parsed(answer.text);
  find('json').textContent = typeof value === 'string' ? value : JSON.stringify(value, null, 2);
  find('result').replaceChildren(...(answer.ok ? results(value) : [make('p', { class: 'error' }, String(reason(answer)))]));
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
  if (typeof value === 'string' && type !== 'file') {
    return make('div', { class: 'mt' }, label, make('p', { class: 'say' }, value));
  }
  return make('div', { class: 'mt' }, label, make('pre', { class: 'log', tabindex: 0 }, JSON.stringify(value)));
}

function time({ total, timing }) {
  const place = find('time');
  place.hidden = total === undefined;
  if (place.hidden) return;
  const part = (name) => Number(timing?.match(new RegExp(`${name};dur=([\\d.]+)`))?.[1] ?? 0);
  const held = part('hold');
  const model = timing ? part('model') : total;
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
