// Builds the page assets into governance/web/static/: one style sheet, one script, the script that sets the theme
// before the first paint, and the icon sprite. Names carry a hash of the content, so that browsers may keep them for
// ever; manifest.json maps plain names to hashed ones.
import { createHash } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import * as esbuild from "esbuild";
import * as sass from "sass";
import { icons } from "./icons.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..", "..");
const target = join(root, "governance", "web", "static");
const browsers = ["chrome123", "firefox121", "safari17.5"]; // the first with light-dark(), which Tabler's colours need

async function styles() {
  const compiled = sass.compile(join(here, "styles", "app.scss"), {
    loadPaths: [join(root, "node_modules")],
    quietDeps: true,
  });
  const minified = await esbuild.transform(compiled.css, { loader: "css", minify: true, target: browsers });
  return minified.code;
}

async function script(name) {
  const bundled = await esbuild.build({
    entryPoints: [join(here, "scripts", name)],
    bundle: true,
    minify: true,
    format: "iife",
    target: browsers,
    write: false,
    legalComments: "none",
  });
  return bundled.outputFiles[0].text;
}

// A symbol per icon; stroke and size come from the style sheet.
async function sprite() {
  const symbols = await Promise.all(
    icons.map(async (name) => {
      const source = await readFile(join(root, "node_modules/@tabler/icons/icons/outline", `${name}.svg`), "utf8");
      const body = source.slice(source.indexOf(">", source.indexOf("<svg")) + 1, source.lastIndexOf("</svg>"));
      return `<symbol id="${name}" viewBox="0 0 24 24">${body.replace(/\s*\n\s*/g, "")}</symbol>`;
    }),
  );
  return `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("")}</svg>`;
}

const files = {
  "app.css": await styles(),
  "app.js": await script("app.js"),
  "theme.js": await script("theme.js"),
  "icons.svg": await sprite(),
  "mark.svg": await readFile(join(here, "mark.svg"), "utf8"),
};

await rm(target, { recursive: true, force: true });
await mkdir(target, { recursive: true });
const manifest = {};
for (const [name, content] of Object.entries(files)) {
  const hash = createHash("sha256").update(content).digest("hex").slice(0, 12);
  const hashed = name.replace(/(\.\w+)$/, `-${hash}$1`);
  manifest[name] = hashed;
  const packed = gzipSync(content, { level: 9 });
  await writeFile(join(target, hashed), content);
  await writeFile(join(target, `${hashed}.gz`), packed);
  console.log(`${hashed}  ${content.length} bytes, ${packed.length} packed`);
}
await writeFile(join(target, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
