import { useEndFreeze, useFreezes } from '../api/queries.ts'
import { Empty, Failed, InlineFault, Loading } from '../layout/Fallback.tsx'
import { FreezeForm } from './FreezeForm.tsx'
import { FreezeTable } from './FreezeTable.tsx'
import { StopTheLine } from './StopTheLine.tsx'

/** The windows in which lanes do not move. */
export function FreezesPage() {
  const freezes = useFreezes()
  const end = useEndFreeze()
  const list = freezes.data ?? []
  return (
    <main className="page" id="main">
      <title>Freezes · Fairway</title>
      <div className="title-row"><h1>Freezes</h1><StopTheLine freezes={list} /></div>
      <InlineFault error={end.error} />
      <section className="panel" aria-label="Freezes">
        {freezes.isPending ? <Loading what="freezes" />
          : freezes.isError && !freezes.data ? <Failed error={freezes.error} what="freezes" retry={() => void freezes.refetch()} />
          : list.length === 0 ? <Empty title="Nothing is frozen" icon="check">All lanes may move.</Empty>
          : <FreezeTable freezes={list} ending={end.isPending ? end.variables : undefined} onEnd={(id) => end.mutate(id)} />}
      </section>
      <FreezeForm />
    </main>
  )
}
