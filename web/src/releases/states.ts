import type { EnvironmentState, RunState, StageState } from '../api/types.ts'
import type { IconName } from '../layout/icons.tsx'

/** How a state looks: never by its colour alone. */
export interface Look {
  label: string
  icon: IconName
  tone: 'calm' | 'busy' | 'good' | 'bad' | 'warn'
}

export const runStates: RunState[] = ['pending', 'running', 'rolling-back', 'succeeded', 'rolled-back', 'failed', 'cancelled', 'superseded']

const looks: Record<RunState | EnvironmentState | StageState, Look> = {
  pending: { label: 'Pending', icon: 'dot', tone: 'calm' },
  running: { label: 'Running', icon: 'play', tone: 'busy' },
  'rolling-back': { label: 'Rolling back', icon: 'back', tone: 'warn' },
  succeeded: { label: 'Succeeded', icon: 'check', tone: 'good' },
  'rolled-back': { label: 'Rolled back', icon: 'back', tone: 'bad' },
  failed: { label: 'Failed', icon: 'cross', tone: 'bad' },
  superseded: { label: 'Superseded', icon: 'skip', tone: 'calm' },
  cancelled: { label: 'Called off', icon: 'cross', tone: 'calm' },
  skipped: { label: 'Skipped', icon: 'skip', tone: 'calm' },
  passed: { label: 'Passed', icon: 'check', tone: 'good' },
  undoing: { label: 'Undoing', icon: 'back', tone: 'warn' },
  undone: { label: 'Undone', icon: 'back', tone: 'calm' },
  'undo-failed': { label: 'Undo failed', icon: 'warning', tone: 'bad' },
}

/** A state that this page does not know yet is shown by its name. */
export const look = (state: string): Look =>
  (looks as Record<string, Look>)[state] ?? { label: state, icon: 'dot', tone: 'calm' }

export const final = (state: RunState) => !['pending', 'running', 'rolling-back'].includes(state)
