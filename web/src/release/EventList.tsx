import { Button, NativeSelect, TextInput } from '@mantine/core'
import { useMemo, useState } from 'react'
import type { Event, Verification } from '../api/types.ts'
import { full, instant, moment } from '../format/time.ts'
import { useNow } from '../format/useNow.ts'
import { Empty, Loading } from '../layout/Fallback.tsx'
import { Icon } from '../layout/icons.tsx'
import { matching, paragraph, subjects, toneOf } from './events.ts'
import classes from './EventList.module.css'

interface Props {
  events: Event[]
  loaded: boolean
  verification?: Verification
}

const page = 50

/** The lines of the ledger, newest first. */
export function EventList({ events, loaded, verification }: Props) {
  const [text, setText] = useState('')
  const [subject, setSubject] = useState('')
  const [most, setMost] = useState(page)
  const found = useMemo(() => matching(events, text, subject), [events, text, subject])
  return (
    <section className="panel" aria-labelledby="events">
      <div className="panel-head">
        <h2 id="events">Events <span className="faint">{events.length > 0 && events.length}</span></h2>
        <VerifiedBadge verification={verification} />
        <NativeSelect size="xs" aria-label="Which events" value={subject} onChange={(event) => setSubject(event.currentTarget.value)}
          data={[{ value: '', label: 'All kinds' }, ...subjects(events)]} />
        <TextInput size="xs" aria-label="Filter the events" placeholder="Filter" value={text} onChange={(event) => setText(event.currentTarget.value)} />
      </div>
      {events.length === 0 ? (loaded ? <Empty title="Nothing has happened yet" /> : <Loading what="events" />)
        : found.length === 0 ? <Empty title="No event matches" icon="question" />
        : <ol className={classes.list}>{found.slice(0, most).map((event) => <Line key={event.seq} event={event} />)}</ol>}
      {found.length > most && (
        <div className={classes.more}><Button size="xs" variant="default" onClick={() => setMost(most + 4 * page)}>Show older ones ({found.length - most})</Button></div>
      )}
    </section>
  )
}

function Line({ event }: { event: Event }) {
  const now = useNow()
  const at = instant(event.at) ?? 0
  const numbers = paragraph(event)
  return (
    <li className={classes.line} data-tone={toneOf(event.kind)}>
      <time dateTime={event.at} title={full(at)} className="faint figure nowrap">{moment(at, now)}</time>
      <span className={classes.dot} aria-hidden="true" />
      <span className={classes.text}>
        {event.text}
        <span className="faint small"> {event.kind}{event.actor && ` · ${event.actor}`}</span>
        {numbers && <details className={classes.numbers}><summary>All numbers</summary><p>{numbers}</p></details>}
      </span>
      <span className={`faint small figure ${classes.seq}`} title={`Line ${event.seq} of the ledger, hash ${event.hash}`}>#{event.seq}</span>
    </li>
  )
}

function VerifiedBadge({ verification }: { verification?: Verification }) {
  if (!verification) return null
  const { ok, lines, broken, head } = verification
  return (
    <span className={classes.badge} data-ok={ok} title={ok ? `Head ${head}` : undefined}>
      <Icon name={ok ? 'link' : 'warning'} size={13} />
      {ok ? `Chain verified, ${lines} ${lines === 1 ? 'line' : 'lines'}` : `Chain broken: ${broken ?? 'no reason given'}`}
    </span>
  )
}
