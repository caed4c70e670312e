// One form field per input of a model, by its type; what is not known becomes a JSON box.

const LONG = 120;

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, '');
    else if (value !== undefined && value !== null && value !== false) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

// Returns { element, control, read, complain }: what to show, where to type, how to get the value,
// and how to say what is wrong with it.
export function field(spec, { start, index }) {
  const id = `input-${index}`;
  const build = BUILDERS[typeof spec.type === 'string' ? spec.type : ''] ?? json;
  const { control, read, hint = '', wrap } = build(spec, { id, start: start ?? spec.default });
  const hints = [spec.description, hint].filter(Boolean).join(' ');
  const kind = typeof spec.type === 'string' ? spec.type : 'json';
  const note = hints ? [make('p', { class: 'hint', id: `${id}-hint` }, hints)] : [];
  const error = make('p', { class: 'error', id: `${id}-error`, hidden: true });
  control.setAttribute('aria-describedby', hints ? `${id}-hint ${id}-error` : `${id}-error`);
  const complain = (text) => {
    error.textContent = text;
    error.hidden = !text;
    control.setAttribute('aria-invalid', Boolean(text));
  };
  const label = make('label', { for: id }, spec.name, make('span', { class: 'ty' }, kind));
  const element = make('div', { class: 'field' }, label, wrap ?? control, ...note, error);
  return { name: spec.name, element, control, read, complain };
}

function text(spec, { id, start }) {
  const long = !spec.maxLength || spec.maxLength > LONG;
  const limits = { class: 'input', id, maxlength: spec.maxLength, minlength: spec.minLength || null };
  const control = make(long ? 'textarea' : 'input', limits);
  control.value = start ?? '';
  return { control, read: () => control.value };
}

function number(spec, { id, start }) {
  const limits = { min: spec.min, max: spec.max, step: spec.step ?? 'any' };
  const control = make('input', { class: 'input', type: 'number', id, required: true, ...limits });
  control.value = start ?? spec.min ?? 0;
  const read = () => control.valueAsNumber;
  if (spec.min === undefined || spec.max === undefined) return { control, read };
  const slider = make('input', { type: 'range', 'aria-label': `${spec.name}, slider`, ...limits });
  slider.value = control.value;
  slider.addEventListener('input', () => (control.value = slider.value));
  control.addEventListener('input', () => (slider.value = control.value));
  const wrap = make('div', { class: 'rng' }, slider, control);
  return { control, read, wrap, hint: `From ${spec.min} to ${spec.max}.` };
}

function boolean(spec, { id, start }) {
  const control = make('input', { type: 'checkbox', role: 'switch', id });
  control.checked = Boolean(start);
  return { control, read: () => control.checked, wrap: make('div', { class: 'switch' }, control) };
}

function category(spec, { id, start }) {
  const control = make('select', { class: 'input', id });
  for (const each of spec.oneOf ?? []) control.append(make('option', { value: each }, String(each)));
  if (start !== undefined) control.value = start;
  return { control, read: () => control.value };
}

function image(spec, { id, start }) {
  const control = make('input', { type: 'file', id, accept: 'image/*' });
  const thumb = make('img', { class: 'thumb', alt: '', hidden: true });
  const words = make('p', { class: 'hint' }, 'Drop a picture here or choose a file.');
  let value = typeof start === 'string' ? start : '';
  const show = () => {
    thumb.hidden = !value.startsWith('data:image/');
    if (!thumb.hidden) thumb.src = value;
  };
  control.addEventListener('change', async () => {
    const [file] = control.files;
    if (!file) return;
    value = await dataUri(file);
    words.textContent = `${file.name}, ${Math.ceil(file.size / 1024)} kB`;
    show();
  });
  if (value) words.textContent = 'An example picture. Drop another or choose a file.';
  show();
  return { control, read: () => value, wrap: make('div', { class: 'drop' }, thumb, words, control) };
}

function json(spec, { id, start }) {
  const control = make('textarea', { class: 'input mono', id, spellcheck: 'false' });
  control.value = start === undefined || start === null ? '' : JSON.stringify(start);
  const read = () => (control.value.trim() ? JSON.parse(control.value) : null);
  return { control, read, hint: 'As JSON.' };
}

const BUILDERS = { text, number, boolean, category, image };

function dataUri(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}
