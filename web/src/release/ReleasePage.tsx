import { getRouteApi } from '@tanstack/react-router'
import { useVerification } from '../api/queries.ts'
import { useLive } from '../api/useLive.ts'
import { Failed, Loading } from '../layout/Fallback.tsx'
import { ReleaseView } from './ReleaseView.tsx'

const route = getRouteApi('/releases/$release')

/** The live page of a release. */
export function ReleasePage() {
  const { release } = route.useParams()
  const { live, replace, retry } = useLive(release)
  const verification = useVerification(release, live.events.length)

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
