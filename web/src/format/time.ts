// Times and durations as people read them.

const second = 1000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

/** Whole units, at most two: "45 s", "3 min 05 s", "2 h 10 min", "3 d 4 h". */
export function duration(milliseconds: number): string {
  const s = Math.max(0, Math.round(milliseconds / second))
  if (s < 60) return `${s} s`
  if (s < 3600) return `${Math.floor(s / 60)} min ${String(s % 60).padStart(2, '0')} s`
  const m = Math.floor(s / 60)
  if (m < 24 * 60) return m % 60 === 0 ? `${m / 60} h` : `${Math.floor(m / 60)} h ${m % 60} min`
  const h = Math.floor(m / 60)
  return h % 24 === 0 ? `${h / 24} d` : `${Math.floor(h / 24)} d ${h % 24} h`
}

/** The same in little room: "45s", "3m 05s", "2h 10m", "3d 4h". */
export const short = (milliseconds: number) => duration(milliseconds).replaceAll(' min', 'm').replaceAll(/ ([shd])/g, '$1')

/** A countdown as a clock shows it: "0:05", "12:30", "2:03:00". Never below zero. */
export function countdown(milliseconds: number): string {
  const s = Math.max(0, Math.ceil(milliseconds / second))
  const pad = (n: number) => String(n).padStart(2, '0')
  const h = Math.floor(s / 3600)
  const m = Math.floor((s % 3600) / 60)
  return h > 0 ? `${h}:${pad(m)}:${pad(s % 60)}` : `${m}:${pad(s % 60)}`
}

/** "just now", "3 min ago", "in 2 h". */
export function relative(at: number, now: number): string {
  const distance = Math.abs(now - at)
  if (distance < 10 * second) return 'just now'
  const text = distance < minute ? `${Math.floor(distance / second)} s`
    : distance < hour ? `${Math.floor(distance / minute)} min`
    : distance < 2 * day ? `${Math.floor(distance / hour)} h`
    : `${Math.floor(distance / day)} d`
  return at <= now ? `${text} ago` : `in ${text}`
}

const clockFormat = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' })
const dayFormat = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' })
const fullFormat = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'long' })

export const clock = (at: number) => clockFormat.format(at)

/** The time of day, with the day where it is not today's. */
export function moment(at: number, now: number): string {
  const today = new Date(at).toDateString() === new Date(now).toDateString()
  return today ? clock(at) : `${dayFormat.format(at)}, ${clock(at)}`
}

export const full = (at: number) => fullFormat.format(at)

/** Reads what the API writes; nothing, and Go's zero time, are undefined. */
export function instant(text: string | undefined): number | undefined {
  if (!text || text.startsWith('0001-')) return undefined
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : at
}
