// One run of esbuild: what the pages load, into the static files of the dashboard. `npm run build`.
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const OUT = "../controlplane/dashboard/static/dashboard";
// The console and the charts are large, and for their own pages alone.
const entries = ["app", "console", "metrics"].flatMap((name) => [`src/${name}.js`, `src/${name}.css`]);

rmSync(OUT, { recursive: true, force: true });
mkdirSync(OUT, { recursive: true });
await build({
  entryPoints: entries,
  outdir: OUT,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  legalComments: "linked",
  logLevel: "warning",
});
writeFileSync(`${OUT}/icons.svg`, sprite(readFileSync("src/icons.txt", "utf8").split("\n").filter(Boolean)));
copyFileSync("src/mark.svg", `${OUT}/mark.svg`);
copyFileSync("src/europe.svg", `${OUT}/europe.svg`);

// Each icon as a symbol under its name; pages show one by <svg><use href="…/icons.svg#name">.
function sprite(names) {
  const symbols = names.map((name) => {
    const svg = readFileSync(`node_modules/lucide-static/icons/${name}.svg`, "utf8");
    const inside = svg.replace(/<!--.*?-->/gs, "").replace(/^.*?<svg[^>]*>/s, "").replace(/<\/svg>\s*$/, "");
    return `<symbol id="${name}" viewBox="0 0 24 24">${inside.replace(/\s+/g, " ").trim()}</symbol>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("")}</svg>\n`;
}
