import 'uplot/dist/uPlot.min.css'
import { useComputedColorScheme } from '@mantine/core'
import { useEffect, useLayoutEffect, useMemo, useRef, useState, type ReactNode } from 'react'
import uPlot from 'uplot'
import { unknown } from '../format/number.ts'
import { clock } from '../format/time.ts'
import { nearest } from './marks.ts'
import { data, options, type Line, type Picture } from './options.ts'
import { colours } from './paint.ts'
import { latest, type Column } from './series.ts'
import classes from './Chart.module.css'

interface Props extends Picture {
  title: string
  /** Beside the title, for instance a choice. */
  control?: ReactNode
  sync: string
  height?: number
}

/** A chart with its legend, which shows the newest values, or those under the pointer. */
export function Chart({ title, control, sync, height = 190, ...picture }: Props) {
  const box = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot>(null)
  const shown = useRef(picture)
  const [index, setIndex] = useState<number | null>(null)
  const scheme = useComputedColorScheme('light')
  // Another set of lines needs another plot; new values do not.
  const shape = picture.lines.map((line) => `${line.name} ${line.low ? 'band' : ''}`).join() + picture.scale.log

  useLayoutEffect(() => { shown.current = picture })

  useEffect(() => {
    const element = box.current!
    const u = new uPlot(options({
      width: element.clientWidth, height, sync, colours: colours(element), picture: () => shown.current, onCursor: setIndex,
    }), data(shown.current), element)
    plot.current = u
    const watch = new ResizeObserver(() => {
      if (element.clientWidth > 0) u.setSize({ width: element.clientWidth, height })
    })
    watch.observe(element)
    return () => {
      watch.disconnect()
      u.destroy()
      plot.current = null
    }
  }, [shape, scheme, sync, height])

  useEffect(() => {
    const u = plot.current
    if (!u) return
    const zoomed = isZoomed(u)
    u.setData(data(picture), !zoomed)
    if (zoomed) u.redraw()
  })

  return (
    <figure className={classes.figure}>
      <figcaption className={classes.head}>
        <h3>{title}</h3>
        {control}
        <Legend picture={picture} index={index} />
      </figcaption>
      <div ref={box} className={classes.plot} style={{ height }} role="img" aria-label={`${title}. ${useSummary(picture)}`} />
      <Under picture={picture} index={index} />
    </figure>
  )
}

function isZoomed(u: uPlot): boolean {
  const at = u.data[0]
  const { min, max } = u.scales.x!
  if (at.length < 2 || min == null || max == null) return false
  const slack = (at[at.length - 1]! - at[0]!) * 0.001
  return min > at[0]! + slack || max < at[at.length - 1]! - slack
}

function Legend({ picture, index }: { picture: Picture; index: number | null }) {
  return (
    <ul className={classes.legend}>
      {picture.lines.map((line) => (
        <li key={line.name} style={{ color: `var(--${line.colour})` }}>
          <svg width="20" height="8" aria-hidden="true"><line x1="0" x2="20" y1="4" y2="4" stroke="currentColor" strokeWidth="2.5" strokeDasharray={line.dashed ? '6 3' : undefined} /></svg>
          <span className="quiet">{line.name}</span>
          <b className="figure">{reading(line, index, picture.format)}</b>
        </li>
      ))}
    </ul>
  )
}

const valueAt = (column: Column | undefined, index: number | null) =>
  column ? (index === null ? latest(column) : column[index] ?? null) : null

export function reading(line: Line, index: number | null, format: (value: number) => string): string {
  const value = valueAt(line.value, index)
  return value === null ? unknown : format(value)
}

/** One line of words below the plot: what is under the pointer. */
function Under({ picture, index }: { picture: Picture; index: number | null }) {
  const at = index === null ? undefined : picture.at[index]
  return (
    <div className={classes.under} aria-hidden="true">
      {at !== undefined && <><span className="figure">{clock(at * 1000)}</span><span>{explain(picture, index!)}</span></>}
    </div>
  )
}

/** Why there is nothing, else what happened then, else how sure the values are. */
export function explain({ at, gaps, marks, lines, format }: Picture, index: number): string {
  const here = at[index]!
  const gap = gaps.find(({ from, to }) => from < here && here <= to)
  if (gap) return `No samples: ${gap.reason}`
  const span = (at.at(-1) ?? 0) - (at[0] ?? 0)
  const mark = nearest(marks, here, Math.max(1.5, span / 100))
  if (mark) return mark.text
  const ranges = lines.flatMap(({ name, low, high }) => {
    const [from, to] = [valueAt(low, index), valueAt(high, index)]
    return from === null || to === null ? [] : [`${name} ${format(from)} to ${format(to)}`]
  })
  return ranges.length > 0 ? `95 %: ${ranges.join(', ')}` : ''
}

/** For who cannot see the picture. */
function useSummary(picture: Picture): string {
  const { lines, gaps, format } = picture
  return useMemo(() => {
    const parts = lines.map((line) => {
      const low = latest(line.low ?? [])
      const high = latest(line.high ?? [])
      return `${line.name} ${reading(line, null, format)}${low !== null && high !== null ? `, between ${format(low)} and ${format(high)}` : ''}`
    })
    if (gaps.length > 0) parts.push(`${gaps.length} stretches without samples`)
    return parts.join('; ') + '.'
  }, [lines, gaps, format])
}
