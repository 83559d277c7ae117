// Turns points into the columns of a chart. What was not measured is null, never zero,
// and every stretch without measurements is named with its reason.

import type { ArmPoint, Event, Interval, Point } from '../api/types.ts'

export type Column = (number | null)[]

export interface Band {
  value: Column
  low: Column
  high: Column
}

export interface Arm {
  error: Band
  p50: Band
  p99: Band
}

/** A stretch without measurements; times in seconds. */
export interface Gap {
  from: number
  to: number
  reason: string
}

export interface Columns {
  /** Seconds since 1970, rising strictly. */
  at: number[]
  weight: Column
  evidence: Column
  stable: Arm
  canary: Arm
  gaps: Gap[]
}

const band = (): Band => ({ value: [], low: [], high: [] })
const arm = (): Arm => ({ error: band(), p50: band(), p99: band() })

export const silent = 'nothing was sampled'

export function columns(points: Point[]): Columns {
  const c: Columns = { at: [], weight: [], evidence: [], stable: arm(), canary: arm(), gaps: [] }
  const longest = longestStep(points)
  let last: number | undefined
  for (const point of points) {
    const at = Date.parse(point.at) / 1000
    if (Number.isNaN(at) || (last !== undefined && at <= last)) continue
    if (last !== undefined && at - last > longest) {
      addEmpty(c, (last + at) / 2)
      addGap(c.gaps, last, at, silent)
    }
    if (point.missing) {
      addEmpty(c, at)
      addGap(c.gaps, last ?? at, at, point.missing)
    } else {
      c.at.push(at)
      c.weight.push(point.weight)
      c.evidence.push(point.evidence)
      addArm(c.stable, point.stable)
      addArm(c.canary, point.canary)
    }
    last = at
  }
  return c
}

/** What the ledger says of the traffic after the last sample: it is taken back when nothing is sampled any more. */
export function withWeights(c: Columns, events: Event[]): Columns {
  const last = c.at.at(-1)
  if (last === undefined) return c
  const later = events.flatMap((event) => {
    const at = Date.parse(event.at) / 1000
    const weight = weightIn(event)
    return at > last && weight !== undefined ? [{ at, weight }] : []
  })
  const end = later.at(-1)
  if (!end) return c
  // A short tail, so that the last step can be seen.
  const tail = { at: end.at + Math.max(2, (end.at - c.at[0]!) * 0.04), weight: end.weight }
  const more = structuredClone(c)
  for (const { at, weight } of [...later, tail]) {
    if (at <= more.at.at(-1)!) continue
    addEmpty(more, at)
    more.weight[more.weight.length - 1] = weight
  }
  return more
}

function weightIn({ kind, data }: Event): number | undefined {
  if (kind.endsWith('.back')) return 0
  if (kind === 'environment.succeeded') return 1 // at home: there is no other revision
  const weight = kind.endsWith('.weight') ? (data as { weight?: unknown } | null | undefined)?.weight : undefined
  return typeof weight === 'number' ? weight : undefined
}

/** Longer than three usual steps (and ten seconds) is a silence. */
function longestStep(points: Point[]): number {
  const steps: number[] = []
  for (let i = 1; i < points.length; i++) {
    const step = (Date.parse(points[i]!.at) - Date.parse(points[i - 1]!.at)) / 1000
    if (step > 0) steps.push(step)
  }
  if (steps.length === 0) return Infinity
  steps.sort((a, b) => a - b)
  return Math.max(10, 3 * steps[Math.floor(steps.length / 2)]!)
}

function addEmpty(c: Columns, at: number) {
  c.at.push(at)
  c.weight.push(null)
  c.evidence.push(null)
  for (const side of [c.stable, c.canary]) for (const b of [side.error, side.p50, side.p99]) push(b, undefined)
}

/** Neighbours with the same reason are one gap. */
function addGap(gaps: Gap[], from: number, to: number, reason: string) {
  const before = gaps.at(-1)
  if (before && before.reason === reason && before.to >= from) before.to = to
  else gaps.push({ from, to, reason })
}

function addArm(to: Arm, point: ArmPoint) {
  push(to.error, point.error)
  push(to.p50, point.p50)
  push(to.p99, point.p99)
}

function push(to: Band, i: Interval | undefined) {
  to.value.push(i?.known ? i.value : null)
  to.low.push(i?.known ? i.low : null)
  to.high.push(i?.known ? i.high : null)
}

/** The last value that is known, and whether it is the newest there could be. */
export function latest(column: Column): number | null {
  for (let i = column.length - 1; i >= 0; i--) if (column[i] != null) return column[i]!
  return null
}

/** The top of a scale from zero: the lines always fit, wide intervals at the start may be cut. */
export function top(bands: Band[], least: number): number {
  let value = 0
  const highs: number[] = []
  for (const b of bands) {
    for (const v of b.value) if (v != null) value = Math.max(value, v)
    for (const h of b.high) if (h != null) highs.push(h)
  }
  highs.sort((a, b) => a - b)
  const usual = highs[Math.floor(highs.length * 0.9)] ?? 0
  return Math.max(least, 1.08 * Math.max(value, Math.min(usual, 4 * Math.max(value, least))))
}
