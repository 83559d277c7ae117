import type { ArmVerdict, MetricVerdict, Verdict } from '../api/types.ts'
import { number, percent, ratio, unknown } from '../format/number.ts'
import { duration } from '../format/time.ts'
import { Empty } from '../layout/Fallback.tsx'
import { EvidenceScale } from './EvidenceScale.tsx'
import { amount, balances, level, metricName, sentence, verdictLabel, verdictTone } from './verdict.ts'
import classes from './VerdictCard.module.css'

interface Props {
  verdict?: Verdict
  environment: string
  /** Nothing is judged any more: this is the last one. */
  ended: boolean
}

/** What the judge says, in a sentence and in numbers. */
export function VerdictCard({ verdict, environment, ended }: Props) {
  return (
    <section className={`panel ${classes.card}`} aria-labelledby="verdict">
      <div className="panel-head">
        <h2 id="verdict">Verdict <span className="faint">in {environment}</span></h2>
        {verdict && ended && <span className="faint small">the last one; nothing is judged now</span>}
        {verdict && <span className={classes.kind} data-tone={verdictTone(verdict)}>{verdictLabel(verdict)}</span>}
      </div>
      {verdict ? <Body verdict={verdict} /> : (
        <Empty title="Nothing has been judged here">A canary or a watch compares the new version with the old one on real traffic.</Empty>
      )}
    </section>
  )
}

const Body = ({ verdict }: { verdict: Verdict }) => (
  <div className={classes.body}>
    <div className={classes.words}>
      <p className={classes.sentence}>{sentence(verdict)}</p>
      {balances(verdict).map((balance, i) => <EvidenceScale key={balance.name} {...balance} harm={i === 0} />)}
      <p className="faint small">
        Judged for {duration(verdict.observed / 1e6)}
        {!verdict.watching && verdict.atMiddle > 0 && `, ${duration(verdict.atMiddle / 1e6)} of it at the middle level`},
        at {percent(verdict.weight)} of the traffic. A healthy release is taken back at most once in {number(verdict.threshold)}, however often one looks.
      </p>
    </div>
    <Metrics metrics={verdict.metrics ?? []} />
  </div>
)

const Metrics = ({ metrics }: { metrics: MetricVerdict[] }) => (
  <div className={`table-scroll ${classes.metrics}`}>
    <table className={`table ${classes.table}`}>
      <thead>
        <tr>
          <th scope="col">{metrics.some((m) => m.kind) ? 'Metric' : 'Bad requests'}</th>
          <th scope="col" className="right"><span className={classes.canary}>Canary</span></th>
          <th scope="col" className="right"><span className={classes.stable}>Stable</span></th>
          <th scope="col" className="right">Ratio, 95 %</th>
          <th scope="col" className="right">Evidence</th>
        </tr>
      </thead>
      <tbody>
        {metrics.map((m) => (
          <tr key={m.name}>
            <th scope="row" className={classes.metric}>{metricName(m)}<div className="faint small">harm begins {begins(m)} {amount(m)(m.tolerated)}</div></th>
            <Arm metric={m} arm={m.canary} label="Canary" /><Arm metric={m} arm={m.stable} label="Stable" />
            <td className="right nowrap" data-label="Ratio, 95 %">
              {m.ratio ? `${ratio(m.ratio.low)} to ${ratio(m.ratio.high)}` : unknown}
              {m.extra >= 1 && <div className="faint small">{number(Math.round(m.extra))} too many</div>}
            </td>
            <td className="right nowrap" data-label="Evidence">{number(m.evidence)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  </div>
)

const count = (n: number) => n.toLocaleString('en')

/** On which side of its limit a metric is worse. */
const begins = (m: MetricVerdict) => (m.kind !== 'mean' ? 'at' : m.better === 'higher' ? 'below' : 'above')

const Arm = ({ metric, arm, label }: { metric: MetricVerdict; arm: ArmVerdict; label: string }) => (
  <td className="right nowrap" data-label={label}>
    {arm.requests > 0 ? (
      <>
        <b>{level(metric, arm)}</b>
        <div className="faint small">{amount(metric)(arm.interval.low)} to {amount(metric)(arm.interval.high)}</div>
        <div className="faint small">{metric.kind === 'mean' ? `${count(arm.requests)} values` : `${count(arm.bad)} of ${count(arm.requests)}`}</div>
      </>
    ) : <span className="faint">no data</span>}
  </td>
)
