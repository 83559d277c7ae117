import { Link } from '@tanstack/react-router'
import type { Release } from '../api/types.ts'
import { shortDigest } from '../format/number.ts'
import { Time } from '../format/Time.tsx'
import { duration, instant } from '../format/time.ts'
import { DrillBadge, StateBadge } from './StateBadge.tsx'
import classes from './ReleaseTable.module.css'

export const ReleaseTable = ({ releases }: { releases: Release[] }) => (
  <div className="table-scroll">
    <table className="table cards">
      <thead>
        <tr>
          <th scope="col">Release</th><th scope="col">State</th><th scope="col">Environment</th>
          <th scope="col">Author</th><th scope="col">Created</th><th scope="col">Took</th>
        </tr>
      </thead>
      <tbody>{releases.map((release) => <Row key={release.id} release={release} />)}</tbody>
    </table>
  </div>
)

function Row({ release }: { release: Release }) {
  const created = instant(release.createdAt)
  const ended = instant(release.endedAt)
  return (
    <tr>
      <td className="wrap">
        <Link to="/releases/$release" params={{ release: release.id }}>
          <b>{release.service}</b> {release.version || shortDigest(release.digest)}
        </Link>
        {(release.with ?? []).length > 0 && <div className="faint small">with {release.with!.map((other) => `${other.service} ${other.version}`).join(', ')}</div>}
        {release.rollbackTo && <div className="faint small">brings an older release back</div>}
        {release.note && <div className="faint small">{release.note}</div>}
      </td>
      <td><span className={classes.state}><StateBadge state={release.state} />{release.drillOf && <DrillBadge />}</span></td>
      <td data-label="Environment">{release.environment || '–'}</td>
      <td data-label="Author" className="wrap">{release.author}</td>
      <td data-label="Created"><Time at={release.createdAt} exact /></td>
      <td data-label="Took" className="nowrap">{created !== undefined && ended !== undefined ? duration(ended - created) : '–'}</td>
    </tr>
  )
}
