// A headless Chromium that talks to nobody but the server under test.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium, type BrowserContext } from 'playwright-core'

const flags = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
]

export interface Opened {
  context: BrowserContext
  close: () => Promise<void>
}

/** Starts a browser with a profile of its own; CHROMIUM names another one than Debian's. */
export async function open(options: { width?: number; height?: number; colorScheme?: 'light' | 'dark' } = {}): Promise<Opened> {
  const profile = await mkdtemp(join(tmpdir(), 'fairway-browser-'))
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    headless: true,
    args: flags,
    viewport: { width: options.width ?? 1280, height: options.height ?? 900 },
    colorScheme: options.colorScheme ?? 'light',
    reducedMotion: 'reduce',
  })
  return {
    context,
    close: async () => {
      await context.close()
      await rm(profile, { recursive: true, force: true })
    },
  }
}
