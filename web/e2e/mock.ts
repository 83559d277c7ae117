// A server that tells a story: it serves the built pages and the API with sample data,
// and its live stream goes on with a scripted canary. It keeps what it was asked.

import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join } from 'node:path'
import type { Event, Freeze, Point, ReleaseDetail } from '../src/api/types.ts'
import * as sample from '../src/stories/samples.ts'

export const token = 'fw_mock'
const csrf = 'mock-csrf'
const dist = new URL('../dist', import.meta.url).pathname
const types: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' }

export interface Posted {
  path: string
  body: Record<string, unknown>
  csrf: string | undefined
}

interface Tale {
  detail: ReleaseDetail
  events: Event[]
  points: Point[]
}

export class Mock {
  readonly posted: Posted[] = []
  /** The Last-Event-ID of every request for a stream. */
  readonly streams: string[] = []
  /** While true, streams are refused. */
  down = false
  private readonly server = createServer((request, answer) => void this.answer(request, answer))
  private readonly readers = new Set<ServerResponse>()
  private readonly tales = new Map<string, Tale>()
  private freezes: Freeze[]
  private timer?: ReturnType<typeof setInterval>
  private readonly random = sample.chance(3)

  constructor() {
    const now = Date.now()
    this.freezes = sample.freezes(now)
    for (const detail of sample.details(now)) {
      const bad = detail.id === sample.ids.bad
      const judged = [sample.ids.good, sample.ids.bad, sample.ids.undecided].includes(detail.id)
      this.tales.set(detail.id, {
        detail,
        events: bad ? sample.badEvents(detail.id, now) : sample.goodEvents(detail.id, now).slice(0, judged ? undefined : 9),
        points: judged ? sample.points(bad ? sample.badCourse : sample.goodCourse, now) : [],
      })
    }
  }

  /** Listens; the good canary gets a new point every so many milliseconds. */
  async start(port = 0, every = 250): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(port, '127.0.0.1', resolve))
    this.timer = setInterval(() => this.addPoint(), every)
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  async stop() {
    clearInterval(this.timer)
    this.drop()
    this.server.closeAllConnections()
    await new Promise((resolve) => this.server.close(resolve))
  }

  /** Cuts all streams off. */
  drop() {
    for (const reader of this.readers) reader.destroy()
    this.readers.clear()
  }

  /** Adds a line to a release's ledger. */
  addEvent(id: string, kind: string, text: string, actor = 'fairway') {
    const tale = this.tales.get(id)!
    const seq = tale.events.length + 1
    const event: Event = { release: id, seq, at: new Date().toISOString(), kind, actor, environment: 'production', text, previous: '', hash: String(seq) }
    tale.events.push(event)
    this.tell(id, 'event', event, tale)
    return event
  }

  events = (id: string) => this.tales.get(id)!.events
  points = (id: string) => this.tales.get(id)!.points

  private addPoint() {
    const tale = this.tales.get(sample.ids.good)!
    const now = Date.now()
    const last = tale.points.at(-1)!
    const course = { ...sample.goodCourse, seconds: 200 }
    const point = { ...sample.point(course, 200, last.id + 1, now, this.random), at: new Date(now).toISOString() }
    tale.points.push(point)
    this.tell(sample.ids.good, 'point', point, tale)
  }

  private tell(id: string, event: string, data: unknown, tale: Tale) {
    for (const reader of this.readers) {
      if ((reader as ServerResponse & { release?: string }).release === id) send(reader, event, data, tale)
    }
  }

  private async answer(request: IncomingMessage, answer: ServerResponse) {
    const { pathname } = new URL(request.url ?? '/', 'http://mock')
    if (!pathname.startsWith('/v1/')) return void this.file(pathname, answer)
    const body = await read(request)
    if (request.method !== 'GET') this.posted.push({ path: pathname, body, csrf: request.headers['x-csrf-token'] as string | undefined })
    if (pathname === '/v1/login') {
      if (body.token !== token) return problem(answer, 401, 'the name or the secret is wrong', 'ask an admin for a new password or token')
      answer.setHeader('Set-Cookie', 'fairway_session=1; HttpOnly; Path=/; SameSite=Strict')
      return json(answer, { user: 'ines', roles: ['sre'], csrf })
    }
    if (!request.headers.cookie?.includes('fairway_session=1')) return problem(answer, 401, 'the request says not who makes it', 'sign in')
    if (request.method !== 'GET' && request.headers['x-csrf-token'] !== csrf) return problem(answer, 403, 'the request does not carry the session’s CSRF token')
    this.resource(request, pathname, body, answer)
  }

  private resource(request: IncomingMessage, pathname: string, body: Record<string, unknown>, answer: ServerResponse) {
    const now = Date.now()
    const [, , resource, id = '', part] = pathname.split('/')
    const post = request.method === 'POST'
    if (resource === 'me') return json(answer, { user: 'ines', roles: ['sre'], csrf })
    if (resource === 'logout') {
      answer.setHeader('Set-Cookie', 'fairway_session=; Path=/; Max-Age=0')
      return json(answer, undefined, 204)
    }
    if (resource === 'services') return json(answer, { items: sample.services })
    if (resource === 'freezes') return this.freeze(request.method ?? '', id, body, answer)
    if (resource !== 'releases') return problem(answer, 404, `there is no route ${pathname}`)
    if (!id) {
      const query = new URL(request.url!, 'http://mock').searchParams
      const matches = (key: 'service' | 'state') => (release: { service: string; state: string }) => !query.get(key) || release[key] === query.get(key)
      return json(answer, { items: sample.releases(now).filter(matches('service')).filter(matches('state')) })
    }
    const tale = this.tales.get(decodeURIComponent(id))
    if (!tale) return problem(answer, 404, `no release and no service is called "${id}"`, 'list the releases with `fairway status`')
    if (post) return this.change(part ?? '', tale, body, answer)
    if (part === 'live') return this.live(request, tale, answer)
    if (part === 'verify') return json(answer, sample.verification(tale.detail.id, tale.events.length))
    json(answer, tale.detail)
  }

  private freeze(method: string, id: string, body: Record<string, unknown>, answer: ServerResponse) {
    if (method === 'POST') {
      const freeze = { ...(body as unknown as Freeze), id: `f${this.freezes.length + 1}`, by: 'ines', from: (body.from as string) ?? new Date().toISOString() }
      this.freezes = [...this.freezes, freeze]
      return json(answer, freeze, 201)
    }
    if (method === 'DELETE') {
      this.freezes = this.freezes.filter((freeze) => freeze.id !== id)
      return json(answer, undefined, 204)
    }
    json(answer, { items: this.freezes })
  }

  private change(action: string, tale: Tale, body: Record<string, unknown>, answer: ServerResponse) {
    const { detail } = tale
    if (action === 'skip') return problem(answer, 403, 'ines may not skip production: it takes the role admin', 'ask somebody with the role')
    const why = body.reason ? `: ${body.reason as string}` : ''
    if (action === 'pause') {
      detail.run.paused = { by: 'ines', reason: body.reason as string, at: new Date().toISOString() }
      Object.assign(detail, { headline: `Paused by ines${why}.`, next: 'It goes on when somebody resumes it.', nextAt: undefined, actions: ['resume', 'rollback'] })
    } else if (action === 'resume') {
      detail.run.paused = undefined
      Object.assign(detail, { headline: 'Stage canary in production.', actions: ['pause', 'rollback'] })
    } else if (action === 'rollback') {
      Object.assign(detail, { state: 'rolling-back', headline: `Rolling back in production: asked by ines${why}.`, next: 'The old revision gets the traffic.', actions: [] })
    } else if (action === 'approve') {
      Object.assign(detail, { asks: undefined, headline: 'Stage migrate in production.', actions: ['pause', 'rollback'] })
    }
    this.addEvent(detail.id, `release.${action}`, `${action} asked by ines${why}.`, 'ines')
    this.tell(detail.id, 'release', detail, tale)
    json(answer, detail)
  }

  private live(request: IncomingMessage, tale: Tale, answer: ServerResponse) {
    if (this.down) return problem(answer, 503, 'the server is starting')
    const from = (request.headers['last-event-id'] as string | undefined) ?? ''
    this.streams.push(from)
    const [event = 0, point = 0] = from.split('.').map(Number)
    answer.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' })
    ;(answer as ServerResponse & { release?: string }).release = tale.detail.id
    this.readers.add(answer)
    request.on('close', () => this.readers.delete(answer))
    answer.write('retry: 1000\n\n')
    send(answer, 'release', tale.detail, tale, true)
    for (const line of tale.events.filter(({ seq }) => seq > event)) send(answer, 'event', line, tale)
    for (const p of tale.points.filter(({ id }) => id > point)) send(answer, 'point', p, tale)
  }

  private async file(pathname: string, answer: ServerResponse) {
    const path = extname(pathname) ? pathname : '/index.html'
    const content = await readFile(join(dist, path)).catch(() => null)
    if (!content) return void answer.writeHead(404).end()
    answer.writeHead(200, { 'Content-Type': types[extname(path)] ?? 'application/octet-stream' }).end(content)
  }
}

function send(answer: ServerResponse, event: string, data: unknown, tale: Tale, quiet = false) {
  const id = quiet ? '' : `id: ${tale.events.length}.${tale.points.at(-1)?.id ?? 0}\n`
  answer.write(`${id}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
}

function json(answer: ServerResponse, data: unknown, status = 200) {
  answer.writeHead(status, { 'Content-Type': 'application/json' }).end(data === undefined ? undefined : JSON.stringify(data))
}

function problem(answer: ServerResponse, status: number, detail: string, hint?: string) {
  answer.writeHead(status, { 'Content-Type': 'application/problem+json' }).end(JSON.stringify({ title: detail, status, detail, hint }))
}

async function read(request: IncomingMessage): Promise<Record<string, unknown>> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  const text = Buffer.concat(parts).toString()
  return text ? (JSON.parse(text) as Record<string, unknown>) : {}
}
