import type { Event } from '../api/types.ts'

/** The first words of the kinds that occur, for a choice: "stage", "lane" … */
export function subjects(events: Event[]): string[] {
  return [...new Set(events.map((event) => event.kind.split('.')[0]!))].sort()
}

/** What matches all words and the subject, newest first. */
export function matching(events: Event[], text: string, subject: string): Event[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  return events
    .filter((event) => {
      if (subject && event.kind.split('.')[0] !== subject) return false
      const all = [event.text, event.kind, event.actor, event.environment, event.stage].join(' ').toLowerCase()
      return words.every((word) => all.includes(word))
    })
    .reverse()
}

/** All the numbers behind a line, where the ledger keeps them. */
export function paragraph(event: Event): string | undefined {
  const data = event.data as { paragraph?: unknown } | undefined | null
  return typeof data?.paragraph === 'string' && data.paragraph ? data.paragraph : undefined
}

export function toneOf(kind: string): 'good' | 'bad' | 'warn' | 'calm' {
  if (/failed|broken/.test(kind)) return 'bad'
  if (/roll|\.back$|undo|asks|suspicious|paused|frozen|superseded|skipped|drift\.(found|changed|unknown)|overwritten/.test(kind)) return 'warn'
  if (/succeeded|passed|approved/.test(kind)) return 'good'
  return 'calm'
}
