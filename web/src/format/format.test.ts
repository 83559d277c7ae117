import { describe, expect, it } from 'vitest'
import { evidence, interval, latency, number, percent, ratio, shortDigest, space } from './number.ts'
import { countdown, duration, instant, relative, short } from './time.ts'

const plain = (text: string) => text.replaceAll(space, ' ')

describe('numbers', () => {
  it('are short and keep what matters', () => {
    expect([0, 0.034, 0.41, 1.234, 34.56, 1234.5].map(number)).toEqual(['0', '0.034', '0.41', '1.23', '34.6', '1,235'])
    expect([0, 0.00004, 0.0011, 0.055, 0.127, 1].map(percent).map(plain)).toEqual(['0 %', '< 0.01 %', '0.11 %', '5.5 %', '12.7 %', '100 %'])
    expect([0, 0.0023, 0.021, 0.2, 1.5].map(latency).map(plain)).toEqual(['0 ms', '2.3 ms', '21 ms', '200 ms', '1.5 s'])
    expect([0.001, 0.41, 3.44, 199.6, 2e6].map(evidence)).toEqual(['< 0.01', '0.41', '3.4', '200', '> 1,000,000'])
    expect([0.21, 17.2, 130].map(ratio)).toEqual(['×0.21', '×17.2', '×130'])
  })
  it('are no numbers where nothing is known', () => {
    expect(interval({ known: false, value: 0, low: 0, high: 0 }, percent)).toEqual({ value: '–', range: 'no data' })
    expect(plain(interval({ known: true, value: 0, low: 0, high: 0.01 }, percent).range)).toBe('0 % to 1 %')
  })
  it('shorten a digest to what tells it from others', () => {
    expect(shortDigest('sha256:' + 'ab12'.repeat(16))).toBe('ab12ab12ab12')
    expect(shortDigest('v1')).toBe('v1')
  })
})

describe('times', () => {
  it('tell durations in at most two units', () => {
    expect([0, 45_000, 185_000, 3_600_000, 7_800_000, 90_000_000].map(duration)).toEqual(['0 s', '45 s', '3 min 05 s', '1 h', '2 h 10 min', '1 d 1 h'])
    expect([45_000, 185_000, 7_800_000].map(short)).toEqual(['45s', '3m 05s', '2h 10m'])
  })
  it('count down to zero and not below', () => {
    expect([-5000, 0, 400, 17_000, 754_000, 7_380_000].map(countdown)).toEqual(['0:00', '0:00', '0:01', '0:17', '12:34', '2:03:00'])
  })
  it('tell the distance from now', () => {
    expect([2_000, 45_000, 600_000, 10_800_000, 400_000_000].map((d) => relative(1e12 - d, 1e12))).toEqual(['just now', '45 s ago', '10 min ago', '3 h ago', '4 d ago'])
    expect(relative(1e12 + 7_200_000, 1e12)).toBe('in 2 h')
  })
  it("take Go's zero time and nonsense for nothing", () => {
    expect(instant('0001-01-01T00:00:00Z')).toBeUndefined()
    expect(instant(undefined)).toBeUndefined()
    expect(instant('soon')).toBeUndefined()
    expect(instant('1970-01-01T00:00:01Z')).toBe(1000)
  })
})
