import { Link } from '@tanstack/react-router'
import type { CSSProperties } from 'react'
import type { Release, Service, ServiceEnvironment } from '../api/types.ts'
import { percent } from '../format/number.ts'
import { Icon } from '../layout/icons.tsx'
import { few, sayings } from '../release/drift.ts'
import { Since } from '../release/Drifted.tsx'
import { DrillBadge, StateBadge } from '../releases/StateBadge.tsx'
import classes from './ServiceTable.module.css'

type Moving = Release & { live?: Record<string, { weight: number }> | null; run?: { paused?: unknown }; asks?: string }

interface Props {
  services: Service[]
  /** What is known of the releases that move or wait, by ID. */
  releases: Record<string, Moving>
}

/** One column for each environment, in the order in which the services name them. */
export function ServiceTable({ services, releases }: Props) {
  const environments = columns(services)
  return (
    <div className="table-scroll">
      <table className={`table ${classes.services}`} style={{ '--columns': environments.length } as CSSProperties}>
        <thead>
          <tr>
            <th scope="col">Service</th>
            {environments.map((name) => <th scope="col" key={name}>{name}</th>)}
          </tr>
        </thead>
        <tbody>
          {services.map((service) => (
            <tr key={service.name}>
              <th scope="row" className={classes.service}>
                <Link to="/releases" search={{ service: service.name }}>{service.name}</Link>
                {service.owner && <div className="faint small">{service.owner}</div>}
              </th>
              {environments.map((name) => {
                const environment = service.environments?.find((e) => e.name === name)
                return <td key={name} data-label={name}>{environment ? <Cell environment={environment} releases={releases} /> : <span className="faint">–</span>}</td>
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

export function columns(services: Service[]): string[] {
  const names: string[] = []
  for (const service of services) {
    // A new name comes after its predecessor in its own service.
    let at = 0
    for (const { name } of service.environments ?? []) {
      const known = names.indexOf(name)
      if (known < 0) names.splice(at, 0, name)
      at = names.indexOf(name) + 1
    }
  }
  return names
}

function Cell({ environment, releases }: { environment: ServiceEnvironment; releases: Props['releases'] }) {
  const { home, homeVersion, moving, queue, frozen, drift } = environment
  const release = moving ? releases[moving] : undefined
  const weight = release?.live?.[environment.name]?.weight
  return (
    <div className={classes.cell}>
      {home
        ? <Link to="/releases/$release" params={{ release: home }} className={classes.home}>{homeVersion || home}</Link>
        : <span className="faint">nothing yet</span>}
      {home && sayings(drift).map(({ says, fields, since }) => (
        <div key={says} className={classes.drifted}>
          <Icon name="warning" size={13} /><span>not as {says}: {few(fields, 2)}, since <Since at={since} /></span>
        </div>
      ))}
      {moving && (
        <div className={classes.moving}>
          <Icon name="play" size={12} className="faint" />
          <Link to="/releases/$release" params={{ release: moving }}>{release?.version || moving}</Link>
          {weight !== undefined && weight > 0 && <span className="faint">{percent(weight)}</span>}
          {release?.drillOf && <DrillBadge />}
          {release && <StateBadge state={release.state} paused={Boolean(release.run?.paused)} />}
          {release?.asks && <span className={classes.asks}><Icon name="question" size={13} />needs a person</span>}
        </div>
      )}
      {queue && queue.length > 0 && (
        <div className="quiet small">
          then {queue.slice(0, 3).map((id, i) => (
            <span key={id}>{i > 0 && ', '}<Link to="/releases/$release" params={{ release: id }}>{releases[id]?.version || id}</Link></span>
          ))}{queue.length > 3 && ` and ${queue.length - 3} more`}
        </div>
      )}
      {frozen && <div className={classes.frozen}><Icon name="freeze" size={13} /><span>{frozen}</span></div>}
    </div>
  )
}
