import { cleanup, fireEvent, screen, within } from '@testing-library/react'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { show } from '../test/render.tsx'
import { stories } from './stories.tsx'

const story = async (name: string) => show(stories.find((s) => s.name === name)!.render())

// What a view asks for by itself finds no server.
beforeEach(() => vi.stubGlobal('fetch', () => Promise.reject(new TypeError('no network'))))
afterEach(() => vi.unstubAllGlobals())

describe('every story', () => {
  it.each(stories.map(({ name }) => name))('%s: is shown, and says something to everybody', async (name) => {
    const complaints = vi.spyOn(console, 'error')
    const { container } = await story(name)
    expect(container.textContent!.length + container.querySelectorAll('[role=status]').length).toBeGreaterThan(0)
    expect(container.textContent).not.toContain('Something went wrong')
    for (const button of screen.queryAllByRole('button')) expect(button.getAttribute('aria-label') || button.textContent).toBeTruthy()
    expect(complaints.mock.calls.flat().filter((text) => /unique "key"|cannot be a descendant|Maximum update/.test(String(text)))).toEqual([])
  })
})

describe('the page of a release', () => {
  it('says where it is, what comes next and when', async () => {
    await story('release: canary, all well')
    const now = screen.getByRole('region', { name: 'Where it is' })
    expect(within(now).getByText(/25 % of the traffic, all is well/)).toBeTruthy()
    expect(within(now).getByText('The weight grows to 50 %.')).toBeTruthy()
    expect(within(now).getByRole('timer').textContent).toMatch(/in 0:\d\d|any moment/)
  })

  it('shows the current stage, and what a rollback undoes', async () => {
    await story('release: canary, all well')
    const track = screen.getByRole('region', { name: 'Pipeline' })
    const current = within(track).getAllByRole('listitem').find((item) => item.getAttribute('aria-current') === 'step')!
    expect(current.textContent).toContain('canary')
    expect(within(track).getByText('runs ./migrate down')).toBeTruthy()
  })

  it('shows regions by wave, those that need a look first, and counts the others', async () => {
    await story('release: in waves through 200 regions')
    const regions = screen.getByRole('group', { name: 'Regions of production' })
    expect(regions.textContent).toContain('200 regions in 4 waves')
    const buttons = within(regions).getAllByRole('button').map((button) => button.getAttribute('aria-label') ?? button.textContent)
    expect(buttons.filter((label) => label?.includes('go on without proof'))).toHaveLength(1)
    expect(buttons[10]).toContain('r42: Running')
    expect(buttons.at(-1)).toBe('and 138 more')
    expect(buttons.length).toBeLessThan(80)
    fireEvent.click(within(regions).getByRole('button', { name: 'and 138 more' }))
    expect(within(regions).getAllByRole('button')).toHaveLength(200)
  })

  it('takes all regions back by one wish', async () => {
    await story('release: in waves through 200 regions')
    fireEvent.click(screen.getByRole('button', { name: 'Roll back' }))
    const dialog = await screen.findByRole('dialog')
    expect(dialog.textContent).toContain('in production?')
    expect(dialog.textContent).toContain('in all 50 regions where it was begun')
    expect(dialog.textContent).toContain('the other 150')
  })

  it('shows the services of a release, and takes all of them back in the opposite order', async () => {
    await story('release: two services together')
    expect(screen.getByRole('heading', { level: 1 }).textContent).toContain('with payments v3')
    const track = screen.getByRole('region', { name: 'Pipeline' })
    expect(within(track).getByRole('button', { name: 'production:payments' })).toBeTruthy()
    expect(within(track).getByRole('button', { name: 'production:checkout' })).toBeTruthy()
    expect(screen.queryByRole('group', { name: /^Regions/ })).toBeNull()
    fireEvent.click(screen.getByRole('button', { name: 'Roll back' }))
    const dialog = await screen.findByRole('dialog')
    expect(dialog.textContent).toContain('in this order: checkout, payments')
  })

  it('shows a custom mean in its own units', async () => {
    await story('release: canary, judged by order value')
    const row = screen.getByRole('rowheader', { name: /^order value/ }).closest('tr')!
    expect(row.textContent).toContain('harm begins below 42.8')
    expect(row.textContent).toContain('44.1')
    expect(row.textContent).not.toContain('%')
    expect(screen.getByRole('rowheader', { name: /^checkout failures/ }).closest('tr')!.textContent).toContain('11 of 930')
  })

  it('shows which stage failed, also when it is undone', async () => {
    await story('release: rolled back')
    const track = screen.getByRole('region', { name: 'Pipeline' })
    expect(within(track).getByRole('button', { name: /^canary: Failed, undone/ })).toBeTruthy()
  })

  it('shows both arms with their counts and intervals', async () => {
    await story('release: rolled back')
    const row = screen.getByRole('row', { name: /^errors/ })
    expect(row.textContent).toContain('131 of 2,380')
    expect(row.textContent).toContain('×17.2 to ×49.1')
    expect(screen.getByText('Fail')).toBeTruthy()
  })

  it('puts a question with its numbers and its answers before a person', async () => {
    await story('release: undecided')
    const asks = screen.getByRole('region', { name: 'A person must decide' })
    expect(asks.textContent).toContain('3.4 : 1')
    expect(within(asks).getAllByRole('button').map((button) => button.textContent)).toEqual(['Go on', 'Reject'])
    expect(screen.getAllByRole('button', { name: 'Reject' })).toHaveLength(1)
  })

  it('names the stretches without samples', async () => {
    await story('release: missing samples')
    expect(screen.getByText(/No samples, which counts for nothing/).textContent).toContain('the router does not answer')
  })

  it('offers nothing that is not allowed', async () => {
    await story('release: rolled back')
    expect(screen.queryByRole('group', { name: 'What you can do' })).toBeNull()
  })

  it('says that it is not live, and what it tries', async () => {
    await story('release: connection lost')
    expect(screen.getByRole('alert').textContent).toMatch(/Not live.*Trying again/)
  })

  it('keeps the dialog with the error when the server says no', async () => {
    vi.stubGlobal('fetch', vi.fn(async () => new Response(JSON.stringify({ title: 'Forbidden', status: 403, detail: 'ines may not pause it', hint: 'ask an SRE' }), { status: 403 })))
    await story('release: canary, all well')
    fireEvent.click(screen.getByRole('button', { name: 'Pause' }))
    const dialog = await screen.findByRole('dialog')
    expect(dialog.textContent).toContain('Nothing advances until somebody resumes it.')
    fireEvent.click(within(dialog).getByRole('button', { name: 'Pause' }))
    expect((await within(dialog).findByRole('alert')).textContent).toMatch(/ines may not pause it.*ask an SRE/)
  })

  it('filters the events', async () => {
    await story('release: rolled back')
    const list = screen.getByRole('region', { name: /Events/ })
    fireEvent.change(within(list).getByLabelText('Filter the events'), { target: { value: 'rolling' } })
    expect(within(list).getAllByRole('listitem')).toHaveLength(1)
  })
})

describe('what has drifted', () => {
  it('is said on the page of the release at home, apart for release and repository', async () => {
    await story('release: what runs has drifted')
    const production = screen.getByRole('region', { name: 'Drift in production' })
    expect(production.textContent).toMatch(/What runs in production is not as the release says.*limits\.memory.*Since.*not as the repository says.*data\.timeout/)
    expect(within(production).getByText('fairway drift checkout -e production')).toBeTruthy()
    const staging = screen.getByRole('region', { name: 'Drift in staging' })
    expect(staging.textContent).toMatch(/^What the repository says of staging could not be compared: .*Could not resolve host\.$/)
  })

  it('is said where the service shows what is at home', async () => {
    await story('services')
    expect(screen.getByRole('row', { name: /search/ }).textContent).toMatch(/118not as the release says: .*, since .*not as the repository says: .* and 1 more, since /)
    expect(screen.getByRole('row', { name: /checkout/ }).textContent).not.toContain('not as')
  })

  it('is not said where nothing has', async () => {
    await story('release: canary, all well')
    expect(screen.queryByRole('region', { name: /^Drift/ })).toBeNull()
  })
})

describe('a drill', () => {
  it('is marked as such on its page and in the list, and nothing else is', async () => {
    await story('release: drill')
    expect(screen.getAllByText('Drill')).toHaveLength(1)
    cleanup()
    await story('releases')
    const marked = screen.getAllByRole('row').filter((row) => within(row).queryByText('Drill'))
    expect(marked.map((row) => row.textContent)).toEqual([expect.stringContaining('2.4.0-drill')])
  })
})

describe('the services', () => {
  it('show what runs, what moves, what waits and what is frozen', async () => {
    await story('services')
    const row = screen.getByRole('row', { name: /checkout/ })
    expect(row.textContent).toMatch(/2\.3\.0.*2\.4\.0.*25\s%.*Running.*then 2\.8\.0/)
    expect(screen.getByRole('row', { name: /search/ }).textContent).toContain('frozen: peak of the autumn sale')
  })
})
