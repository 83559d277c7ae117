import { useSyncExternalStore } from 'react'

// One clock for the whole page, so that all countdowns tick together.
let now = Date.now()
let timer: ReturnType<typeof setInterval> | undefined
const listeners = new Set<() => void>()

function subscribe(listener: () => void) {
  listeners.add(listener)
  timer ??= setInterval(() => {
    now = Date.now()
    for (const tell of listeners) tell()
  }, 1000)
  return () => {
    listeners.delete(listener)
    if (listeners.size === 0) {
      clearInterval(timer)
      timer = undefined
    }
  }
}

function read() {
  if (!timer) now = Date.now()
  // While nobody ticks, whole seconds keep two reads in one render the same.
  return timer ? now : Math.floor(now / 1000) * 1000
}

/** The time in milliseconds, once a second. */
export const useNow = () => useSyncExternalStore(subscribe, read)
