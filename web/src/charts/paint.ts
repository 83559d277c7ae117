// What uPlot does not draw by itself: gaps, thresholds and marks.

import type uPlot from 'uplot'
import type { Mark } from './marks.ts'
import type { Gap } from './series.ts'

export interface Colours {
  ink: string
  grid: string
  gap: string
  of: (name: string) => string
}

/** Reads the page's colours, so that a chart follows light and dark. */
export function colours(element: Element): Colours {
  const style = getComputedStyle(element)
  const of = (name: string) => style.getPropertyValue(`--${name}`).trim() || '#888'
  return { ink: of('ink-3'), grid: of('grid'), gap: of('gap'), of }
}

export interface Threshold {
  value: number
  label: string
  colour: string
}

/** A colour with the given opacity, from "#rrggbb". */
export function translucent(colour: string, opacity: number): string {
  const [, r, g, b] = /^#(..)(..)(..)$/.exec(colour) ?? []
  return r && g && b ? `rgba(${parseInt(r, 16)}, ${parseInt(g, 16)}, ${parseInt(b, 16)}, ${opacity})` : colour
}

/** Hatches the stretches without measurements. */
export function paintGaps(u: uPlot, gaps: Gap[], colour: string) {
  const { ctx, bbox } = u
  ctx.save()
  ctx.beginPath()
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height)
  ctx.clip()
  for (const gap of gaps) {
    const left = u.valToPos(gap.from, 'x', true)
    const right = Math.max(left + 3 * devicePixelRatio, u.valToPos(gap.to, 'x', true))
    if (right < bbox.left || left > bbox.left + bbox.width) continue
    ctx.save()
    ctx.beginPath()
    ctx.rect(left, bbox.top, right - left, bbox.height)
    ctx.fillStyle = translucent(colour, 0.1)
    ctx.fill()
    ctx.clip()
    ctx.strokeStyle = translucent(colour, 0.45)
    ctx.lineWidth = devicePixelRatio
    ctx.beginPath()
    for (let x = left - bbox.height; x < right; x += 7 * devicePixelRatio) {
      ctx.moveTo(x, bbox.top + bbox.height)
      ctx.lineTo(x + bbox.height, bbox.top)
    }
    ctx.stroke()
    ctx.restore()
  }
  ctx.restore()
}

export function paintThresholds(u: uPlot, thresholds: Threshold[], { of }: Colours) {
  const { ctx, bbox } = u
  const scale = u.scales.y!
  ctx.save()
  ctx.font = `600 ${11 * devicePixelRatio}px system-ui, sans-serif`
  ctx.textAlign = 'right'
  ctx.textBaseline = 'bottom'
  for (const { value, label, colour } of thresholds) {
    if (value < (scale.min ?? 0) || value > (scale.max ?? 0)) continue
    const y = Math.round(u.valToPos(value, 'y', true)) + 0.5
    ctx.strokeStyle = of(colour)
    ctx.lineWidth = devicePixelRatio
    ctx.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio])
    ctx.beginPath()
    ctx.moveTo(bbox.left, y)
    ctx.lineTo(bbox.left + bbox.width, y)
    ctx.stroke()
    const right = bbox.left + bbox.width - 4 * devicePixelRatio
    const size = 13 * devicePixelRatio
    const wide = ctx.measureText(label).width + 6 * devicePixelRatio
    ctx.fillStyle = translucent(of('panel'), 0.8)
    ctx.fillRect(right - wide + 3 * devicePixelRatio, y - size - 2 * devicePixelRatio, wide, size)
    ctx.fillStyle = of(colour)
    ctx.fillText(label, right, y - 2 * devicePixelRatio)
  }
  ctx.restore()
}

const markColours: Record<Mark['kind'], string> = { weight: 'ink-3', verdict: 'warn', pass: 'good', rollback: 'bad', person: 'accent', stage: 'ink-3' }

/** A thin line for each mark, with a flag on top; a quiet stage change has no flag. */
export function paintMarks(u: uPlot, list: Mark[], { of }: Colours) {
  const { ctx, bbox } = u
  ctx.save()
  for (const mark of list) {
    const x = Math.round(u.valToPos(mark.at, 'x', true)) + 0.5
    if (x < bbox.left || x > bbox.left + bbox.width) continue
    const loud = mark.kind !== 'weight' && mark.kind !== 'stage'
    ctx.strokeStyle = ctx.fillStyle = translucent(of(markColours[mark.kind]), loud ? 0.9 : 0.4)
    ctx.lineWidth = (mark.kind === 'rollback' ? 2 : 1) * devicePixelRatio
    ctx.setLineDash(loud ? [] : [devicePixelRatio, 3 * devicePixelRatio])
    ctx.beginPath()
    ctx.moveTo(x, bbox.top)
    ctx.lineTo(x, bbox.top + bbox.height)
    ctx.stroke()
    if (!loud) continue
    const size = 5 * devicePixelRatio
    ctx.beginPath()
    ctx.moveTo(x - size, bbox.top)
    ctx.lineTo(x + size, bbox.top)
    ctx.lineTo(x, bbox.top + 1.4 * size)
    ctx.fill()
  }
  ctx.restore()
}
