import { Tooltip } from '@mantine/core'
import { full, instant, moment, relative } from './time.ts'
import { useNow } from './useNow.ts'

/** A time as the distance from now; the exact one beside it or on hover. */
export function Time({ at, exact = false }: { at: string | undefined; exact?: boolean }) {
  const now = useNow()
  const time = instant(at)
  if (time === undefined) return null
  return (
    <Tooltip label={full(time)}>
      <time dateTime={at} className="figure nowrap">
        {relative(time, now)}{exact && <span className="faint"> · {moment(time, now)}</span>}
      </time>
    </Tooltip>
  )
}
