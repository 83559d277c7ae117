import { Icon } from '../layout/icons.tsx'
import { look } from './states.ts'
import classes from './StateBadge.module.css'

/** Marks a release that does harm on purpose, and is never promoted. */
export const DrillBadge = () => <span className={classes.badge} data-tone="drill"><Icon name="target" size={13} />Drill</span>

export function StateBadge({ state, paused }: { state: string; paused?: boolean }) {
  const { label, icon, tone } = paused ? { label: 'Paused', icon: 'pause' as const, tone: 'warn' as const } : look(state)
  return <span className={classes.badge} data-tone={tone}><Icon name={icon} size={13} />{label}</span>
}
