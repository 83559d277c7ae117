import { useQueries } from '@tanstack/react-query'
import { ask } from '../api/client.ts'
import type { ReleaseDetail, Service } from '../api/types.ts'

/** The releases that move or wait in any lane, by ID: the services only name them. */
export function useMoving(services: Service[]): Record<string, ReleaseDetail> {
  const ids = services.flatMap((service) => (service.environments ?? []).flatMap((e) => [e.moving, ...(e.queue ?? [])]))
  const unique = [...new Set(ids.filter((id): id is string => Boolean(id)))].slice(0, 40)
  return useQueries({
    queries: unique.map((id) => ({
      queryKey: ['release', id],
      queryFn: ({ signal }: { signal: AbortSignal }) => ask<ReleaseDetail>(`/v1/releases/${encodeURIComponent(id)}`, { signal }),
      refetchInterval: 5_000,
    })),
    combine: (results) => Object.fromEntries(results.flatMap(({ data }) => (data ? [[data.id, data]] : []))),
  })
}
