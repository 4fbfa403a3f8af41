// Makes src/europe.svg, the ground of the map of zones: land and borders of Europe, in the projection that
// controlplane/dashboard/zone_map.py puts zones on. It was run once, and its result is kept, so that what it needs is none
// of the product's dependencies. To make it anew, in a folder of its own:
//
//   npm install world-atlas@2.0.2 d3-geo@3.1.2 topojson-client@3.1.0 && node …/frontend/tools/europe.mjs > europe.svg
//
// The shapes are of Natural Earth, in the public domain.
import { createRequire } from "node:module";

const load = createRequire(`${process.cwd()}/`);
const { geoAzimuthalEqualArea, geoPath } = await import(load.resolve("d3-geo"));
const { merge, mesh } = await import(load.resolve("topojson-client"));
const world = load("world-atlas/countries-50m.json");

const WIDTH = 1000;
const HEIGHT = 1000;
const CENTRE = [10, 53];
const SCALE = 1480;
// Islands of fewer square pixels, and corners that are nearer to the last one, are left out.
const SMALLEST = 24;
const NEAREST = 3;

const projection = geoAzimuthalEqualArea()
  .rotate(CENTRE.map((degrees) => -degrees))
  .scale(SCALE)
  .translate([WIDTH / 2, HEIGHT / 2])
  .clipAngle(60)
  .clipExtent([[0, 0], [WIDTH, HEIGHT]])
  .precision(0.7);
const path = geoPath(projection);
const countries = world.objects.countries;
const land = merge(world, countries.geometries);
land.coordinates = land.coordinates
  .map(([outline]) => [outline])
  .filter((polygon) => path.area({ type: "Polygon", coordinates: polygon }) > SMALLEST);
const borders = mesh(world, countries, (one, other) => one !== other);

process.stdout.write(
  `<svg xmlns="http://www.w3.org/2000/svg"><symbol id="land" viewBox="0 0 ${WIDTH} ${HEIGHT}">` +
    `<path d="${drawn(land)}"/></symbol><symbol id="borders" viewBox="0 0 ${WIDTH} ${HEIGHT}">` +
    `<path fill="none" d="${drawn(borders)}"/></symbol></svg>\n`,
);

// The outline in whole pixels, each corner from the one before it.
function drawn(shape) {
  let [x, y] = [0, 0];
  let text = "";
  const go = (letter, toX, toY) => {
    const [dx, dy] = [Math.round(toX) - x, Math.round(toY) - y];
    if (letter === "l" && Math.hypot(dx, dy) < NEAREST) return;
    text += `${letter}${dx}${dy < 0 ? "" : " "}${dy}`;
    [x, y] = [x + dx, y + dy];
    if (letter === "m") start = [x, y];
  };
  let start = [0, 0];
  const context = {
    moveTo: (toX, toY) => go("m", toX, toY),
    lineTo: (toX, toY) => go("l", toX, toY),
    closePath: () => {
      text += "z";
      [x, y] = start;
    },
  };
  geoPath(projection, context)(shape);
  return text;
}
