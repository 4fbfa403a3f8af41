// Charts of what guests use. The figures stand in the page, as a table too; each chart names its series.
import uPlot from "uplot";

const figures = JSON.parse(document.getElementById("metrics").textContent);
const language = document.documentElement.lang;
const HEIGHT = 200;
const COLOURS = ["--accent", "--warn", "--good"];
const number = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
const PREFIXES = ["", "k", "M", "G", "T"];

function said(value, unit) {
  if (value === null || value === undefined) return "–";
  if (unit === "ratio") return `${number.format(value * 100)} %`;
  let power = 0;
  while (Math.abs(value) >= 1000 && unit.endsWith("/s") && power < PREFIXES.length - 1) {
    value /= 1000;
    power += 1;
  }
  return `${number.format(value)} ${PREFIXES[power]}${unit}`;
}

function draw(place) {
  const series = place.dataset.series.split(" ").map((name) => figures.series.find((each) => each.name === name));
  const probe = getComputedStyle(place);
  const axis = { stroke: probe.color, grid: { stroke: probe.borderTopColor, width: 1 } };
  const unit = series[0].unit;
  const options = {
    width: place.clientWidth,
    height: HEIGHT,
    cursor: { sync: { key: "metrics" } },
    scales: { y: { range: (_, low, high) => [Math.min(0, low), high || 1] } },
    axes: [axis, { ...axis, size: 80, values: (_, ticks) => ticks.map((tick) => said(tick, unit)) }],
    series: [
      { value: (_, at) => (at ? new Date(at * 1000).toLocaleString(language) : "–") },
      ...series.map((each, index) => ({
        label: each.words,
        stroke: resolved(COLOURS[index], place),
        width: 2,
        dash: index ? [6, 4] : undefined,
        value: (_, value) => said(value, unit),
      })),
    ],
  };
  const moments = series[0].points.map(([at]) => Date.parse(at) / 1000);
  const chart = new uPlot(options, [moments, ...series.map((each) => each.points.map(([, value]) => value))], place);
  new ResizeObserver(() => chart.setSize({ width: place.clientWidth, height: HEIGHT })).observe(place);
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
