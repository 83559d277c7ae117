// The live page's data: a release with its ledger lines and its points. It comes in
// twice, as a backlog (pages) and as a stream; merging is idempotent, so after a lost
// connection both are simply asked again and there are neither gaps nor duplicates.

import { ask, Fault, faultOf, unreachable } from './client.ts'
import { all } from './queries.ts'
import { backoff, newParser, type Message } from './sse.ts'
import type { Event, Point, ReleaseDetail } from './types.ts'

export type Connection = 'connecting' | 'live' | 'lost'

export interface Live {
  detail?: ReleaseDetail
  events: Event[]
  points: Point[]
  connection: Connection
  /** Why the last try failed; gone once connected. */
  fault?: Fault
  /** When the next try begins, in milliseconds of Date.now(). */
  retryAt?: number
  /** True once the backlog has come in. */
  loaded: boolean
}

export const nothing: Live = { events: [], points: [], connection: 'connecting', loaded: false }

/** Adds what is new, keeps the order, drops what is known already. */
export function merge<T>(known: T[], more: T[], key: (item: T) => number): T[] {
  if (more.length === 0) return known
  const last = known.length > 0 ? key(known[known.length - 1]!) : -Infinity
  const ascending = more.every((item, i) => key(item) > (i === 0 ? last : key(more[i - 1]!)))
  if (ascending) return [...known, ...more]
  const byKey = new Map(known.map((item) => [key(item), item]))
  const before = byKey.size
  for (const item of more) if (!byKey.has(key(item))) byKey.set(key(item), item)
  if (byKey.size === before) return known
  return [...byKey.values()].sort((a, b) => key(a) - key(b))
}

export const withEvents = (live: Live, events: Event[]): Live => ({ ...live, events: merge(live.events, events, (e) => e.seq) })
export const withPoints = (live: Live, points: Point[]): Live => ({ ...live, points: merge(live.points, points, (p) => p.id) })

/** Applies one message of the stream. What cannot be read is left out: the next backlog has it. */
export function withMessage(live: Live, message: Message): Live {
  try {
    const data = JSON.parse(message.data)
    switch (message.event) {
      case 'release': return { ...live, detail: data as ReleaseDetail }
      case 'event': return withEvents(live, [data as Event])
      case 'point': return withPoints(live, [data as Point])
    }
  } catch { /* left out */ }
  return live
}

/** Where the ledger's lines stop following each other; the backlog is asked from there. */
export function lastWithoutGap(events: Event[]): number {
  if (events.at(-1)?.seq === events.length) return events.length
  let seq = 0
  for (const event of events) {
    if (event.seq !== seq + 1) break
    seq = event.seq
  }
  return seq
}

/** A stream that is silent for this long is taken for dead; the server sends a comment more often. */
const silence = 45_000

/** Where the state is kept; whoever draws it is told by set. */
export interface Store {
  get(): Live
  set(live: Live): void
}

/** Follows a release until the signal aborts, or until the server says no for good. */
export async function follow(release: string, store: Store, signal: AbortSignal) {
  const path = `/v1/releases/${encodeURIComponent(release)}`
  let lastId = ''
  let attempt = 0
  let catchingUp: Promise<void> | undefined

  const backlog = async () => {
    const { events, points } = store.get()
    const [detail, moreEvents, morePoints] = await Promise.all([
      ask<ReleaseDetail>(path, { signal }),
      all<Event>(path + '/events', { after: lastWithoutGap(events) || undefined, limit: 1000 }, 'after', signal),
      all<Point>(path + '/points', { after: points.at(-1)?.id, limit: 1000 }, 'after', signal),
    ])
    store.set(withPoints(withEvents({ ...store.get(), detail, loaded: true }, moreEvents), morePoints))
  }
  // Never two at a time.
  const catchUp = () => (catchingUp ??= backlog().finally(() => { catchingUp = undefined }))

  const receive = (message: Message) => {
    if (message.id) lastId = message.id
    store.set(withMessage(store.get(), message))
    const { events, loaded } = store.get()
    // A line is missing in the middle: the backlog has it.
    if (loaded && message.event === 'event' && lastWithoutGap(events) < events.length) void catchUp().catch(() => {})
  }

  while (!signal.aborted) {
    try {
      const headers: Record<string, string> = { Accept: 'text/event-stream' }
      if (lastId) headers['Last-Event-ID'] = lastId
      const answer = await fetch(path + '/live', { headers, signal, credentials: 'same-origin' }).catch(() => { throw unreachable() })
      if (!answer.ok || !answer.body) throw await faultOf(answer)
      // The stream is open before the backlog is asked, so nothing falls between the two.
      await Promise.all([
        catchUp().then(() => {
          attempt = 0
          store.set({ ...store.get(), connection: 'live', fault: undefined, retryAt: undefined })
        }),
        read(answer.body, receive, signal),
      ])
    } catch (error) {
      if (signal.aborted) return
      const fault = error instanceof Fault ? error : unreachable()
      // A no to the question itself stays a no.
      const final = fault.status >= 400 && fault.status < 500 && ![408, 425, 429].includes(fault.status)
      attempt++
      const wait = backoff(attempt)
      store.set({ ...store.get(), connection: 'lost', fault, retryAt: final ? undefined : Date.now() + wait })
      if (final) return
      await pause(wait, signal)
    }
  }
}

/** Reads until the stream ends, which is always a fault: a live page has no end. */
async function read(body: ReadableStream<Uint8Array>, onMessage: (message: Message) => void, signal: AbortSignal) {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  const feed = newParser(onMessage)
  const cancel = () => void reader.cancel().catch(() => {})
  signal.addEventListener('abort', cancel, { once: true })
  try {
    for (;;) {
      const timer = setTimeout(cancel, silence)
      const { done, value } = await reader.read().finally(() => clearTimeout(timer))
      if (done) throw unreachable()
      feed(decoder.decode(value, { stream: true }))
    }
  } finally {
    signal.removeEventListener('abort', cancel)
    cancel()
  }
}

/** Waits, but no longer than until the browser says that the network is back. */
function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      removeEventListener('online', done)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, milliseconds)
    addEventListener('online', done)
    signal.addEventListener('abort', done)
  })
}
