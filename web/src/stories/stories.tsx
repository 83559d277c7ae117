import type { ReactNode } from 'react'
import { Fault, unreachable } from '../api/client.ts'
import { nothing, type Live } from '../api/live.ts'
import type { Event, Point, ReleaseDetail } from '../api/types.ts'
import { FreezeTable } from '../freezes/FreezeTable.tsx'
import { Empty, Failed, Loading, NotFound } from '../layout/Fallback.tsx'
import { LoginPage } from '../login/LoginPage.tsx'
import { ReleaseView } from '../release/ReleaseView.tsx'
import { ReleaseTable } from '../releases/ReleaseTable.tsx'
import { ServiceTable } from '../services/ServiceTable.tsx'
import * as sample from './samples.ts'

export interface Story {
  name: string
  render: () => ReactNode
}

const now = Date.now()
const page = (children: ReactNode) => <main className="page" id="main"><div className="panel">{children}</div></main>
const ignore = () => {}

function view(detail: ReleaseDetail, events: Event[] = [], points: Point[] = [], more: Partial<Live> = {}) {
  const live: Live = { ...nothing, detail, events, points, connection: 'live', loaded: true, ...more }
  return <ReleaseView live={live} detail={detail} verification={events.length ? sample.verification(detail.id, events.length) : undefined} onChanged={ignore} onRetry={ignore} />
}

const good = (detail: ReleaseDetail, more: Partial<Live> = {}) =>
  view(detail, sample.goodEvents(detail.id, now), sample.points(sample.goodCourse, now), more)

/** Every view, in every state that it can be in. */
export const stories: Story[] = [
  { name: 'release: canary, all well', render: () => good(sample.good(now)) },
  { name: 'release: canary, judged by order value', render: () => good(sample.withOrderValue(now)) },
  { name: 'release: rolling back', render: () => view(sample.rollingBack(now), sample.badEvents(sample.ids.bad, now).slice(0, -4), sample.points({ ...sample.badCourse, seconds: 56 }, now)) },
  { name: 'release: rolled back', render: () => view(sample.bad(now), sample.badEvents(sample.ids.bad, now), sample.points(sample.badCourse, now)) },
  { name: 'release: missing samples', render: () => view(sample.noEvidence(now), sample.goodEvents(sample.ids.good, now), sample.points(sample.gappyCourse, now)) },
  { name: 'release: waits for approval', render: () => view(sample.waits(now), sample.goodEvents(sample.ids.waits, now).slice(0, 9)) },
  { name: 'release: undecided', render: () => good(sample.undecided(now)) },
  { name: 'release: paused', render: () => good(sample.paused(now)) },
  { name: 'release: drill', render: () => good(sample.drill(now)) },
  { name: 'release: in waves through 200 regions', render: () => view(sample.inRegions(now)) },
  { name: 'release: two services together', render: () => view(sample.together(now)) },
  { name: 'release: what runs has drifted', render: () => view(sample.drifted(now), sample.goodEvents(sample.ids.old, now).slice(0, 6)) },
  { name: 'release: queued', render: () => view(sample.queued(now), sample.goodEvents(sample.ids.queued, now).slice(0, 10)) },
  { name: 'release: too early for production', render: () => view(sample.early(now), sample.goodEvents(sample.ids.queued, now).slice(0, 6)) },
  { name: 'release: failed', render: () => view(sample.failed(now), sample.goodEvents(sample.ids.failed, now).slice(0, 10)) },
  { name: 'release: just created, empty', render: () => view(sample.early(now)) },
  { name: 'release: loading', render: () => view(sample.good(now), [], [], { loaded: false, connection: 'connecting' }) },
  { name: 'release: connection lost', render: () => good(sample.good(now), { connection: 'lost', fault: unreachable(), retryAt: now + 20_000 }) },
  { name: 'release: not found', render: () => page(<Failed what="release" error={new Fault({ title: 'not found', status: 404, detail: 'no release and no service is called "chekout"', hint: 'list the releases with `fairway status`' })} />) },
  { name: 'services', render: () => page(<ServiceTable services={sample.services} releases={Object.fromEntries(sample.details(now).map((d) => [d.id, d]))} />) },
  { name: 'services: loading', render: () => page(<Loading what="services" lines={6} />) },
  { name: 'services: error', render: () => page(<Failed what="services" error={unreachable()} retry={ignore} />) },
  { name: 'services: empty', render: () => page(<Empty title="No service yet">A service appears with its first release.</Empty>) },
  { name: 'releases', render: () => page(<ReleaseTable releases={sample.releases(now)} />) },
  { name: 'freezes', render: () => page(<FreezeTable freezes={sample.freezes(now)} onEnd={ignore} />) },
  { name: 'login', render: () => <LoginPage /> },
  { name: 'no such page', render: () => <NotFound /> },
]
