import { describe, expect, it } from 'vitest'
import * as sample from '../stories/samples.ts'
import { explain } from './Chart.tsx'
import { markKind, marks, nearest } from './marks.ts'
import { lonely } from './options.ts'
import { columns, latest, silent, top, withWeights } from './series.ts'

const end = Date.parse('2030-05-01T12:00:00Z')
const points = sample.points(sample.goodCourse, end)

describe('the columns of a chart', () => {
  it('have a value for each point, in the order of time', () => {
    const c = columns(points)
    expect(c.at).toHaveLength(points.length)
    expect(c.at.every((at, i) => i === 0 || at > c.at[i - 1]!)).toBe(true)
    expect(c.weight.at(-1)).toBe(0.25)
    expect(c.canary.error.low.every((low, i) => low === null || low <= c.canary.error.value[i]!)).toBe(true)
    expect(c.gaps).toEqual([])
  })

  it('hold nothing, and never zero, where samples are missing; the reason is kept', () => {
    const c = columns(sample.points(sample.gappyCourse, end))
    const inside = c.at.findIndex((at) => at === end / 1000 - 85) // second 100 of 185
    for (const column of [c.weight, c.evidence, c.canary.error.value, c.stable.error.high, c.stable.p99.low]) expect(column[inside]).toBeNull()
    expect(c.gaps.map(({ reason }) => reason)).toEqual(['the router does not answer', 'no samples of the canary arm'])
    expect(c.gaps[0]!.to - c.gaps[0]!.from).toBe(25)
  })

  it('break where nothing was sampled for long', () => {
    const c = columns([...points.slice(0, 20), ...points.slice(60, 80)])
    expect(c.gaps).toEqual([{ from: c.at[19], to: c.at[21], reason: silent }])
    expect(c.weight[20]).toBeNull()
  })

  it('leave an arm out that has no data, and only that one', () => {
    const point = structuredClone(points[50]!)
    point.canary.error = { known: false, value: 0, low: 0, high: 0 }
    const c = columns([point])
    expect(c.canary.error.value).toEqual([null])
    expect(c.stable.error.value[0]).toBeGreaterThan(0)
    expect(c.gaps).toEqual([])
  })

  it('survive no points, one point and a repeated time', () => {
    expect(columns([]).at).toEqual([])
    expect(columns([points[0]!]).at).toHaveLength(1)
    expect(columns([points[0]!, points[0]!]).at).toHaveLength(1)
  })
})

it('the traffic goes on after the last sample as the ledger says', () => {
  const c = columns(points)
  const [back] = sample.events('r', end, [[-2, 'canary.back', 'All traffic is back.', 'canary']])
  const more = withWeights(c, [back!])
  expect(more.weight.slice(-3)).toEqual([0.25, 0, 0])
  expect(more.at.at(-2)).toBe(end / 1000 + 2)
  expect(more.evidence.slice(-2)).toEqual([null, null])
  expect(more.gaps).toEqual([])
  const [home] = sample.events('r', end, [[-3, 'environment.succeeded', 'It is at home.']])
  expect(withWeights(c, [home!]).weight.at(-1)).toBe(1)
  expect(withWeights(c, sample.goodEvents('r', end))).toBe(c)
})

describe('scales and legends', () => {
  it('show the newest known value', () => {
    expect(latest([1, 2, null])).toBe(2)
    expect(latest([null])).toBeNull()
  })
  it('always hold the lines, and cut intervals that are far wider', () => {
    const wide = { value: [0.01, 0.01], low: [0, 0], high: [0.9, 0.9] }
    expect(top([wide], 0.005)).toBeLessThan(0.05)
    expect(top([{ value: [0.5], low: [0.4], high: [0.6] }], 0.005)).toBeGreaterThan(0.6)
    expect(top([], 0.005)).toBe(0.005)
  })
  it('draw a dot for a value without neighbours', () => {
    expect(lonely([null, 1, null, 2, 3, null, 4])).toEqual([1, 6])
  })
})

describe('the words under a chart', () => {
  const c = columns(sample.points(sample.gappyCourse, end))
  const line = { name: 'Canary', colour: 'canary', ...c.canary.error }
  const picture = { at: c.at, lines: [line], gaps: c.gaps, marks: [], thresholds: [], scale: { min: 0, max: 1 }, format: (v: number) => v.toFixed(3) }
  const at = (second: number) => c.at.indexOf(end / 1000 - 185 + second)

  it('say how sure a value is, what happened then, or why there is none', () => {
    expect(explain(picture, at(60))).toMatch(/^95 %: Canary 0\.\d{3} to 0\.\d{3}$/)
    expect(explain({ ...picture, marks: [{ at: c.at[at(60)]!, kind: 'weight', text: 'It gets 5 %.' }] }, at(61))).toBe('It gets 5 %.')
    expect(explain(picture, at(100))).toBe('No samples: the router does not answer')
  })
})

describe('marks', () => {
  it('stand for what explains a curve', () => {
    expect(['canary.weight', 'canary.verdict', 'environment.rolling-back', 'release.paused', 'stage.started', 'evidence.posted', 'lane.granted'].map((kind) => markKind({ kind })))
      .toEqual(['weight', 'verdict', 'rollback', 'person', 'stage', undefined, undefined])
    const verdicts = [sample.verdict(), sample.verdict({ kind: 'pass', reason: 'not worse' }), sample.verdict({ reason: 'suspicious' })]
    expect(verdicts.map((verdict) => markKind({ kind: 'canary.verdict', data: { verdict } }))).toEqual([undefined, 'pass', 'verdict'])
  })
  it('belong to their environment, and are found near the pointer', () => {
    const list = marks(sample.badEvents('r', end), 'production')
    expect(list.some(({ text }) => text.includes('staging'))).toBe(false)
    const back = list.find(({ text }) => text.startsWith('Rolling back'))!
    expect(nearest(list, back.at + 1, 3)?.kind).toBe('rollback')
    expect(nearest(list, back.at + 1000, 3)).toBeUndefined()
  })
})
