import { expect, it } from 'vitest'
import * as sample from '../stories/samples.ts'
import { matching, subjects, toneOf } from './events.ts'

const events = sample.badEvents('r', Date.now())

it('filters by words and subject, newest first', () => {
  expect(matching(events, '', '').map(({ seq }) => seq)).toEqual(events.map(({ seq }) => seq).reverse())
  expect(matching(events, 'INES approved', '').map(({ actor }) => actor)).toEqual(['ines'])
  expect(matching(events, '', 'lane')).toHaveLength(1)
  expect(matching(events, 'no such words', '')).toEqual([])
  expect(subjects(events)).toEqual(['canary', 'environment', 'lane', 'release', 'stage'])
})

it('tells good from bad', () => {
  expect(['stage.failed', 'stage.undone', 'drift.found', 'drift.gone', 'git.overwritten', 'stage.passed', 'canary.weight'].map(toneOf)).toEqual(['bad', 'warn', 'warn', 'calm', 'warn', 'good', 'calm'])
})
