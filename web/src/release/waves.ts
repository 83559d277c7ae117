// The regions of an environment, by wave.

import type { ReleaseDetail } from '../api/types.ts'
import { places, type Place } from './run.ts'

export interface Wave {
  number: number
  /** The troubled ones first. */
  regions: Place[]
}

export interface Regional {
  environment: string
  waves: Wave[]
}

/** Smaller is shown first: who asks a person, who goes back, who moves, and then the others. */
const urgency = ['rolling-back', 'failed', 'rolled-back', 'running', 'pending', 'cancelled', 'skipped', 'succeeded']

export const asks = ({ run, steps }: Place): string | undefined =>
  run.asks || steps.find(({ current, run: stage }) => current && stage.asks)?.run.asks || undefined

const rank = (place: Place) => (asks(place) ? -1 : urgency.indexOf(place.run.state))

/** Whether a region is shown by itself, however many there are. */
export const stirs = (place: Place) => rank(place) <= urgency.indexOf('running')

/** Several services in an environment without regions have a row each, as environments do. */
export const isRegion = ({ plan }: Place) => (plan?.leg?.wave ?? 0) > 0 && plan!.name.includes('/')

/** What the region is called, with the service where there are several. */
export const labelOf = ({ plan }: Place) => (plan?.service ? `${plan.region} ${plan.service}` : plan?.region)

/** How many regions there are, whatever the number of services in each. */
export const regionsIn = ({ waves }: Regional) => new Set(waves.flatMap(({ regions }) => regions.map(({ plan }) => plan?.region))).size

export function regional(detail: ReleaseDetail): Regional[] {
  const all: Regional[] = []
  for (const place of places(detail)) {
    if (!isRegion(place)) continue
    const { environment, wave: number } = place.plan!.leg!
    let here = all.find((r) => r.environment === environment)
    if (!here) all.push((here = { environment, waves: [] }))
    let wave = here.waves.find((w) => w.number === number)
    if (!wave) here.waves.push((wave = { number, regions: [] }))
    wave.regions.push(place)
  }
  for (const { waves } of all) for (const wave of waves) wave.regions.sort((a, b) => rank(a) - rank(b))
  return all
}

/** How many regions are in which state, the troubled ones first. */
export function counts(regions: Place[]): [state: string, n: number][] {
  const n = new Map<string, number>()
  for (const { run } of regions) n.set(run.state, (n.get(run.state) ?? 0) + 1)
  return [...n].sort(([a], [b]) => urgency.indexOf(a) - urgency.indexOf(b))
}
