import { describe, expect, it } from 'vitest'
import * as sample from '../stories/samples.ts'
import { space } from '../format/number.ts'
import { position } from './EvidenceScale.tsx'
import { amount, balances, lastVerdict, metricName, sentence, verdictIn, verdictLabel, verdictTone } from './verdict.ts'

const now = Date.now()
const said = (verdict: Parameters<typeof sentence>[0]) => sentence(verdict).replaceAll(space, ' ')
const bad = sample.verdict({ kind: 'fail', reason: 'worse', evidence: 2300 }, true)

describe('a verdict in words', () => {
  it('puts both arms of the loudest metric side by side', () => {
    expect(said(bad)).toBe('The new version is worse: errors 5.5 % on the canary against 0.19 % on stable.')
    expect(said(sample.verdict())).toContain('No sign of harm so far: errors 0.11 %')
  })
  it('tells a mean in its own units, and a custom name with spaces', () => {
    const mean = sample.orderValue(36.2)
    expect(said({ ...bad, metrics: [...bad.metrics!, { ...mean, evidence: 1e6 }] })).toBe(
      'The new version is worse: order value 36.2 on the canary against 45 on stable.',
    )
    expect(metricName({ ...mean, kind: 'ratio', name: 'checkout-failures' })).toBe('checkout failures')
    expect(amount(mean)(mean.tolerated)).toBe('42.8')
  })
  it('never takes missing data for good or bad', () => {
    const missing = sample.verdict({ reason: 'no evidence', detail: 'the router does not answer' })
    expect(said(missing)).toMatch(/^There is nothing to judge by: the router does not answer\./)
    expect(verdictTone(missing)).toBe('warn')
    expect(said({ ...missing, metrics: null, detail: undefined })).toContain('There is nothing to judge by.')
  })
  it('has a sentence for every reason, also without metrics', () => {
    for (const reason of ['not worse', 'worse', 'leans to harm', 'collecting', 'suspicious', 'undecided', 'no evidence'] as const) {
      expect(said(sample.verdict({ reason, metrics: null }))).toMatch(/^[A-Z].*\.$/)
    }
    expect(verdictLabel(sample.verdict({ reason: 'suspicious' }))).toBe('Hold: suspicious')
  })
  it('weighs both ways, except in a watch, which needs no proof', () => {
    const [harm, proof] = balances(sample.verdict())
    expect(harm).toMatchObject({ value: 0.41, needs: 400 })
    expect(proof!.needs).toBeCloseTo(20)
    expect(balances(sample.verdict({ watching: true }))).toHaveLength(1)
  })
})

describe('the newest verdict', () => {
  it('is the live one, else the last that the ledger keeps', () => {
    const events = sample.badEvents('r', now)
    expect(lastVerdict(sample.good(now), events, 'production')?.evidence).toBe(0.41)
    expect(lastVerdict(sample.bad(now), events, 'production')).toMatchObject({ kind: 'fail', evidence: 2300 })
    expect(lastVerdict(sample.bad(now), events, 'staging')).toBeUndefined()
  })
  it('is not guessed from other data', () => {
    expect([null, 'fail', { kind: 'fail' }, { verdict: 7 }].map(verdictIn)).toEqual([undefined, undefined, undefined, undefined])
  })
})

it('places evidence on a logarithmic scale', () => {
  expect(position(0, 400)).toBe(0)
  expect(position(400, 400)).toBe(1)
  expect(position(1e9, 400)).toBe(1)
  expect(position(2, 400) - position(1, 400)).toBeCloseTo(position(40, 400) - position(20, 400))
})
