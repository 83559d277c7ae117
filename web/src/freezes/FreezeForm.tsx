import { Button, NativeSelect, TextInput } from '@mantine/core'
import { useState, type FormEvent } from 'react'
import { useCreateFreeze, useServices } from '../api/queries.ts'
import { InlineFault } from '../layout/Fallback.tsx'
import classes from './FreezeForm.module.css'

const nothing = { service: '', environment: '', reason: '', from: '', until: '', rule: '', for: '' }

/** A window for a service, an environment, or both. */
export function FreezeForm() {
  const [form, setForm] = useState(nothing)
  const services = useServices()
  const create = useCreateFreeze()
  const names = (services.data ?? []).map((service) => service.name)
  const environments = [...new Set((services.data ?? []).flatMap((service) => service.environments ?? []).map((e) => e.name))]
  const field = (key: keyof typeof nothing) => ({
    value: form[key],
    onChange: (event: { currentTarget: { value: string } }) => setForm({ ...form, [key]: event.currentTarget.value }),
  })

  const submit = (event: FormEvent) => {
    event.preventDefault()
    create.mutate({
      service: form.service || undefined,
      environment: form.environment || undefined,
      reason: form.reason.trim(),
      from: form.from ? new Date(form.from).toISOString() : undefined,
      until: form.until ? new Date(form.until).toISOString() : undefined,
      rule: form.rule || undefined,
      for: form.rule ? form.for || undefined : undefined,
    }, { onSuccess: () => setForm(nothing) })
  }
  return (
    <section className="panel" aria-labelledby="new-freeze">
      <div className="panel-head"><h2 id="new-freeze">New freeze</h2></div>
      <form onSubmit={submit} className={classes.form}>
        <TextInput className={classes.reason} label="Reason" required {...field('reason')} />
        <NativeSelect label="Service" data={[{ value: '', label: 'All services' }, ...names]} {...field('service')} />
        <NativeSelect label="Environment" data={[{ value: '', label: 'All environments' }, ...environments]} {...field('environment')} />
        <TextInput label="From" type="datetime-local" description="Empty: now" {...field('from')} />
        <TextInput label="Until" type="datetime-local" description="Empty: until it is ended" {...field('until')} />
        <NativeSelect label="Repeats" data={[
          { value: '', label: 'Once' },
          { value: 'FREQ=DAILY', label: 'Every day' },
          { value: 'FREQ=WEEKLY;BYDAY=FR', label: 'Every Friday' },
          { value: 'FREQ=WEEKLY;BYDAY=SA,SU', label: 'Every weekend' },
          { value: 'FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR', label: 'Every working day' },
        ]} description="From the time of day in From" {...field('rule')} />
        <TextInput label="Lasts" placeholder="8h" description="Each time, for instance 8h" disabled={!form.rule} required={Boolean(form.rule)} {...field('for')} />
        <div className={classes.wide}><InlineFault error={create.error} /></div>
        <div className={classes.wide}><Button type="submit" disabled={form.reason.trim() === ''} loading={create.isPending}>Freeze</Button></div>
      </form>
    </section>
  )
}
