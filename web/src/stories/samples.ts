// A shop's releases as the server would tell them, for stories, tests and the mock
// server. All times hang on the given now, all chance on a seed.

import type {
  ArmVerdict, Drift, EnvironmentRun, EnvironmentState, Event, Freeze, MetricVerdict, PlanEnvironment,
  PlanStage, Point, Progress, Release, ReleaseDetail, Service, StageRun, StageState, Verdict, Verification,
} from '../api/types.ts'

export const digest = (n: number) => 'sha256:' + String(n).repeat(64).slice(0, 64).replace(/./g, (c, i: number) => ((parseInt(c, 16) * 7 + i * 5) % 16).toString(16))

export const ago = (now: number, seconds: number) => new Date(now - seconds * 1000).toISOString()

/** Numbers in [0, 1), always the same for a seed. */
export function chance(seed: number) {
  let state = seed
  return () => {
    state = (state * 1664525 + 1013904223) % 4294967296
    return state / 4294967296
  }
}

const retreat = 'gives all the traffic back to the old revision, which still runs, and takes the new one away'

const stagingStages: PlanStage[] = [
  { name: 'deploy', kind: 'deploy', timeLimit: '5m', undo: 'brings the previous revision back and gives it all the traffic' },
  { name: 'smoke', kind: 'check', timeLimit: '2m' },
]

const productionStages: PlanStage[] = [
  { name: 'tests', kind: 'gate', timeLimit: '1h', gate: { when: 'evidence.exists(e, e.kind == "tests")', message: 'the test report' } },
  { name: 'approval', kind: 'approval', timeLimit: '1d', approval: { roles: ['release-manager', 'sre'], count: 2, expires: '12h' } },
  { name: 'migrate', kind: 'job', timeLimit: '10m', undo: 'runs ./migrate down' },
  { name: 'canary', kind: 'canary', timeLimit: '1h', undo: retreat, canary: { holdback: 0.05 } },
  { name: 'watch', kind: 'watch', timeLimit: '30m', watch: { for: '10m', holdback: 0.05 } },
  { name: 'promote', kind: 'promote', timeLimit: '10m', undo: 'brings the previous revision back and gives it all the traffic', promote: { strategy: 'direct' } },
  { name: 'announce', kind: 'notify', timeLimit: '1m' },
]

const stageRuns = (now: number, states: StageState[], more: Record<number, Partial<StageRun>> = {}): StageRun[] =>
  states.map((state, i) => {
    const begun = state !== 'pending' && state !== 'skipped'
    const began = 900 - i * 90
    return {
      state,
      startedAt: begun ? ago(now, began) : undefined,
      endedAt: begun && state !== 'running' && state !== 'undoing' ? ago(now, began - 75) : undefined,
      deadline: state === 'running' ? new Date(now + 2_340_000).toISOString() : undefined,
      ...more[i],
    }
  })

const done: StageState[] = ['passed', 'passed']
const pending: StageState[] = ['pending', 'pending', 'pending', 'pending', 'pending', 'pending', 'pending']
export const canaryRuns: StageState[] = ['passed', 'passed', 'passed', 'running', 'pending', 'pending', 'pending']

export interface Sketch {
  id: string
  version: string
  state: Release['state']
  production?: { state: ReleaseDetail['state'] | 'cancelled'; stage: number; states: StageState[]; more?: Record<number, Partial<StageRun>>; lane?: 'queued' | 'held'; frozen?: string; reason?: string; failedStage?: string }
  headline: string
  next?: string
  nextIn?: number
  live?: Progress
  actions?: ReleaseDetail['actions']
  asks?: string
  paused?: { by: string; reason: string }
  queue?: string[]
  endedAgo?: number
  note?: string
}

export function detail(now: number, sketch: Sketch): ReleaseDetail {
  const { id, version, state, production, headline, next, nextIn, live, actions, asks, paused, queue, endedAgo, note } = sketch
  const endedAt = endedAgo === undefined ? undefined : ago(now, endedAgo)
  const p = production ?? { state: 'running' as const, stage: 3, states: canaryRuns, lane: 'held' as const }
  const began = p.state !== 'pending'
  return {
    id, service: 'checkout', version, artifact: `/srv/artifacts/checkout-${version}`, digest: digest(Number(version.replace(/\D/g, '')) || 1),
    author: 'mara', note, planHash: digest(8).slice(7), state, environment: 'production', createdAt: ago(now, 1900), endedAt,
    plan: {
      version: 1, service: 'checkout', owner: 'payments', expectedRate: 200,
      component: { service: 'checkout', version, artifact: `/srv/artifacts/checkout-${version}`, digest: digest(Number(version.replace(/\D/g, '')) || 1) },
      environments: [
        { name: 'staging', platform: 'host', onUndecided: 'promote', falseAlarm: 0, stages: stagingStages },
        { name: 'production', platform: 'host', onUndecided: 'hold', falseAlarm: 0.005, needs: [{ environment: 'staging', for: '10m' }], stages: productionStages },
      ],
    },
    run: {
      version: 1, state, author: 'mara', createdAt: ago(now, 1900), endedAt, paused: paused && { ...paused, at: ago(now, 60) },
      environments: [
        { name: 'staging', state: 'succeeded', stage: 1, startedAt: ago(now, 1880), endedAt: ago(now, 1700), stages: [
          { state: 'passed', startedAt: ago(now, 1880), endedAt: ago(now, 1790), exposed: true },
          { state: 'passed', startedAt: ago(now, 1790), endedAt: ago(now, 1700) },
        ].slice(0, done.length) as StageRun[] },
        { name: 'production', state: p.state as never, stage: p.stage, lane: p.lane, frozen: p.frozen, reason: p.reason, failedStage: p.failedStage,
          startedAt: began ? ago(now, 900) : undefined, endedAt, stages: stageRuns(now, p.states, p.more) },
      ],
    },
    live: live ? { production: live } : {},
    headline, next, nextAt: nextIn === undefined ? undefined : new Date(now + nextIn * 1000).toISOString(),
    actions: actions ?? ['pause', 'rollback'], asks, queue,
  }
}

const arm = (bad: number, requests: number): ArmVerdict => {
  const rate = requests ? bad / requests : 0
  const spread = requests ? 1.96 * Math.sqrt((rate + 2 / requests) / requests) : 0
  return { bad, requests, rate, interval: { low: Math.max(0, rate - spread), high: Math.min(1, rate + spread) } }
}

export function verdict(change: Partial<Verdict> = {}, bad = false): Verdict {
  const metric = { share: 0.4, margin: 0.022, instanceAllowance: 1.15 }
  return {
    kind: 'hold', reason: 'collecting', detail: 'the middle level has not been reached', evidence: 0.41, threshold: 400, strongest: 1.2,
    proof: 1.35, proofThreshold: Math.log(20), weight: 0.25, observed: 185e9, atMiddle: 0,
    metrics: [
      { ...metric, name: 'errors', canary: bad ? arm(131, 2380) : arm(5, 4620), stable: arm(46, 23910),
        ratio: bad ? { low: 17.2, high: 49.1 } : { low: 0.21, high: 1.74 }, extra: bad ? 126.4 : 0, evidence: bad ? 5120 : 0.34, proof: bad ? -6.2 : 1.35, tolerated: 0.0026 },
      { ...metric, name: 'latency > 50ms', bound: 0.05, canary: bad ? arm(402, 2240) : arm(560, 4402), stable: arm(2921, 23910),
        ratio: bad ? { low: 1.18, high: 1.71 } : { low: 0.88, high: 1.18 }, extra: bad ? 128 : 0, evidence: bad ? 12.4 : 0.52, share: 0.3, proof: bad ? -1.4 : 2.9, tolerated: 0.151 },
      { ...metric, name: 'latency > 250ms', bound: 0.25, canary: bad ? arm(29, 2240) : arm(41, 4402), stable: arm(236, 23910),
        ratio: bad ? { low: 0.84, high: 2.1 } : { low: 0.66, high: 1.37 }, extra: bad ? 6.9 : 0, evidence: bad ? 1.9 : 0.46, share: 0.3, proof: bad ? 0.2 : 2.1, tolerated: 0.0131 },
    ],
    ...change,
  }
}

/** A custom mean: what an order is worth, of which higher is better. */
export const orderValue = (canary: number): MetricVerdict => {
  const arm = (mean: number, requests: number): ArmVerdict => ({ bad: 0, requests, rate: 0, mean, deviation: 30, interval: { low: mean - 2, high: mean + 2 } })
  return {
    name: 'order-value', kind: 'mean', better: 'higher', canary: arm(canary, 880), stable: arm(45, 4100), ratio: { low: canary / 50, high: canary / 42 },
    extra: 0, evidence: 0.4, share: 0.1, proof: 1.4, tolerated: 42.8, margin: 42.75, instanceAllowance: 1.04,
  }
}

/** A canary that is judged by a custom ratio and a custom mean, too. */
export function withOrderValue(now: number): ReleaseDetail {
  const release = good(now)
  const all = verdict()
  const failures: MetricVerdict = { ...all.metrics![0]!, name: 'checkout-failures', kind: 'ratio', better: 'lower', canary: arm(11, 930), stable: arm(41, 4200) }
  return { ...release, live: { production: { ...release.live!.production!, verdict: { ...all, metrics: [...all.metrics!, failures, orderValue(44.1)] } } } }
}

export interface Course {
  seconds: number
  step: number
  seed: number
  /** The canary's error rate and slowdown. */
  canaryErrors: number
  slower: number
  weight: (second: number) => number
  evidence: (second: number) => number
  missing?: (second: number) => string | undefined
}

const interval = (value: number, n: number) => {
  const spread = 1.96 * Math.sqrt((value + 1 / n) / n)
  return { known: n > 0, value, low: Math.max(0, value - spread), high: value + spread + 2 / n }
}

const unknown = { known: false, value: 0, low: 0, high: 0 }

/** One point of a course. */
export function point(course: Course, second: number, id: number, endOfCourse: number, random: () => number): Point {
  const weight = course.weight(second)
  const missing = course.missing?.(second)
  const side = (share: number, errors: number, slow: number) => {
    const n = Math.round(200 * share * Math.min(30, second + course.step))
    const known = !missing && n > 0
    const noise = () => 0.75 + 0.5 * random()
    const around = (value: number) => ({ known: true, value, low: value * (1 - 0.9 / Math.sqrt(n + 1)), high: value * (1 + 1.6 / Math.sqrt(n + 1)) })
    return {
      requests: missing ? 0 : Math.round(200 * share * course.step), errors: missing ? 0 : Math.round(200 * share * course.step * errors * noise()),
      error: known ? interval(errors * noise(), n) : unknown,
      p50: known ? around(0.021 * slow * (0.95 + 0.1 * random())) : unknown,
      p99: known ? around(0.19 * slow * noise()) : unknown,
    }
  }
  return {
    id, at: new Date(endOfCourse - (course.seconds - second) * 1000).toISOString(), environment: 'production', stage: 'canary',
    weight, evidence: course.evidence(second), missing, stable: side(1 - weight, 0.002, 1), canary: side(weight, course.canaryErrors, course.slower),
  }
}

export function points(course: Course, end: number): Point[] {
  const random = chance(course.seed)
  const list: Point[] = []
  for (let s = 0; s <= course.seconds; s += course.step) list.push(point(course, s, list.length + 1, end, random))
  return list
}

const steps = (list: [number, number][]) => (second: number) => list.filter(([from]) => second >= from).at(-1)?.[1] ?? 0

export const goodCourse: Course = {
  seconds: 185, step: 1, seed: 4, canaryErrors: 0.0018, slower: 1.01,
  weight: steps([[0, 0.01], [20, 0.025], [65, 0.0625], [110, 0.156], [155, 0.25]]),
  evidence: (s) => Math.max(0.32, 1 - s / 210) * (1 + 0.5 * Math.exp(-(((s - 70) / 9) ** 2))),
}

export const badCourse: Course = {
  seconds: 74, step: 1, seed: 9, canaryErrors: 0.055, slower: 1.3,
  weight: steps([[0, 0.02], [12, 0.05], [27, 0.125], [52, 0]]),
  evidence: (s) => (s < 8 ? 1 : Math.min(2300, Math.exp((Math.min(s, 51) - 8) / 5.6))),
}

export const gappyCourse: Course = {
  ...goodCourse, seed: 11,
  missing: (s) => (s > 92 && s < 118 ? 'the router does not answer' : s > 168 ? 'no samples of the canary arm' : undefined),
}

export function events(release: string, now: number, lines: [secondsAgo: number, kind: string, text: string, stage?: string, actor?: string, data?: unknown][]): Event[] {
  return lines.map(([seconds, kind, text, stage, actor, data], i) => ({
    release, seq: i + 1, at: ago(now, seconds), kind, actor: actor ?? (stage === 'canary' ? 'worker host-1' : 'fairway'),
    environment: kind.startsWith('release.') ? undefined : seconds > 1690 ? 'staging' : 'production',
    stage, text, data, previous: i ? digest(i).slice(7) : '', hash: digest(i + 1).slice(7),
  }))
}

const opening: Parameters<typeof events>[2] = [
  [1900, 'release.created', 'Release of checkout 2.4.0 created.', undefined, 'mara'],
  [1880, 'environment.began', 'The release goes to staging.'],
  [1880, 'stage.started', 'Stage deploy began in staging.', 'deploy'],
  [1790, 'stage.passed', 'Stage deploy passed in staging.', 'deploy', 'worker host-1'],
  [1700, 'stage.passed', 'Stage smoke passed in staging: all 4 expectations held.', 'smoke', 'worker host-1'],
  [1700, 'environment.succeeded', 'checkout 2.4.0 is now at home in staging.'],
  [900, 'environment.began', 'The release goes to production.'],
  [860, 'stage.passed', 'Stage tests passed in production: the condition holds.', 'tests'],
  [800, 'stage.approved', 'jon approved stage approval in production: numbers look fine.', 'approval', 'jon'],
  [780, 'stage.approved', 'ines approved stage approval in production.', 'approval', 'ines'],
  [700, 'lane.granted', 'The release has the lane of production.'],
  [640, 'stage.passed', 'Stage migrate passed in production.', 'migrate', 'worker host-1'],
]

export const goodEvents = (id: string, now: number) => events(id, now, [
  ...opening,
  [186, 'stage.started', 'Stage canary began in production.', 'canary'],
  [184, 'canary.weight', 'The new version gets 1 % of the traffic.', 'canary'],
  [165, 'canary.weight', 'The new version gets 2.5 % of the traffic.', 'canary'],
  [120, 'canary.weight', 'The new version gets 6.25 % of the traffic.', 'canary'],
  [75, 'canary.weight', 'The new version gets 15.6 % of the traffic.', 'canary'],
  [30, 'canary.weight', 'The new version gets 25 % of the traffic.', 'canary'],
])

export const badEvents = (id: string, now: number) => events(id, now, [
  ...opening,
  [75, 'stage.started', 'Stage canary began in production.', 'canary'],
  [74, 'canary.weight', 'The new version gets 2 % of the traffic.', 'canary'],
  [62, 'canary.weight', 'The new version gets 5 % of the traffic.', 'canary'],
  [47, 'canary.weight', 'The new version gets 12.5 % of the traffic.', 'canary'],
  [43, 'canary.verdict', 'Something may be wrong: errors 4.90 % against 0.19 %.', 'canary'],
  [22, 'canary.verdict', 'The new version is worse and goes back: errors 5.50 % against 0.19 %.', 'canary', undefined,
    { verdict: verdict({ kind: 'fail', reason: 'worse', detail: undefined, evidence: 2300, strongest: 21000, proof: -6.2, weight: 0.125, observed: 52e9 }, true),
      paragraph: 'Fail (worse) after 52s of evidence, 0s of it at the middle level or above, at 12.5 % of the traffic. Evidence of harm 2300 : 1, a rollback needs 400 : 1.' }],
  [22, 'canary.back', 'All traffic in production is back on the running version.', 'canary'],
  [22, 'stage.failed', 'Stage canary failed in production: the new version is worse.', 'canary', 'worker host-1'],
  [22, 'environment.rolling-back', 'Rolling back in production: stage canary failed.'],
  [21, 'stage.undone', 'Stage canary undone in production.', 'canary', 'worker host-1'],
  [9, 'stage.undone', 'Stage migrate undone in production.', 'migrate', 'worker host-1'],
  [9, 'environment.rolled-back', 'checkout 2.5.0 was rolled back in production.'],
  [9, 'release.rolled-back', 'checkout 2.5.0 was rolled back.'],
])

export const ids = { good: '01jd2k7x9qgood', bad: '01jd2k9m3wbad', waits: '01jd2m1r8zwaits', undecided: '01jd2m5c4ydecide', failed: '01jd2h3f6vfailed', queued: '01jd2n2p7tqueued', old: '01jd1z8a5bold', drill: '01jd2p4d6rdrill' }

export const good = (now: number) => detail(now, {
  id: ids.good, version: '2.4.0', state: 'running', headline: 'Stage canary in production: 25 % of the traffic, all is well so far.',
  next: 'The weight grows to 50 %.', nextIn: 17, note: 'Faster basket, new tax table for Norway',
  live: { now: '25 % of the traffic, all is well so far', weight: 0.25, verdict: verdict() },
})

export const bad = (now: number) => detail(now, {
  id: ids.bad, version: '2.5.0', state: 'rolled-back', endedAgo: 9, headline: 'Rolled back in production: stage canary failed: the new version is worse: errors 5.50 % against 0.19 %.',
  production: { state: 'rolled-back', stage: 0, states: ['passed', 'passed', 'undone', 'undone', 'pending', 'pending', 'pending'], more: { 3: { exposed: true, reason: 'the new version is worse: errors 5.50 % against 0.19 %', startedAt: ago(now, 75), endedAt: ago(now, 22) } }, reason: 'stage canary failed', failedStage: 'canary' },
  actions: [],
})

export const rollingBack = (now: number) => detail(now, {
  id: ids.bad, version: '2.5.0', state: 'rolling-back', headline: 'Rolling back in production: stage canary failed: errors 5.50 % against 0.19 %.',
  next: 'The old revision has all the traffic; the new one is taken away.',
  production: { state: 'rolling-back', stage: 3, states: ['passed', 'passed', 'passed', 'undoing', 'pending', 'pending', 'pending'], lane: 'held', failedStage: 'canary' },
  live: { now: 'the old revision has all the traffic', weight: 0, verdict: verdict({ kind: 'fail', reason: 'worse', detail: undefined, evidence: 2300, proof: -6.2, weight: 0.125, observed: 52e9 }, true) },
  actions: [],
})

export const waits = (now: number) => detail(now, {
  id: ids.waits, version: '2.6.0', state: 'running', headline: 'Waits in production for 1 approval by release-manager or sre; given by jon.', next: 'Then stage migrate.',
  production: { state: 'running', stage: 1, states: ['passed', 'running', 'pending', 'pending', 'pending', 'pending', 'pending'], more: { 1: { approvals: [{ by: 'jon', roles: ['sre'], reason: 'numbers look fine', at: ago(now, 300) }] } } },
  asks: 'Approve stage approval in production.', actions: ['approve', 'reject', 'pause', 'rollback', 'skip'],
})

export const undecided = (now: number) => detail(now, {
  id: ids.undecided, version: '2.7.0', state: 'running', headline: 'Held in production: there is no proof either way after 60 min: errors 0.31 % against 0.19 %.', next: 'A release manager or SRE decides; the traffic stays as it is meanwhile.',
  production: { state: 'running', stage: 3, states: canaryRuns, lane: 'held', more: { 3: { asks: 'no proof either way after 60 min' } } },
  live: { now: 'held', weight: 0.5, verdict: verdict({ reason: 'undecided', forPerson: true, evidence: 3.4, weight: 0.5, observed: 3600e9, atMiddle: 2400e9, proof: 0.4, detail: 'not yet proven: errors' }) },
  asks: 'There is no proof either way after 60 min, and it leans to harm: promote it anyway?', actions: ['decide', 'reject', 'pause', 'rollback'],
})

export const noEvidence = (now: number) => detail(now, {
  id: ids.good, version: '2.4.0', state: 'running', headline: 'Stage canary in production: waiting, because there is nothing to judge by: no samples of the canary arm.', next: 'It goes on when samples arrive.',
  live: { now: 'waiting', weight: 0.25, verdict: verdict({ reason: 'no evidence', detail: 'no samples of the canary arm' }) },
})

export const paused = (now: number) => detail(now, {
  id: ids.good, version: '2.4.0', state: 'running', headline: 'Paused by jon: looking at a customer’s report.', next: 'It goes on when somebody resumes it.',
  paused: { by: 'jon', reason: 'looking at a customer’s report' }, live: { now: 'held', weight: 0.25, verdict: verdict() }, actions: ['resume', 'rollback'],
})

export const queued = (now: number) => detail(now, {
  id: ids.queued, version: '2.8.0', state: 'running', headline: 'Waits in production behind checkout 2.4.0.', next: 'Stage migrate begins.',
  production: { state: 'running', stage: 2, states: ['passed', 'passed', 'pending', 'pending', 'pending', 'pending', 'pending'], lane: 'queued' }, queue: [ids.good], actions: ['pause', 'rollback', 'skip'],
})

export const failed = (now: number) => detail(now, {
  id: ids.failed, version: '2.3.1', state: 'failed', endedAgo: 4000, headline: 'Failed in production before it had any traffic: stage canary failed: the revision did not become ready within 20s: exit status 3.',
  production: { state: 'failed', stage: 0, states: ['passed', 'passed', 'undone', 'undone', 'pending', 'pending', 'pending'] }, actions: [],
})

export const early = (now: number) => detail(now, {
  id: ids.queued, version: '2.8.0', state: 'running', headline: 'Waits to go to production: it has to run in staging for 10m first.', next: 'It goes to production.', nextIn: 348,
  production: { state: 'pending', stage: 0, states: pending }, actions: ['pause', 'rollback', 'skip'],
})

export const drill = (now: number): ReleaseDetail => ({
  ...detail(now, {
    id: ids.drill, version: '2.4.0-drill', state: 'running', headline: 'Drill: Stage canary in production: 2 % of the traffic, all is well so far.',
    next: 'Then it is taken back, whatever was found.', note: 'is the canary awake?', live: { now: '2 % of the traffic', weight: 0.02, verdict: verdict({ weight: 0.02 }) },
  }),
  drillOf: ids.good,
})

export const drifted = (now: number): ReleaseDetail => ({
  ...detail(now, {
    id: ids.old, version: '2.3.0', state: 'succeeded', headline: 'Succeeded: 2.3.0 is at home in staging and production.', endedAgo: 90_000, actions: ['rollback'],
    production: { state: 'succeeded', stage: 6, states: ['passed', 'passed', 'passed', 'passed', 'passed', 'passed', 'passed'] },
  }),
  drift: { production: drift(now, 'checkout'), staging: { fields: [], since: ago(now, 90_000), at: ago(now, 40), git: { fields: [], since: ago(now, 90_000), unknown: 'the worker eu-1 of staging: fetch from https://git.example.com/deploy: Could not resolve host' } } },
})

const memoryOf = (service: string) => `Deployment shop/${service} spec.template.spec.containers[${service}].resources.limits.memory`

export const drift = (now: number, service: string): Drift => ({
  fields: [memoryOf(service)], since: ago(now, 5_400), at: ago(now, 40),
  git: {
    fields: [memoryOf(service), `ConfigMap shop/${service}-limits data.timeout`, `PodDisruptionBudget shop/${service} is missing`],
    since: ago(now, 600),
  },
})

export const details = (now: number): ReleaseDetail[] => [queued(now), undecided(now), waits(now), bad(now), good(now), failed(now)]

export const releases = (now: number): Release[] => [drill(now), ...details(now)].map((d, i) => ({
  id: d.id, service: d.service, version: d.version, artifact: d.artifact, digest: d.digest, author: d.author, note: d.note, planHash: d.planHash, drillOf: d.drillOf,
  state: d.state, environment: d.environment, createdAt: ago(now, 600 + i * 4000), endedAt: d.endedAt && ago(now, 100 + i * 4000),
}))

export const services: Service[] = [
  { name: 'checkout', owner: 'payments', environments: [
    { name: 'staging', home: ids.good, homeVersion: '2.4.0' },
    { name: 'production', home: ids.old, homeVersion: '2.3.0', moving: ids.good, queue: [ids.queued] },
  ] },
  { name: 'search', owner: 'discovery', environments: [
    { name: 'staging', home: ids.old, homeVersion: '118', drift: drift(Date.now(), 'search') },
    { name: 'production', home: ids.old, homeVersion: '117', frozen: 'frozen: peak of the autumn sale, until Monday' },
  ] },
  { name: 'mail-worker', environments: [{ name: 'production' }] },
]

export const freezes = (now: number): Freeze[] => [
  { id: 'f1', service: 'search', environment: 'production', reason: 'Peak of the autumn sale', by: 'ines', from: ago(now, 7200), until: ago(now, -200_000) },
  { id: 'f2', reason: 'Nobody ships on Friday evening', by: 'jon', from: ago(now, 900_000), rule: 'FREQ=WEEKLY;BYDAY=FR', for: '8h' },
]

export const verification = (release: string, lines: number): Verification => ({ release, lines, ok: true, head: digest(lines).slice(7) })

/** A release on its way through 200 regions: the second wave is done, the third moves, one asks. */
export function inRegions(now: number): ReleaseDetail {
  const sketch = good(now)
  const names = Array.from({ length: 200 }, (_, i) => `r${i}`)
  const stages = sketch.plan!.environments![1]!.stages
  const waveOf = (i: number) => (i < 1 ? 1 : i < 10 ? 2 : i < 50 ? 3 : 4)
  const environments = names.map((region, i): PlanEnvironment => ({
    name: `production/${region}`, region, platform: 'host', onUndecided: 'hold', falseAlarm: 0.000025, stages,
    leg: { environment: 'production', wave: waveOf(i), takeBack: 'all', bake: '30m' },
  }))
  const stateOf = (i: number): EnvironmentState => (waveOf(i) < 3 ? 'succeeded' : waveOf(i) > 3 ? 'pending' : i % 4 ? 'running' : 'succeeded')
  const runs = environments.map(({ name }, i): EnvironmentRun => {
    const state = stateOf(i)
    const done = state === 'succeeded'
    const at = done ? stages!.length - 1 : state === 'running' ? 3 : 0
    return {
      name, state, stage: at, startedAt: state === 'pending' ? undefined : ago(now, 600), endedAt: done ? ago(now, 60) : undefined,
      stages: stages!.map((_, j): StageRun => ({
        state: done || j < at ? 'passed' : j === at && state === 'running' ? 'running' : 'pending',
        asks: i === 42 && j === at ? 'go on without proof, or roll back?' : undefined,
      })),
    }
  })
  return {
    ...sketch, id: `${sketch.id}w`, environment: 'production/r42', live: {}, asks: 'go on without proof, or roll back?', actions: ['decide', 'reject', 'pause', 'rollback'],
    headline: 'Wave 3 of 4 in production, 20 of 200 regions are done. Held in production/r42: go on without proof, or roll back?',
    plan: { ...sketch.plan!, environments }, run: { ...sketch.run, environments: runs },
  }
}

/** A release of two services: payments is at home in production, and shop's canary moves. */
export function together(now: number): ReleaseDetail {
  const sketch = good(now)
  const production = sketch.plan!.environments![1]!
  const deploy: PlanStage[] = [{ name: 'deploy', kind: 'deploy', timeLimit: '5m', undo: 'brings the previous revision back and gives it all the traffic' }]
  const entry = (service: string, step: number, stages: PlanStage[]): PlanEnvironment => ({
    ...production, name: `production:${service}`, service, stages, leg: { environment: 'production', wave: 1, step, takeBack: 'all' },
  })
  const environments = [entry('payments', 1, deploy), entry('checkout', 2, production.stages!)]
  const runs: EnvironmentRun[] = [
    { name: 'production:payments', state: 'succeeded', stage: 0, startedAt: ago(now, 900), endedAt: ago(now, 700), stages: stageRuns(now, ['passed']) },
    { name: 'production:checkout', state: 'running', stage: 3, startedAt: ago(now, 700), stages: stageRuns(now, canaryRuns) },
  ]
  return {
    ...sketch, id: `${sketch.id}t`, environment: 'production:checkout', live: {}, actions: ['pause', 'rollback'],
    with: [{ service: 'payments', version: 'v3', artifact: '/builds/payments', digest: digest(7) }],
    headline: '1 of 2 services are done in production. Stage canary in production:checkout.',
    plan: { ...sketch.plan!, environments }, run: { ...sketch.run, environments: runs },
  }
}
