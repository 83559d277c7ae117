import { useDebouncedValue } from '@mantine/hooks'
import { useQueryClient } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { useEffect } from 'react'
import { useVerification } from '../api/queries.ts'
import { useLive } from '../api/useLive.ts'
import { Failed, Loading } from '../layout/Fallback.tsx'
import { ReleaseView } from './ReleaseView.tsx'

const route = getRouteApi('/releases/$release')

/** The live page of a release. */
export function ReleasePage() {
  const { release } = route.useParams()
  const { live, replace, retry } = useLive(release)
  const [lines] = useDebouncedValue(live.events.length, 1000)
  const verification = useVerification(release, lines)
  const client = useQueryClient()
  const ended = live.fault?.status === 401
  useEffect(() => {
    if (ended) void client.resetQueries({ queryKey: ['me'] })
  }, [ended, client])

  if (!live.detail) {
    return (
      <main className="page" id="main">
        <title>Release · Fairway</title>
        <div className="panel">
          {live.fault ? <Failed error={live.fault} what="release" retry={retry} /> : <Loading what="release" lines={8} />}
        </div>
      </main>
    )
  }
  return <ReleaseView live={live} detail={live.detail} verification={verification.data} onChanged={replace} onRetry={retry} />
}
