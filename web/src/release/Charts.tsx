import { SegmentedControl } from '@mantine/core'
import { useMemo, useState } from 'react'
import type { Event, Point } from '../api/types.ts'
import { Chart } from '../charts/Chart.tsx'
import { marks } from '../charts/marks.ts'
import type { Line } from '../charts/options.ts'
import { columns, top, withWeights, type Arm, type Column } from '../charts/series.ts'
import { latency, number, percent } from '../format/number.ts'
import { clock } from '../format/time.ts'
import { Empty, Loading } from '../layout/Fallback.tsx'
import classes from './Charts.module.css'

interface Props {
  points: Point[]
  events: Event[]
  environment: string
  /** The evidence that takes the release back; 200 where the judge has not said. */
  threshold?: number
  loaded: boolean
}

/** Traffic, errors, latency and evidence over time, of one environment. */
export function Charts({ points, events, environment, threshold = 200, loaded }: Props) {
  const [quantile, setQuantile] = useState<'p99' | 'p50'>('p99')
  const sampled = useMemo(() => columns(points.filter((point) => point.environment === environment)), [points, environment])
  const c = useMemo(() => withWeights(sampled, events.filter((event) => event.environment === environment)), [sampled, events, environment])
  const flags = useMemo(() => marks(events, environment), [events, environment])
  const evidence = useMemo(() => c.evidence.map((v) => (v === null ? null : Math.min(5000, Math.max(0.01, v)))), [c])

  if (c.at.length === 0) {
    return (
      <section className="panel" aria-label="Charts">
        {loaded ? <Empty title={`No samples in ${environment} yet`}>The charts begin when a canary or a watch takes its first sample.</Empty>
          : <Loading what="charts" lines={6} />}
      </section>
    )
  }
  const base = { at: c.at, gaps: c.gaps, marks: flags, thresholds: [], sync: 'release' }
  const steps = [
    { value: 2, label: '2 slower', colour: 'ink-3' }, { value: 20, label: '20 stops', colour: 'warn' },
    { value: threshold, label: `${number(threshold)} goes back`, colour: 'bad' },
  ]
  return (
    <section aria-label="Charts" className={classes.section}>
      <div className={`panel ${classes.charts}`}>
        <Chart {...base} title="Traffic on the new version" format={percent} scale={{ min: 0, max: peak(c.weight) }}
          lines={[{ name: 'Weight', colour: 'canary', stepped: true, value: c.weight }]} />
        <Chart {...base} title="Evidence of harm" format={number} thresholds={steps}
          scale={{ min: lowest(evidence), max: Math.max(threshold * 3, ...highest(evidence)), log: true }}
          lines={[{ name: 'Evidence', colour: 'ink', value: evidence }]} />
        <Chart {...base} title="Error rate" format={percent} scale={{ min: 0, max: top([c.stable.error, c.canary.error], 0.005) }}
          lines={arms(c.stable, c.canary, 'error')} />
        <Chart {...base} title="Latency" format={latency} scale={{ min: 0, max: top([c.stable[quantile], c.canary[quantile]], 0.01) }}
          lines={arms(c.stable, c.canary, quantile)}
          control={(
            <SegmentedControl size="xs" value={quantile} onChange={(v) => setQuantile(v as 'p99' | 'p50')} data={['p99', 'p50']} aria-label="Which quantile" />
          )} />
      </div>
      <Gaps gaps={c.gaps} />
    </section>
  )
}

const arms = (stable: Arm, canary: Arm, what: keyof Arm): Line[] => [
  { name: 'Stable', colour: 'stable', dashed: true, ...stable[what] },
  { name: 'Canary', colour: 'canary', ...canary[what] },
]

/** A round top for a share: 10, 25, 50 or 100 %. */
function peak(weights: Column): number {
  const most = Math.max(0, ...weights.map((w) => w ?? 0))
  return [0.1, 0.25, 0.5, 1].find((bound) => most < bound) ?? 1.02
}

const lowest = (values: Column) => (values.some((v) => v !== null && v < 0.1) ? 0.01 : 0.1)
const highest = (values: Column) => [values.reduce<number>((most, v) => Math.max(most, v ?? 0), 0) * 1.5]

/** The stretches without samples, in words. */
function Gaps({ gaps }: { gaps: { from: number; to: number; reason: string }[] }) {
  if (gaps.length === 0) return null
  return (
    <p className={`faint small ${classes.gaps}`}>
      <span className={classes.hatch} aria-hidden="true" />
      No samples, which counts for nothing: {gaps.slice(-3).map(({ from, to, reason }) => `${clock(from * 1000)} to ${clock(to * 1000)} (${reason})`).join('; ')}
      {gaps.length > 3 && `; and ${gaps.length - 3} times before`}
    </p>
  )
}
