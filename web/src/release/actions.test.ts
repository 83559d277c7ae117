import { describe, expect, it } from 'vitest'
import * as sample from '../stories/samples.ts'
import { space } from '../format/number.ts'
import { choices, describe as describeAction } from './actions.ts'
import { currentEnvironment, judgedEnvironment, undoing } from './run.ts'

const now = Date.now()
const text = (action: Parameters<typeof describeAction>[0], detail = sample.good(now)) => describeAction(action, detail).consequences.join(' ').replaceAll(space, ' ')

describe('the choices', () => {
  it('are those that the server allows, in a fixed order', () => {
    expect(choices(sample.waits(now)).map(({ label }) => label)).toEqual(['Approve', 'Reject', 'Pause', 'Skip production', 'Roll back'])
    expect(choices(sample.bad(now))).toEqual([])
    expect(choices({ ...sample.good(now), actions: null })).toEqual([])
  })

  it('send the words of the API: a decision is an approval', () => {
    expect(describeAction('decide', sample.undecided(now)).change).toEqual({ action: 'approve', environment: 'production', stage: 'canary' })
    expect(describeAction('pause', sample.good(now)).change).toEqual({ action: 'pause' })
    expect(describeAction('rollback', sample.good(now)).change).toEqual({ action: 'rollback', environment: 'production' })
  })

  it('need a reason only where the server does', () => {
    expect(choices(sample.waits(now)).filter(({ reasonRequired }) => reasonRequired).map(({ action }) => action)).toEqual(['skip'])
  })
})

describe('the consequences', () => {
  it('of a rollback name what is undone, backwards, and what stays', () => {
    const lines = describeAction('rollback', sample.good(now)).consequences
    expect(lines[0]).toContain('traffic in production returns to the version before')
    expect(lines[1]).toMatch(/^Stage canary: gives all the traffic back/)
    expect(lines[2]).toBe('Stage migrate: runs ./migrate down.')
    expect(lines.at(-1)).toBe('It stays in staging.')
  })

  it('of a rollback before any traffic say so', () => {
    expect(text('rollback', { ...sample.good(now), live: null })).toContain("has had no users' traffic")
    expect(text('rollback', sample.early(now))).toContain('Nothing was placed there')
  })

  it('of a rejection name what would be taken back, and no more', () => {
    const regions = sample.inRegions(now)
    expect(text('reject', regions)).toBe(
      "The release ends here and does not go further. The users' traffic returns to the version before in all 50 regions where it was begun, the newest wave first. It does not go to the other 150.")
    const takeBack = (word: string) => regions.plan!.environments!.forEach(({ leg }) => { leg!.takeBack = word })
    takeBack('wave')
    expect(text('reject', regions)).toContain('in all 40 regions where it was begun, the newest wave first. It does not go to the other 150. It stays where it has succeeded in the waves before.')
    takeBack('ask')
    expect(text('reject', regions)).toContain('in all 40 regions where it was begun, the newest wave first. It does not go to the other 150. Somebody is asked then')

    const services = sample.together(now)
    expect(text('reject', services)).toBe(
      "The release ends here and does not go further. The users' traffic returns to the version before in all services where it was begun, in this order: checkout, payments.")
    const [payments, checkout] = services.run.environments!
    Object.assign(payments!, { state: 'running', stages: [{ state: 'running', startedAt: payments!.startedAt, exposed: true }] })
    checkout!.state = 'pending'
    checkout!.startedAt = undefined
    services.environment = payments!.name
    expect(text('reject', services)).toBe(
      "The release ends here and does not go further. The users' traffic in production:payments returns to the version before, at once as far as it has the capacity. " +
      'Stage deploy: brings the previous revision back and gives it all the traffic. It does not begin with checkout.')
  })

  it('of a rejection before anything was begun name no part of the environment', () => {
    const services = sample.together(now)
    const { leg } = services.plan!.environments![0]!
    services.plan!.environments!.unshift({ ...services.plan!.environments![0]!, name: 'production', service: undefined, leg: { ...leg!, wave: 0, step: undefined },
      stages: [{ name: 'approval', kind: 'approval', timeLimit: '1d', approval: { roles: ['sre'], count: 1, expires: '0s' } }] })
    services.plan!.environments!.unshift({ ...sample.good(now).plan!.environments![0]!, name: 'staging' })
    for (const part of services.run.environments!) Object.assign(part, { state: 'pending', startedAt: undefined })
    services.run.environments!.unshift({ name: 'production', state: 'running', stage: 0, startedAt: new Date(now).toISOString(), stages: [{ state: 'running' }] })
    services.run.environments!.unshift({ ...sample.good(now).run.environments![0]!, name: 'staging', state: 'succeeded' })
    services.environment = 'production'
    expect(text('reject', services)).toBe(
      'The release ends here and does not go further. Nothing was changed in production yet, so there is nothing to undo. It stays in staging.')
  })

  it('of an approval count it, and say what it is bound to', () => {
    expect(text('approve', sample.waits(now))).toContain('the last approval that is needed (2 of 2): the release goes on to stage migrate')
    const first = sample.waits(now)
    first.run.environments![1]!.stages![1]!.approvals = []
    expect(text('approve', first)).toContain('approval 1 of 2')
    expect(text('approve', first)).toContain(`the plan ${first.planHash.slice(0, 8)}`)
  })

  it('of a pause name the traffic', () => {
    expect(text('pause')).toContain('25 % on the new version')
  })
})

describe('questions to a run', () => {
  it('find where it moves and where it is judged', () => {
    expect(currentEnvironment(sample.good(now))).toBe('production')
    expect(judgedEnvironment(sample.good(now), [])).toBeUndefined()
    expect(judgedEnvironment(sample.good(now), sample.points(sample.goodCourse, now))).toBe('production')
  })
  it('leave out what is undone already', () => {
    expect(undoing(sample.bad(now), 'production')).toEqual([])
  })
})
