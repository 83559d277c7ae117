// The live page's data: a release with its ledger lines and its points. One stream
// brings all of it, from the beginning and then as it happens. Every message carries
// a cursor, so after a lost connection the stream goes on where it was; merging is
// idempotent, so there are neither gaps nor duplicates.

import { Fault, faultOf, unreachable } from './client.ts'
import { backoff, newParser, type Message } from './sse.ts'
import type { Event, Point, Problem, ReleaseDetail } from './types.ts'

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

/** Applies one message of the stream; throws what the server gives as the reason for its end. */
export function withMessage(live: Live, { event, data }: Message): Live {
  switch (event) {
    case 'release': return { ...live, detail: JSON.parse(data) as ReleaseDetail }
    case 'event': return withEvents(live, [JSON.parse(data) as Event])
    case 'point': return withPoints(live, [JSON.parse(data) as Point])
    case 'problem': throw new Fault(JSON.parse(data) as Problem)
  }
  return live
}

/** Where the stream has to go on: after the last line that follows the one before it, and after the last point. */
export const cursor = (live: Live) => `${lastWithoutGap(live.events)}.${live.points.at(-1)?.id ?? 0}`

/** Where the ledger's lines stop following each other. */
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
  let attempt = 0
  let gapAskedFor = -1
  const receive = (messages: Message[]) => {
    attempt = 0
    let live: Live = { ...store.get(), connection: 'live', fault: undefined, retryAt: undefined }
    for (const message of messages) live = withMessage(live, message)
    store.set({ ...live, loaded: live.loaded || live.detail !== undefined })
    const whole = lastWithoutGap(live.events)
    if (whole < live.events.length && whole !== gapAskedFor) {
      // A line is missing: ask from there, once. One that stays away is missing in the ledger itself.
      gapAskedFor = whole
      throw unreachable()
    }
  }

  while (!signal.aborted) {
    try {
      const headers: Record<string, string> = { Accept: 'text/event-stream' }
      const at = cursor(store.get())
      if (at !== '0.0') headers['Last-Event-ID'] = at
      const answer = await fetch(`/v1/releases/${encodeURIComponent(release)}/live`, { headers, signal, credentials: 'same-origin' })
        .catch(() => { throw unreachable() })
      if (!answer.ok || !answer.body) throw await faultOf(answer)
      await read(answer.body, receive, signal)
    } catch (error) {
      if (signal.aborted) return
      const fault = error instanceof Fault ? error : unreachable()
      // A no to the question itself stays a no.
      const final = fault.status >= 400 && fault.status < 500 && ![408, 425, 429].includes(fault.status)
      attempt++
      const wait = backoff(attempt)
      // Streams end now and then; it is only lost when the first try to go on fails, too.
      const connection = attempt > 1 || final ? 'lost' : 'connecting'
      store.set({ ...store.get(), connection, fault, retryAt: final ? undefined : Date.now() + wait })
      if (final) return
      await pause(wait, signal)
    }
  }
}

/** Reads until the stream ends, which is always a fault: a live page has no end. */
async function read(body: ReadableStream<Uint8Array>, onMessages: (messages: Message[]) => void, signal: AbortSignal) {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let messages: Message[] = []
  const feed = newParser((message) => messages.push(message))
  const cancel = () => void reader.cancel().catch(() => {})
  signal.addEventListener('abort', cancel, { once: true })
  try {
    for (;;) {
      const timer = setTimeout(cancel, silence)
      const { done, value } = await reader.read().finally(() => clearTimeout(timer))
      if (done) throw unreachable()
      feed(decoder.decode(value, { stream: true }))
      onMessages(messages)
      messages = []
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
