import type { Drift, ReleaseDetail } from '../api/types.ts'
import { full, instant, moment } from '../format/time.ts'
import { useNow } from '../format/useNow.ts'
import { Icon } from '../layout/icons.tsx'
import { sayings } from './drift.ts'
import { partsOf } from './run.ts'
import classes from './Drifted.module.css'

/** Where the release is at home and what runs there is not as it should be. */
export function Drifted({ detail }: { detail: ReleaseDetail }) {
  const all = Object.entries(detail.drift ?? {}).filter(([, drift]) => sayings(drift).length > 0 || drift.git?.unknown)
  return all.map(([entry, drift]) => {
    const { service, place } = partsOf(entry, detail.service)
    return <One key={entry} service={service} environment={place} drift={drift} />
  })
}

function One({ service, environment, drift }: { service: string; environment: string; drift: Drift }) {
  const said = sayings(drift)
  const unknown = drift.git?.unknown
  return (
    <section className={classes.drifted} data-known={said.length > 0} aria-label={`Drift in ${environment}`}>
      <Icon name={said.length > 0 ? 'warning' : 'question'} size={20} className={classes.icon} />
      <div className={classes.words}>
        {said.map(({ says, fields, since }) => (
          <div key={says}>
            <h2>What runs in {environment} is not as {says}</h2>
            <ul className={classes.fields}>{fields.map((field) => <li key={field} className="wrap">{field}</li>)}</ul>
            <p className="quiet">Since <Since at={since} />.</p>
          </div>
        ))}
        {unknown && <p className="quiet wrap">What the repository says of {environment} could not be compared: {unknown}.</p>}
        {said.length > 0 && <p className="quiet"><code>fairway drift {service} -e {environment}</code> shows the values.</p>}
      </div>
    </section>
  )
}

/** The instant from which on it is so. */
export function Since({ at }: { at: string | undefined }) {
  const now = useNow()
  const time = instant(at)
  return time !== undefined && <time dateTime={at} title={full(time)} className="figure nowrap">{moment(time, now)}</time>
}
