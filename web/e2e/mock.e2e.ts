// The built pages in a real browser, in front of a mock server whose story is known.

import type { Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ids } from '../src/stories/samples.ts'
import { open, type Opened } from './browser.ts'
import { Mock, token } from './mock.ts'

let mock: Mock
let base: string
let browser: Opened
let page: Page
const complaints: string[] = []

beforeAll(async () => {
  mock = new Mock()
  base = await mock.start()
  browser = await open()
  page = browser.context.pages()[0] ?? (await browser.context.newPage())
  page.on('pageerror', (error) => complaints.push(error.message))
  page.setDefaultTimeout(15_000)
})

afterAll(async () => {
  await browser?.close()
  await mock?.stop()
})

beforeEach(() => {
  mock.posted.length = 0
})

const releasePage = (id: string) => page.goto(`${base}/releases/${id}`)

describe('the login', () => {
  it('refuses a wrong token in the words of the server, and lets a right one in at the same address', async () => {
    await page.goto(`${base}/releases`)
    await page.getByLabel('Token', { exact: true }).last().fill('wrong')
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.getByText('the name or the secret is wrong').waitFor()
    await page.getByLabel('Token', { exact: true }).last().fill(token)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Releases' }).waitFor()
  })
})

describe('the lists', () => {
  it('go from a service to its release by keyboard alone', async () => {
    await page.goto(base)
    await page.getByRole('row', { name: /checkout/ }).first().waitFor()
    await page.keyboard.press('Tab')
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('To the content')
    const link = page.getByRole('cell', { name: /2\.3\.0/ }).getByRole('link', { name: '2.4.0' })
    await link.focus()
    await page.keyboard.press('Enter')
    await page.waitForURL(`**/releases/${ids.good}`)
  })

  it('filter by state, in the address', async () => {
    await page.goto(`${base}/releases`)
    await page.getByLabel('State').selectOption('rolled-back')
    await page.waitForURL(/state=rolled-back/)
    await page.getByRole('row', { name: /2\.4\.0/ }).waitFor({ state: 'detached' })
    await page.getByRole('row', { name: /2\.5\.0/ }).waitFor() // while it loads there is no row at all
    expect(await page.getByRole('row').count()).toBe(2)
  })

  it('say that a page does not exist', async () => {
    await page.goto(`${base}/nowhere`)
    await page.getByText('There is no such page').waitFor()
    await releasePage('nothing')
    await page.getByText('There is no such release').waitFor()
    await page.getByText('list the releases with').waitFor()
  })
})

describe('the live page of a release', () => {
  it('shows headline, countdown, verdict and four drawn charts', async () => {
    await releasePage(ids.good)
    await page.getByText('25 % of the traffic, all is well so far.').first().waitFor()
    await page.getByRole('timer').waitFor()
    await page.getByText('Hold: collecting evidence').waitFor()
    await page.locator('canvas').nth(3).waitFor()
    const drawn = await page.evaluate(() => [...document.querySelectorAll('canvas')].map((canvas) => {
      const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height)
      return new Set(new Uint32Array(data.buffer)).size
    }))
    expect(drawn).toHaveLength(4)
    for (const colours of drawn) expect(colours).toBeGreaterThan(10)
  })

  it('shows a new event as it happens', async () => {
    await releasePage(ids.good)
    await page.locator('canvas').first().waitFor()
    mock.addEvent(ids.good, 'canary.weight', 'The new version gets 42 % of the traffic.')
    await page.getByText('The new version gets 42 % of the traffic.').waitFor()
  })

  it('says so when it is cut off, comes back by itself, and has missed and doubled nothing', async () => {
    await releasePage(ids.good)
    await page.locator('canvas').first().waitFor()
    mock.down = true
    mock.drop()
    await page.getByText('Not live.').waitFor()
    for (let i = 1; i <= 5; i++) mock.addEvent(ids.good, 'canary.note', `While away, number ${i}.`)
    mock.down = false
    await page.getByText('Not live.').waitFor({ state: 'detached' })
    await page.getByText('While away, number 5.').waitFor()
    const numbers = await page.locator('section[aria-labelledby=events] li').evaluateAll((lines) => lines.map((line) => Number(/#(\d+)/.exec(line.textContent!)![1])))
    expect(numbers).toEqual([...numbers.keys()].map((i) => mock.events(ids.good).length - i))
    expect(mock.streams.at(-1)).toMatch(/^[1-9]\d*\.[1-9]\d*$/)
  })

  it('pauses only after it has said what will happen, with the CSRF token', async () => {
    await releasePage(ids.good)
    await page.getByRole('button', { name: 'Pause' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByText('Nothing advances until somebody resumes it.').waitFor()
    expect(mock.posted).toEqual([])
    await dialog.getByLabel('Reason (optional)').fill('a customer called')
    await dialog.getByRole('button', { name: 'Pause' }).click()
    await page.getByText('Paused by ines: a customer called.').first().waitFor()
    expect(mock.posted).toEqual([{ path: `/v1/releases/${ids.good}/pause`, body: { reason: 'a customer called' }, csrf: 'mock-csrf' }])
    await page.getByRole('button', { name: 'Resume' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Resume' }).click()
    await page.getByRole('button', { name: 'Pause' }).waitFor()
  })

  it('binds an approval to what is on the screen', async () => {
    await releasePage(ids.waits)
    const asks = page.getByRole('region', { name: 'A person must decide' })
    await asks.getByText('1 of 2 given').waitFor()
    await asks.getByRole('button', { name: 'Approve' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Approve' }).click()
    await asks.waitFor({ state: 'detached' })
    expect(mock.posted[0]!.body).toMatchObject({ stage: 'approval', digest: expect.stringMatching(/^sha256:/), planHash: expect.stringMatching(/^[0-9a-f]{64}$/) })
  })

  it('shows the server’s no in the dialog, and asks for a reason where there must be one', async () => {
    await releasePage(ids.queued)
    await page.getByRole('button', { name: 'Skip production' }).click()
    const dialog = page.getByRole('dialog')
    expect(await dialog.getByRole('button', { name: 'Skip production' }).isDisabled()).toBe(true)
    await dialog.getByLabel('Reason').fill('a hotfix')
    await dialog.getByRole('button', { name: 'Skip production' }).click()
    await dialog.getByText('ines may not skip production').waitFor()
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'detached' })
  })

  it('keeps the last verdict of a release that was rolled back', async () => {
    await releasePage(ids.bad)
    await page.getByText('Fail', { exact: true }).waitFor()
    await page.getByText('The new version is worse: errors 5.5 % on the canary').waitFor()
    await page.getByText('Chain verified').waitFor()
    expect(await page.getByRole('group', { name: 'What you can do' }).count()).toBe(0)
  })
})

describe('the freezes', () => {
  it('stop the line with a reason, say so on every page, and end it', async () => {
    await page.goto(`${base}/freezes`)
    await page.getByRole('button', { name: 'Stop the line' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Reason').fill('the data centre is on fire')
    await dialog.getByRole('button', { name: 'Stop the line' }).click()
    await page.getByRole('row', { name: /the data centre is on fire/ }).waitFor()
    expect(mock.posted[0]!.body).toEqual({ reason: 'the data centre is on fire' })
    await page.getByText('2 freezes').waitFor()
    await page.getByRole('button', { name: 'End the freeze: the data centre is on fire' }).click()
    await page.getByRole('row', { name: /the data centre is on fire/ }).waitFor({ state: 'detached' })
  })
})

describe('the looks', () => {
  it('change from light to dark, and stay so', async () => {
    await page.goto(base)
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor)
    const light = await ground()
    await page.getByRole('button', { name: 'Use dark colours' }).click()
    expect(await ground()).not.toBe(light)
    await page.reload()
    await page.getByRole('button', { name: 'Use light colours' }).click()
    expect(await ground()).toBe(light)
  })

  it.each([360, 390, 768, 1280])('fit a width of %i, without scrolling sideways', async (width) => {
    await page.setViewportSize({ width, height: 800 })
    for (const path of ['/', '/releases', '/freezes', `/releases/${ids.good}`, `/releases/${ids.waits}`, `/releases/${ids.bad}`]) {
      await page.goto(base + path)
      await page.getByRole('navigation', { name: 'Main' }).waitFor()
      await page.getByRole('heading', { level: 1 }).waitFor()
      await page.locator('[role=status]').first().waitFor({ state: 'detached' })
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
      expect(over, path).toBeLessThanOrEqual(0)
    }
  })
})

it('ran without an error in the page', () => expect(complaints).toEqual([]))
