// Charts of what guests use. The figures stand in the page, as a table too; each chart names its series.
import uPlot from "uplot";

const figures = JSON.parse(document.getElementById("metrics").textContent);
const language = document.documentElement.lang;
const HEIGHT = 200;
// In CSS pixels: a label like "01:00 AM" with air around it; the narrowest axis of values; its ticks and their gap.
const TICK_SPACE = 75;
const LEAST_ROOM = 60;
const TICKS = 20;
const COLOURS = ["--accent", "--warn", "--good"];
const number = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
const PREFIXES = ["", "k", "M", "G", "T"];
const A_DAY_S = 24 * 3600;

// `unit`: as the API writes it; `words`: as readers do.
function said(value, { unit, unit_words: words }) {
  if (value === null || value === undefined) return "–";
  if (unit === "ratio") return `${number.format(value * 100)} %`;
  let power = 0;
  while (Math.abs(value) >= 1000 && unit.endsWith("/s") && power < PREFIXES.length - 1) {
    value /= 1000;
    power += 1;
  }
  return `${number.format(value)} ${PREFIXES[power]}${words}`;
}

const hour = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(language, { day: "numeric", month: "short" });
const whole = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium" });

function draw(place) {
  const series = place.dataset.series.split(" ").map((name) => figures.series.find((each) => each.name === name));
  const probe = getComputedStyle(place);
  const axis = { stroke: probe.color, grid: { stroke: probe.borderTopColor, width: 1 } };
  const options = {
    width: place.clientWidth,
    height: HEIGHT,
    cursor: { sync: { key: "metrics" } },
    scales: { y: { range: (_, low, high) => [Math.min(0, low), high ? high * 1.1 : 1] } },
    axes: [
      {
        ...axis,
        space: TICK_SPACE,
        values: (chart, ticks) => ticks.map((tick) => (isLong(chart) ? day : hour).format(tick * 1000)),
      },
      { ...axis, size: room, values: (_, ticks) => ticks.map((tick) => said(tick, series[0])) },
    ],
    series: [
      { label: place.dataset.moment, value: (_, at) => (at ? whole.format(at * 1000) : "–") },
      ...series.map((each, index) => ({
        label: each.words,
        stroke: resolved(COLOURS[index], place),
        width: 2,
        dash: index ? [6, 4] : undefined,
        value: (_, value) => said(value, each),
      })),
    ],
  };
  const moments = series[0].points.map(([at]) => Date.parse(at) / 1000);
  const chart = new uPlot(options, [moments, ...series.map((each) => each.points.map(([, value]) => value))], place);
  new ResizeObserver(() => chart.setSize({ width: place.clientWidth, height: HEIGHT })).observe(place);
}

// The width of the axis whose longest label is this long.
function room(chart, labels) {
  if (!labels) return LEAST_ROOM;
  chart.ctx.save();
  chart.ctx.font = chart.axes[1].font[0];
  const widest = Math.max(...labels.map((label) => chart.ctx.measureText(label).width));
  chart.ctx.restore();
  return Math.max(LEAST_ROOM, Math.ceil(widest / devicePixelRatio) + TICKS);
}

function isLong(chart) {
  return chart.scales.x.max - chart.scales.x.min > 2 * A_DAY_S;
}

// A token as the colour that it is now: canvases know no variables.
function resolved(token, place) {
  const probe = document.createElement("span");
  probe.className = `tone${token.slice(1)}`;
  place.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

for (const place of document.querySelectorAll("[data-series]")) draw(place);
