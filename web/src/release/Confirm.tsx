import { Button, Modal, Textarea } from '@mantine/core'
import { useState, type FormEvent } from 'react'
import { useChange } from '../api/queries.ts'
import type { ReleaseDetail } from '../api/types.ts'
import { InlineFault } from '../layout/Fallback.tsx'
import type { Choice } from './actions.ts'
import classes from './Confirm.module.css'

interface Props {
  choice: Choice
  detail: ReleaseDetail
  onClose: () => void
  onChanged: (detail: ReleaseDetail) => void
}

/** Says what will happen, asks why, and shows the server's no in its own words. */
export function Confirm({ choice, detail, onClose, onChanged }: Props) {
  const [reason, setReason] = useState('')
  const change = useChange(detail, (answer) => {
    onClose()
    // Bringing an older release back answers with another release.
    if (answer?.id === detail.id) onChanged(answer)
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    change.mutate({ ...choice.change, reason: reason.trim() || undefined })
  }
  return (
    <Modal opened onClose={onClose} title={choice.title} centered size={520}>
      <form onSubmit={submit} className={classes.form}>
        <ul className={classes.consequences}>{choice.consequences.map((line) => <li key={line}>{line}</li>)}</ul>
        <Textarea label={choice.reasonRequired ? 'Reason' : 'Reason (optional)'} description="It is kept in the record." required={choice.reasonRequired}
          value={reason} autosize minRows={2} data-autofocus onChange={(event) => setReason(event.currentTarget.value)} />
        <InlineFault error={change.error} />
        <div className={classes.buttons}>
          <Button variant="default" onClick={onClose}>Cancel</Button>
          <Button type="submit" color={choice.tone === 'danger' ? 'red' : undefined} loading={change.isPending}
            disabled={choice.reasonRequired && reason.trim() === ''}>{choice.label}</Button>
        </div>
      </form>
    </Modal>
  )
}
