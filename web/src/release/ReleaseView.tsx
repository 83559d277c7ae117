import { useState } from 'react'
import type { Live } from '../api/live.ts'
import type { ReleaseDetail, Verification } from '../api/types.ts'
import { Empty } from '../layout/Fallback.tsx'
import { final } from '../releases/states.ts'
import { Actions } from './Actions.tsx'
import { Asks } from './Asks.tsx'
import { Charts } from './Charts.tsx'
import { ConnectionBanner } from './ConnectionBanner.tsx'
import { Drifted } from './Drifted.tsx'
import { EventList } from './EventList.tsx'
import { Header } from './Header.tsx'
import { Headline } from './Headline.tsx'
import { currentEnvironment, judgedEnvironment, titleOf } from './run.ts'
import { Track } from './Track.tsx'
import { lastVerdict } from './verdict.ts'
import { VerdictCard } from './VerdictCard.tsx'
import classes from './ReleaseView.module.css'

interface Props {
  live: Live
  detail: ReleaseDetail
  verification?: Verification
  onChanged: (detail: ReleaseDetail) => void
  onRetry: () => void
}

/** Everything about one release: where it is, why, what comes next, and what one can do. */
export function ReleaseView({ live, detail, verification, onChanged, onRetry }: Props) {
  const [chosen, setChosen] = useState<string>()
  const moving = currentEnvironment(detail)
  // The charts show the environment that was chosen, else the one that is judged.
  const environment = chosen ?? judgedEnvironment(detail, live.points) ?? moving
  const judged = live.points.some((point) => point.environment === environment)
  const verdict = lastVerdict(detail, live.events, environment)

  return (
    <main className="page" id="main">
      <title>{`${titleOf(detail)} · Fairway`}</title>
      <ConnectionBanner live={live} onRetry={onRetry} />
      <div className={classes.top}>
        <Header detail={detail} />
        <Actions detail={detail} environment={moving} onChanged={onChanged} />
      </div>
      <Headline detail={detail} />
      <Asks detail={detail} environment={moving} verdict={verdict} onChanged={onChanged} />
      <Drifted detail={detail} />
      <Track detail={detail} shown={environment} onShow={setChosen} />
      {live.loaded && !verdict && !judged ? (
        <section className="panel" aria-label="Verdict">
          <Empty title={`Nothing has been judged in ${environment}${final(detail.state) ? '' : ' yet'}`}>
            A canary or a watch compares the new version with the old one on real traffic; verdict and charts appear then.
          </Empty>
        </section>
      ) : (
        <>
          <VerdictCard verdict={verdict} environment={environment} ended={!detail.live?.[environment]?.verdict} />
          <Charts points={live.points} events={live.events} environment={environment} threshold={verdict?.threshold} loaded={live.loaded} />
        </>
      )}
      <EventList events={live.events} loaded={live.loaded} verification={verification} />
    </main>
  )
}
