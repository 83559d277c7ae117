import { Link } from '@tanstack/react-router'
import { useReleases, useServices } from '../api/queries.ts'
import { Empty, Failed, Loading } from '../layout/Fallback.tsx'
import { ReleaseTable } from '../releases/ReleaseTable.tsx'
import { ServiceTable } from './ServiceTable.tsx'
import { useMoving } from './useMoving.ts'

/** What runs where, and what moves. */
export function ServicesPage() {
  const services = useServices()
  const releases = useMoving(services.data ?? [])
  const latest = useReleases({}).data?.pages[0]?.items?.slice(0, 8) ?? []
  return (
    <main className="page" id="main">
      <title>Services · Fairway</title>
      <h1>Services</h1>
      <div className="panel">
        {services.isPending ? <Loading what="services" lines={6} />
          : services.isError && !services.data ? <Failed error={services.error} what="services" retry={() => void services.refetch()} />
          : services.data?.length === 0 ? (
            <Empty title="No service yet">
              <p>A service appears with its first release.</p>
              <p>In its repository: <code>fairway init</code>, then <code>fairway ship</code>.</p>
            </Empty>
          ) : <ServiceTable services={services.data ?? []} releases={releases} />}
      </div>
      {latest.length > 0 && (
        <section className="panel" aria-labelledby="latest">
          <div className="panel-head"><h2 id="latest">Latest releases</h2><Link to="/releases" className="small">All releases</Link></div>
          <ReleaseTable releases={latest} />
        </section>
      )}
    </main>
  )
}
