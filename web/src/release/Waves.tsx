import { useState } from 'react'
import { Icon } from '../layout/icons.tsx'
import { look } from '../releases/states.ts'
import { StateBadge } from '../releases/StateBadge.tsx'
import type { Place } from './run.ts'
import { asks, counts, labelOf, regionsIn, stirs, type Regional, type Wave } from './waves.ts'
import classes from './Waves.module.css'

/** How many regions at rest are shown before the others are only counted. */
const few = 12

interface Props {
  regional: Regional
  shown: string
  onShow: (entry: string) => void
}

/** The regions of an environment: a row for each wave, with those first that need a look. */
export function Waves({ regional, shown, onShow }: Props) {
  const { environment, waves } = regional
  return (
    <div className={classes.waves} role="group" aria-label={`Regions of ${environment}`}>
      <div className={classes.title}><b>{environment}</b> <span className="faint small">{regionsIn(regional)} regions in {waves.length} waves</span></div>
      {waves.map((wave) => <WaveRow key={wave.number} wave={wave} shown={shown} onShow={onShow} />)}
    </div>
  )
}

function WaveRow({ wave: { number, regions }, shown, onShow }: { wave: Wave; shown: string; onShow: Props['onShow'] }) {
  const [all, setAll] = useState(false)
  const rest = regions.filter((place) => !stirs(place))
  const hidden = all || rest.length <= few ? 0 : rest.length - few
  const visible = hidden === 0 ? regions : [...regions.filter(stirs), ...rest.slice(0, few)]
  return (
    <div className={classes.wave}>
      <div className={classes.number}>
        <div>Wave {number}</div>
        <div className={classes.counts}>{counts(regions).map(([state, n]) => <span key={state} className="small"><StateBadge state={state} /> {n}</span>)}</div>
      </div>
      <ul className={classes.regions}>
        {visible.map((place) => <li key={place.run.name}><Region place={place} shown={place.run.name === shown} onShow={onShow} /></li>)}
        {hidden > 0 && <li><button type="button" className={classes.more} onClick={() => setAll(true)}>and {hidden} more</button></li>}
      </ul>
    </div>
  )
}

function Region({ place, shown, onShow }: { place: Place; shown: boolean; onShow: Props['onShow'] }) {
  const { label, icon, tone } = look(place.run.state)
  const stage = place.steps.find(({ current }) => current)?.plan.name
  const about = asks(place) ?? place.run.reason
  return (
    <button
      type="button" className={classes.region} data-tone={asks(place) ? 'warn' : tone} aria-pressed={shown} title={about}
      aria-label={`${labelOf(place)}: ${label}${stage ? `, stage ${stage}` : ''}${about ? `. ${about}` : ''}`} onClick={() => onShow(place.run.name)}
    >
      <Icon name={asks(place) ? 'question' : icon} size={12} /> {labelOf(place)}{stage && <span className="faint"> {stage}</span>}
    </button>
  )
}
