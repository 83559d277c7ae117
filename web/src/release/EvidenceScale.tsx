import { number } from '../format/number.ts'
import { odds } from './verdict.ts'
import classes from './EvidenceScale.module.css'

interface Props {
  name: string
  value: number
  needs: number
  /** What happens when the need is met. */
  does: string
  harm: boolean
}

const least = 0.1

/** The place of a value between 0.1 and the end of the scale, 0 to 1, by its logarithm. */
export function position(value: number, end: number): number {
  if (!(value > least)) return 0
  return Math.min(1, Math.log(value / least) / Math.log(end / least))
}

/** A balance of evidence on a logarithmic scale, towards what it needs. */
export function EvidenceScale({ name, value, needs, does, harm }: Props) {
  const end = needs * 2.2
  const steps = harm ? [1, 2, 20, needs] : [1, needs]
  const place = (v: number) => `${(100 * position(v, end)).toFixed(2)}%`
  return (
    <div className={classes.scale} data-harm={harm} data-level={value >= needs ? 'met' : value >= 2 ? 'some' : 'none'}>
      <div className={classes.head}><span className="quiet">{name}</span><b className="figure">{odds(value)}</b></div>
      <div className={classes.rail} role="meter" aria-label={name} aria-valuemin={0} aria-valuemax={needs} aria-valuenow={Math.min(value, needs)}
        aria-valuetext={`${odds(value)}; ${number(needs)} ${does}`}>
        <div className={classes.fill} style={{ width: place(value) }} />
        {steps.map((step) => <span key={step} className={classes.step} data-last={step === needs} style={{ left: place(step) }} />)}
        <span className={classes.hand} style={{ left: place(value) }} />
      </div>
      <div className={classes.labels} aria-hidden="true">
        {steps.map((step) => (
          <span key={step} style={{ left: place(step) }} data-last={step === needs}>{number(step)}{step === needs && <i> {does}</i>}</span>
        ))}
      </div>
    </div>
  )
}
