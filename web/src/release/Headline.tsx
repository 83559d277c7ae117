import { Link } from '@tanstack/react-router'
import type { ReleaseDetail } from '../api/types.ts'
import { countdown, instant, moment } from '../format/time.ts'
import { useNow } from '../format/useNow.ts'
import { useVersions } from '../releases/useVersions.ts'
import { final, look } from '../releases/states.ts'
import classes from './Headline.module.css'

/** Where the release is and why, and what happens next and when. */
export function Headline({ detail }: { detail: ReleaseDetail }) {
  const tone = detail.run.paused || detail.asks ? 'warn' : look(detail.state).tone
  return (
    <section className={classes.headline} data-tone={tone} aria-label="Where it is">
      <p className={classes.now} aria-live="polite">{detail.headline}</p>
      {(detail.next || detail.nextAt) && !final(detail.state) && (
        <p className={classes.next}>
          <span className={classes.word}>Next</span>
          {detail.next && <span className={classes.text}>{detail.next}</span>}
          <Countdown at={detail.nextAt} />
        </p>
      )}
      <QueueBefore ids={detail.queue ?? []} />
    </section>
  )
}

function Countdown({ at }: { at: string | undefined }) {
  const now = useNow()
  const time = instant(at)
  if (time === undefined) return null
  return (
    <time dateTime={at} className={classes.countdown} role="timer">
      {time > now ? <>in <b>{countdown(time - now)}</b></> : <b>any moment</b>}
      <span className="faint"> · {moment(time, now)}</span>
    </time>
  )
}

function QueueBefore({ ids }: { ids: string[] }) {
  const versions = useVersions(ids)
  if (ids.length === 0) return null
  return (
    <p className={classes.next}>
      <span className={classes.word}>Before it</span>
      {ids.map((id, i) => (
        <span key={id}><Link to="/releases/$release" params={{ release: id }}>{versions[id] ?? id}</Link>{i === 0 ? ' moves' : ' waits'}{i < ids.length - 1 && ','}</span>
      ))}
    </p>
  )
}
