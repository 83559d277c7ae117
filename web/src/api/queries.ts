// One hook per resource of the API: what is asked, how often, and what a change makes stale.

import { QueryClient, useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { ask, Fault, carryCsrfToken } from './client.ts'
import type {
  Action, Freeze, Login, Me, NewFreeze, Page, Release, ReleaseDetail, RunState, Service, Verification,
} from './types.ts'

/** A no is final, except when the server could not be reached. */
export function newQueryClient() {
  return new QueryClient({
    defaultOptions: {
      queries: {
        retry: (count, error) => error instanceof Fault && (error.status === 0 || error.status >= 500) && count < 2,
        staleTime: 2_000,
      },
    },
  })
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

/** Collects all pages of a list that is small by nature. */
export async function all<T>(path: string, query: Record<string, string | number | undefined> = {}, cursor = 'cursor', signal?: AbortSignal) {
  const items: T[] = []
  let next: string | undefined = String(query[cursor] ?? '')
  do {
    const page: Page<T> = await ask<Page<T>>(path, { query: { ...query, [cursor]: next }, signal })
    items.push(...(page.items ?? []))
    if (page.next === next) break
    next = page.next
  } while (next)
  return items
}

export const useServices = () =>
  useQuery({ queryKey: ['services'], queryFn: ({ signal }) => all<Service>('/v1/services', {}, 'cursor', signal), refetchInterval: 5_000 })

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
  useQuery({ queryKey: ['freezes'], queryFn: ({ signal }) => all<Freeze>('/v1/freezes', {}, 'cursor', signal), refetchInterval: 10_000 })

export function useCreateFreeze() {
  const client = useQueryClient()
  return useMutation({
    mutationFn: (freeze: NewFreeze) => ask<Freeze>('/v1/freezes', { method: 'POST', body: freeze, idempotencyKey: crypto.randomUUID() }),
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
        idempotencyKey: crypto.randomUUID(),
        body: action === 'approve' || action === 'reject'
          ? { environment, stage, reason, digest: detail.digest, planHash: detail.planHash }
          : { environment, reason },
      }),
    onSuccess: onDone,
  })
}
