// Opens the status page in Chromium as a person would, and with words that would like to be markup.
// Usage: node status.cjs URL [FOLDER FOR PICTURES]; playwright-core is found through NODE_PATH.
"use strict";
const assert = require("node:assert");
const { chromium } = require("playwright-core");

const [url, pictures] = process.argv.slice(2);
const HOSTILE = '<img src=x onerror="window.hacked = true">';
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];

async function main() {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: FLAGS });
  try {
    await reads(browser);
    await hasDots(browser);
    await isSafe(browser);
  } finally {
    await browser.close();
  }
}

async function open(browser, options) {
  const page = await (await browser.newContext(options)).newPage();
  page.troubles = [];
  page.on("pageerror", (error) => page.troubles.push(String(error)));
  page.on("console", (message) => message.type() === "error" && page.troubles.push(message.text()));
  return page;
}

async function reads(browser) {
  for (const [name, width, colorScheme] of [["light", 1280, "light"], ["dark", 1280, "dark"], ["narrow", 390, "light"]]) {
    const page = await open(browser, { viewport: { width, height: 900 }, colorScheme });
    await page.goto(url);
    await page.getByText("serving").waitFor();
    assert.strictEqual(await page.locator("h3").first().innerText(), "fake-isp");
    const dot = page.locator(".provider .dot").first();
    assert.strictEqual(await dot.getAttribute("class"), "dot bad", "no call is answered");
    const [red, green, blue] = (await dot.evaluate((one) => getComputedStyle(one).backgroundColor)).match(/\d+/g).map(Number);
    assert.ok(red > 1.5 * green && red > 1.5 * blue, `${name}: the dot is not red`);
    assert.match(await page.locator(".instances").first().innerText(), /127\.0\.0\.1:\d+\s+up/);
    assert.match(await page.locator("#failures tbody").innerText(), /ABORTED\s+OUTCOME_UNKNOWN/);
    assert.match(await page.locator("#failures tbody").innerText(), /main\s+127\.0\.0\.1\s/);
    assert.match(await page.locator("#refused").innerText(), /None since the start/);
    assert.match(await page.locator("#addresses tbody").innerText(), /^127\.0\.0\.1\s+1\s+wrong key\s+\d+s ago$/);
    assert.match(await page.locator("#principals").innerText(), /single/);
    assert.match(await page.locator("#keys tbody tr").first().innerText(), /^[0-9a-f]{8}\s+all\s+\d+s ago\s+configuration$/);
    assert.match(await page.locator("#keys").innerText(), /nobody\s+never/);
    assert.match(await page.locator(".resting").innerText(), /account main\s+upstream rests, \d+s\s+last refused \d+s ago by 127.0.0.1:\d+/);
    const scrolls = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
    assert.strictEqual(scrolls, false, `${name}: the page scrolls sideways`);
    if (pictures) await page.screenshot({ path: `${pictures}/${name}.png`, fullPage: true });
    assert.deepStrictEqual(page.troubles, []);
  }
}

async function hasDots(browser) {
  for (const [health, kind] of [["up", "good"], ["degraded", "wait"], ["down", "bad"]]) {
    const page = await open(browser, {});
    await page.route("**/status.json", async (route) => {
      const status = await (await route.fetch()).json();
      status.providers[0].health = health;
      await route.fulfill({ json: status });
    });
    await page.goto(url);
    assert.strictEqual(await page.locator(".provider .dot").first().getAttribute("class"), `dot ${kind}`);
  }
}

async function isSafe(browser) {
  const page = await open(browser, {});
  await page.route("**/status.json", async (route) => {
    const answer = await route.fetch();
    const status = await answer.json();
    status.name = status.state = status.providers[0].name = HOSTILE;
    status.config.last_error = HOSTILE;
    status.providers[0].instances[0].address = status.providers[0].instances[0].state = HOSTILE;
    status.config.sources = [{ name: HOSTILE, last_error: { at: 0, error: HOSTILE }, problems: [HOSTILE] }];
    status.keys.count = 12345;
    for (const key of ["id", "principal", "from", "expires"]) status.keys.shown[0][key] = HOSTILE;
    for (const key of ["account", "instance"]) status.providers[0].resting[0][key] = HOSTILE;
    for (const key of ["address", "reason"]) status.refused.addresses[0][key] = HOSTILE;
    for (const key of ["method", "reason", "principal", "account", "instance", "request_id"]) status.failures[0][key] = HOSTILE;
    await route.fulfill({ json: status });
  });
  await page.goto(url);
  await page.getByText(HOSTILE).first().waitFor();
  assert.match(await page.locator("#count").innerText(), /^4 of 12,345, the last used first$/);
  assert.strictEqual(await page.locator("img").count(), 0);
  assert.strictEqual(await page.evaluate(() => window.hacked), undefined);
  // Nor does anything run that got into the page all the same: the policy knows one script only.
  await page.evaluate((markup) => document.body.insertAdjacentHTML("beforeend", markup), HOSTILE);
  await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "window.hacked = true";
    document.body.append(script);
  });
  await page.waitForTimeout(100);
  assert.strictEqual(await page.evaluate(() => window.hacked), undefined);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
