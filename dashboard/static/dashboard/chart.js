// Requests over time with uPlot; colours are read from the theme's custom properties.

let plot;
let drawn = '';

function colours(element, names) {
  const probe = document.createElement('i');
  element.append(probe);
  const found = names.map((name) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  });
  probe.remove();
  return found;
}

const faded = (colour, alpha) => colour.replace(/^rgb\(([^)]+)\)$/, `rgba($1, ${alpha})`);
const clock = (seconds, long) => {
  const text = new Date(seconds * 1000).toISOString();
  return long ? `${text.slice(5, 10)} ${text.slice(11, 16)}` : text.slice(11, 16);
};

function draw({ force = false } = {}) {
  const element = document.querySelector('[data-chart]');
  const data = document.getElementById('chart-data');
  if (!element || !data || !window.uPlot) return;
  const key = data.textContent + element.clientWidth;
  if (!force && key === drawn && element.childElementCount) return;
  drawn = key;
  const { t, ok, bad, bands } = JSON.parse(data.textContent);
  const names = ['--muted', '--line', '--accent', '--failed', '--asleep', '--awakening'];
  const [text, line, accent, failed, asleep, awakening] = colours(element, names);
  const font = '500 11px Inter, system-ui, sans-serif';
  const axis = { stroke: text, font, grid: { stroke: line, width: 1 }, ticks: { show: false } };
  const long = t.at(-1) - t[0] > 172800;
  const say = (name, value) => {
    const place = document.querySelector(`[data-chart-${name}]`);
    if (place) place.textContent = value;
  };

  plot?.destroy();
  element.replaceChildren();
  plot = new uPlot(
    {
      width: element.clientWidth - 28,
      height: 220,
      padding: [12, long ? 32 : 18, 0, 0],  // room for half of the last label
      legend: { show: false },
      cursor: { points: { size: 7, width: 2 }, y: false, drag: { x: true, y: false } },
      scales: { y: { range: (_, low, high) => [0, Math.max(4, high * 1.15)] } },
      series: [
        {},
        { stroke: accent, width: 1.75, fill: faded(accent, 0.13), points: { show: false } },
        { stroke: failed, width: 1.75, points: { show: false } },
      ],
      axes: [
        { ...axis, grid: { show: false }, space: 80, size: 28, values: (_, at) => at.map((each) => clock(each, long)) },
        { ...axis, size: 42, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 50000, 100000] },
      ],
      hooks: {
        drawClear: [
          ({ ctx, bbox, valToPos }) => {
            ctx.save();
            for (const [from, to, state] of bands) {
              const left = Math.max(bbox.left, valToPos(from, 'x', true));
              const right = Math.min(bbox.left + bbox.width, valToPos(to, 'x', true));
              if (right < bbox.left || left > bbox.left + bbox.width) continue;
              const tint = { awakening: faded(awakening, 0.7), failed: faded(failed, 0.16) };
              ctx.fillStyle = tint[state] ?? faded(asleep, 0.14);
              ctx.fillRect(left, bbox.top, Math.max(2, right - left), bbox.height);
            }
            ctx.restore();
          },
        ],
        setCursor: [
          (u) => {
            const at = u.cursor.idx ?? t.length - 1;
            say('at', `${clock(t[at], long)} UTC`);
            say('ok', ok[at]);
            say('bad', bad[at]);
          },
        ],
      },
    },
    [t, ok, bad.map((value, at) => (value || bad[at - 1] || bad[at + 1] ? value : null))],
    element,
  );
}

const redraw = () => draw({ force: true });
draw();
document.fonts?.ready.then(redraw);
document.addEventListener('fresh', redraw);
document.addEventListener('theme', redraw);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
let resized;
addEventListener('resize', () => {
  clearTimeout(resized);
  resized = setTimeout(redraw, 80);
});
