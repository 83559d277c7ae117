// Numbers as people read them: few digits, always a unit, and no figure where nothing is known.

import type { Interval } from '../api/types.ts'

export const unknown = '–'

/** Keeps a number and its unit on one line. */
export const space = '\u00a0'

/** At least two digits that mean something: 0, 0.03, 1.2, 34, 1,234. */
export function number(value: number): string {
  const size = Math.abs(value)
  const digits = size === 0 ? 0 : size >= 100 ? 0 : size >= 10 ? 1 : size >= 0.1 ? 2 : Math.min(6, 1 - Math.floor(Math.log10(size)))
  return value.toLocaleString('en', { maximumFractionDigits: digits })
}

/** A share in [0, 1] as a percentage. */
export function percent(share: number): string {
  const value = share * 100
  if (value !== 0 && Math.abs(value) < 0.01) return `<${space}0.01${space}%`
  const digits = Math.abs(value) >= 9.95 ? 1 : 2
  return `${value.toLocaleString('en', { maximumFractionDigits: digits })}${space}%`
}

/** Seconds as ms or s. */
export function latency(seconds: number): string {
  if (seconds === 0) return `0${space}ms`
  if (seconds < 0.0095) return `${(seconds * 1000).toLocaleString('en', { maximumFractionDigits: 1 })}${space}ms`
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)}${space}ms`
  return `${seconds.toLocaleString('en', { maximumFractionDigits: 2 })}${space}s`
}

/** The weight of evidence. It is a betting capital: from 1 up it speaks for harm. */
export function evidence(value: number): string {
  if (value >= 1e6) return '> 1,000,000'
  if (value >= 10) return Math.round(value).toLocaleString('en')
  if (value < 0.01) return '< 0.01'
  return value.toLocaleString('en', { maximumFractionDigits: value < 1 ? 2 : 1 })
}

export const ratio = (value: number) => `×${value >= 100 ? Math.round(value) : number(value)}`

/** "2.1 %" and "1.4 % to 3.0 %", or dashes. */
export function interval(i: Interval | undefined, format: (value: number) => string): { value: string; range: string } {
  if (!i?.known) return { value: unknown, range: 'no data' }
  return { value: format(i.value), range: `${format(i.low)} to ${format(i.high)}` }
}

/** The first digits of a digest, enough to tell it from others. */
export function shortDigest(digest: string): string {
  const [, hex] = /^sha256:([0-9a-f]+)$/.exec(digest) ?? []
  return hex ? hex.slice(0, 12) : digest.slice(0, 19)
}
