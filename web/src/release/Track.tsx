import { Tooltip } from '@mantine/core'
import { Fragment } from 'react'
import type { ReleaseDetail, StageState } from '../api/types.ts'
import { instant, short } from '../format/time.ts'
import { useNow } from '../format/useNow.ts'
import { Icon } from '../layout/icons.tsx'
import { look, type Look } from '../releases/states.ts'
import { StateBadge } from '../releases/StateBadge.tsx'
import { places, took, type Place, type Step } from './run.ts'
import { isRegion, regional } from './waves.ts'
import { Waves } from './Waves.tsx'
import classes from './Track.module.css'

interface Props {
  detail: ReleaseDetail
  /** The environment that verdict and charts show. */
  shown: string
  onShow: (environment: string) => void
}

/**
 * The pipeline: a row for each environment, its stages from left to right. Where one has
 * several regions they are shown by wave, and the stages of the one that is chosen.
 */
export function Track({ detail, shown, onShow }: Props) {
  const list = places(detail)
  if (list.length === 0) return null
  return (
    <section className={`panel ${classes.track}`} aria-label="Pipeline">
      {list.filter((place) => !isRegion(place) || place.run.name === shown).map((place) => (
        <EnvironmentRow key={place.run.name} place={place} several={list.length > 1} shown={place.run.name === shown} onShow={onShow} />
      ))}
      {regional(detail).map((one) => <Waves key={one.environment} regional={one} shown={shown} onShow={onShow} />)}
    </section>
  )
}

function EnvironmentRow({ place, several, shown, onShow }: { place: Place; several: boolean; shown: boolean; onShow: Props['onShow'] }) {
  const { run, plan, steps } = place
  const now = useNow()
  const time = took(run.startedAt, run.endedAt, now)
  return (
    <div className={classes.row} data-shown={several && shown}>
      <div className={classes.environment}>
        <div className={classes.name}>
          {several
            ? <button type="button" aria-label={run.name} aria-pressed={shown} onClick={() => onShow(run.name)} title="Show its verdict and charts">{breakable(run.name)}</button>
            : <b>{breakable(run.name)}</b>}
          {plan?.platform && <span className="faint small">{plan.platform}{plan.region && `, ${plan.region}`}</span>}
        </div>
        <div className={classes.state}><StateBadge state={run.state} />{time && <span className="faint small figure">{time}</span>}</div>
        {run.lane === 'queued' && <div className="quiet small">waits for the lane</div>}
        {run.frozen && <div className={classes.frozen}><Icon name="freeze" size={13} /> {run.frozen}</div>}
        <Needs place={place} />
      </div>
      <div className={classes.stages}>
        <ol className={classes.steps}>{steps.map((step) => <StepItem key={step.plan.name} step={step} failed={run.failedStage === step.plan.name} now={now} />)}</ol>
        <Undo steps={steps} />
      </div>
    </div>
  )
}

/** An entry's name may be long, and breaks between environment, region and service. */
const breakable = (name: string) => name.split(/(?<=[:/])/).map((part, i) => <Fragment key={i}>{i > 0 && <wbr />}{part}</Fragment>)

function Needs({ place: { plan, run } }: { place: Place }) {
  if (run.state !== 'pending' || !plan?.needs?.length) return null
  return <div className="faint small">after {plan.needs.map((need) => (need.for ? `${need.for} in ${need.environment}` : need.environment)).join(' and ')}</div>
}

/** A stage that failed and was undone is still the one that failed. */
const failedOnce = (state: StageState): Look => ({
  ...look('failed'), label: state === 'failed' ? 'Failed' : `Failed, ${look(state).label.toLowerCase()}`,
})

function StepItem({ step: { plan, run, current }, failed, now }: { step: Step; failed: boolean; now: number }) {
  const { label, icon, tone } = failed ? failedOnce(run.state) : look(run.state)
  const time = took(run.startedAt, run.endedAt, now)
  const named = plan.name === plan.kind
  const about = [run.reason && `${run.reason}.`, plan.undo ? `A rollback: ${plan.undo}.` : 'A rollback leaves it as it is.', `Time limit ${plan.timeLimit}.`]
  return (
    <li className={classes.step} data-tone={tone} data-current={current} aria-current={current ? 'step' : undefined}>
      <Tooltip label={about.filter(Boolean).join(' ')} multiline maw={340} openDelay={250} events={{ hover: true, focus: true, touch: true }}>
        <button type="button" className={classes.node} aria-label={`${plan.name}: ${label}. ${about.filter(Boolean).join(' ')}`}>
          <Icon name={run.state === 'pending' ? 'dot' : icon} size={13} />
        </button>
      </Tooltip>
      <div className={classes.stepText}>
        <div className={classes.stepName}>{plan.name}{!named && <span className="faint"> {plan.kind}</span>}</div>
        <div className="faint small figure">{label.toLowerCase()}{time && <> · <span className="nowrap">{time}</span></>}</div>
        {run.asks && <div className={classes.asks}>needs a person</div>}
        {plan.kind === 'approval' && run.state === 'running' && (
          <div className="quiet small">{run.approvals?.length ?? 0} of {plan.approval?.count ?? 1} approved</div>
        )}
        {current && <Limit deadline={run.deadline} now={now} />}
      </div>
    </li>
  )
}

/** What a rollback does about the stages, in the order in which it does it. */
function Undo({ steps }: { steps: Step[] }) {
  const undoable = steps.filter(({ plan }) => plan.undo).reverse()
  if (undoable.length === 0) return null
  return (
    <details className={classes.undo}>
      <summary><Icon name="back" size={12} /> What a rollback undoes ({undoable.length} of {steps.length} stages)</summary>
      <ol>{undoable.map(({ plan }) => <li key={plan.name}><b>{plan.name}</b> {plan.undo}</li>)}</ol>
    </details>
  )
}

function Limit({ deadline, now }: { deadline: string | undefined; now: number }) {
  const at = instant(deadline)
  if (at === undefined || at <= now) return null
  return <div className="faint small figure">{short(at - now)} left</div>
}
