import { describe, expect, it } from 'vitest'
import { few, sayings } from './drift.ts'

const drift = (fields: string[] | null, git?: string[] | null) => ({
  fields, since: '2026-01-02T03:04:05Z', at: '2026-01-02T03:09:05Z', git: git === undefined ? undefined : { fields: git, since: '2026-01-02T03:05:05Z' },
})

describe('who says otherwise', () => {
  it.each([
    ['nobody has looked', undefined, []],
    ['all agree', drift(null, null), []],
    ['the release alone', drift(['a']), ['the release says: a']],
    ['the repository alone', drift([], ['b']), ['the repository says: b']],
    ['both the same', drift(['a', 'b'], ['a', 'b']), ['the release and the repository say: a,b']],
    ['each its own', drift(['a'], ['a', 'b']), ['the release says: a', 'the repository says: a,b']],
  ])('%s', (_, given, want) => {
    expect(sayings(given).map(({ says, fields }) => `${says}: ${fields.join(',')}`)).toEqual(want)
  })
})

describe('a few fields', () => {
  it.each([
    [['a', 'b'], 'a, b'],
    [['a', 'b', 'c'], 'a, b and 1 more'],
    [['a', 'b', 'c', '7 more'], 'a, b and 8 more'],
  ])('%j', (fields, want) => expect(few(fields, 2)).toBe(want))
})
