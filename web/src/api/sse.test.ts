import { describe, expect, it } from 'vitest'
import { backoff, newParser, type Message } from './sse.ts'

function parse(...pieces: string[]): Message[] {
  const messages: Message[] = []
  const feed = newParser((message) => messages.push(message))
  pieces.forEach(feed)
  return messages
}

describe('the parser of server-sent events', () => {
  it('reads events with their IDs, whatever the pieces are', () => {
    const text = 'retry: 1000\n\nid: 3.7\nevent: point\ndata: {"a":1}\n\n: here\n\nevent: release\ndata: {}\n\n'
    const whole = parse(text)
    expect(whole).toEqual([{ event: 'point', id: '3.7', data: '{"a":1}' }, { event: 'release', id: '3.7', data: '{}' }])
    expect(parse(...text)).toEqual(whole)
  })

  it('joins lines of data, takes all line ends, and names a nameless event', () => {
    expect(parse('data: one\r\ndata:two\r\n\r\n')).toEqual([{ event: 'message', id: '', data: 'one\ntwo' }])
    expect(parse('data: a\r', '\n\r', '\n')).toEqual([{ event: 'message', id: '', data: 'a' }])
  })

  it('does not tell an event that is cut off', () => {
    expect(parse('event: point\ndata: {"a":')).toEqual([])
  })
})

describe('the backoff', () => {
  it('doubles from half a second to half a minute, with some chance', () => {
    expect([1, 2, 3, 7, 30].map((attempt) => backoff(attempt, 0))).toEqual([500, 1000, 2000, 30_000, 30_000])
    expect(backoff(3, 1)).toBe(1000)
  })
})
