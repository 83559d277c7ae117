// What a person can do to a release, and exactly what will happen then.

import type { Change } from '../api/queries.ts'
import type { Action, ReleaseDetail } from '../api/types.ts'
import { percent, shortDigest } from '../format/number.ts'
import { currentEnvironment, exposed, place, places, titleOf, undoing } from './run.ts'
import type { Place } from './run.ts'

export interface Choice {
  action: Action
  label: string
  tone: 'primary' | 'plain' | 'danger'
  /** Who must say why. */
  reasonRequired: boolean
  title: string
  /** What will happen, in sentences. */
  consequences: string[]
  change: Change
}

const order: Action[] = ['approve', 'decide', 'reject', 'resume', 'pause', 'skip', 'rollback']

/** The choices that the server allows now, in a fixed order; others are not shown at all. */
export function choices(detail: ReleaseDetail): Choice[] {
  const allowed = new Set(detail.actions ?? [])
  return order.filter((action) => allowed.has(action)).map((action) => describe(action, detail))
}

export function describe(action: Action, detail: ReleaseDetail): Choice {
  const environment = currentEnvironment(detail)
  const whole = place(detail, environment)?.plan?.leg?.environment ?? environment
  const name = titleOf(detail)
  const here = place(detail, environment)
  const stage = here?.steps.find(({ current }) => current)
  const change: Change = { action: action === 'decide' ? 'approve' : action, environment }
  const answer = { ...change, stage: stage?.plan.name }
  const bound = `It is bound to the ${artifacts(detail)} and the plan ${detail.planHash.slice(0, 8)} that you see here.`

  switch (action) {
    case 'approve': {
      const needed = stage?.plan.approval?.count ?? 1
      const given = stage?.run.approvals?.length ?? 0
      const last = given + 1 >= needed
      return {
        action, label: 'Approve', tone: 'primary', reasonRequired: false, change: answer,
        title: `Approve ${stage?.plan.name ?? 'the release'} in ${environment}?`,
        consequences: [
          last ? `Yours is the last approval that is needed (${given + 1} of ${needed}): the release goes on${following(detail)}.`
            : `Yours is approval ${given + 1} of ${needed}; the release goes on when all are given.`,
          bound,
        ],
      }
    }
    case 'decide':
      if (here?.run.asks) {
        return {
          action, label: 'Keep it there', tone: 'plain', reasonRequired: false, change,
          title: `Keep ${name} in the other regions of ${whole}?`,
          consequences: [`It stays at home where it has succeeded before ${environment}, and goes no further.`, bound],
        }
      }
      return {
        action, label: 'Go on', tone: 'primary', reasonRequired: false, change: answer,
        title: `Go on with ${name} in ${environment}?`,
        consequences: [
          `You decide in the place of missing proof: stage ${stage?.plan.name ?? ''} goes on with the new version${following(detail)}.`,
          'Proof of harm takes it back all the same while it is watched.', bound,
        ],
      }
    case 'reject':
      if (here?.run.asks) {
        return {
          action, label: 'Take it back', tone: 'danger', reasonRequired: false, change,
          title: `Take ${name} back in the other regions of ${whole}?`,
          consequences: [`The users' traffic returns to the version before also where it has succeeded before ${environment}.`],
        }
      }
      return {
        action, label: 'Reject', tone: 'danger', reasonRequired: false, change: answer,
        title: `Reject ${name} in ${environment}?`,
        consequences: [`The release ends here and does not go further.`, ...rejection(detail, environment)],
      }
    case 'pause':
      return {
        action, label: 'Pause', tone: 'plain', reasonRequired: false, change: { action: 'pause' },
        title: `Pause ${name}?`,
        consequences: [
          `Nothing advances until somebody resumes it.${weight(detail, environment)}`,
          'It is watched meanwhile, and goes back by itself if there is proof of harm. The time limit of the stage stands still.',
        ],
      }
    case 'resume':
      return {
        action, label: 'Resume', tone: 'primary', reasonRequired: false, change: { action: 'resume' },
        title: `Resume ${name}?`,
        consequences: [`It goes on where it was: stage ${stage?.plan.name ?? 'to come'} in ${environment}. The time limit of the stage runs again.`],
      }
    case 'skip':
      return {
        action, label: `Skip ${whole}`, tone: 'plain', reasonRequired: true, change: { ...change, environment: whole },
        title: `Skip ${whole}?`,
        consequences: [
          `None of its ${here?.steps.length ?? 0} stages is carried out there, and what they would have proven stays unproven.`,
          'Your name and your reason stay in the record.',
        ],
      }
    case 'rollback':
      return {
        action, label: 'Roll back', tone: 'danger', reasonRequired: false, change: { ...change, environment: whole },
        title: `Roll back ${name} in ${whole}?`,
        consequences: whole === environment ? retreat(detail, environment) : everywhere(detail, whole),
      }
  }
}

/** What an answer is bound to, beside the plan. */
function artifacts(detail: ReleaseDetail): string {
  const digests = [detail.digest, ...(detail.with ?? []).map(({ digest }) => digest)].map((digest) => shortDigest(digest))
  return digests.length > 1 ? `artifacts ${digests.join(', ')}` : `artifact ${digests[0]}`
}

/** What a retreat from all regions and of all services in an environment does, now. */
function everywhere(detail: ReleaseDetail, environment: string): string[] {
  const all = partsIn(detail, environment)
  return [...returning(environment, all.filter(begun)), ...leftOut(all)]
}

/** What a rejection takes back: its own wave, and those before it as the plan says. */
function rejection(detail: ReleaseDetail, environment: string): string[] {
  const leg = place(detail, environment)?.plan?.leg
  if (!leg || leg.wave === 0) return retreat(detail, environment)
  const all = partsIn(detail, leg.environment)
  const before = all.filter((part) => part.run.state === 'succeeded' && part.plan!.leg!.wave < leg.wave)
  const back = all.filter((part) => begun(part) && (leg.takeBack === 'all' || !before.includes(part)))
  const lines = back.length > 1 ? returning(leg.environment, back) : undone(detail, environment)
  lines.push(...leftOut(all))
  if (leg.takeBack === 'ask' && before.length > 0) lines.push('Somebody is asked then whether it stays where it has succeeded in the waves before.')
  if (leg.takeBack === 'wave' && before.length > 0) lines.push('It stays where it has succeeded in the waves before.')
  return [...lines, ...beyond(detail, leg.environment)]
}

/** The regions and services of an environment. */
const partsIn = (detail: ReleaseDetail, environment: string) =>
  places(detail).filter(({ plan }) => plan?.leg?.environment === environment && plan.leg.wave > 0)

const begun = ({ run }: Place) => Boolean(run.startedAt) && ['running', 'succeeded', 'rolling-back'].includes(run.state)

const once = (names: (string | undefined)[]) => [...new Set(names)]

function returning(environment: string, back: Place[]): string[] {
  if (back.length === 0) return [`Nothing was changed in ${environment} yet, so there is nothing to undo.`]
  const services = once(back.map(({ plan }) => plan?.service)).reverse()
  if (services[0]) {
    return [`The users' traffic returns to the version before in all services where it was begun${services.length > 1 ? `, in this order: ${services.join(', ')}` : `: ${services[0]}`}.`]
  }
  return [`The users' traffic returns to the version before in all ${back.length} regions where it was begun, the newest wave first.`]
}

/** What has not begun, and so does not change. */
function leftOut(all: Place[]): string[] {
  const waiting = all.filter(({ run }) => run.state === 'pending')
  if (waiting.length === 0) return []
  if (!waiting[0]?.plan?.service) return [`It does not go to the other ${waiting.length}.`]
  const touched = once(all.filter(begun).map(({ plan }) => plan?.service))
  const services = once(waiting.map(({ plan }) => plan?.service)).filter((service) => !touched.includes(service))
  return services.length > 0 ? [`It does not begin with ${services.join(' or ')}.`] : []
}

function following(detail: ReleaseDetail): string {
  const steps = place(detail, currentEnvironment(detail))?.steps ?? []
  const next = steps[steps.findIndex(({ current }) => current) + 1]
  return next ? ` to stage ${next.plan.name}` : ''
}

function weight(detail: ReleaseDetail, environment: string): string {
  const live = detail.live?.[environment]
  return live ? ` The traffic stays as it is: ${percent(live.weight)} on the new version.` : ''
}

/** What a retreat from the environment does, now. */
const retreat = (detail: ReleaseDetail, environment: string) =>
  [...undone(detail, environment), ...beyond(detail, place(detail, environment)?.plan?.leg?.environment ?? environment)]

function undone(detail: ReleaseDetail, environment: string): string[] {
  const steps = undoing(detail, environment)
  if (place(detail, environment)?.run.state === 'pending') return [`It does not go to ${environment}. Nothing was placed there, so there is nothing to undo.`]
  if (steps.length === 0) return [`Nothing was changed in ${environment} yet, so there is nothing to undo.`]
  return [
    exposed(detail, environment)
      ? `The users' traffic in ${environment} returns to the version before, at once as far as it has the capacity.`
      : `The new version has had no users' traffic in ${environment}; it is taken away.`,
    ...steps.map(({ stage, undo }) => `Stage ${stage}: ${undo}.`),
  ]
}

/** What becomes of the other environments. */
function beyond(detail: ReleaseDetail, environment: string): string[] {
  const others = (state: string) => once(places(detail).filter(({ run }) => run.state === state)
    .map(({ plan, run }) => plan?.leg?.environment ?? run.name)).filter((name) => name !== environment)
  const [later, earlier] = [others('pending'), others('succeeded')]
  const lines: string[] = []
  if (later.length > 0) lines.push(`It does not go to ${later.join(' or ')} either.`)
  if (earlier.length > 0) lines.push(`It stays in ${earlier.join(' and ')}.`)
  return lines
}
