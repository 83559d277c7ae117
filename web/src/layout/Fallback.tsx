import { Alert, Button, Skeleton } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { Fault } from '../api/client.ts'
import { Icon, type IconName } from './icons.tsx'
import classes from './Fallback.module.css'

// What every view shows when it has nothing to show: it loads, it failed, it is empty.

/** Grey lines in place of what is to come. */
export const Loading = ({ what, lines = 4 }: { what: string; lines?: number }) => (
  <div className={classes.loading} role="status" aria-label={`Loading ${what}`}>
    {Array.from({ length: lines }, (_, i) => <Skeleton key={i} height={14} width={`${92 - ((i * 23) % 45)}%`} />)}
  </div>
)

/** The error in the server's words, with its hint and a way to try again. */
export function Failed({ error, what, retry }: { error: unknown; what: string; retry?: () => void }) {
  const fault = error instanceof Fault ? error : undefined
  return (
    <div className={classes.message} role="alert">
      <Icon name="warning" size={24} className={classes.bad} />
      <h2>{fault?.status === 404 ? `There is no such ${what}` : `The ${what} could not be loaded`}</h2>
      <p className="quiet">{error instanceof Error ? error.message : String(error)}</p>
      {fault?.hint && <p className="quiet">{fault.hint}</p>}
      {retry && <Button variant="default" size="xs" onClick={retry}>Try again</Button>}
    </div>
  )
}

/** Says that there is nothing, and how something would come to be. */
export const Empty = ({ title, icon, children }: { title: string; icon?: IconName; children?: ReactNode }) => (
  <div className={classes.message}>
    {icon && <Icon name={icon} size={24} className="faint" />}
    <h2>{title}</h2>
    {children && <div className="quiet">{children}</div>}
  </div>
)

/** An error next to what caused it. */
export function InlineFault({ error }: { error: unknown }) {
  if (!error) return null
  const fault = error instanceof Fault ? error : undefined
  return (
    <Alert color="red" variant="light" role="alert" icon={<Icon name="warning" />} className={classes.inline}>
      <p>{error instanceof Error ? error.message : String(error)}</p>
      {fault?.hint && <p className="quiet">{fault.hint}</p>}
    </Alert>
  )
}

export const NotFound = () => (
  <main className="page" id="main">
    <div className="panel">
      <Empty title="There is no such page" icon="question">
        <p>The address may be mistyped, or what it named is gone.</p>
        <p><Link to="/">To the services</Link> · <Link to="/releases">To the releases</Link></p>
      </Empty>
    </div>
  </main>
)

export const RouteFault = ({ error, reset }: { error: unknown; reset: () => void }) => (
  <main className="page" id="main">
    <div className="panel"><Failed error={error} what="page" retry={reset} /></div>
  </main>
)
