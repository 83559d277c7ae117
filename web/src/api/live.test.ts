import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import * as sample from '../stories/samples.ts'
import { cursor, follow, lastWithoutGap, merge, nothing, withMessage, type Live } from './live.ts'

const now = Date.parse('2030-05-01T12:00:00Z')
const lines = sample.goodEvents('r', now)
const points = sample.points(sample.goodCourse, now)

describe('merging', () => {
  const key = (n: number) => n
  it('adds what is new, keeps the order and drops what is known', () => {
    expect(merge([1, 2], [3, 4], key)).toEqual([1, 2, 3, 4])
    expect(merge([1, 2, 3], [2, 3, 4], key)).toEqual([1, 2, 3, 4])
    expect(merge([1, 4], [3, 2, 3], key)).toEqual([1, 2, 3, 4])
  })
  it('keeps the very same list when there is nothing new, so that nothing is drawn again', () => {
    const known = [1, 2, 3]
    expect(merge(known, [2], key)).toBe(known)
    expect(merge(known, [], key)).toBe(known)
  })
})

describe('the cursor', () => {
  it('is after the last line without a gap, and after the last point', () => {
    expect(cursor(nothing)).toBe('0.0')
    expect(cursor({ ...nothing, events: lines.slice(0, 4), points: points.slice(0, 9) })).toBe('4.9')
    expect(lastWithoutGap([lines[0]!, lines[1]!, lines[3]!])).toBe(2)
  })
})

it('gives the reason with which the server ends a stream', () => {
  const end = () => withMessage(nothing, { event: 'problem', id: '', data: '{"title":"gone","status":503,"detail":"the disk is full","hint":"make room"}' })
  expect(end).toThrow('the disk is full')
})

describe('following a release', () => {
  let live: Live
  let abort: AbortController
  const answers: (() => Response | Promise<Response>)[] = []
  const asked: (string | null)[] = []

  const store = { get: () => live, set: (next: Live) => { live = next } }
  const message = (event: string, data: unknown) => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
  const stream = (...texts: string[]) => () => new Response(texts.join(''), { status: 200 })
  const refused = (status: number, detail: string) => () => new Response(JSON.stringify({ title: detail, status, detail, hint: 'do this' }), { status })
  /** A stream that says something and then stays open. */
  const open = (...texts: string[]) => () => new Response(new ReadableStream({ start: (to) => { texts.forEach((text) => to.enqueue(new TextEncoder().encode(text))) } }))

  beforeEach(() => {
    live = nothing
    abort = new AbortController()
    answers.length = asked.length = 0
    vi.useFakeTimers()
    vi.stubGlobal('fetch', (_: string, { headers }: { headers: Record<string, string> }) => {
      asked.push(headers['Last-Event-ID'] ?? null)
      const answer = answers.shift()
      return answer ? Promise.resolve(answer()) : Promise.reject(new TypeError('no network'))
    })
  })
  afterEach(() => {
    abort.abort()
    vi.useRealTimers()
    vi.unstubAllGlobals()
  })
  const run = (milliseconds = 0) => vi.advanceTimersByTimeAsync(milliseconds)

  it('goes on where it was after a break, without gaps or duplicates', async () => {
    const first = lines.slice(0, 5).map((line) => message('event', line))
    const second = lines.slice(3, 8).map((line) => message('event', line))
    answers.push(stream(message('release', sample.good(now)), ...first, message('point', points[0])), open(...second, message('point', points[0]), message('point', points[1])))
    void follow('r', store, abort.signal)
    await run()
    expect(live.events.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5])
    expect(live.loaded).toBe(true)
    expect(live.connection).toBe('connecting') // not 'lost': the first break is an ordinary one
    await run(500)
    expect(asked).toEqual([null, '5.1'])
    expect(live.events.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    expect(live.points.map(({ id }) => id)).toEqual([1, 2])
    expect(live.connection).toBe('live')
  })

  it('asks again from before a gap', async () => {
    answers.push(open(message('release', sample.good(now)), message('event', lines[0]), message('event', lines[2])), open(message('event', lines[1]), message('event', lines[2])))
    void follow('r', store, abort.signal)
    await run(600)
    expect(asked[1]).toBe('1.0')
    expect(live.events.map(({ seq }) => seq)).toEqual([1, 2, 3])
  })

  it('asks only once for a line that the ledger itself lacks', async () => {
    const broken = [message('release', sample.good(now)), message('event', lines[0]), message('event', lines[2])]
    answers.push(open(...broken), open(...broken), open(...broken))
    void follow('r', store, abort.signal)
    await run(10_000)
    expect(asked).toHaveLength(2)
    expect(live.events.map(({ seq }) => seq)).toEqual([1, 3])
    expect(live.connection).toBe('live')
  })

  it('says that it is lost when the second try fails, and keeps trying more slowly', async () => {
    answers.push(stream(message('release', sample.good(now))))
    void follow('r', store, abort.signal)
    await run(500)
    expect(live.connection).toBe('lost')
    expect(live.detail?.version).toBe('2.4.0') // what was known stays on the page
    expect(live.retryAt).toBeGreaterThan(Date.now())
    const before = asked.length
    await run(60_000)
    expect(asked.length - before).toBeGreaterThan(2)
    expect(asked.length - before).toBeLessThan(12)
    answers.push(open(message('release', sample.good(now))))
    await run(30_000)
    expect(live.connection).toBe('live')
    expect(live.fault).toBeUndefined()
  })

  it('takes a no for a no', async () => {
    answers.push(refused(404, 'there is no such release'))
    await follow('r', store, abort.signal)
    expect(live).toMatchObject({ connection: 'lost', fault: { status: 404, message: 'there is no such release', hint: 'do this' } })
    expect(live.retryAt).toBeUndefined()
    expect(asked).toHaveLength(1)
  })

  it('takes a silent stream for dead', async () => {
    answers.push(open(message('release', sample.good(now))), open(message('event', lines[0])))
    void follow('r', store, abort.signal)
    await run(44_000)
    expect(asked).toHaveLength(1)
    await run(2_000)
    expect(asked).toHaveLength(2)
  })

  it('ends with the page', async () => {
    answers.push(open(message('release', sample.good(now))))
    const end = follow('r', store, abort.signal)
    await run()
    abort.abort()
    await end
    await run(60_000)
    expect(asked).toHaveLength(1)
  })
})
