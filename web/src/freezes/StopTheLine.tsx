import { Button, Modal, Textarea } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { useState, type FormEvent } from 'react'
import { useCreateFreeze } from '../api/queries.ts'
import type { Freeze } from '../api/types.ts'
import { useNow } from '../format/useNow.ts'
import { InlineFault } from '../layout/Fallback.tsx'
import { Icon } from '../layout/icons.tsx'
import { active } from './windows.ts'

/** Freezes every lane at once. */
export function StopTheLine({ freezes }: { freezes: Freeze[] }) {
  const [opened, { open, close }] = useDisclosure()
  const [reason, setReason] = useState('')
  const create = useCreateFreeze()
  const now = useNow()
  const stopped = freezes.some((freeze) => !freeze.service && !freeze.environment && active(freeze, now))

  const submit = (event: FormEvent) => {
    event.preventDefault()
    create.mutate({ reason: reason.trim() }, { onSuccess: () => { setReason(''); close() } })
  }
  return (
    <>
      <Button color="red" leftSection={<Icon name="stop" />} onClick={open} disabled={stopped}>
        {stopped ? 'The line is stopped' : 'Stop the line'}
      </Button>
      <Modal opened={opened} onClose={close} title="Stop the line" centered>
        <form onSubmit={submit} style={{ display: 'grid', gap: 14 }}>
          <p>No lane advances, in any service and any environment, until the freeze is ended.</p>
          <p className="quiet">Traffic stays as it is. Running canaries are still watched and may still go back.</p>
          <Textarea label="Reason" description="Everybody who is held by it will read it." value={reason} autosize minRows={2}
            data-autofocus required onChange={(event) => setReason(event.currentTarget.value)} />
          <InlineFault error={create.error} />
          <Button type="submit" color="red" disabled={reason.trim() === ''} loading={create.isPending}>Stop the line</Button>
        </form>
      </Modal>
    </>
  )
}
