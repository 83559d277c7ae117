import { afterEach, expect, it, vi } from 'vitest'
import { ask, carryCsrfToken, Fault } from './client.ts'

afterEach(() => {
  vi.unstubAllGlobals()
  carryCsrfToken('')
})

function answering(answer: Response | Error) {
  const calls: [string, RequestInit][] = []
  vi.stubGlobal('fetch', (url: string, init: RequestInit) => {
    calls.push([url, init])
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer)
  })
  return calls
}

it('carries the CSRF token with changes, and only with those', async () => {
  carryCsrfToken('secret')
  const calls = answering(new Response('{}'))
  await ask('/v1/me')
  expect((calls[0]![1].headers as Record<string, string>)['X-CSRF-Token']).toBeUndefined()
  const changes = answering(new Response('{}'))
  await ask('/v1/freezes', { method: 'POST', body: { reason: 'x' } })
  expect(changes[0]![1].headers).toMatchObject({ 'X-CSRF-Token': 'secret', 'Content-Type': 'application/json' })
})

it('leaves empty parameters out', async () => {
  const calls = answering(new Response('{"items":[]}'))
  await ask('/v1/releases', { query: { service: 'a b', state: undefined, cursor: '' } })
  expect(calls[0]![0]).toBe('/v1/releases?service=a+b')
})

it('reads a problem with its detail and hint', async () => {
  answering(new Response(JSON.stringify({ title: 'Forbidden', status: 403, detail: 'mara made this release and cannot approve it', hint: 'ask somebody else', code: 'denied' }), { status: 403 }))
  await expect(ask('/v1/x')).rejects.toMatchObject({ message: 'mara made this release and cannot approve it', hint: 'ask somebody else', status: 403, code: 'denied' })
})

it('says in words that there is no answer, or one of something else', async () => {
  answering(new TypeError('Failed to fetch'))
  await expect(ask('/v1/x')).rejects.toMatchObject({ message: 'The server does not answer.', status: 0 })
  answering(new Response('<html>Bad gateway</html>', { status: 502 }))
  await expect(ask('/v1/x')).rejects.toMatchObject({ status: 0 })
  answering(new Response('<html>teapot</html>', { status: 418 }))
  await expect(ask('/v1/x')).rejects.toBeInstanceOf(Fault)
})
