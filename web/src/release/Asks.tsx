import type { ReleaseDetail, Verdict } from '../api/types.ts'
import { number, percent, ratio } from '../format/number.ts'
import { Icon } from '../layout/icons.tsx'
import { choices } from './actions.ts'
import { Buttons, isAnswer } from './Actions.tsx'
import { place } from './run.ts'
import { metricName, odds } from './verdict.ts'
import classes from './Asks.module.css'

interface Props {
  detail: ReleaseDetail
  environment: string
  verdict?: Verdict
  onChanged: (detail: ReleaseDetail) => void
}

/** A question that waits for a person, with the numbers to answer it and the buttons. */
export function Asks({ detail, environment, verdict, onChanged }: Props) {
  if (!detail.asks) return null
  const step = place(detail, environment)?.steps.find(({ current }) => current)
  const approval = step?.plan.approval
  const answers = choices(detail).filter(({ action }) => isAnswer(action))
  const judged = step?.plan.kind === 'canary' || step?.plan.kind === 'watch'
  return (
    <section className={classes.asks} aria-label="A person must decide">
      <Icon name="question" size={22} className={classes.icon} />
      <div className={classes.words}>
        <h2>A person must decide</h2>
        <p className="wrap">{detail.asks}</p>
        {approval && (
          <p className="quiet">
            {step.run.approvals?.length ?? 0} of {approval.count} given, by {(approval.roles ?? []).join(' or ') || 'anybody'}; the author, {detail.author}, may not.
          </p>
        )}
        {step?.run.approvals?.map((given) => <p key={given.by} className="quiet">Approved by {given.by}{given.reason && `: ${given.reason}`}</p>)}
        {judged && verdict && <Numbers verdict={verdict} />}
        {answers.length === 0 && <p className="quiet">You may not answer it yourself.</p>}
      </div>
      <Buttons list={answers} detail={detail} onChanged={onChanged} />
    </section>
  )
}

const Numbers = ({ verdict }: { verdict: Verdict }) => (
  <ul className={classes.numbers}>
    <li>Evidence of harm <b>{odds(verdict.evidence)}</b>, a rollback needs {number(verdict.threshold)} : 1</li>
    {(verdict.metrics ?? []).slice(0, 3).map((m) => (
      <li key={m.name}>
        {metricName(m)}: canary <b>{percent(m.canary.rate)}</b>, stable <b>{percent(m.stable.rate)}</b>
        {m.ratio && `, ratio ${ratio(m.ratio.low)} to ${ratio(m.ratio.high)}`}
      </li>
    ))}
  </ul>
)
