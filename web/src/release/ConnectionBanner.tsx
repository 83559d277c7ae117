import { Button } from '@mantine/core'
import type { Live } from '../api/live.ts'
import { useNow } from '../format/useNow.ts'
import { Icon } from '../layout/icons.tsx'
import classes from './ConnectionBanner.module.css'

/** Says that what is shown is old, since when the connection is lost. */
export function ConnectionBanner({ live, onRetry }: { live: Live; onRetry: () => void }) {
  const now = useNow()
  if (live.connection !== 'lost') return null
  const seconds = live.retryAt === undefined ? undefined : Math.max(0, Math.ceil((live.retryAt - now) / 1000))
  return (
    <div className={classes.banner} role="alert">
      <Icon name="warning" />
      <span>
        <b>Not live.</b> {live.fault?.message ?? 'The connection is lost.'} What you see may be old.
        {seconds !== undefined && (seconds > 0 ? ` Trying again in ${seconds} s.` : ' Trying again…')}
      </span>
      <Button size="xs" variant="default" onClick={onRetry}>Try now</Button>
    </div>
  )
}
