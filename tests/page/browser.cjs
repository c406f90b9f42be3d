// Debian's Chromium, driven by lines of JSON on standard input; a line of JSON answers each. See tests/harness/browser.py.
"use strict";
const readline = require("node:readline");
const { chromium } = require("playwright-core");

let browser, page;
const noise = [];  // what the page complained about
const requested = [];

const doing = {
  async open({ url, width = 1280, height = 900, scheme = "light" }) {
    const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme });
    page = await context.newPage();
    noise.length = requested.length = 0;
    page.on("console", (message) => message.type() === "error" && noise.push(message.text()));
    page.on("pageerror", (error) => noise.push(String(error)));
    page.on("request", (request) => requested.push(request.url()));
    const answer = await page.goto(url);
    await page.waitForSelector("#channels tbody tr, #lost:not([hidden])");
    return { status: answer.status() };
  },
  // What a person sees: tables as lists of rows of texts, by id.
  async read() {
    const seen = await page.evaluate(() => ({
      title: document.title,
      text: document.body.innerText,
      lost: document.getElementById("lost").hidden ? "" : document.getElementById("lost").innerText,
      phase: document.getElementById("phase").innerText,
      tables: Object.fromEntries([...document.querySelectorAll("table")].map((table) => [table.id, {
        caption: table.caption.innerText,
        head: [...table.querySelectorAll("thead th")].map((cell) => cell.textContent),
        rows: [...table.tBodies[0].rows].map((row) => [...row.cells].map((cell) => cell.innerText)),
        kinds: [...table.tBodies[0].rows].map((row) => [...row.querySelectorAll(".pill")].map((pill) => pill.className)),
      }])),
      wider: document.documentElement.scrollWidth - document.documentElement.clientWidth,
      elements: [...new Set([...document.querySelectorAll("main *")].map((each) => each.localName))],
    }));
    return { ...seen, noise, requested };
  },
  async shot({ path, whole = true }) {
    await page.screenshot({ path, fullPage: whole });
    return {};
  },
};

(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: process.getuid() === 0 ? ["--no-sandbox"] : [],
  });
  console.log("{}");
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { what, ...how } = JSON.parse(line);
    try {
      console.log(JSON.stringify(await doing[what](how)));
    } catch (failure) {
      console.log(JSON.stringify({ failure: String(failure) }));
    }
  }
  await browser.close();
})();
