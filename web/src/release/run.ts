// Questions to a run and its plan.

import type { EnvironmentRun, PlanEnvironment, PlanStage, Point, Release, ReleaseDetail, StageRun } from '../api/types.ts'
import { shortDigest } from '../format/number.ts'
import { instant, short } from '../format/time.ts'

/** One stage as planned and as carried out. */
export interface Step {
  plan: PlanStage
  run: StageRun
  current: boolean
}

export interface Place {
  plan?: PlanEnvironment
  run: EnvironmentRun
  steps: Step[]
}

export function places(detail: ReleaseDetail): Place[] {
  return (detail.run.environments ?? []).map((run) => {
    const plan = detail.plan?.environments?.find((e) => e.name === run.name)
    const moves = run.state === 'running' || run.state === 'rolling-back'
    const steps = (plan?.stages ?? []).map((stage, i) => ({
      plan: stage,
      run: run.stages?.[i] ?? { state: 'pending' as const },
      current: moves && run.stage === i,
    }))
    return { plan, run, steps }
  })
}

export const place = (detail: ReleaseDetail, environment: string) => places(detail).find(({ run }) => run.name === environment)

/** What is released, for people: "shop v2 with payments v3". */
export function titleOf({ service, version, digest, with: others }: Pick<Release, 'service' | 'version' | 'digest' | 'with'>): string {
  const names = (others ?? []).map((other) => `${other.service} ${other.version}`)
  const whole = `${service} ${version || shortDigest(digest)}`
  if (names.length === 0) return whole
  return `${whole} with ${[names.slice(0, -1).join(', '), names.at(-1)].filter(Boolean).join(' and ')}`
}

/** The service and the place of an entry: "production/eu:payments" is payments in production/eu. */
export function partsOf(entry: string, leading: string): { service: string; place: string } {
  const [place = entry, service = leading] = entry.split(':')
  return { service, place }
}

/** The environment that moves or waits, else the last one that was begun. */
export function currentEnvironment(detail: ReleaseDetail): string {
  const list = detail.run.environments ?? []
  const moving = list.filter(({ state, asks }) => state === 'running' || state === 'rolling-back' || asks)
  // Of several regions that move the server knows the one that waits for a person.
  const moves = moving.find(({ name }) => name === detail.environment) ?? moving[0]
  return moves?.name ?? detail.environment ?? list[0]?.name ?? ''
}

/** The environment that moves if it has points, else the last one that has. */
export function judgedEnvironment(detail: ReleaseDetail, points: Point[]): string | undefined {
  const moving = currentEnvironment(detail)
  return points.some((point) => point.environment === moving) ? moving : points.at(-1)?.environment
}

/** What a rollback does now, in the order in which it does it: the stages begun, backwards. */
export function undoing(detail: ReleaseDetail, environment: string): { stage: string; undo: string }[] {
  return (place(detail, environment)?.steps ?? [])
    .filter(({ plan, run }) => Boolean(run.startedAt) && run.state !== 'undone' && Boolean(plan.undo))
    .map(({ plan }) => ({ stage: plan.name, undo: plan.undo! }))
    .reverse()
}

/** Whether users' traffic has reached the new revision in the environment. */
export const exposed = (detail: ReleaseDetail, environment: string) =>
  (detail.live?.[environment]?.weight ?? 0) > 0 || (place(detail, environment)?.steps ?? []).some(({ run }) => run.exposed)

/** How long something took, or has taken until now. */
export function took(startedAt: string | undefined, endedAt: string | undefined, now: number): string | undefined {
  const from = instant(startedAt)
  if (from === undefined) return undefined
  return short((instant(endedAt) ?? now) - from)
}
