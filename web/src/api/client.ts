// Speaks HTTP to the server: the session's cookie goes along by itself, its CSRF
// token with every change; an answer that is not good becomes a Fault.

import type { Problem } from './types.ts'

/** What the server (or the way to it) said no with. The words are meant for people. */
export class Fault extends Error {
  readonly status: number
  readonly code: string
  readonly hint: string

  constructor(problem: Problem) {
    super(problem.detail || problem.title)
    this.name = 'Fault'
    this.status = problem.status
    this.code = problem.code ?? ''
    this.hint = problem.hint ?? ''
  }
}

/** Status 0 stands for "no answer at all". */
export const unreachable = () =>
  new Fault({
    title: 'The server does not answer.',
    status: 0,
    code: 'unavailable',
    hint: 'Check that the Fairway server runs and that you can reach it. This page tries again by itself.',
  })

let csrf = ''

/** Every change from now on carries this token. */
export function carryCsrfToken(token: string | undefined) {
  csrf = token ?? ''
}

export interface Ask {
  method?: 'GET' | 'POST' | 'DELETE'
  body?: unknown
  query?: Record<string, string | number | undefined>
  signal?: AbortSignal
  /** Posts with the same key count once. */
  idempotencyKey?: string
}

export async function ask<T>(path: string, { method = 'GET', body, query, signal, idempotencyKey }: Ask = {}): Promise<T> {
  const headers: Record<string, string> = { Accept: 'application/json' }
  if (body !== undefined) headers['Content-Type'] = 'application/json'
  if (method !== 'GET' && csrf) headers['X-CSRF-Token'] = csrf
  if (idempotencyKey) headers['Idempotency-Key'] = idempotencyKey

  let answer: Response
  try {
    answer = await fetch(path + search(query), {
      method, headers, signal, credentials: 'same-origin',
      body: body === undefined ? undefined : JSON.stringify(body),
    })
  } catch (error) {
    if (signal?.aborted) throw error
    throw unreachable()
  }
  if (!answer.ok) throw await faultOf(answer)
  const text = await answer.text()
  return (text ? JSON.parse(text) : undefined) as T
}

/** Reads problem+json; anything else (a proxy's page, say) becomes a plain sentence. */
export async function faultOf(answer: Response): Promise<Fault> {
  const problem = (await answer.json().catch(() => null)) as Problem | null
  if (problem && typeof problem === 'object' && (problem.detail || problem.title)) {
    return new Fault({ ...problem, status: answer.status })
  }
  if ([502, 503, 504].includes(answer.status)) return unreachable()
  return new Fault({ title: `The server answered with status ${answer.status}.`, status: answer.status })
}

function search(query: Ask['query']): string {
  const parameters = new URLSearchParams()
  for (const [key, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== '') parameters.set(key, String(value))
  }
  const text = parameters.toString()
  return text && '?' + text
}
