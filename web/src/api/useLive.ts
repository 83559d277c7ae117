import { useCallback, useEffect, useRef, useState } from 'react'
import { follow, nothing, type Live, type Store } from './live.ts'
import type { ReleaseDetail } from './types.ts'

/** Follows a release while the component is shown. Messages of one frame are drawn once. */
export function useLive(release: string) {
  const [shown, setShown] = useState<{ release: string; live: Live }>({ release, live: nothing })
  const [round, setRound] = useState(0)
  const store = useRef<Store>(null)

  useEffect(() => {
    const abort = new AbortController()
    let live = nothing
    let timer = 0
    const show = () => {
      timer = 0
      setShown({ release, live })
    }
    store.current = {
      get: () => live,
      set: (next) => {
        live = next
        timer ||= window.setTimeout(show, document.hidden ? 1000 : 50)
      },
    }
    void follow(release, store.current, abort.signal)
    return () => {
      abort.abort()
      clearTimeout(timer)
    }
  }, [release, round])

  /** Shows the answer to a change at once, before the stream tells it. */
  const replace = useCallback((detail: ReleaseDetail) => {
    if (store.current) store.current.set({ ...store.current.get(), detail })
  }, [])
  const retry = useCallback(() => setRound((n) => n + 1), [])
  return { live: shown.release === release ? shown.live : nothing, replace, retry }
}
