import { Button } from '@mantine/core'
import { useState } from 'react'
import type { ReleaseDetail } from '../api/types.ts'
import { Icon, type IconName } from '../layout/icons.tsx'
import { choices, type Choice } from './actions.ts'
import { Confirm } from './Confirm.tsx'
import classes from './Actions.module.css'

interface Props {
  detail: ReleaseDetail
  environment: string
  onChanged: (detail: ReleaseDetail) => void
}

const icons: Record<Choice['action'], IconName> = {
  approve: 'check', decide: 'check', reject: 'cross', pause: 'pause', resume: 'play', skip: 'skip', rollback: 'back',
}

/** The buttons for what the caller may do now. Answers to a question stand with the question. */
export function Actions({ detail, onChanged }: Props) {
  const list = choices(detail).filter(({ action }) => !isAnswer(action) || !detail.asks)
  return <Buttons list={list} detail={detail} onChanged={onChanged} />
}

export const isAnswer = (action: Choice['action']) => action === 'approve' || action === 'decide' || action === 'reject'

export function Buttons({ list, detail, onChanged }: { list: Choice[]; detail: ReleaseDetail; onChanged: Props['onChanged'] }) {
  const [chosen, setChosen] = useState<Choice>()
  if (list.length === 0 && !chosen) return null
  return (
    <div className={classes.buttons} role="group" aria-label="What you can do">
      {list.map((choice) => (
        <Button key={choice.action} size="sm" leftSection={<Icon name={icons[choice.action]} />} onClick={() => setChosen(choice)}
          variant={choice.tone === 'primary' ? 'filled' : choice.tone === 'danger' ? 'outline' : 'default'} color={choice.tone === 'danger' ? 'red' : undefined}>
          {choice.label}
        </Button>
      ))}
      {chosen && <Confirm choice={chosen} detail={detail} onClose={() => setChosen(undefined)} onChanged={onChanged} />}
    </div>
  )
}
