import { Button, NativeSelect } from '@mantine/core'
import { getRouteApi } from '@tanstack/react-router'
import { useReleases, useServices } from '../api/queries.ts'
import type { RunState } from '../api/types.ts'
import { Empty, Failed, Loading } from '../layout/Fallback.tsx'
import { ReleaseTable } from './ReleaseTable.tsx'
import { look, runStates } from './states.ts'

const route = getRouteApi('/releases')

/** All releases, newest first; the filters live in the address. */
export function ReleasesPage() {
  const filter = route.useSearch()
  const navigate = route.useNavigate()
  const services = useServices()
  const releases = useReleases(filter)
  const items = releases.data?.pages.flatMap((page) => page.items ?? []) ?? []
  const filtered = Boolean(filter.service || filter.state)
  const names = [...new Set([...(services.data ?? []).map((service) => service.name), ...(filter.service ? [filter.service] : [])])].sort()

  return (
    <main className="page" id="main">
      <title>Releases · Fairway</title>
      <div className="title-row">
        <h1>Releases</h1>
        <NativeSelect aria-label="Service" size="xs" value={filter.service ?? ''}
          data={[{ value: '', label: 'All services' }, ...names]}
          onChange={(event) => void navigate({ search: { ...filter, service: event.currentTarget.value || undefined } })} />
        <NativeSelect aria-label="State" size="xs" value={filter.state ?? ''}
          data={[{ value: '', label: 'All states' }, ...runStates.map((state) => ({ value: state, label: look(state).label }))]}
          onChange={(event) => void navigate({ search: { ...filter, state: (event.currentTarget.value || undefined) as RunState | undefined } })} />
      </div>
      <div className="panel">
        {releases.isPending ? <Loading what="releases" lines={6} />
          : releases.isError && items.length === 0 ? <Failed error={releases.error} what="releases" retry={() => void releases.refetch()} />
          : items.length === 0 ? (
            filtered ? (
              <Empty title="No release matches" icon="question">
                <Button variant="default" size="xs" onClick={() => void navigate({ search: {} })}>Show all</Button>
              </Empty>
            ) : <Empty title="No release yet">Create one with <code>fairway ship</code>.</Empty>
          ) : <ReleaseTable releases={items} />}
      </div>
      {releases.hasNextPage && (
        <div><Button variant="default" size="xs" loading={releases.isFetchingNextPage} onClick={() => void releases.fetchNextPage()}>Show older ones</Button></div>
      )}
    </main>
  )
}
