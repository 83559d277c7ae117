// A verdict in words.

import type { ArmVerdict, Event, MetricVerdict, ReleaseDetail, Verdict } from '../api/types.ts'
import { evidence, latency, number, percent } from '../format/number.ts'
import { duration } from '../format/time.ts'

/** The newest verdict of the environment: the live one, else the last that the ledger keeps. */
export function lastVerdict(detail: ReleaseDetail, events: Event[], environment: string): Verdict | undefined {
  const live = detail.live?.[environment]?.verdict
  if (live) return live
  for (let i = events.length - 1; i >= 0; i--) {
    const event = events[i]!
    const kept = event.environment === environment ? verdictIn(event.data) : undefined
    if (kept) return kept
  }
  return undefined
}

/** Finds the verdict in what a ledger line carries. */
export function verdictIn(data: unknown): Verdict | undefined {
  if (typeof data !== 'object' || data === null) return undefined
  if ('kind' in data && 'evidence' in data && 'threshold' in data) return data as Verdict
  return 'verdict' in data ? verdictIn(data.verdict) : undefined
}

export const verdictLabel = ({ kind, reason }: Verdict) =>
  kind === 'pass' ? 'Pass' : kind === 'fail' ? 'Fail' : reason === 'collecting' ? 'Hold: collecting evidence' : `Hold: ${reason}`

export const verdictTone = ({ kind, reason }: Verdict) =>
  kind === 'pass' ? 'good' : kind === 'fail' ? 'bad' : reason === 'collecting' ? 'busy' : 'warn'

/** The verdict in one sentence, with the numbers that matter. */
export function sentence(v: Verdict): string {
  const against = comparison(v)
  switch (v.reason) {
    case 'not worse':
      return v.watching
        ? `Nothing went wrong in ${duration(v.observed / 1e6)} of watching${against && `: ${against}`}.`
        : `The new version is proven to be no worse${against && `: ${against}`}.`
    case 'worse':
      return `The new version is worse${against && `: ${against}`}.`
    case 'leans to harm':
      return `Time is up and the evidence leans to harm${against && `: ${against}`}.`
    case 'suspicious':
      return `Something may be wrong, so the traffic grows more slowly${against && `: ${against}`}.`
    case 'undecided':
      return v.forPerson
        ? `No proof either way, leaning to harm, so a person must look${against && `: ${against}`}.`
        : `No proof either way${against && `: ${against}`}.`
    case 'no evidence':
      return `There is nothing to judge by${v.detail ? `: ${v.detail}` : ''}. Missing data is never taken for good or bad.`
    default:
      return `No sign of harm so far${against && `: ${against}`}.${v.detail ? ` Awaited: ${v.detail}.` : ''}`
  }
}

/** Both arms of the metric that speaks loudest, errors first where nothing does. */
function comparison(v: Verdict): string {
  const list = v.metrics ?? []
  const loudest = list.reduce<MetricVerdict | undefined>((best, m) => (!best || m.share * m.evidence > best.share * best.evidence ? m : best), undefined)
  const m = v.kind === 'pass' || v.reason === 'collecting' ? list[0] : loudest
  if (!m || m.canary.requests === 0) return ''
  return `${metricName(m)} ${level(m, m.canary)} on the canary against ${level(m, m.stable)} on stable`
}

/** A custom metric's name is read with spaces. */
export const metricName = (m: MetricVerdict) => (m.bound ? `slower than ${latency(m.bound)}` : m.kind ? m.name.replaceAll('-', ' ') : m.name)

/** What a metric's numbers are: a mean is in its own units, all others are shares. */
export const amount = (m: MetricVerdict) => (m.kind === 'mean' ? number : percent)

/** What a metric came to on one arm. */
export const level = (m: MetricVerdict, arm: ArmVerdict) => amount(m)(m.kind === 'mean' ? (arm.mean ?? 0) : arm.rate)

/** The two balances of the evidence: towards harm, and towards its absence. */
export function balances(v: Verdict): { name: string; value: number; needs: number; does: string }[] {
  const list = [{ name: 'Evidence of harm', value: v.evidence, needs: v.threshold, does: 'takes it back' }]
  if (!v.watching && v.proofThreshold > 0) {
    list.push({ name: 'Proof of being no worse', value: Math.exp(v.proof), needs: Math.exp(v.proofThreshold), does: 'lets it pass' })
  }
  return list
}

export const odds = (value: number) => `${evidence(value)} : 1`
