import { Icon } from '../layout/icons.tsx'
import { look } from './states.ts'
import classes from './StateBadge.module.css'

export function StateBadge({ state, paused }: { state: string; paused?: boolean }) {
  const { label, icon, tone } = paused ? { label: 'Paused', icon: 'pause' as const, tone: 'warn' as const } : look(state)
  return <span className={classes.badge} data-tone={tone}><Icon name={icon} size={13} />{label}</span>
}
