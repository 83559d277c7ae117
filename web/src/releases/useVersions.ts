import { useQueries } from '@tanstack/react-query'
import { ask } from '../api/client.ts'
import type { ReleaseDetail } from '../api/types.ts'

/** The versions of releases that are only known by ID. */
export const useVersions = (ids: string[]): Record<string, string> =>
  useQueries({
    queries: ids.slice(0, 20).map((id) => ({
      queryKey: ['release', id],
      queryFn: ({ signal }: { signal: AbortSignal }) => ask<ReleaseDetail>(`/v1/releases/${encodeURIComponent(id)}`, { signal }),
    })),
    combine: (results) => Object.fromEntries(results.flatMap(({ data }) => (data ? [[data.id, data.version]] : []))),
  })
