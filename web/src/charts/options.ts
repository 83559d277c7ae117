// The options of one chart, from what it shows to what uPlot needs.

import uPlot from 'uplot'
import { type Colours, paintGaps, paintMarks, paintThresholds, translucent, type Threshold } from './paint.ts'
import type { Mark } from './marks.ts'
import type { Column, Gap } from './series.ts'

export interface Line {
  name: string
  /** The name of a colour in styles.css. */
  colour: string
  dashed?: boolean
  stepped?: boolean
  value: Column
  low?: Column
  high?: Column
}

export interface Scale {
  min: number
  max: number
  log?: boolean
}

/** What a chart shows now; the painters read it at every redraw. */
export interface Picture {
  at: number[]
  lines: Line[]
  gaps: Gap[]
  marks: Mark[]
  thresholds: Threshold[]
  scale: Scale
  format: (value: number) => string
}

export function data({ at, lines }: Picture): uPlot.AlignedData {
  const columns = lines.flatMap((line) => (line.low && line.high ? [line.high, line.low, line.value] : [line.value]))
  return [at, ...columns] as uPlot.AlignedData
}

export interface Surroundings {
  width: number
  height: number
  colours: Colours
  /** Charts with the same key share the cursor and the zoom. */
  sync: string
  picture: () => Picture
  onCursor: (index: number | null) => void
}

export function options({ width, height, colours, sync, picture, onCursor }: Surroundings): uPlot.Options {
  const { scale, format, lines } = picture()
  const series: uPlot.Series[] = [{}]
  const bands: uPlot.Band[] = []
  for (const line of lines) {
    const colour = colours.of(line.colour)
    if (line.low && line.high) {
      const edge: uPlot.Series = { stroke: 'transparent', width: 0, points: { show: false } }
      bands.push({ series: [series.length, series.length + 1], fill: translucent(colour, 0.16) })
      series.push(edge, { ...edge })
    }
    series.push({
      stroke: colour,
      width: 2,
      dash: line.dashed ? [6, 4] : undefined,
      paths: line.stepped ? uPlot.paths.stepped!({ align: 1 }) : undefined,
      // A value between two gaps has no neighbour to draw a line to.
      points: { size: 5, fill: colour, filter: (u, i) => lonely(u.data[i] as Column) },
    })
  }
  const axis: uPlot.Axis = {
    stroke: colours.ink, font: '11px system-ui, sans-serif',
    grid: { stroke: colours.grid, width: 1 }, ticks: { show: false },
  }
  return {
    width, height, series, bands,
    padding: [8, 26, 0, 0],
    legend: { show: false },
    cursor: { y: false, sync: { key: sync, setSeries: false }, drag: { x: true, y: false, uni: 20 }, points: { size: 7 } },
    scales: {
      x: { time: true },
      y: { distr: scale.log ? 3 : 1, range: () => [picture().scale.min, picture().scale.max] },
    },
    axes: [
      { ...axis, size: 26, gap: 6, space: 84, values: (_, splits, __, ___, step) => splits.map((s) => clockTick(s, step)) },
      {
        ...axis, size: 52, gap: 4, space: 30,
        splits: scale.log ? () => [0.01, 0.1, 1, 10, 100, 1000, 10000].filter((v) => v >= picture().scale.min && v <= picture().scale.max) : undefined,
        filter: scale.log ? (_, splits) => splits : undefined,
        values: (_, splits) => splits.map((s) => format(s)),
      },
    ],
    hooks: {
      drawClear: [(u) => paintGaps(u, picture().gaps, colours.gap)],
      draw: [(u) => {
        paintMarks(u, picture().marks, colours)
        paintThresholds(u, picture().thresholds, colours)
      }],
      setCursor: [(u) => onCursor(u.cursor.idx ?? null)],
    },
  }
}

function clockTick(at: number, step: number): string {
  const date = new Date(at * 1000)
  const two = (n: number) => String(n).padStart(2, '0')
  if (step >= 86_400) return date.toLocaleDateString(undefined, { day: 'numeric', month: 'short' })
  const minutes = `${two(date.getHours())}:${two(date.getMinutes())}`
  return step < 60 ? `${minutes}:${two(date.getSeconds())}` : minutes
}

/** The places of values without a neighbour. */
export function lonely(column: Column): number[] {
  const found: number[] = []
  column.forEach((value, i) => {
    if (value != null && column[i - 1] == null && column[i + 1] == null) found.push(i)
  })
  return found
}
