// Opens a page in headless Chromium and prints what it found, as JSON: node open.mjs PAGE.html SCREENSHOT.png
import { pathToFileURL } from "node:url";
import chromium from "@sparticuz/chromium";
import puppeteer from "puppeteer-core";

const DEADLINE_MS = 120_000;
const [page_path, screenshot] = process.argv.slice(2);
const page_url = pathToFileURL(page_path).href;
const browser = await puppeteer.launch({
  executablePath: await chromium.executablePath(),
  // The page is our own file; a sandbox needs rights that a container may not give.
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
  headless: true,
  timeout: DEADLINE_MS,
  protocolTimeout: DEADLINE_MS,
});
try {
  const page = await browser.newPage();
  await page.setViewport({ width: 1000, height: 800 });
  const requests = [], problems = [];
  page.on("request", (r) => { if (!r.url().startsWith("data:") && r.url() !== page_url) requests.push(r.url()); });
  page.on("requestfailed", (r) => problems.push(`failed: ${r.url().slice(0, 80)}`));
  page.on("pageerror", (e) => problems.push(String(e)));
  page.on("console", (m) => { if (m.type() === "error") problems.push(m.text()); });
  await page.goto(page_url, { waitUntil: "load", timeout: DEADLINE_MS });
  const found = await page.evaluate(async () => {
    const images = [...document.images];
    await Promise.all(images.map((i) => i.decode().catch(() => null)));
    return {
      title: document.title,
      sections: [...document.querySelectorAll("section")].map((s) => ({ id: s.id, height: s.offsetHeight })),
      images: images.map((i) => ({ alt: i.alt, width: i.naturalWidth, height: i.naturalHeight, shown: i.offsetWidth })),
      overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    };
  });
  if (screenshot) await page.screenshot({ path: screenshot, fullPage: true });
  console.log(JSON.stringify({ ...found, requests, problems }));
} finally {
  await browser.close();
}
