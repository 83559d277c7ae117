import type { Freeze } from '../api/types.ts'
import { instant } from '../format/time.ts'

/** Whether a one-off freeze holds now. Of a recurring one only the server knows; it says so on the lanes. */
export function active(freeze: Freeze, now: number): boolean {
  if (freeze.rule) return false
  const from = instant(freeze.from) ?? -Infinity
  const until = instant(freeze.until) ?? Infinity
  return from <= now && now < until
}

/** What a freeze stops, in words. */
export function scope(freeze: { service?: string; environment?: string }): string {
  if (freeze.service && freeze.environment) return `${freeze.service} in ${freeze.environment}`
  if (freeze.service) return `${freeze.service}, everywhere`
  if (freeze.environment) return `all services in ${freeze.environment}`
  return 'everything'
}

const days: Record<string, string> = { MO: 'Monday', TU: 'Tuesday', WE: 'Wednesday', TH: 'Thursday', FR: 'Friday', SA: 'Saturday', SU: 'Sunday' }

/** Says the usual rules in words and leaves the others as they are. */
export function recurrence(rule: string): string {
  const parts = Object.fromEntries(rule.replace(/^RRULE:/, '').split(';').map((part) => part.split('=') as [string, string]))
  const known = Object.keys(parts).every((key) => ['FREQ', 'BYDAY'].includes(key))
  if (!known) return rule
  if (parts.FREQ === 'DAILY' && !parts.BYDAY) return 'every day'
  const names = (parts.BYDAY ?? '').split(',').map((day) => days[day])
  if (parts.FREQ === 'WEEKLY' && names.every(Boolean)) return `every ${names.join(', ')}`
  return rule
}
