// The pages against a real server: FAIRWAY_URL and FAIRWAY_TOKEN name one that knows
// at least one release, for instance from `fairway demo --keep`. Left out otherwise.
// FAIRWAY_SCREENSHOT names a file for a picture of the page of a release.

import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { open, type Opened } from './browser.ts'

const base = process.env.FAIRWAY_URL?.replace(/\/$/, '')
const token = process.env.FAIRWAY_TOKEN

describe.skipIf(!base || !token)('the pages of a real server', () => {
  let browser: Opened
  let page: Page
  const complaints: string[] = []

  beforeAll(async () => {
    browser = await open()
    page = browser.context.pages()[0] ?? (await browser.context.newPage())
    page.setDefaultTimeout(20_000)
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('console', (message) => { if (/Content Security Policy/.test(message.text())) complaints.push(message.text()) })
    await page.goto(base!)
    await page.getByLabel('Token', { exact: true }).last().fill(token!)
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.getByRole('heading', { name: 'Services' }).waitFor()
  })
  afterAll(() => browser?.close())

  it('list services and releases', async () => {
    await page.locator('table').first().waitFor()
    await page.getByRole('link', { name: 'Releases', exact: true }).click()
    await page.locator('tbody tr').first().waitFor()
    expect(await page.locator('tbody tr').count()).toBeGreaterThan(0)
  })

  it('show each release live: headline, pipeline, verified events', async () => {
    await page.goto(`${base}/releases`)
    await page.locator('tbody tr').first().waitFor()
    const addresses = await page.locator('tbody tr td:first-child a').evaluateAll((links) => links.map((link) => (link as HTMLAnchorElement).href))
    for (const address of addresses.slice(0, 5)) {
      await page.goto(address)
      await page.getByRole('region', { name: 'Where it is' }).waitFor()
      await page.getByRole('region', { name: 'Pipeline' }).waitFor()
      await page.getByText(/Chain verified, \d+ line/).waitFor()
      expect(await page.locator('section[aria-labelledby=events] li').count()).toBeGreaterThan(0)
      expect(await page.getByText('Not live.').count()).toBe(0)
    }
  })

  it('draw the charts of a release that was judged', async ({ skip }) => {
    const answer = await page.request.get(`${base}/v1/releases?limit=20`)
    const { items } = (await answer.json()) as { items: { id: string; state: string }[] }
    // One that was taken back has the most to show.
    for (const { id } of items.sort((a, b) => Number(b.state === 'rolled-back') - Number(a.state === 'rolled-back'))) {
      const points = (await (await page.request.get(`${base}/v1/releases/${id}/points?limit=1`)).json()) as { items: unknown[] | null }
      if (!points.items?.length) continue
      await page.goto(`${base}/releases/${id}`)
      await page.locator('canvas').nth(3).waitFor()
      await page.getByRole('region', { name: /^Verdict/ }).getByRole('row', { name: /^errors/ }).waitFor()
      await page.getByText(/Chain verified/).waitFor()
      if (process.env.FAIRWAY_SCREENSHOT) await page.screenshot({ path: process.env.FAIRWAY_SCREENSHOT, fullPage: true })
      return
    }
    skip('no release of this server was judged')
  })

  it('plan a freeze and end it', async () => {
    const reason = `A test of the pages, ${Date.now()}`
    await page.goto(`${base}/freezes`)
    await page.getByLabel('Reason').fill(reason)
    await page.getByLabel('From').fill(`${new Date().getFullYear() + 1}-01-01T00:00`) // so that nothing is held now
    await page.getByRole('button', { name: 'Freeze', exact: true }).click()
    await page.getByRole('row', { name: new RegExp(reason) }).waitFor()
    await page.getByRole('button', { name: `End the freeze: ${reason}` }).click()
    await page.getByRole('row', { name: new RegExp(reason) }).waitFor({ state: 'detached' })
  })

  it('run without an error in the page', () => expect(complaints).toEqual([]))
})
