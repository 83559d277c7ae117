// Reads server-sent events from a fetch. The browser's own EventSource cannot say
// why a connection was refused, cannot tell a silent connection from a dead one,
// and backs off by its own rules.

export interface Message {
  event: string
  id: string
  data: string
}

/** A parser that is fed text in pieces of any size and calls back for each whole message. */
export function newParser(onMessage: (message: Message) => void) {
  let rest = ''
  let event = ''
  let id = ''
  let data: string[] = []

  const field = (line: string) => {
    if (line === '') {
      if (data.length > 0) onMessage({ event: event || 'message', id, data: data.join('\n') })
      event = ''
      data = []
      return
    }
    const colon = line.indexOf(':')
    if (colon === 0) return // a comment: the server says that it is alive
    const name = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (name === 'data') data.push(value)
    else if (name === 'event') event = value
    else if (name === 'id' && !value.includes('\0')) id = value
  }

  return (text: string) => {
    rest += text
    for (;;) {
      const end = rest.search(/\r\n|\n|\r/)
      // A carriage return at the very end may be half of a line end.
      if (end < 0 || (rest[end] === '\r' && end === rest.length - 1)) return
      const line = rest.slice(0, end)
      rest = rest.slice(end + (rest.startsWith('\r\n', end) ? 2 : 1))
      field(line)
    }
  }
}

/** Doubles from half a second to half a minute, less up to a half by chance, so that a crowd does not return at once. */
export function backoff(attempt: number, random = Math.random()): number {
  const full = Math.min(30_000, 500 * 2 ** Math.max(0, attempt - 1))
  return Math.round(full * (1 - random / 2))
}
