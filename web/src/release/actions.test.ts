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
