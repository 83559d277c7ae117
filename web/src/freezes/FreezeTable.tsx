import { Button } from '@mantine/core'
import type { Freeze } from '../api/types.ts'
import { Time } from '../format/Time.tsx'
import { clock, instant } from '../format/time.ts'
import { useNow } from '../format/useNow.ts'
import { active, recurrence, scope } from './windows.ts'

interface Props {
  freezes: Freeze[]
  /** The one that is being ended. */
  ending?: string
  onEnd: (id: string) => void
}

export const FreezeTable = ({ freezes, ending, onEnd }: Props) => (
  <div className="table-scroll">
    <table className="table cards">
      <thead>
        <tr>
          <th scope="col">Reason</th><th scope="col">Freezes</th><th scope="col">By</th><th scope="col">From</th><th scope="col">Until</th>
          <th scope="col"><span className="hidden">End</span></th>
        </tr>
      </thead>
      <tbody>{freezes.map((freeze) => <Row key={freeze.id} freeze={freeze} ending={ending === freeze.id} onEnd={onEnd} />)}</tbody>
    </table>
  </div>
)

function Row({ freeze, ending, onEnd }: { freeze: Freeze; ending: boolean; onEnd: (id: string) => void }) {
  const now = useNow()
  const from = instant(freeze.from)
  return (
    <tr>
      <td className="wrap">
        <b>{freeze.reason}</b>
        <div className="faint small">{freeze.rule ? 'recurring' : active(freeze, now) ? 'in force now' : from !== undefined && from > now ? 'to come' : 'over'}</div>
      </td>
      <td data-label="Freezes" className="wrap">{scope(freeze)}</td>
      <td data-label="By" className="wrap">{freeze.by}</td>
      <td data-label="From">
        {freeze.rule ? `${recurrence(freeze.rule)}${from !== undefined ? `, ${clock(from).slice(0, 5)}` : ''}` : <Time at={freeze.from} exact />}
      </td>
      <td data-label="Until">
        {freeze.rule ? `for ${freeze.for ?? '–'}${freeze.until ? ', ends ' : ''}` : freeze.until ? null : 'until it is ended'}
        <Time at={freeze.until} exact />
      </td>
      <td className="right">
        <Button size="xs" variant="default" loading={ending} onClick={() => onEnd(freeze.id)} aria-label={`End the freeze: ${freeze.reason}`}>End</Button>
      </td>
    </tr>
  )
}
