// One hook per resource of the API: what is asked, how often, and what a change makes stale.

import { MutationCache, QueryCache, QueryClient, useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { ask, Fault, carryCsrfToken } from './client.ts'
import type {
  Action, Freeze, Login, Me, NewFreeze, Page, Release, ReleaseDetail, RunState, Service, Verification,
} from './types.ts'

/** A no is final, except when the server could not be reached. */
export function newQueryClient() {
  // A session that has ended shows the login wherever it is noticed.
  const onError = (error: unknown) => {
    if (error instanceof Fault && error.status === 401) void client.resetQueries({ queryKey: ['me'] })
  }
  const client = new QueryClient({
    queryCache: new QueryCache({ onError: (error, query) => { if (query.queryKey[0] !== 'me') onError(error) } }),
    mutationCache: new MutationCache({ onError: (error, _, __, mutation) => { if (mutation.options.mutationKey?.[0] !== 'login') onError(error) } }),
    defaultOptions: {
      queries: {
        retry: (count, error) => error instanceof Fault && (error.status === 0 || error.status >= 500) && count < 2,
        staleTime: 2_000,
      },
    },
  })
  return client
}

export async function fetchMe(): Promise<Me> {
  const me = await ask<Me>('/v1/me')
  carryCsrfToken(me.csrf)
  return me
}

export const useMe = () => useQuery({ queryKey: ['me'], queryFn: fetchMe, staleTime: Infinity, retry: false })

export function useLogin() {
  const client = useQueryClient()
  return useMutation({
    mutationKey: ['login'],
    mutationFn: (login: Login) => ask<Me>('/v1/login', { method: 'POST', body: login }),
    onSuccess: (me) => {
      carryCsrfToken(me.csrf)
      client.setQueryData(['me'], me)
    },
  })
}

export function useLogout() {
  const client = useQueryClient()
  return useMutation({
    mutationFn: () => ask<void>('/v1/logout', { method: 'POST' }),
    onSuccess: () => {
      carryCsrfToken('')
      client.clear()
    },
  })
}

/** Pages without TLS have no crypto.randomUUID. */
const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')

/** Collects all pages of a list that is small by nature. */
async function all<T>(path: string, signal: AbortSignal): Promise<T[]> {
  const items: T[] = []
  let cursor: string | undefined
  do {
    const page: Page<T> = await ask<Page<T>>(path, { query: { cursor }, signal })
    items.push(...(page.items ?? []))
    cursor = page.next
  } while (cursor)
  return items
}

export const useServices = () =>
  useQuery({ queryKey: ['services'], queryFn: ({ signal }) => all<Service>('/v1/services', signal), refetchInterval: 5_000 })

export interface ReleaseFilter {
  service?: string
  state?: RunState
}

export const useReleases = (filter: ReleaseFilter) =>
  useInfiniteQuery({
    queryKey: ['releases', filter],
    queryFn: ({ pageParam, signal }) =>
      ask<Page<Release>>('/v1/releases', { query: { ...filter, cursor: pageParam, limit: 50 }, signal }),
    initialPageParam: '',
    getNextPageParam: (last) => last.next || undefined,
    refetchInterval: 5_000,
  })

export const useFreezes = () =>
  useQuery({ queryKey: ['freezes'], queryFn: ({ signal }) => all<Freeze>('/v1/freezes', signal), refetchInterval: 10_000 })

export function useCreateFreeze() {
  const client = useQueryClient()
  return useMutation({
    mutationFn: (freeze: NewFreeze) => ask<Freeze>('/v1/freezes', { method: 'POST', body: freeze, idempotencyKey: newKey() }),
    onSuccess: () => client.invalidateQueries({ queryKey: ['freezes'] }),
  })
}

export function useEndFreeze() {
  const client = useQueryClient()
  return useMutation({
    mutationFn: (id: string) => ask<void>(`/v1/freezes/${encodeURIComponent(id)}`, { method: 'DELETE' }),
    onSuccess: () => client.invalidateQueries({ queryKey: ['freezes'] }),
  })
}

/** Checks the chain again whenever it has grown. */
export const useVerification = (release: string, lines: number) =>
  useQuery({
    queryKey: ['verify', release, lines],
    queryFn: ({ signal }) => ask<Verification>(`/v1/releases/${encodeURIComponent(release)}/verify`, { signal }),
    placeholderData: (previous) => previous,
    enabled: lines > 0,
    staleTime: Infinity,
  })

export interface Change {
  action: Exclude<Action, 'decide'>
  environment?: string
  stage?: string
  reason?: string
}

/** Sends what a person wants; an approval carries the digest and the plan that were on the screen. */
export function useChange(detail: ReleaseDetail, onDone: (detail: ReleaseDetail) => void) {
  return useMutation({
    mutationFn: ({ action, environment, stage, reason }: Change) =>
      ask<ReleaseDetail>(`/v1/releases/${encodeURIComponent(detail.id)}/${action}`, {
        method: 'POST',
        idempotencyKey: newKey(),
        body: action === 'approve' || action === 'reject'
          ? { environment, stage, reason, digest: detail.digest, planHash: detail.planHash }
          : { environment, reason },
      }),
    onSuccess: onDone,
  })
}
