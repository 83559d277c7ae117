import type { Event } from '../api/types.ts'
import { verdictIn } from '../release/verdict.ts'

/** A moment that explains a curve. */
export interface Mark {
  /** In seconds. */
  at: number
  kind: 'weight' | 'verdict' | 'pass' | 'rollback' | 'person' | 'stage'
  text: string
}

/** Which ledger lines are worth a mark: changes of traffic, verdicts, retreats, people. */
export function markKind({ kind, data }: Pick<Event, 'kind' | 'data'>): Mark['kind'] | undefined {
  if (/rolling-back|rollback-requested|\.back$/.test(kind)) return 'rollback'
  if (/weight|route/.test(kind)) return 'weight'
  if (kind.endsWith('.verdict')) return verdictMark(data)
  if (kind === 'stage.asks') return 'person'
  if (/paused|resumed|approved|decided|frozen|thawed|skipped/.test(kind)) return 'person'
  if (/^stage\.(started|passed|failed)$/.test(kind)) return 'stage'
  return undefined
}

/** That all is well, or that there is nothing to judge by, is no turn of the story. */
function verdictMark(data: unknown): Mark['kind'] | undefined {
  const verdict = verdictIn(data)
  if (verdict?.kind === 'pass') return 'pass'
  return verdict && ['collecting', 'no evidence'].includes(verdict.reason) ? undefined : 'verdict'
}

export function marks(events: Event[], environment: string): Mark[] {
  const list: Mark[] = []
  for (const event of events) {
    if (event.environment && event.environment !== environment) continue
    const kind = markKind(event)
    const at = Date.parse(event.at) / 1000
    if (kind && !Number.isNaN(at)) list.push({ at, kind, text: event.text })
  }
  return list
}

/** The mark nearest to a time, if it is near enough. */
export function nearest(list: Mark[], at: number, within: number): Mark | undefined {
  let best: Mark | undefined
  for (const mark of list) {
    const distance = Math.abs(mark.at - at)
    if (distance <= within && (!best || distance <= Math.abs(best.at - at))) best = mark
  }
  return best
}
